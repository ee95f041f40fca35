"""Answers onto the stick: whole, signed, once."""

import secrets

import pytest

from common.transport import bundle, bundle_item, post
from common.transport.post import ReceiptsPost, ReplyPost
from journalist_interface.desk.answers import composition
from journalist_interface.desk.rows.answers import TakenBack
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all


@pytest.fixture
def desk(world):
    """A desk with two conversations, and an answer that waits in each."""
    reporters = [world.reporter(), world.reporter()]
    world.bundle(*(world.seal(reporter) for reporter in reporters))
    made = world.desk()
    import_all(made)
    for reporter in reporters:
        composition.seal_answer(made, reporter.identity, secrets.token_hex(16), "Thank you.")
    return made


def posts_on_the_stick(world):
    """By bundle, the posts it holds; each bundle is checked as the courier checks it."""
    found, key = [], world.house.unit.reply_public_key
    for folder in bundle.found(world.stick, "posts"):
        read = bundle.read_manifest(folder, "posts", "demo-unit", (key,))
        documents = [bundle_item.read_item(read.folder, item, post.MOST_BYTES) for item in read.items]
        assert [item.name for item in read.items] == [post.identity(document) for document in documents]
        found.append({document: post.read(document, key) for document in documents})
    return found


def on_the_stick(world):
    """By bundle, the documents of its answers."""
    return [
        {document for document, read in posts.items() if isinstance(read, ReplyPost)}
        for posts in posts_on_the_stick(world)
    ]


def receipts_on_the_stick(world):
    """By bundle: envelope id -> SHA-256, as its receipts say."""
    return [
        {
            one: sha256
            for read in posts.values()
            if isinstance(read, ReceiptsPost)
            for one, sha256 in read.held.items()
        }
        for posts in posts_on_the_stick(world)
    ]


def waiting_documents(desk):
    return {
        composition.read_answer(desk, answer.id).outgoing for answer in desk.cabinet.answers.to_export(10)
    }


def test_all_that_wait_leave_in_one_bundle_and_once(world, desk):
    documents = waiting_documents(desk)
    done = export_waiting(desk)
    assert done.answers == 2
    assert on_the_stick(world) == [documents]
    assert export_waiting(desk).answers == 0
    assert sorted(on_the_stick(world), key=len) == [set(), documents]


def test_an_exported_answer_leaves_again_as_the_same_ciphertext(world, desk, browser):
    documents = waiting_documents(desk)
    [first, _] = desk.cabinet.answers.to_export(10)
    export_waiting(desk)
    assert browser.post(f"/answers/{first.id}/again").status_code == 303
    page = browser.get(f"/conversations/{first.conversation}").text
    assert "Leaves with the next export" in page
    assert "Take it back" not in page
    assert "1 answer and receipts for" in browser.post("/export").text
    one, two = sorted(on_the_stick(world), key=len)
    assert one < two == documents


def test_an_exported_answer_cannot_be_taken_back(desk, browser):
    [first, _] = desk.cabinet.answers.to_export(10)
    export_waiting(desk)
    browser.post(f"/answers/{first.id}/take-back")
    assert desk.cabinet.answers.get(first.id).state == "exported"


def test_an_answer_that_is_taken_back_meanwhile_stops_the_export(world, desk):
    [first, second] = desk.cabinet.answers.to_export(10)
    desk.cabinet.answers.take_back(first.id)
    with pytest.raises(TakenBack):
        desk.cabinet.answers.leave([first.id, second.id])
    assert desk.cabinet.answers.get(second.id).state == "waiting"


def test_without_a_stick_all_still_wait(world, desk, browser):
    for file in sorted(world.stick.rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    world.stick.rmdir()
    assert "The stick is not there" in browser.get("/export").text
    answer = browser.post("/export")
    assert answer.status_code == 409
    assert "Put the stick in" in answer.text
    assert desk.cabinet.answers.count_to_export() == 2


def test_an_answer_whose_file_is_gone_keeps_none_of_the_others_back(world, desk, browser):
    [first, second] = desk.cabinet.answers.to_export(10)
    desk.files.answer(first.id).unlink()
    page = browser.post("/export").text
    assert "1 answer and receipts for" in page
    assert "1 answer could not be opened" in page
    assert desk.cabinet.answers.get(first.id).state == "waiting"
    assert desk.cabinet.answers.get(second.id).state == "exported"
    assert "1 answer could not be opened" in browser.post("/export").text
    assert sum(map(len, on_the_stick(world))) == 1


def test_what_a_killed_export_left_is_cleared_and_nothing_else(world, desk):
    left = world.stick / ".partial-posts-2026-01-01-00000000"
    left.mkdir()
    (left / "x").write_bytes(b"half")
    others = world.stick / ".partial-envelopes-2026-01-01-00000000"
    others.mkdir()
    export_waiting(desk)
    assert not left.exists()
    assert others.exists()
    assert not list(world.stick.glob(".partial-posts-*"))
