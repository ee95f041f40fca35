"""`collect`: everything that waits, from the collection onto the stick.

The order that makes it safe: downloaded whole and durable; written to the stick as a signed bundle, durable and
read back; only then acknowledged; only then removed here. Killed anywhere, the next run sees what is on the stick,
what is downloaded and what still waits, and goes on from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.bundle import MOST_ITEMS
from common.parcel import SMALL_BYTES
from journalist_interface.courier import stick as sticks
from journalist_interface.courier.answers import Waiting, WrongSize
from journalist_interface.courier.client import CollectionClient, Gone
from journalist_interface.courier.config import CourierConfig
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.state import State


@dataclass(frozen=True)
class Collected:
    """What a run did. `left`: sentences on what was not taken."""

    bundle: Path | None
    envelopes: int
    size: int  # bytes
    acknowledged_from_before: int
    left: tuple[str, ...]


def collect(
    client: CollectionClient, state: State, stick: Path, config: CourierConfig, progress: Progress
) -> Collected:
    """Carry what waits to the stick. Raises CourierError."""
    sticks.check(stick)
    waiting = list(client.waiting())
    before = sticks.already_there(stick, config.unit, config.identity, frozenset(one.id for one in waiting))
    _acknowledge(client, state, sorted(before))
    waiting = [one for one in waiting if one.id not in before][:MOST_ITEMS]
    state.keep_only({one.id for one in waiting})

    total = sum(one.size for one in waiting)
    here = sum(file.stat().st_size for file in state.incoming.iterdir())
    sticks.check_room(state.incoming, total - min(here, total))
    carried, left = _download(client, state, waiting, progress)
    carried = _not_withdrawn(client, state, carried)
    if not carried:
        return Collected(None, 0, 0, len(before), left)
    files = [state.whole(one.id) for one in carried]
    size = sum(one.size for one in carried)
    if state.incoming.stat().st_dev != stick.stat().st_dev:
        sticks.check_room(stick, size)
    with progress.step(f"Writing {len(files)} to the stick"):
        folder = sticks.write_bundle(stick, files, config.unit, config.identity)
    with progress.step("Telling the collection that they are safe"):
        _acknowledge(client, state, [one.id for one in carried])
    return Collected(folder, len(carried), size, len(before), left)


def _download(
    client: CollectionClient, state: State, waiting: Sequence[Waiting], progress: Progress
) -> tuple[list[Waiting], tuple[str, ...]]:
    """What is here now, and sentences on what is damaged: one bad envelope keeps no other from being carried."""
    damaged: list[str] = []
    with progress.bar("Downloading", sum(one.size for one in waiting)) as bar:

        def keep(one: Waiting, content: bytes) -> None:
            if len(content) == one.size:
                state.keep_small(one.id, content)
            else:
                damaged.append(one.id)
            bar.passed(one.size)

        missing = [one for one in waiting if not _is_here(state, one)]
        bar.passed(sum(one.size for one in waiting) - sum(one.size for one in missing))
        client.download_small([one for one in missing if one.size <= SMALL_BYTES], keep)
        for one in missing:
            if one.size > SMALL_BYTES:
                try:
                    client.download(one, state.part(one.id), bar.within)
                    state.finish(one.id)
                except Gone:
                    state.drop(one.id)  # withdrawn by its sender since it was listed
                except WrongSize:
                    state.drop(one.id)
                    damaged.append(one.id)
                bar.passed(one.size)
    carried = [one for one in waiting if _is_here(state, one)]
    return carried, tuple(
        f"The envelope {envelope_id} is damaged at the collection and stays there. Tell the operator."
        for envelope_id in damaged
    )


def _not_withdrawn(client: CollectionClient, state: State, carried: Sequence[Waiting]) -> list[Waiting]:
    """Downloading takes its time: what was withdrawn meanwhile is dropped, and does not reach the stick."""
    if not carried:
        return []
    still = {one.id for one in client.waiting()}
    for one in carried:
        if one.id not in still:
            state.drop(one.id)
    return [one for one in carried if one.id in still]


def _is_here(state: State, one: Waiting) -> bool:
    whole = state.whole(one.id)
    return whole.exists() and whole.stat().st_size == one.size


def _acknowledge(client: CollectionClient, state: State, envelope_ids: Sequence[str]) -> None:
    client.acknowledge(envelope_ids)
    for envelope_id in envelope_ids:
        state.drop(envelope_id)
