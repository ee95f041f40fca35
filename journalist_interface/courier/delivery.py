"""`deliver`: signed posts, and conversations that are passed on, from the stick to the collection.

Each post stands alone: one that is altered, or not taken, keeps no other back. What became of each is told to the desk
with the next bundle. Of a conversation that is passed on, the handover goes last: the next holder has it all before the
reporter hears of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from common.canonical import NotCanonical
from common.registry.units import Unit
from common.signing import BadSignature
from common.transport import bundle, bundle_item, forwarding, post
from common.transport.bundle import Bundle, BundleRefused, Kind
from common.transport.bundle_item import Item, ItemRefused
from common.transport.forwarding import Forward, Slip
from common.transport.post import ReplyPost
from journalist_interface.courier import stick as sticks
from journalist_interface.courier.client import CollectionClient, NotNow, NotTaken
from journalist_interface.courier.outcomes import Said
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.state import State

_STAYS = "It stays on the stick; have the desk export it again."
_WAITS = "What is left stays on the stick: deliver it after the next settled hour."
_BACK = "The desk hears of it with the next bundle, and can seal it again."


@dataclass(frozen=True)
class Delivered:
    """What a run did. `left`: sentences on what was not delivered, and why."""

    replies: int = 0
    receipts: int = 0  # posts of receipts
    forwards: int = 0  # conversations passed on
    left: tuple[str, ...] = ()


@dataclass
class _Run:
    """A run under way."""

    client: CollectionClient
    state: State
    unit: Unit
    progress: Progress
    replies: int = 0
    receipts: int = 0
    forwards: int = 0

    def note(self, carried: Bundle, item: str, said: Said | None) -> None:
        """An item needs no second try. `said`: what the desk is told of it, first: a kill here tells it twice."""
        if said is not None:
            self.state.telling.note(said)
        self.state.note_delivered(carried.folder.name, item)


def deliver(client: CollectionClient, state: State, stick: Path, unit: Unit, progress: Progress) -> Delivered:
    """Deliver every bundle of posts and of forwards on the stick. Raises CourierError."""
    sticks.check(stick)
    run, left = _Run(client, state, unit, progress), list[str]()
    for kind, deliver_one in _KINDS:
        for folder in bundle.found(stick, kind):
            try:
                carried = bundle.read_manifest(folder, kind, unit.id, (unit.reply_key,))
                with progress.step(f"Delivering {folder.name}"):
                    left += [f"{folder.name}: {sentence}" for sentence in deliver_one(run, carried)]
            except BundleRefused as refused:
                left.append(f"{folder.name}: {refused} {_STAYS}")
            except NotNow as refused:
                left.append(f"{folder.name}: {refused} {_WAITS}")
            else:
                sticks.remove(folder)
                state.forget_bundle(folder.name)
    return Delivered(run.replies, run.receipts, run.forwards, tuple(left))


def _deliver_posts(run: _Run, carried: Bundle) -> list[str]:
    """Post each item of a bundle. Sentences on those that were not taken. Raises NotNow."""
    left, done = [], run.state.delivered(carried.folder.name)
    for item in carried.items:
        if item.name in done:
            continue
        try:
            document, is_reply = _read_post(carried, item, run.unit)
            run.client.post(document)
        except (ItemRefused, NotTaken) as refused:
            run.note(carried, item.name, Said(item.name, "refused"))
            left.append(f"{_in_words(item, refused)} {_BACK}")
        else:
            run.note(carried, item.name, Said(item.name, None))
            run.replies += is_reply
            run.receipts += not is_reply
    return left


def _read_post(carried: Bundle, item: Item, unit: Unit) -> tuple[bytes, bool]:
    """A signed post, and whether it is a reply. Raises ItemRefused."""
    document = bundle_item.read_item(carried.folder, item, post.MOST_BYTES)
    try:
        read = post.read(document, unit.reply_key)
    except (NotCanonical, BadSignature) as error:
        raise ItemRefused(item.name, "it is not a post of this unit") from error
    if post.identity(document) != item.name:
        raise ItemRefused(item.name, "it has another post's name")
    return document, isinstance(read, ReplyPost)


def _deliver_forward(run: _Run, carried: Bundle) -> list[str]:
    """Post the envelopes of a conversation that is passed on, then its handover.

    A sentence where not all of it was taken. Raises BundleRefused, NotNow.
    """
    if len(carried.items) < 2:  # the document, and an envelope or more
        raise BundleRefused("nothing is passed on in it")
    at = carried.items[1]  # what the desk knows this passing on by
    try:
        forward, slips = _read_forward(carried, run.unit)
        done = run.state.delivered(carried.folder.name)
        for at in carried.items[1:]:
            if at.name in done:
                continue
            with (
                bundle_item.opened_item(carried.folder, at) as file,
                run.progress.bar("Posting", at.size) as bar,
            ):
                run.client.post_forward(slips[at.name], at.name, file, bar.within)
            run.note(carried, at.name, None)
        handover = post.identity(forward.handover)
        if handover not in done:
            run.client.post(forward.handover)
            run.note(carried, handover, Said(handover, None))
    except (ItemRefused, NotTaken) as refused:
        run.state.telling.note(Said(at.name, "refused"))  # not as done: the handover must not go without it
        return [f"{_in_words(at, refused)} {_BACK}"]
    run.forwards += 1
    return []


def _read_forward(carried: Bundle, unit: Unit) -> tuple[Forward, dict[str, bytes]]:
    """What a bundle of forwards says, and its signed slips by envelope; all items are checked. Raises ItemRefused."""
    first, *envelopes = carried.items
    try:
        forward = forwarding.load(bundle_item.read_item(carried.folder, first, forwarding.MOST_BYTES))
        slips = {slip.id: (slip, signed) for slip, signed in _slips(forward, unit)}
        is_reply = isinstance(post.read(forward.handover, unit.reply_key), ReplyPost)
    except (NotCanonical, BadSignature) as error:
        raise ItemRefused(first.name, "it is not a report passed on") from error
    if not is_reply or {item.name for item in envelopes} != set(slips):
        raise ItemRefused(first.name, "its envelopes are not those that it names")
    for item in envelopes:
        slip, _ = slips[item.name]
        if (item.size, item.sha256) != (slip.size, slip.sha256):
            raise ItemRefused(item.name, "it is not what its slip says")
        bundle_item.check_item(carried.folder, item)
    return forward, {name: signed for name, (_, signed) in slips.items()}


def _slips(forward: Forward, unit: Unit) -> Iterator[tuple[Slip, bytes]]:
    for signed in forward.slips:
        yield forwarding.read_slip(signed, unit.reply_key), signed


def _in_words(item: Item, refused: ItemRefused | NotTaken) -> str:
    """What was not taken, and why."""
    return (
        str(refused) if isinstance(refused, ItemRefused) else f"The item {item.name} was not taken: {refused}"
    )


_KINDS: tuple[tuple[Kind, Callable[[_Run, Bundle], list[str]]], ...] = (
    ("posts", _deliver_posts),
    ("forwards", _deliver_forward),
)
