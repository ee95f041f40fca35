"""A courier sees its own unit's envelopes as they stood at the last settled hour, downloads them or parts."""

from io import FileIO

import pytest
from flask import request

from common.store.values import Withdrawal
from common.transport import parcel
from journalist_interface.collection.app import create_app
from journalist_interface.collection.envelopes import NOT_SETTLED
from journalist_interface.collection.ranges import send_part

pytestmark = pytest.mark.slow

LIST = "/v1/envelopes"
CONTENT = bytes(range(256)) * 64


def as_seen(answer):
    """All that an answer tells, but the clock."""
    headers = {name: value for name, value in answer.headers.items() if name != "Date"}
    return answer.status_code, headers, answer.content


def test_a_unit_sees_its_own_envelopes_and_no_trace_of_another_s(world, call):
    """In the list, by its own address and in a parcel: a unit gets each of its own, and no other's, whoever asks."""
    units = {name: call(name) for name in ("north", "south")}
    contents: dict[str, dict[str, bytes]] = {name: {} for name in units}
    for number in range(6):
        for name in units:
            content = bytes([number]) * 16384 + name.encode()
            identity, _ = world.put_unlisted(name, content)
            contents[name][identity] = content
    world.settle("2026-11-28T18")
    everything = {identity: content for each in contents.values() for identity, content in each.items()}
    for name, caller in units.items():
        listed = caller.ask("GET", LIST).json()
        assert sorted(listed) == ["envelopes", "settled"]
        assert listed["settled"] == "2026-11-28T18"
        assert [one["id"] for one in listed["envelopes"]] == sorted(contents[name])
        assert all(sorted(one) == ["day", "id", "size"] for one in listed["envelopes"])
        assert all(one["size"] == len(contents[name][one["id"]]) for one in listed["envelopes"])
        unknown = as_seen(caller.ask("GET", f"{LIST}/{'0' * 32}"))
        for identity, content in everything.items():
            for asked in ({}, {"Range": "bytes=0-9"}):
                answer = caller.ask("GET", f"{LIST}/{identity}", **asked)
                if identity in contents[name]:
                    assert answer.content == (content[:10] if asked else content)
                else:
                    assert as_seen(answer) == unknown
            parcel_from = caller.ask("GET", f"{LIST}/small?from={identity}").content
            expected = {one: mine for one, mine in contents[name].items() if one >= identity}
            assert dict(parcel.read([parcel_from])) == expected


def test_a_unit_that_polls_sees_arrivals_and_withdrawals_at_settled_hours_alone_all_together(world, north):
    def seen():
        asked = [LIST, f"{LIST}/small?from={'0' * 32}", *(f"{LIST}/{one}" for one in old)]
        return [as_seen(north.ask("GET", path)) for path in asked]

    tags = dict(world.put_unlisted("north", CONTENT) for _ in range(3))
    old = sorted(tags)
    world.settle("2026-11-28T12")
    before = seen()
    new = []
    for _ in range(3):
        identity, tag = world.put_unlisted("north", CONTENT)
        new.append(identity)
        tags[identity] = tag
        assert seen() == before
        assert as_seen(north.ask("GET", f"{LIST}/{identity}")) == as_seen(
            north.ask("GET", f"{LIST}/{'0' * 32}")
        )
    assert world.withdraw(tags[old[0]]) == Withdrawal.LATER
    assert world.withdraw(tags[new[0]]) == Withdrawal.GONE
    assert seen() == before
    world.settle("2026-11-28T18")
    listed = north.ask("GET", LIST).json()
    assert listed["settled"] == "2026-11-28T18"
    assert [one["id"] for one in listed["envelopes"]] == sorted([*old[1:], *new[1:]])
    for gone in (old[0], new[0]):
        assert north.ask("GET", f"{LIST}/{gone}").status_code == 404


def test_what_is_not_in_the_listing_is_not_there_whatever_lies_on_the_disk(world, north):
    identity, _ = world.put_unlisted("north", CONTENT)
    assert world.store.blobs._path(identity).read_bytes() == CONTENT
    assert north.ask("GET", f"{LIST}/{identity}").status_code == 404
    assert dict(parcel.read([north.ask("GET", f"{LIST}/small?from={'0' * 32}").content])) == {}
    world.settle()
    assert north.ask("GET", f"{LIST}/{identity}").content == CONTENT


def test_before_the_first_settled_hour_a_courier_is_told_to_come_later(world, north):
    (world.config.outbox / "listing.sqlite").unlink()
    answer = north.ask("GET", LIST)
    assert (answer.status_code, answer.json()["error"]) == (503, NOT_SETTLED)


def test_another_s_an_unknown_and_a_malformed_id_are_answered_alike(world, north):
    theirs = world.put("south", CONTENT)
    ids = [theirs, "0" * 32, "0" * 31, theirs.upper(), "%2e%2e", "x" * 500, "..%2f" + theirs]
    answers = [as_seen(north.ask("GET", f"{LIST}/{name}")) for name in ids]
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
    assert world.listed("south") == [theirs]


def test_the_list_comes_in_pages_without_gap_or_repetition(world, north):
    ids = sorted(world.put("north", CONTENT) for _ in range(7))
    found, after = [], ""
    while page := north.ask("GET", f"{LIST}?after={after}&most=3").json()["envelopes"]:
        found += [envelope["id"] for envelope in page]
        after = found[-1]
    assert found == ids


