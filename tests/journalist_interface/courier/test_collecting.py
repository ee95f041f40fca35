"""Everything that waits comes onto the stick, and is acknowledged only once it is there."""

import os
import secrets
import threading
from pathlib import Path

import pytest

from journalist_interface.courier.errors import AnotherCourier, Unreachable
from journalist_interface.courier.state import State

LARGE = 3_000_000


def put(world, count, size=16384):
    """Envelopes that wait for the unit `north`: id -> content."""
    contents = [secrets.token_bytes(size) for _ in range(count)]
    return {world.put("north", content): content for content in contents}


def test_what_waits_comes_onto_the_stick_as_one_bundle_and_is_acknowledged(world, courier):
    envelopes = put(world, 5)
    theirs = world.put("south", b"x" * 16384)
    result = courier.collect()
    assert result.exit_code == 0
    assert "5 envelopes" in result.stdout
    assert courier.carried() == envelopes
    assert len(courier.bundles()) == 1
    assert world.waiting("north") == []
    assert world.waiting("south") == [theirs]
    assert list((courier.folder / "state" / "incoming").iterdir()) == []


def test_when_nothing_waits_it_says_so_and_writes_no_bundle(courier):
    result = courier.collect()
    assert (result.exit_code, result.stdout) == (0, "Nothing waits at the collection.\n")
    assert list(courier.stick.iterdir()) == []


def test_more_than_one_page_is_collected(world, courier, monkeypatch):
    envelopes = put(world, 7)
    monkeypatch.setattr("journalist_interface.courier.client._PAGE", 3)
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes


def test_a_download_goes_on_where_the_connection_was_cut(world, courier, line):
    envelopes = put(world, 1, LARGE)
    line.cut_after = 400_000
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes
    assert line.connections >= LARGE // line.cut_after
    # Not from the beginning again: a cut costs a chunk that was under way, and headers.
    assert line.passed < LARGE + line.connections * 70_000


def test_small_envelopes_go_on_where_the_connection_was_cut(world, courier, line):
    envelopes = put(world, 40)
    line.cut_after = 200_000
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes
    assert line.connections >= 40 * 16384 // line.cut_after
    assert line.passed < 40 * 16384 + line.connections * 90_000


def test_many_small_envelopes_take_few_requests(world, courier, line):
    envelopes = put(world, 200)
    requests = []

    def count(request):
        requests.append(request)
        return True

    line.before_request = count
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes
    assert len(requests) < 10


def test_a_courier_that_was_killed_goes_on_where_it_stopped(world, courier, line, line_to, kill):
    envelopes = put(world, 1, LARGE)

    def hold_the_rest(request):
        if b"Range: bytes=" in request:
            line.hold()
        return True

    line.cut_after, line.before_request = 2_000_000, hold_the_rest
    process = courier.start("collect", "--to", courier.stick)
    assert line.held.wait(60)  # it has written what came before the cut, and asks for the rest
    kill(process)
    assert list(courier.stick.iterdir()) == []
    assert world.waiting("north") == list(envelopes)
    again = line_to(courier.address)
    courier.write_settings(again.address)
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes
    assert again.passed < LARGE - 1_500_000


def test_nothing_is_acknowledged_before_its_bundle_is_on_the_stick(world, courier, line):
    envelopes = put(world, 3)
    on_stick = []

    def look(request):
        if request.startswith(b"POST"):
            on_stick.append(courier.carried())
        return True

    line.before_request = look
    assert courier.collect().exit_code == 0
    assert on_stick == [envelopes]


def test_a_courier_killed_before_it_could_acknowledge_acknowledges_next_time(world, courier, line, kill):
    envelopes = put(world, 3)

    def hold_posts(request):
        if request.startswith(b"POST"):
            line.hold()
        return True

    line.before_request = hold_posts
    process = courier.start("collect", "--to", courier.stick)
    assert line.held.wait(60)
    kill(process)
    assert world.waiting("north") == sorted(envelopes)
    courier.write_settings(courier.address)
    result = courier.collect()
    assert "3 envelopes of an earlier run" in result.stdout
    assert world.waiting("north") == []
    assert courier.carried() == envelopes
    assert len(courier.bundles()) == 1  # not carried twice
    assert list((courier.folder / "state" / "incoming").iterdir()) == []


def test_what_is_damaged_on_the_stick_is_carried_again_and_not_acknowledged_for_it(world, courier, line):
    envelopes = put(world, 2)
    line.before_request = lambda request: not request.startswith(b"POST")
    with pytest.raises(Unreachable):
        courier.collect_impatiently()
    (written,) = courier.bundles()
    damaged = written.folder / written.items[0].name
    damaged.unlink()  # it may be a link to the state's copy
    damaged.write_bytes(b"y" * 16384)
    line.before_request = lambda _: True
    assert courier.collect().exit_code == 0
    assert world.waiting("north") == []
    (written.folder / damaged.name).write_bytes(envelopes[damaged.name])
    assert sorted(len(one.items) for one in courier.bundles()) == [1, 2]


