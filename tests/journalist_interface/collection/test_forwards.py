"""What one unit posts to another: only what its desk signed, to who is enrolled, whole, once, and within bounds."""

import hashlib
import os
import secrets
from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.envelope_id import FORWARDED_PREFIX, new_id
from common.transport import forwarding
from common.transport.forwarding import Slip
from journalist_interface.collection import forwards, posts
from journalist_interface.collection.errors import NO_ROOM
from tests.journalist_interface.collection.conftest import collection_of

pytestmark = pytest.mark.slow

CONTENT = os.urandom(5_000)


def id_of(digest):
    return (FORWARDED_PREFIX + digest)[:32]


@pytest.fixture
def slip(world):
    """A slip of the desk of `north`, for an envelope to `south`; `signed_by`: another unit's desk."""

    def make(content=CONTENT, signed_by="north", **changed):
        digest = hashlib.sha256(content).hexdigest()
        said = Slip(id_of(digest), "north", "south", today(), len(content), digest)
        said = replace(said, **changed)
        return said, forwarding.sign_slip(said, world.reply_keys[signed_by])

    return make


def post(caller, said, signed, content=CONTENT, *, piece=2_000):
    """Post an envelope as a courier does. The last answer."""
    answer = caller.ask("POST", "/v1/forwards", signed)
    while answer.status_code == 200 and (at := answer.json()["at"]) < said.size:
        answer = caller.ask("POST", f"/v1/forwards/{said.id}?at={at}", content[at : at + piece])
    return answer


def waiting(caller):
    return [one["id"] for one in caller.ask("GET", "/v1/envelopes").json()["envelopes"]]


def test_what_is_posted_is_collected_by_the_other_unit_as_any_other(world, call, north, slip):
    said, signed = slip()
    assert post(north, said, signed).json() == {"at": said.size}
    south = call("south")
    assert waiting(south) == [], "not before the settled hour"
    assert world.delivered("north") == [said.id, f"{said.id}.slip"]
    world.settle()
    assert world.delivered("north") == []
    assert waiting(south) == [said.id]
    assert waiting(north) == []
    assert south.ask("GET", f"/v1/envelopes/{said.id}").content == CONTENT
    assert north.ask("GET", f"/v1/envelopes/{said.id}").status_code == 404
    parcel = south.ask("GET", f"/v1/envelopes/small?from={said.id}").content
    assert CONTENT in parcel
    assert south.ask("POST", "/v1/posts", world.new_receipts("south", {said.id: CONTENT})).status_code == 204
    world.settle()
    assert waiting(south) == []


def test_its_row_names_nobody_that_it_is_from_and_no_reporter_s_tag(world, north, slip):
    for content in (CONTENT, CONTENT[::-1]):
        said, signed = slip(content)
        post(north, said, signed, content)
    world.settle()
    with world.store.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM envelope").mappings().all()
    assert len({row["receipt_tag"] for row in rows}) == 2
    for row in rows:
        assert row["unit"] == "south"
        assert "north" not in str(dict(row))
        assert len(row["receipt_tag"]) == 16
    status = world.store.blobs._path(said.id).stat()
    assert status.st_mtime % 86400 == 0
    assert status.st_mode & 0o777 == 0o600


def test_posted_twice_is_as_good_as_once_and_a_cut_goes_on_from_there(world, call, north, slip):
    said, signed = slip()
    assert north.ask("POST", "/v1/forwards", signed).json() == {"at": 0}
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:1000]).json() == {"at": 1000}
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:1000]).json() == {"at": 1000}
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=4000", CONTENT[4000:]).json() == {"at": 1000}
    world.settle()  # what is not whole is left alone
    assert north.ask("POST", "/v1/forwards", signed).json() == {"at": 1000}
    with collection_of(world) as address:  # one that has just started
        later = call("north", address)
        assert later.ask("POST", f"/v1/forwards/{said.id}?at=1000", CONTENT[1000:2000]).json() == {"at": 2000}
        for _ in range(2):
            assert post(later, said, signed).json() == {"at": said.size}
        assert later.ask("POST", f"/v1/forwards/{said.id}?at=0", b"x").json() == {"at": said.size}
        world.settle()
        assert later.ask("POST", f"/v1/forwards/{said.id}?at=0", b"x").status_code == 404
        assert post(later, said, signed).json() == {"at": said.size}  # a courier that never heard of it
        world.settle()
        assert waiting(call("south", address)) == [said.id]
        assert world.delivered("north") == []