@pytest.mark.parametrize(
    "query", ["most=0", "most=1001", "most=x", "most=-1", "most=%D9%A3", "after=x", "after='--"]
)
def test_a_list_that_makes_no_sense_is_refused_with_a_sentence(north, query):
    answer = north.ask("GET", f"{LIST}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


def test_an_envelope_is_downloaded_as_it_was_sealed_and_tells_no_time(world, north):
    answer = north.ask("GET", f"{LIST}/{world.put('north', CONTENT)}")
    assert answer.content == CONTENT
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert not {"Last-Modified", "ETag", "Expires", "Content-Disposition"} & set(answer.headers)


RANGES = [
    ("bytes=0-", 0, 16384),
    ("bytes=100-", 100, 16384),
    ("bytes=100-199", 100, 200),
    ("bytes=16383-", 16383, 16384),
    ("bytes=16000-99999", 16000, 16384),
    ("bytes=-10", 16374, 16384),
]


@pytest.mark.parametrize(("asked", "begin", "end"), RANGES)
def test_a_range_gives_exactly_those_bytes(world, north, asked, begin, end):
    answer = north.ask("GET", f"{LIST}/{world.put('north', CONTENT)}", Range=asked)
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/16384"
    assert answer.content == CONTENT[begin:end]


@pytest.mark.parametrize(("asked", "begin", "end"), RANGES)
def test_a_range_is_the_same_when_the_kernel_sends_it(world, call, gunicorn, asked, begin, end):
    answer = call("north", gunicorn.address).ask("GET", f"{LIST}/{world.put('north', CONTENT)}", Range=asked)
    assert (answer.status_code, answer.content) == (206, CONTENT[begin:end])


def test_a_range_ends_where_it_should_without_the_kernel_s_help(world, tmp_path):
    (tmp_path / "sealed").write_bytes(CONTENT)
    app = create_app(world.config)
    with app.test_request_context(headers={"Range": "bytes=5-9"}):
        answer = send_part(FileIO(tmp_path / "sealed"), request)
        assert b"".join(answer.iter_encoded()) == CONTENT[5:10]
        answer.close()
    app.extensions["candour"].outbox.close()


@pytest.mark.parametrize(
    "asked", ["bytes=16384-", "bytes=5-1", "bytes=0-1,3-4", "lines=1-", "bytes=x", "bytes=-0"]
)
def test_a_range_that_is_not_there_is_refused(world, north, asked):
    answer = north.ask("GET", f"{LIST}/{world.put('north', CONTENT)}", Range=asked)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */16384"
    assert answer.json()["error"].endswith(".")


def test_small_envelopes_come_many_at_once_and_another_s_do_not(world, north):
    mine = {world.put("north", bytes([number]) * 16384): bytes([number]) * 16384 for number in range(5)}
    world.put("north", b"x" * (parcel.SMALL_BYTES + 1))
    world.put("south", CONTENT)
    assert dict(parcel.read([north.ask("GET", f"{LIST}/small?from={'0' * 32}").content])) == mine
    third = sorted(mine)[2]
    rest = [one for one, _ in parcel.read([north.ask("GET", f"{LIST}/small?from={third}").content])]
    assert rest == sorted(mine)[2:]


def test_a_parcel_passes_over_what_is_deleted_while_it_is_sent(world, north):
    gone, kept = sorted(world.put("north", CONTENT) for _ in range(2))
    world.store.blobs.delete(gone)
    found = dict(parcel.read([north.ask("GET", f"{LIST}/small?from={gone}").content]))
    assert found == {kept: CONTENT}


def test_a_parcel_ends_where_it_is_large_enough(world, north, monkeypatch):
    monkeypatch.setattr("journalist_interface.collection.envelopes._PARCEL_BYTES", 2 * len(CONTENT))
    waiting = sorted(world.put("north", CONTENT) for _ in range(5))
    found = dict(parcel.read([north.ask("GET", f"{LIST}/small?from={'0' * 32}").content]))
    assert sorted(found) == waiting[:2]


@pytest.mark.parametrize("query", ["", "?from=", "?from=x", f"?from={'A' * 32}"])
def test_a_parcel_from_nowhere_is_refused(north, query):
    assert north.ask("GET", f"{LIST}/small{query}").status_code == 400


def test_an_envelope_that_is_deleted_while_it_is_asked_for_is_answered_as_gone(world, north):
    envelope = world.put("north", CONTENT)
    unknown = as_seen(north.ask("GET", f"{LIST}/{'0' * 32}"))
    world.store.blobs.delete(envelope)
    assert as_seen(north.ask("GET", f"{LIST}/{envelope}")) == unknown


def test_no_answer_sets_a_cookie_or_may_be_kept_or_is_a_page(world, north):
    envelope = world.put("north", CONTENT)
    calls = [
        *[("GET", LIST), ("GET", f"{LIST}/{envelope}"), ("GET", "/v1/returned")],
        ("GET", f"{LIST}/small?from={envelope}"),
        *[
            ("GET", "/"),
            ("GET", "//v1//envelopes"),
            ("DELETE", LIST),
            ("OPTIONS", LIST),
            ("POST", "/v1/posts"),
            ("POST", "/v1/replies"),
            ("POST", f"{LIST}/collected"),
        ],
    ]
    answers = [north.ask(*each) for each in calls]
    answers.append(north.send(north.prepare("GET", "/")))
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert "html" not in answer.headers.get("Content-Type", "")
        assert answer.status_code < 300 or answer.json()["error"].endswith(".")