def test_a_pipe_in_an_item_s_place_is_not_waited_for(world, courier, line):
    put(world, 2)
    line.before_request = lambda request: not request.startswith(b"POST")
    with pytest.raises(Unreachable):
        courier.collect_impatiently()
    (written,) = courier.bundles()
    pipe = written.folder / written.items[0].name
    pipe.unlink()
    os.mkfifo(pipe)
    line.before_request = lambda _: True
    rescue = threading.Timer(20, lambda: os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)))
    rescue.start()
    try:
        assert courier.collect().exit_code == 0
        assert rescue.is_alive(), "it waited until somebody wrote into the pipe"
    finally:
        rescue.cancel()
    assert world.waiting("north") == []


def test_a_line_that_fails_for_good_is_told_and_nothing_is_lost(world, courier, line):
    envelopes = put(world, 2)
    line.before_request = lambda _: False
    with pytest.raises(Unreachable, match=r"Run the command again"):
        courier.collect_impatiently()
    line.before_request = lambda _: True
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes


def test_what_a_killed_run_left_unfinished_on_the_stick_is_removed(world, courier):
    put(world, 1)
    leftover = courier.stick / ".partial-envelopes-2026-01-01-00000000"
    leftover.mkdir()
    (leftover / ("0" * 32)).write_bytes(b"half")
    (courier.stick / ".partial-replies-of-the-desk").mkdir()
    (courier.stick / "holiday.jpg").write_bytes(b"not ours")
    assert courier.collect().exit_code == 0
    names = {entry.name for entry in courier.stick.iterdir()}
    assert len(names) == 3
    assert leftover.name not in names


def test_an_envelope_that_is_damaged_at_the_collection_keeps_no_other_back(world, courier):
    envelopes = put(world, 3)
    bad, *good = sorted(envelopes)
    os.truncate(world.store.blobs.path(bad), 100)
    result = courier.collect()
    assert result.exit_code == 1
    assert bad in result.stderr
    assert courier.carried() == {name: envelopes[name] for name in good}
    assert world.waiting("north") == [bad]


def test_what_is_withdrawn_while_others_are_downloaded_does_not_reach_the_stick(world, courier, line):
    withdrawn, tag = world.put_to_withdraw("north", b"x" * 16384)
    others = put(world, 3, LARGE)  # each in a request of its own, after the small one
    asked = []

    def withdraw_late(request):
        asked.extend([request] if request.startswith(b"GET /v1/envelopes/") else [])
        if len(asked) == 4:
            world.store.withdraw(tag)
        return True

    line.before_request = withdraw_late
    assert courier.collect().exit_code == 0
    assert courier.carried() == others
    assert withdrawn not in courier.carried()


def test_a_stick_of_its_own_file_system_gets_a_true_copy(world, courier):
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == courier.stick.stat().st_dev:
        pytest.skip("there is no second file system here")
    courier.stick = other / f"candour-test-{secrets.token_hex(8)}"
    courier.stick.mkdir()
    try:
        envelopes = put(world, 2, LARGE)
        assert courier.collect().exit_code == 0
        assert courier.carried() == envelopes
    finally:
        for entry in sorted(courier.stick.rglob("*"), reverse=True):
            entry.rmdir() if entry.is_dir() else entry.unlink()
        courier.stick.rmdir()


def test_the_last_part_is_not_trusted_after_the_machine_was_switched_off(world, courier):
    (envelope,), (small,) = put(world, 1, LARGE), put(world, 1)
    state = courier.folder / "state"
    with State.held(state) as held:
        held.part(envelope).write_bytes(bytes(1000))
        held.keep_small(small, bytes(16384))
    (state / "boot").write_text("another start of this machine\n")
    assert courier.collect().exit_code == 0
    assert world.waiting("north") == []
    assert bytes(1000) not in courier.carried()[envelope]
    assert bytes(1000) not in courier.carried()[small]


def test_two_couriers_do_not_work_with_one_state(courier):
    with State.held(courier.folder / "state"):
        result = courier.collect()
    assert result.exit_code == 1
    assert result.stderr == f"Error: {AnotherCourier()}\n"


def test_a_stick_that_is_not_there_is_named(courier):
    courier.stick.rmdir()
    result = courier.collect()
    assert result.exit_code == 1
    assert f"There is no folder {courier.stick}" in result.stderr


def test_a_stick_that_cannot_be_written_is_told_in_a_sentence(world, courier):
    put(world, 1)
    courier.stick = Path("/proc/self")  # a folder that takes no file, whoever asks
    result = courier.collect()
    assert result.exit_code == 1
    assert "nothing is lost" in result.stderr
    assert len(world.waiting("north")) == 1
