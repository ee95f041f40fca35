"""One form is one message, however often and however hastily it is sent."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.source_interface.conftest import CODENAME

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("files", [(), [("f.bin", b"x" * 2_000_000)]], ids=["words", "with a file"])
def test_a_form_sent_four_times_at_once_is_one_message_and_all_are_told_it_is_safe(server, files):
    reporter, before = server.reporter(), len(server.blobs())
    reporter.start()
    path, body = reporter.message("Pressed four times.", files)
    together = threading.Barrier(4)

    def press(_):
        browser = server.reporter()
        browser.cookie = reporter.cookie
        together.wait()
        answer = browser.deliver(path, body)
        shown = browser.get("/sent") if answer.goes_to == "/sent" else answer
        return answer.status, "It has arrived" in shown.text, CODENAME.findall(shown.text)

    with ThreadPoolExecutor(4) as pool:
        told = sorted(pool.map(press, range(4)))
    assert [status for status, *_ in told] == [200, 200, 200, 303]
    assert {(safe, len(words)) for _, safe, words in told} == {(True, 7)}
    assert len(server.blobs()) == before + 1
    assert server.staging() == []
    reporter.get("/sent")
    reporter.post("/noted")
    assert reporter.get("/conversation").text.count("nobody has said yet") == 1


def test_a_later_message_sent_again_is_said_to_have_arrived_already(server):
    reporter = server.reporter()
    words = reporter.report()
    later, before = server.reporter(), len(server.blobs())
    later.come_back(words)
    later.choose()
    form = later.message("More.")
    assert later.deliver(*form).goes_to == "/conversation"
    assert "arrived and is safe" in later.get("/conversation").text
    again = later.deliver(*form)
    assert again.status == 200
    assert "had arrived already" in again.text
    assert "More." in again.text, "should the words have been changed, they are not lost"
    assert len(server.blobs()) == before + 1


def test_a_form_sent_again_after_it_was_withdrawn_is_a_new_message(server):
    reporter = server.reporter()
    words = reporter.report()
    later, before = server.reporter(), len(server.blobs())
    later.come_back(words)
    later.choose()
    form = later.message("More.")
    later.deliver(*form)
    slot = form[1].split(b'name="slot"\r\n\r\n')[1].split(b"\r\n")[0].decode()
    later.get("/conversation")
    assert later.post("/withdraw", {"slot": slot, "confirm": "1"}).goes_to == "/conversation"
    assert len(server.blobs()) == before
    assert later.deliver(*form).goes_to == "/conversation"
    assert len(server.blobs()) == before + 1


def test_ten_reporters_at_once_each_get_their_own(server):
    before = len(server.blobs())
    with ThreadPoolExecutor(10) as pool:
        codenames = list(pool.map(lambda n: tuple(server.reporter().report(f"Report {n}")), range(10)))
    assert len(set(codenames)) == 10
    assert len(server.blobs()) == before + 10