@pytest.mark.parametrize(
    "harm",
    [
        {"signed_by": "south"},
        {"id": new_id()},  # one that a reporter's envelope could have
        {"by": "charity"},
        {"to": "north"},
        {"to": "nobody"},
        {"day": today() - timedelta(days=90)},
        {"day": today() + timedelta(days=9)},
        {"size": 20 * 1024**3},
    ],
    ids=lambda harm: next(iter(harm)),
)
def test_a_slip_that_does_not_count_is_refused(harm, world, north, slip):
    said, signed = slip(**harm)
    answer = north.ask("POST", "/v1/forwards", signed)
    assert answer.status_code == (400 if "id" in harm else 422)
    assert answer.json()["error"].endswith(".")
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT).status_code == 404
    assert world.delivered("north") == []


def test_nothing_is_posted_for_a_unit_that_is_suspended_even_in_the_middle(world, call, north, slip):
    said, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:1000])
    world.write_registry(version=2, suspended=("south",))
    answer = north.ask("POST", f"/v1/forwards/{said.id}?at=1000", CONTENT[1000:])
    assert (answer.status_code, answer.json()["error"]) == (422, forwards.NO_SUCH_UNIT)
    said, signed = slip()
    assert post(north, said, signed).status_code == 422
    world.settle()
    with world.store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM envelope").scalar() == 0


def test_a_suspended_unit_posts_nothing(world, call, north, slip):
    north.learn_mark()
    world.write_registry(version=2, suspended=("north",))
    assert north.ask("POST", "/v1/forwards", slip()[1]).status_code == 401


def test_of_a_unit_that_is_suspended_meanwhile_nothing_is_taken_and_nothing_stays(world, north, slip):
    said, signed = slip()
    post(north, said, signed)
    reply = world.new_reply()
    assert north.ask("POST", "/v1/posts", reply.document).status_code == 204
    world.write_registry(version=2, suspended=("north",))
    world.settle()
    assert world.delivered("north") == []
    assert world.replies_under(reply.candidates) == {}
    assert world.listed("south") == []


def test_what_is_not_what_the_slip_says_is_not_kept(world, call, north, slip):
    said, signed = slip()
    assert post(north, said, signed, CONTENT[::-1]).json()["error"] == forwards.ALTERED
    assert world.delivered("north") == []
    assert post(north, said, signed).json() == {"at": said.size}
    content = os.urandom(5_000)
    long, signed = slip(content)
    north.ask("POST", "/v1/forwards", signed)
    assert north.ask("POST", f"/v1/forwards/{long.id}?at=0", content + b"x").status_code == 400


def test_another_unit_cannot_continue_or_take_the_place_of_what_is_posted(world, call, north, slip):
    said, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    south = call("south")
    assert south.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT).status_code == 404
    own, own_signed = slip(CONTENT, "south", by="south", to="charity")
    assert own.id == said.id
    assert south.ask("POST", "/v1/forwards", own_signed).json() == {"at": 0}
    assert south.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:9]).json() == {"at": 9}
    assert post(north, said, signed).json() == {"at": said.size}
    world.settle()
    assert waiting(south) == [said.id]
    assert south.ask("GET", f"/v1/envelopes/{said.id}").content == CONTENT


def test_a_unit_cannot_flood_another_without_bound_whoever_starts_anew(world, call, north, slip, monkeypatch):
    monkeypatch.setattr(forwards, "MOST_FORWARDS", 3)
    contents = [os.urandom(10) for _ in range(4)]
    first = [slip(content) for content in contents]
    for (said, signed), content in zip(first[:3], contents, strict=False):
        assert post(north, said, signed, content).status_code == 200
    with collection_of(world) as address:  # one that has just started
        later = call("north", address)
        refused = later.ask("POST", "/v1/forwards", first[3][1])
        assert (refused.status_code, refused.json()["error"]) == (429, posts.TOO_MANY)
        assert post(later, first[0][0], first[0][1], contents[0]).json() == {
            "at": 10
        }  # delivered again: not one more
        mine = os.urandom(10)
        other = call("south", address)
        assert other.ask("POST", "/v1/forwards", slip(mine, "south", by="south", to="north")[1]).ok
        world.settle()
        assert later.ask("POST", "/v1/forwards", first[3][1]).json() == {"at": 0}


