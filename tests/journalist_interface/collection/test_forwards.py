"""What one unit posts to another: only what its desk signed, to who is enrolled, whole, once, and within bounds."""

import hashlib
import json
import os
import secrets
from dataclasses import replace
from datetime import timedelta

import pytest

from common import forwarding
from common.days import today
from common.forwarding import Slip
from common.store.blobs import new_id, set_aside_under
from journalist_interface.collection import forwards
from journalist_interface.collection.app import create_app
from tests.journalist_interface.collection.conftest import serving

CONTENT = os.urandom(5_000)


@pytest.fixture
def slip(world):
    """A slip of the desk of `north`, for an envelope to `south`; `signed_by`: another unit's desk."""

    def make(content=CONTENT, signed_by="north", **changed):
        said = Slip(
            new_id(forwarded=True),
            "north",
            "south",
            today(),
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
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


def parts(world):
    forwarded = world.config.blobs.parent / "forwarded"
    return sorted(file.name for file in forwarded.iterdir() if file.name != "set-aside")


def test_what_is_posted_is_collected_by_the_other_unit_as_any_other(world, call, north, slip):
    said, signed = slip()
    assert post(north, said, signed).json() == {"at": said.size}
    south = call("south")
    assert waiting(south) == [said.id]
    assert waiting(north) == []
    assert south.ask("GET", f"/v1/envelopes/{said.id}").content == CONTENT
    assert north.ask("GET", f"/v1/envelopes/{said.id}").status_code == 404
    parcel = south.ask("GET", f"/v1/envelopes/small?from={said.id}").content
    assert CONTENT in parcel
    body = json.dumps({"ids": [said.id]}).encode()
    assert south.ask("POST", "/v1/envelopes/collected", body).status_code == 204
    assert waiting(south) == []
    world.store.sweep(today() + timedelta(days=30), alone=True)
    assert parts(world) == []
    assert [file.name for file in set_aside_under(world.config.blobs)] == [said.id]


def test_its_row_names_nobody_that_it_is_from_and_no_reporter_s_tag(world, north, slip):
    said, signed = slip()
    post(north, said, signed)
    with world.store.engine.connect() as connection:
        [row] = connection.exec_driver_sql("SELECT * FROM envelope").mappings().all()
    assert row["unit"] == "south"
    assert "north" not in str(dict(row))
    assert len(row["receipt_tag"]) == 16
    again, signed = slip()
    post(north, again, signed)
    with world.store.engine.connect() as connection:
        tags = set(connection.exec_driver_sql("SELECT receipt_tag FROM envelope").scalars())
    assert len(tags) == 2
    stat = (world.config.blobs.parent / "forwarded" / said.id).stat()
    assert stat.st_mtime % 86400 == 0
    assert stat.st_mode & 0o777 == 0o600


def test_posted_twice_is_as_good_as_once_and_a_cut_goes_on_from_there(world, call, north, slip):
    said, signed = slip()
    assert north.ask("POST", "/v1/forwards", signed).json() == {"at": 0}
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:1000]).json() == {"at": 1000}
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:1000]).json() == {"at": 1000}
    assert north.ask("POST", f"/v1/forwards/{said.id}?at=4000", CONTENT[4000:]).json() == {"at": 1000}
    assert north.ask("POST", "/v1/forwards", signed).json() == {"at": 1000}
    assert waiting(call("south")) == []
    app = create_app(world.config)  # a collection that was started anew: the slip is asked for again
    with serving(app) as address:
        later = call("north", address)
        assert later.ask("POST", f"/v1/forwards/{said.id}?at=1000", b"x").status_code == 404
        for _ in range(2):
            assert post(later, said, signed).json() == {"at": said.size}
        assert later.ask("POST", f"/v1/forwards/{said.id}?at=0", b"x").status_code in (200, 404)
        assert waiting(call("south", address)) == [said.id]
    app.extensions["candour-collection"].store.engine.dispose()


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
    assert parts(world) == []


