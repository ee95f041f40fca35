"""Saved while the servers take messages in; brought back elsewhere; used there by who reported before."""

import shutil
import threading

import pytest
from click.testing import CliRunner

from common.config import read_server_config
from common.gpg.opening import Opener
from common.store.blobs import blob_path
from common.store.outbox import Outbox
from deploy import data_folder
from deploy.backup.layout import in_data_folder
from deploy.backup.restore import restore
from deploy.backup.save import save
from deploy.run.settle import settle
from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.rows import codenames
from deploy.workshop.bench.stage import stage

pytestmark = pytest.mark.slow

EACH, SENDERS = 3, 2


def send_one(address: str) -> str:
    browser = Browser(address)
    browser.begin()
    browser.send("/report", 0, "It happened at the yard.")
    words = browser.codename()
    browser.close()
    return words


@pytest.fixture
def long_ago(tmp_path, operator, copy_demo):
    """A demo that was saved while it took messages in, and has ended since: (data, file, words, answered, before)."""
    before, meanwhile = [], []
    started, some = threading.Event(), threading.Event()
    copy_demo(tmp_path / "old" / "var")
    with stage(tmp_path / "old") as servers:
        answered = codenames._with_answers(servers, 1)
        before += [send_one(servers.source) for _ in range(3)]

        def sender():
            started.wait(30)
            for _ in range(EACH):
                meanwhile.append(send_one(servers.source))
                some.set()

        threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        started.set()
        some.wait(30)  # they are at it
        before += meanwhile
        saved = save(in_data_folder(servers.data), tmp_path, operator.certificate)
        for thread in threads:
            thread.join()
    assert len(meanwhile) == EACH * SENDERS
    return servers.data, saved, answered, before


def test_what_was_acknowledged_before_comes_back_with_its_conversations(long_ago, tmp_path, operator):
    old, saved, answered, before = long_ago
    assert saved.envelopes >= len(before) + 1
    new = tmp_path / "new" / "var"
    for room in ("desk", "courier"):
        shutil.copytree(old / room, new / room)
    shutil.rmtree(old)
    restored = restore(in_data_folder(new), saved.file, operator.gnupg)
    assert restored.envelopes == saved.envelopes
    assert restored.sha256 == saved.sha256
    with stage(tmp_path / "new") as servers:
        browser = Browser(servers.source)
        browser.come_back(answered)
        assert b"Thank you. We have read it." in browser.get("/conversation").body
        browser.close()
        for words in before:
            browser = Browser(servers.source)
            browser.come_back(words)
            assert b"nobody has said yet" in browser.get("/conversation").body
            browser.close()
        assert send_one(servers.source)
        done = CliRunner().invoke(settle, ["--data", str(new), "--now"])
        assert (done.exit_code, done.output) == (0, "")
        config = read_server_config(data_folder.server_settings(new))
        outbox = Outbox(config.outbox, config.blobs)
        waiting = outbox.waiting(data_folder.UNIT_ID)
        outbox.close()
        assert len(waiting) == saved.envelopes + 1
        for envelope in waiting:
            content = bytearray()
            Opener(data_folder.gnupg_home(new)).open(blob_path(config.blobs, envelope.id), content.extend)
            assert len(content) >= 16 * 1024