def test_nor_by_size_however_many_were_begun_before_any_was_sent(world, call, slip):
    world.limit(max_report_bytes=3_000)
    most = world.config.limits.largest_sealed_bytes
    contents = [os.urandom(most // 2 + 1) for _ in range(2)]
    first, second = slips = [slip(content) for content in contents]
    with collection_of(world) as address:
        north = call("north", address)
        for _, signed in slips:
            assert north.ask("POST", "/v1/forwards", signed).json() == {"at": 0}
        assert post(north, first[0], first[1], contents[0], piece=forwarding.CHUNK).json() == {
            "at": first[0].size
        }
        answer = post(north, second[0], second[1], contents[1], piece=forwarding.CHUNK)
        assert (answer.status_code, answer.json()["error"]) == (429, posts.TOO_MANY)
        held = sum(file.stat().st_size for file in (world.config.inbox / "north").iterdir())
        assert held <= most + 2 * forwarding.SLIP_BYTES
        world.settle()
        assert post(north, second[0], second[1], contents[1], piece=forwarding.CHUNK).json() == {
            "at": second[0].size
        }
        _, signed = slip(size=most + 1)
        assert north.ask("POST", "/v1/forwards", signed).json()["error"] == forwards.TOO_LARGE


def test_a_disk_without_more_than_what_is_kept_for_reports_takes_nothing(world, call, slip):
    disk = os.statvfs(world.folder)
    world.limit(keep_free_bytes=disk.f_blocks * disk.f_frsize, reserve_for_reports_bytes=0)
    world.settle()
    with collection_of(world) as address:
        answer = call("north", address).ask("POST", "/v1/forwards", slip()[1])
    assert (answer.status_code, answer.json()["error"]) == (507, NO_ROOM)
    assert world.delivered("north") == []


@pytest.mark.parametrize("had_room", [True, False])
def test_between_two_settled_hours_no_answer_tells_how_much_of_the_disk_is_free(world, call, slip, had_room):
    """What arrives or is withdrawn changes what is free, so a courier would see it to the second."""
    disk = os.statvfs(world.folder)
    full = {"keep_free_bytes": disk.f_blocks * disk.f_frsize}
    world.limit(**({"keep_free_bytes": 0} if had_room else full))
    world.settle()
    world.limit(
        **(full if had_room else {"keep_free_bytes": 0})
    )  # now the disk is as it was not at that hour
    with collection_of(world) as address:
        north = call("north", address)
        codes = [north.ask("POST", "/v1/posts", world.new_reply().document).status_code]
        codes.append(north.ask("POST", "/v1/forwards", slip()[1]).status_code)
    assert codes == ([204, 200] if had_room else [507, 507])


def test_malformed_requests_are_refused(world, north, slip):
    said, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    for path in (f"{said.id}?at=x", f"{said.id}?at=-1", f"{said.id}?at={'9' * 40}", f"{said.id}", "x?at=0"):
        assert north.ask("POST", f"/v1/forwards/{path}", b"x").status_code == 400, path
    for body in (b"", b"{}", b"[]", b"\xff", signed[:-5], b'{"body":{},"signature":""}'):
        assert north.ask("POST", "/v1/forwards", body).status_code in (400, 422), body
    too_large = bytes(forwarding.CHUNK + 1)
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=0", too_large).status_code == 413
    assert north.ask("GET", "/v1/forwards").status_code == 405


def test_what_nobody_goes_on_with_goes_and_a_reporter_s_withdrawing_does_not_reach_a_forward(
    world, north, slip, monkeypatch
):
    said, signed = slip()
    post(north, said, signed)
    content = os.urandom(3_000)
    unfinished, signed = slip(content)
    north.ask("POST", "/v1/forwards", signed)
    north.ask("POST", f"/v1/forwards/{unfinished.id}?at=0", content[:1000])
    world.settle()
    assert world.delivered("north") == [
        f"{unfinished.id}.part",
        f"{unfinished.id}.slip",
    ]  # it may be under way
    monkeypatch.setattr("common.store.settlement.today", lambda: today() + timedelta(days=9))
    world.settle()
    assert world.delivered("north") == []
    for _ in range(256):
        world.withdraw(secrets.token_bytes(16))
    assert world.store.blobs._path(said.id).read_bytes() == CONTENT
