"""`candour courier round` on the demo itself: from the reporter to the desk, and back, and nothing is lost of it."""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.config import read_server_config
from common.store.outbox import Outbox
from deploy import data_folder
from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.stage import Stage, stage
from journalist_interface.desk.answers import composition
from journalist_interface.desk.services import open_desk
from tests.journalist_interface.collection.conftest import PROJECT

pytestmark = pytest.mark.slow

WORDS, ANSWER = "It happened at the yard.", "We look into it, thank you."


def go_round(servers: Stage, code: int = 0) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deploy", "courier", "round", "--data", str(servers.data)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def listed(servers: Stage) -> list[str]:
    config = read_server_config(data_folder.server_settings(servers.data))
    outbox = Outbox(config.outbox, config.blobs)
    try:
        return [one.id for one in outbox.waiting(data_folder.UNIT_ID)]
    finally:
        outbox.close()


def test_two_rounds_bring_a_report_there_and_its_answer_and_its_receipt_back(
    tmp_path: Path, copy_demo: Callable[[Path], None]
):
    copy_demo(tmp_path / "var")
    with stage(tmp_path) as servers:
        sender = Browser(servers.source)
        sender.begin()
        sender.send("/report", 0, WORDS)
        words = sender.codename()
        sender.close()
        said = go_round(servers).stdout
        assert "1 envelope (0.0 MB) brought to" in said
        assert "1 new, 0 known already.\n1 opened, 0 could not be opened." in said
        assert said.count("For ") == 1  # the other units had nothing to do
        assert len(listed(servers)) == 1  # until the desk has said that it holds it

        desk = open_desk(data_folder.desk_settings(servers.data))
        [conversation] = desk.cabinet.conversations.page()
        answer_id = secrets.token_hex(16)
        composition.seal_answer(desk, conversation.identity, answer_id, ANSWER)
        bad = servers.data / "stick" / "envelopes-2026-01-01-00000000"
        bad.mkdir()  # what a desk does not take is said, and keeps nothing else from being done
        done = go_round(servers, code=1)
        assert f"The desk says: {bad.name}: This bundle is refused" in done.stderr
        said = done.stdout
        assert "1 answer and receipts for 1 message written to the stick" in said
        assert "1 answer delivered. 1 post of receipts delivered." in said
        assert "What became of 2 posts is brought to" in said
        row = desk.cabinet.answers.get(answer_id)
        assert row is not None
        assert row.state == "delivered"
        assert desk.cabinet.posts.owed_receipts() == {}
        assert listed(servers) == []

        reader = Browser(servers.source)
        reader.come_back(words)
        assert ANSWER.encode() in reader.get("/conversation").body
        reader.close()
        desk.cabinet.rest()
