"""What a desk signed lies in the inbox until the next settled hour, within quotas that nothing remembers."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from common.days import today
from common.store import inbox
from common.store.values import State
from common.transport import post
from journalist_interface.collection import posts
from journalist_interface.collection.errors import NO_ROOM
from tests.journalist_interface.collection.conftest import collection_of

POSTS = "/v1/posts"
RETURNED = "/v1/returned"


def test_an_answer_lies_in_the_inbox_and_takes_the_first_free_slot_when_it_is_settled(world, north):
    tags = tuple(os.urandom(16) for _ in range(3))
    first, second = world.new_reply(tags=tags), world.new_reply(tags=tags)
    for reply in (first, second):
        answer = north.ask("POST", POSTS, reply.document)
        assert (answer.status_code, answer.content) == (204, b"")
    assert world.replies_under(tags) == {}
    assert world.delivered("north") == sorted(post.identity(one.document) for one in (first, second))
    world.settle()
    assert set(world.replies_under(tags).values()) == {first.ciphertext, second.ciphertext}
    assert set(world.replies_under(tags)) == set(tags[:2])
    assert world.delivered("north") == []
    assert north.ask("GET", RETURNED).json() == {"returned": []}


def test_the_same_post_again_changes_nothing(world, north):
    reply = world.new_reply()
    for _ in range(3):
        assert north.ask("POST", POSTS, reply.document).status_code == 204
    assert len(world.delivered("north")) == 1


def test_only_what_the_desk_says_that_it_holds_is_collected(world, north):
    """Downloading is nothing: a courier that was lost takes nothing with it."""
    mine, other = world.put("north", b"one" * 9000), world.put("north", b"two" * 9000)
    for one in (mine, other):
        assert north.ask("GET", f"/v1/envelopes/{one}").ok
    world.settle()
    assert world.listed("north") == sorted([mine, other])
    assert north.ask("POST", POSTS, world.new_receipts("north", {mine: b"one" * 9000})).status_code == 204
    assert world.listed("north") == sorted([mine, other]), "not before the settled hour"
    world.settle()
    assert world.listed("north") == [other]
    assert north.ask("GET", f"/v1/envelopes/{mine}").status_code == 404


def test_a_receipt_of_another_unit_or_for_other_content_holds_nothing(world, call, north):
    theirs, mine = world.put("south", b"theirs" * 9000), world.put("north", b"mine" * 9000)
    said = world.new_receipts("north", {theirs: b"theirs" * 9000, mine: b"other" * 9000})
    assert north.ask("POST", POSTS, said).status_code == 204
    world.settle()
    assert (world.listed("south"), world.listed("north")) == ([theirs], [mine])
    with world.store.engine.connect() as connection:
        states = set(connection.exec_driver_sql("SELECT state FROM envelope").scalars())
    assert states == {State.LISTED}


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        ({"signed_by": "south"}, posts.NOT_SIGNED),
        ({"unit": "south"}, posts.NOT_SIGNED),  # of another unit, well signed by it
        ({"unit": "south", "signed_by": "north"}, posts.NOT_SIGNED),
        ({"day": today() - inbox.OLDEST - timedelta(days=1)}, posts.TOO_OLD),
        ({"day": today() + inbox.AHEAD + timedelta(days=1)}, posts.TOO_OLD),
    ],
)
def test_what_the_caller_s_desk_did_not_sign_in_these_weeks_is_refused(world, north, harm, sentence):
    answer = north.ask("POST", POSTS, world.new_reply(**harm).document)
    assert (answer.status_code, answer.json()["error"]) == (422, sentence)
    assert world.delivered("north") == world.delivered("south") == []


@pytest.mark.parametrize("day", [today() - inbox.OLDEST, today() + inbox.AHEAD])
def test_what_was_signed_in_these_weeks_is_taken(world, north, day):
    assert north.ask("POST", POSTS, world.new_reply(day=day).document).status_code == 204


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b"[]", b'{"body":{},"signature":""}'])
def test_what_is_no_post_is_refused(world, north, body):
    assert north.ask("POST", POSTS, body).status_code in (400, 422)
    assert world.delivered("north") == []


def test_a_body_that_is_too_large_is_refused(world, north):
    assert north.ask("POST", POSTS, b"x" * post.MOST_BYTES).status_code in (400, 422)
    assert north.ask("POST", POSTS, b"x" * (post.MOST_BYTES + 1)).status_code == 413


def test_a_body_without_a_length_is_bounded_too(gunicorn, call):
    caller = call("north", gunicorn.address)
    sent = 0

    def endless():
        nonlocal sent
        while sent < 64 * 1024 * 1024:
            sent += 65536
            yield b"x" * 65536

    request = caller.prepare("POST", POSTS)
    request.headers.update(
        {"Transfer-Encoding": "chunked", "Signature": "a=:AA==:", "Signature-Input": "a=()"}
    )
    request.headers.pop("Content-Length", None)
    request.body = endless()
    try:
        status = caller.send(request).status_code
    except OSError:  # the collection hung up before it was through
        status = 413
    assert status == 413
    assert sent < 64 * 1024 * 1024


def test_a_unit_s_quota_survives_a_restart_and_begins_anew_with_the_settled_hour(
    world, call, north, monkeypatch
):
    monkeypatch.setattr(posts, "MOST_POSTS", 3)
    replies = [world.new_reply() for _ in range(4)]
    *taken, one_more = replies
    for reply in taken:
        assert north.ask("POST", POSTS, reply.document).status_code == 204
    with collection_of(world) as address:  # one that has just started
        later = call("north", address)
        answer = later.ask("POST", POSTS, one_more.document)
        assert (answer.status_code, answer.json()["error"]) == (429, posts.TOO_MANY)
        assert later.ask("POST", POSTS, taken[0].document).status_code == 204, (
            "the same again is not one more"
        )
        assert call("south", address).ask("POST", POSTS, world.new_reply("south").document).status_code == 204
        world.settle()
        assert later.ask("POST", POSTS, one_more.document).status_code == 204


def test_many_at_once_keep_within_the_quota(world, call, north, monkeypatch):
    monkeypatch.setattr(posts, "MOST_POSTS", 5)
    north.learn_mark()
    callers = [call("north") for _ in range(12)]
    for caller in callers:
        caller.mark = north.mark
    documents = [world.new_reply().document for _ in callers]
    with ThreadPoolExecutor(len(callers)) as pool:
        codes = list(
            pool.map(
                lambda pair: pair[0].ask("POST", POSTS, pair[1]).status_code,
                zip(callers, documents, strict=True),
            )
        )
    assert sorted(codes) == [204] * 5 + [429] * 7
    assert len(world.delivered("north")) == 5


def test_nothing_a_unit_posts_closes_intake(world, call):
    """Room that is kept for reports goes to no post: not while it is delivered, nor while it is settled."""
    disk = os.statvfs(world.folder)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    reply, other = world.new_reply(), world.new_reply()
    with collection_of(world) as address:
        assert call("north", address).ask("POST", POSTS, reply.document).status_code == 204
    # Reports are still taken where so much is to stay free, and answers are not.
    world.limit(keep_free_bytes=free - total // 32, reserve_for_reports_bytes=total)
    assert world.config.limits.keep_free_bytes < free < world.config.limits.kept_from_posts(total)
    world.settle()
    with collection_of(world) as address:
        answer = call("north", address).ask("POST", POSTS, other.document)
        assert (answer.status_code, answer.json()["error"]) == (507, NO_ROOM)
    assert world.replies_under(reply.candidates) == {}
    assert world.delivered("north") == [post.identity(reply.document)], "it waits"
    world.limit(keep_free_bytes=0, reserve_for_reports_bytes=0)
    world.settle()
    assert list(world.replies_under(reply.candidates).values()) == [reply.ciphertext]


def test_what_cannot_be_written_for_want_of_room_is_told_so(world, call):
    world.config.inbox.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "candour-test", world.config.inbox]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root has a small disk")
    try:
        with collection_of(world) as address:
            north = call("north", address)
            answers = [north.ask("POST", POSTS, world.new_reply().document) for _ in range(3)]
    finally:
        subprocess.run(["umount", "--lazy", world.config.inbox], check=True)
    assert (answers[-1].status_code, answers[-1].json()["error"]) == (507, NO_ROOM)


def test_an_answer_without_a_free_slot_is_returned_to_its_unit_alone(world, call, north):
    reply = world.new_reply()
    for tag in reply.candidates:
        world.store.put_reply([tag], os.urandom(9328), today())
    before = world.replies_under(reply.candidates)
    assert north.ask("POST", POSTS, reply.document).status_code == 204
    assert north.ask("GET", RETURNED).json() == {"returned": []}
    world.settle()
    returned = {"returned": [{"post": post.identity(reply.document), "why": "no-place"}]}
    assert north.ask("GET", RETURNED).json() == returned
    assert call("south").ask("GET", RETURNED).json() == {"returned": []}
    assert world.replies_under(reply.candidates) == before


def test_nothing_on_the_server_says_what_a_unit_posted(world, north):
    reply = world.new_reply()
    north.ask("POST", POSTS, reply.document)
    north.ask("POST", POSTS, world.new_receipts("north", {world.put("north", b"x" * 16384): b"x" * 16384}))
    world.settle()
    name = post.identity(reply.document).encode()
    for file in world.folder.rglob("*"):
        assert name.decode() not in file.name
        if file.is_file() and file.name != "registry.json":
            assert name not in file.read_bytes()
    with world.store.engine.connect() as connection:
        rows = [dict(row) for row in connection.exec_driver_sql("SELECT * FROM reply").mappings()]
    assert not [row for row in rows if b"north" in b"".join(str(value).encode() for value in row.values())]


def test_what_lies_in_the_inbox_tells_no_hour_but_by_what_the_file_system_notes(world, north):
    north.ask("POST", POSTS, world.new_reply().document)
    for path in (world.config.inbox, *world.config.inbox.rglob("*")):
        assert path.stat().st_mtime % 86400 == 0, path
        assert path.stat().st_mode & 0o077 == 0
