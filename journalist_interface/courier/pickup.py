"""`collect`: everything that is listed and was not carried before, from the collection onto the stick.

The order that makes it safe: downloaded whole and durable; written to the stick as a signed bundle, durable and
read back; only then remembered as carried; only then removed here. Killed anywhere, the next run sees what is on the
stick and what is downloaded, and goes on from there. The collection is told nothing: an envelope counts as collected
when the desk has said that it holds it. So whatever a courier loses is still listed, and can be collected `again`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from common.transport.bundle import MOST_ITEMS
from common.transport.parcel import SMALL_BYTES
from journalist_interface.courier import stick as sticks
from journalist_interface.courier.client import CollectionClient, Gone
from journalist_interface.courier.config import CourierConfig
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.responses import Waiting, WrongSize
from journalist_interface.courier.state import State


@dataclass(frozen=True)
class Collected:
    """What a run did. `left`: sentences on what was not taken."""

    bundle: Path | None
    envelopes: int
    size: int  # bytes
    told: int  # posts of which the bundle says what became of them
    settled: datetime  # the hour of the list
    listed_before: int  # carried before, and listed still
    left: tuple[str, ...]


def collect(
    client: CollectionClient,
    state: State,
    stick: Path,
    config: CourierConfig,
    progress: Progress,
    *,
    again: bool = False,
) -> Collected:
    """Carry what is new to the stick; `again`: all that is listed, as if nothing was carried. Raises CourierError."""
    sticks.check(stick)
    listing = client.listing()
    said = state.telling.to_tell(client.returned(), again=again)
    before = frozenset() if again else _carried_before(state, stick, config, listing.envelopes)
    waiting = [one for one in listing.envelopes if one.id not in before][:MOST_ITEMS]
    state.keep_only({one.id for one in waiting})

    total = sum(one.size for one in waiting)
    here = sum(file.stat().st_size for file in state.incoming.iterdir())
    sticks.check_room(state.incoming, total - min(here, total))
    carried, left = _download(client, state, waiting, progress)
    carried = _still_listed(client, state, carried)
    size = sum(one.size for one in carried)
    folder = None
    if carried or said:
        if state.incoming.stat().st_dev != stick.stat().st_dev:
            sticks.check_room(stick, size)
        files = [state.whole(one.id) for one in carried]
        with progress.step(f"Writing {len(files)} to the stick"):
            folder = sticks.write_bundle(stick, files, said, config.unit, config.identity)
        state.telling.note_told(said)
    state.note_carried(before | {one.id for one in carried})
    for one in carried:
        state.drop(one.id)
    return Collected(folder, len(carried), size, len(said), listing.settled, len(before), left)


def _carried_before(
    state: State, stick: Path, config: CourierConfig, listed: Sequence[Waiting]
) -> frozenset[str]:
    """Those of the listed envelopes that were carried, also by a run that was killed before it could remember that."""
    ids = frozenset(one.id for one in listed)
    noted = state.carried() & ids
    return noted | sticks.already_there(stick, config.unit, config.identity, ids - noted)


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
                    state.drop(one.id)  # not listed any more: withdrawn by its sender
                except WrongSize:
                    state.drop(one.id)
                    damaged.append(one.id)
                bar.passed(one.size)
    carried = [one for one in waiting if _is_here(state, one)]
    return carried, tuple(
        f"The envelope {envelope_id} is damaged at the collection and stays there. Tell the operator."
        for envelope_id in damaged
    )


def _still_listed(client: CollectionClient, state: State, carried: Sequence[Waiting]) -> list[Waiting]:
    """Downloading takes its time: what was withdrawn meanwhile is dropped, and does not reach the stick."""
    if not carried:
        return []
    still = {one.id for one in client.listing().envelopes}
    for one in carried:
        if one.id not in still:
            state.drop(one.id)
    return [one for one in carried if one.id in still]


def _is_here(state: State, one: Waiting) -> bool:
    whole = state.whole(one.id)
    return whole.exists() and whole.stat().st_size == one.size
