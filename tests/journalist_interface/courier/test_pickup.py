"""Everything new that is listed comes onto the stick, once; and once more when a stick was lost."""

import os
import secrets
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common import phrases
from journalist_interface.courier.errors import AnotherCourier, Unreachable
from journalist_interface.courier.state import State
from tests.journalist_interface.courier.conftest import RUN

pytestmark = pytest.mark.slow

LARGE = 3_000_000


def put(world, count, size=16384):
    """Envelopes that are listed for the unit `north`: id -> content."""
    contents = [secrets.token_bytes(size) for _ in range(count)]
    put = {world.put_unlisted("north", content)[0]: content for content in contents}
    world.settle()
    return put


def test_what_is_listed_comes_onto_the_stick_as_one_bundle_and_once(world, courier, line):
    envelopes = put(world, 5)
    theirs = world.put("south", b"x" * 16384)
    result = courier.collect()
    assert result.exit_code == 0
    assert "5 envelopes" in result.stdout
    assert courier.carried() == envelopes
    assert len(courier.bundles()) == 1
    assert list((courier.folder / "state" / "incoming").iterdir()) == []
    courier.take_stick()
    before = line.passed
    again = courier.collect()
    assert "No new envelope is listed. The list is that of" in again.stdout
    assert "5 envelopes of an earlier run still listed" in again.stdout
    assert list(courier.stick.iterdir()) == []
    assert line.passed - before < 16384  # nothing was downloaded again
    more = put(world, 1)
    assert courier.collect().exit_code == 0
    assert courier.carried() == more
    assert world.listed("south") == [theirs]


def test_nothing_counts_as_collected_before_the_desk_has_said_that_it_holds_it(world, courier, line):
    """Whatever a courier fetches and however often, it tells the collection nothing, and all of it stays listed."""
    envelopes, asked = put(world, 3), []

    def note(request):
        asked.append(request.split(b" ", 1)[0])
        return True

    line.before_request = note
    for more in ((), ("--again",)):
        assert courier.collect(*more).exit_code == 0
    world.settle()
    assert set(asked) == {b"GET"}
    assert world.listed("north") == sorted(envelopes)


def test_a_lost_stick_is_collected_again_from_the_beginning(world, courier):
    envelopes = put(world, 3)
    world.put("south", b"x" * 16384)
    courier.collect()
    courier.take_stick()
    more = put(world, 1)
    assert courier.collect("--again").exit_code == 0
    assert courier.carried() == envelopes | more
    courier.take_stick()
    assert courier.collect().exit_code == 0
    assert list(courier.stick.iterdir()) == []


def test_what_the_desk_holds_is_forgotten_as_carried_when_it_is_listed_no_more(world, courier):
    envelopes = put(world, 2)
    courier.collect()
    held, still = sorted(envelopes)
    courier.seal(world.new_receipts("north", {held: envelopes[held]}))
    assert courier.deliver().stdout == "1 post of receipts delivered.\n"
    world.settle()
    assert world.listed("north") == [still]
    courier.take_stick()
    courier.collect()
    with State.held(courier.folder / "state") as state:
        assert state.carried() == {still}


def test_a_successor_collects_what_a_lost_courier_had(world, courier):
    envelopes = put(world, 3)
    courier.collect()
    courier.take_stick()
    shutil.rmtree(courier.folder / "state")
    courier.collect()
    assert courier.carried() == envelopes


def test_when_nothing_is_listed_it_says_so_and_writes_no_bundle(courier):
    result = courier.collect()
    assert result.exit_code == 0
    assert result.stdout.startswith("No new envelope is listed. The list is that of ")
    assert result.stdout.endswith(f" UTC on {phrases.day(datetime.now(UTC).date())}.\n")
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
    assert world.listed("north") == list(envelopes)
    again = line_to(courier.address)
    courier.write_settings(again.address)
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes
    assert again.passed < LARGE - 1_500_000


def unnoted(courier, count):
    """A bundle of so many on the stick, of a courier that was killed before it could remember that."""
    (written,) = courier.bundles()
    assert len(written.items) == count
    (courier.folder / "state" / "carried").unlink()
    return written


def test_a_courier_killed_once_the_bundle_was_there_does_not_carry_it_twice(world, courier):
    envelopes = put(world, 3)
    courier.collect()
    unnoted(courier, 3)
    assert courier.collect().exit_code == 0
    assert len(courier.bundles()) == 1
    assert courier.carried() == envelopes


def killed_in(courier, function):
    """Collect in a process that ends at once, as by SIGKILL, where this function would be called."""
    program = f"import os; import {function.rpartition('.')[0]} as module; "
    program += f"module.{function.rpartition('.')[2]} = lambda *_, **__: os._exit(9); "
    process = courier.start("collect", "--to", courier.stick, program=program + RUN)
    process.communicate()
    assert process.returncode == 9


@pytest.mark.parametrize(
    "step",
    [
        "journalist_interface.courier.stick.write_bundle",
        "common.transport.bundle.write_manifest",
        "journalist_interface.courier.stick.sync_folder",
    ],
)
def test_killed_at_any_step_of_writing_all_of_it_comes_once(world, courier, step):
    envelopes = put(world, 3)
    killed_in(courier, step)
    assert courier.collect().exit_code == 0
    assert courier.carried() == envelopes
    assert len(courier.bundles()) == 1
    assert not list(courier.stick.glob(".partial*"))


def test_what_is_damaged_on_the_stick_is_carried_again(world, courier):
    envelopes = put(world, 2)
    courier.collect()
    written = unnoted(courier, 2)
    damaged = written.folder / written.items[0].name
    damaged.unlink()
    damaged.write_bytes(b"y" * 16384)
    assert courier.collect().exit_code == 0
    damaged.write_bytes(envelopes[damaged.name])
    assert sorted(len(one.items) for one in courier.bundles()) == [1, 2]


def test_a_pipe_in_an_item_s_place_is_not_waited_for(world, courier):
    put(world, 2)
    courier.collect()
    written = unnoted(courier, 2)
    pipe = written.folder / written.items[0].name
    pipe.unlink()
    os.mkfifo(pipe)
    rescue = threading.Timer(20, lambda: os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)))
    rescue.start()
    try:
        assert courier.collect().exit_code == 0
        assert rescue.is_alive(), "it waited until somebody wrote into the pipe"
    finally:
        rescue.cancel()


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
    os.truncate(world.store.blobs._path(bad), 100)
    result = courier.collect()
    assert result.exit_code == 1
    assert bad in result.stderr
    assert courier.carried() == {name: envelopes[name] for name in good}
    assert bad in courier.collect().stderr  # it is tried again


def test_what_is_withdrawn_while_others_are_downloaded_does_not_reach_the_stick(world, courier, line):
    withdrawn, tag = world.put_unlisted("north", b"x" * 16384)
    others = put(world, 3, LARGE)  # each in a request of its own, after the small one
    asked = []

    def withdraw_late(request):
        asked.extend([request] if request.startswith(b"GET /v1/envelopes/") else [])
        if len(asked) == 4:
            world.withdraw(tag)
            world.settle()
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
