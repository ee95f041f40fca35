"""A courier sees its own unit's envelopes, downloads them whole or in part, and acknowledges them."""

import json

import pytest
from flask import request

from common import parcel
from journalist_interface.collection.app import create_app
from journalist_interface.collection.ranges import send_part

LIST = "/v1/envelopes"
CONTENT = bytes(range(256)) * 64


def ids(*envelopes):
    return json.dumps({"ids": envelopes}).encode()


def as_seen(answer):
    """All that an answer tells, but the clock."""
    headers = {name: value for name, value in answer.headers.items() if name != "Date"}
    return answer.status_code, headers, answer.content


def test_a_unit_sees_its_own_envelopes_and_no_trace_of_another_s(world, north):
    mine = world.put("north", CONTENT)
    theirs = [world.put("south", CONTENT) for _ in range(5)]
    listed = north.ask("GET", LIST).json()
    assert [envelope["id"] for envelope in listed["envelopes"]] == [mine]
    assert list(listed) == ["envelopes"]
    assert listed["envelopes"][0]["size"] == len(CONTENT)
    assert sorted(listed["envelopes"][0]) == ["day", "id", "size"]
    found = parcel.read([north.ask("GET", f"{LIST}/small?from={'0' * 32}").content])
    assert [one for one, _ in found] == [mine]
    assert {north.ask("GET", f"{LIST}/{one}").status_code for one in theirs} == {404}
    assert north.ask("POST", f"{LIST}/collected", ids(mine, *theirs)).status_code == 204
    assert world.waiting("south") == sorted(theirs)


def test_another_s_an_unknown_and_a_malformed_id_are_answered_alike(world, north):
    theirs = world.put("south", CONTENT)
    ids = [theirs, "0" * 32, "0" * 31, theirs.upper(), "%2e%2e", "x" * 500, "..%2f" + theirs]
    answers = [as_seen(north.ask("GET", f"{LIST}/{name}")) for name in ids]
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
    assert world.waiting("south") == [theirs]


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
        answer = send_part(tmp_path / "sealed", request)
        assert b"".join(answer.iter_encoded()) == CONTENT[5:10]
        answer.close()
    app.extensions["candour-collection"].store.engine.dispose()


@pytest.mark.parametrize(
    "asked", ["bytes=16384-", "bytes=5-1", "bytes=0-1,3-4", "lines=1-", "bytes=x", "bytes=-0"]
)
def test_a_range_that_is_not_there_is_refused(world, north, asked):
    answer = north.ask("GET", f"{LIST}/{world.put('north', CONTENT)}", Range=asked)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */16384"
    assert answer.json()["error"].endswith(".")


def test_an_acknowledged_envelope_waits_no_more_and_saying_so_twice_changes_nothing(world, north):
    envelope = world.put("north", CONTENT)
    for _ in range(3):
        answer = north.ask("POST", f"{LIST}/collected", ids(envelope))
        assert (answer.status_code, answer.content) == (204, b"")
    assert north.ask("GET", LIST).json() == {"envelopes": []}
    assert north.ask("GET", f"{LIST}/{envelope}").content == CONTENT  # kept a while, should the copy fail


def test_a_withdrawn_envelope_is_gone(world, north):
    envelope, tag = world.put_to_withdraw("north", CONTENT)
    world.store.withdraw(tag)
    assert north.ask("GET", f"{LIST}/{envelope}").status_code == 404
    assert north.ask("POST", f"{LIST}/collected", ids(envelope)).status_code == 204


def test_acknowledging_another_s_or_an_unknown_envelope_does_and_tells_nothing(world, north):
    theirs = world.put("south", CONTENT)
    told = [as_seen(north.ask("POST", f"{LIST}/collected", ids(one))) for one in (theirs, "0" * 32)]
    assert told[0] == told[1]
    assert told[0][0] == 204
    assert world.waiting("south") == [theirs]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"ids": "x"}',
        b'{"ids": [1]}',
        b'{"ids": ["%s"]}' % (b"A" * 32),
        b'{"ids": [%s]}' % b",".join([b'"%s"' % (b"0" * 32)] * 501),
    ],
)
def test_an_acknowledgement_that_makes_no_sense_is_refused_and_does_nothing(world, north, body):
    envelope = world.put("north", CONTENT)
    assert north.ask("POST", f"{LIST}/collected", body).status_code == 400
    assert world.waiting("north") == [envelope]


def test_small_envelopes_come_many_at_once_and_another_s_do_not(world, north):
    mine = {world.put("north", bytes([number]) * 16384): bytes([number]) * 16384 for number in range(5)}
    world.put("north", b"x" * (parcel.SMALL_BYTES + 1))
    world.put("south", CONTENT)
    assert dict(parcel.read([north.ask("GET", f"{LIST}/small?from={'0' * 32}").content])) == mine
    third = sorted(mine)[2]
    rest = [one for one, _ in parcel.read([north.ask("GET", f"{LIST}/small?from={third}").content])]
    assert rest == sorted(mine)[2:]


def test_a_parcel_passes_over_what_was_withdrawn_while_it_is_sent(world, north):
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


def test_an_envelope_withdrawn_while_it_is_asked_for_is_answered_as_gone(world, north):
    envelope = world.put("north", CONTENT)
    unknown = as_seen(north.ask("GET", f"{LIST}/{'0' * 32}"))
    world.store.blobs.delete(envelope)
    assert as_seen(north.ask("GET", f"{LIST}/{envelope}")) == unknown


def test_no_answer_sets_a_cookie_or_may_be_kept_or_is_a_page(world, north):
    envelope = world.put("north", CONTENT)
    calls = [
        *[("GET", LIST), ("GET", f"{LIST}/{envelope}"), ("POST", f"{LIST}/collected")],
        ("GET", f"{LIST}/small?from={envelope}"),
        *[
            ("GET", "/"),
            ("GET", "//v1//envelopes"),
            ("DELETE", LIST),
            ("OPTIONS", LIST),
            ("POST", "/v1/replies"),
        ],
    ]
    answers = [north.ask(*each) for each in calls]
    answers.append(north.send(north.prepare("GET", "/")))
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
        assert "html" not in answer.headers.get("Content-Type", "")
        assert answer.status_code < 300 or answer.json()["error"].endswith(".")