def test_nothing_is_posted_for_a_unit_that_is_suspended_even_in_the_middle(world, call, north, slip):
    said, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    north.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT[:1000])
    world.write_registry(version=2, suspended=("south",))
    answer = north.ask("POST", f"/v1/forwards/{said.id}?at=1000", CONTENT[1000:])
    assert (answer.status_code, answer.json()["error"]) == (422, forwards.NO_SUCH_UNIT)
    said, signed = slip()
    assert post(north, said, signed).status_code == 422
    with world.store.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM envelope").scalar() == 0


def test_a_suspended_unit_posts_nothing(world, call, north, slip):
    north.learn_mark()
    world.write_registry(version=2, suspended=("north",))
    assert north.ask("POST", "/v1/forwards", slip()[1]).status_code == 401


def test_what_is_not_what_the_slip_says_is_not_kept(world, call, north, slip):
    said, signed = slip()
    assert post(north, said, signed, CONTENT[::-1]).json()["error"] == forwards.ALTERED
    assert parts(world) == []
    assert waiting(call("south")) == []
    assert post(north, said, signed).json() == {"at": said.size}
    long, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    assert north.ask("POST", f"/v1/forwards/{long.id}?at=0", CONTENT + b"x").status_code == 400


def test_another_unit_cannot_continue_or_take_the_place_of_what_is_posted(world, call, north, slip):
    said, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    south = call("south")
    assert south.ask("POST", f"/v1/forwards/{said.id}?at=0", CONTENT).status_code == 404
    other = os.urandom(3000)
    own, own_signed = slip(other, "south", id=said.id, by="south", to="charity")
    assert post(south, own, own_signed, other).json() == {"at": 3000}
    assert (
        post(north, said, signed).json()["error"] == forwards.ALTERED
    )  # the id is taken: made anew, it has another


def test_an_envelope_that_is_there_is_not_replaced(world, call, north, slip):
    said, signed = slip()
    post(north, said, signed)
    other = os.urandom(len(CONTENT))
    second, again = slip(other, id=said.id)
    assert post(north, second, again, other).json() == {"at": said.size}
    assert call("south").ask("GET", f"/v1/envelopes/{said.id}").content == CONTENT


def test_a_unit_cannot_flood_another_without_bound(world, call, north, slip, monkeypatch):
    monkeypatch.setattr(forwards, "MOST_A_DAY", 3)
    small = os.urandom(10)
    first = [slip(small) for _ in range(3)]
    for said, signed in first:
        assert post(north, said, signed, small).status_code == 200
    refused = north.ask("POST", "/v1/forwards", slip(small)[1])
    assert (refused.status_code, refused.json()["error"]) == (429, forwards.TOO_MANY)
    assert post(north, first[0][0], first[0][1], small).json() == {"at": 10}  # delivered again: not one more
    assert call("south").ask("POST", "/v1/forwards", slip(small, "south", by="south", to="north")[1]).ok


def test_nor_by_size(world, north, slip, monkeypatch):
    monkeypatch.setattr(type(world.store.blobs), "free_bytes", lambda _: 2**50)
    largest = 8 * 1024**3
    begun = [north.ask("POST", "/v1/forwards", slip(size=largest)[1]).status_code for _ in range(5)]
    assert begun == [200, 200, 200, 200, 429]


def test_a_disk_that_is_nearly_full_takes_nothing(world, north, slip, monkeypatch):
    monkeypatch.setattr(type(world.store.blobs), "free_bytes", lambda _: 1024**3 + 100)
    answer = north.ask("POST", "/v1/forwards", slip()[1])
    assert (answer.status_code, answer.json()["error"]) == (507, forwards.NO_ROOM)


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


def test_what_was_left_unfinished_is_swept_and_a_reporter_s_withdrawing_does_not_reach_it(world, north, slip):
    said, signed = slip()
    post(north, said, signed)
    unfinished, signed = slip()
    north.ask("POST", "/v1/forwards", signed)
    north.ask("POST", f"/v1/forwards/{unfinished.id}?at=0", CONTENT[:1000])
    assert len(parts(world)) == 2
    world.store.sweep(today(), alone=True)
    assert len(parts(world)) == 2  # it may be under way
    world.store.sweep(today() + timedelta(days=4), alone=False)
    assert parts(world) == [said.id]
    for _ in range(256):
        world.store.withdraw(secrets.token_bytes(16))
    assert world.store.sealed_file("south", said.id).read_bytes() == CONTENT
