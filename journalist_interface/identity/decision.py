"""What identity holders do with a request: two of them open the details, or one refuses. Either leaves a signed entry.

The entry is durable here and on the stick before anything is shown: nobody sees details of which no entry tells. What
was opened is in memory only, for one page; the agent that used the key is ended at once. Nothing can be opened by one,
because the key's passphrase is in two shares (common/registry/holders.py).
"""

import io
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.canonical import NotCanonical
from common.days import today
from common.gpg.keyring import end_agent, keys_of
from common.gpg.opening import Opener, OpeningFailed
from common.registry.holders import NEEDED, DamagedBox, Holder, NotTwo, WrongPassphrase, open_box, together
from common.registry.registry import Registry
from common.registry.units import Unit
from common.report import contact, disclosure
from common.report.contact import Contact
from common.report.disclosure import DisclosureRefused, Entry, Outcome, Request, Why, WhyNot
from common.report.padding import CONTACT_BYTES
from common.report.report import clean_text
from journalist_interface.identity.settings import IdentitySettings


class NotDecided(Exception):
    """Nothing was opened, and no entry was signed. The message says why and what to do."""


class NoStick(Exception):
    """There is no stick, or it cannot be written to. Put it in and decide again: nothing was shown."""


@dataclass(frozen=True)
class Given:
    """A holder's name, and the passphrase as it was typed."""

    name: str
    passphrase: str = field(repr=False)


@dataclass(frozen=True)
class Waiting:
    """A request on the stick: who asks, by name, and what was decided before; or why it is refused unread."""

    file: str
    document: bytes = field(default=b"", repr=False)
    request: Request | None = None
    asks: str = ""
    decided: tuple[Entry, ...] = ()
    problem: str | None = None


def waiting_on(settings: IdentitySettings) -> list[Waiting]:
    """The requests on the stick, each once. Raises RegistryRefused."""
    registry, _ = settings.load_registry()
    entries, _ = read_trail(settings)
    read = [_read(settings, registry, file, entries) for file in disclosure.found(settings.stick, "request")]
    return list({one.document or one.file: one for one in read}.values())


def read_trail(settings: IdentitySettings) -> tuple[list[Entry], list[str]]:
    """The entries that were signed here, and the names of files among them that are none any more."""
    entries, damaged = [], []
    for file in disclosure.found(settings.trail, "entry"):
        try:
            entries.append(disclosure.kept_entry(disclosure.read_file(file)))
        except DisclosureRefused:
            damaged.append(file.name)
    return entries, damaged


def find(settings: IdentitySettings, file: str) -> Waiting | None:
    """The request in a file of the stick. Raises RegistryRefused."""
    return next((one for one in waiting_on(settings) if one.file == file), None)


def open_details(settings: IdentitySettings, waiting: Waiting, given: Sequence[Given], why: Why) -> Contact:
    """Let two holders open what a request asks for: the details, once the entry is durable here and on the stick.

    Raises NotDecided, NoStick or RegistryRefused.
    """
    request, unit = _decidable(settings, waiting)
    if len({one.name for one in given}) != NEEDED:
        raise NotDecided("Two different holders are needed. One person cannot stand for both.")
    holders = [_holder(settings, unit, request, one) for one in given]
    try:
        passphrase = together(*holders)
    except NotTwo as error:
        raise NotDecided(
            "These two do not hold the same key. Put the boxes of one ceremony back in place."
        ) from error
    content = bytearray()
    try:
        Opener(settings.gnupg).open(
            io.BytesIO(request.contact.sealed),
            content.extend,
            most=2 * CONTACT_BYTES,
            passphrase=passphrase,
        )
        details = contact.read(bytes(content))
    except OpeningFailed as error:
        raise NotDecided(f"The details do not open. {error} Ask for the request to be made again.") from error
    except NotCanonical as error:
        raise NotDecided("What was sealed is no contact details that Candour took.") from error
    finally:
        end_agent(settings.gnupg)
    if details.conversation != request.conversation:
        raise NotDecided(
            "These details belong to another report than the one that the request names. Nothing is shown. "
            "Tell whoever oversees the unit."
        )
    _leave(settings, waiting, request, (Outcome.OPENED, why), holders)
    return Contact(clean_text(details.text), details.conversation)


def refuse(settings: IdentitySettings, waiting: Waiting, given: Given, why: WhyNot) -> None:
    """Let one holder refuse a request. Raises NotDecided, NoStick or RegistryRefused."""
    request, unit = _decidable(settings, waiting)
    _leave(settings, waiting, request, (Outcome.REFUSED, why), [_holder(settings, unit, request, given)])


def _read(settings: IdentitySettings, registry: Registry, file: Path, entries: Sequence[Entry]) -> Waiting:
    unit = registry.unit(settings.unit)
    try:
        document = disclosure.read_file(file)
        request = disclosure.read_request(document, registry)
    except DisclosureRefused as error:
        return Waiting(file.name, problem=str(error))
    asks = registry.unit(request.by).name
    digest = disclosure.digest_of(document)
    decided = tuple(entry for entry in entries if entry.digest == digest)
    problem = None
    if not unit.holders_of(request.contact.key):
        problem = (
            "The registry that is here names no holders of the key that these details are sealed to, so no entry "
            "would count. Get the current registry; a former key must stand in it until nothing sealed to it is needed."
        )
    if request.contact.unit != settings.unit or not keys_of(settings.gnupg, request.contact.key):
        problem = "These details are sealed to another identity key than the one here. Its own holders can open them."
    return Waiting(file.name, document, request, asks, decided, problem)


def _decidable(settings: IdentitySettings, waiting: Waiting) -> tuple[Request, Unit]:
    if waiting.request is None or waiting.problem:
        raise NotDecided(waiting.problem or "There is no request.")
    if not settings.stick.is_dir():
        raise NoStick
    _, unit = settings.load_registry()
    return waiting.request, unit


def _holder(settings: IdentitySettings, unit: Unit, request: Request, given: Given) -> Holder:
    if given.name not in settings.holders():
        raise NotDecided("Choose a holder who has a box here.")
    try:
        holder = open_box(settings.read_box(given.name), given.name, given.passphrase)
    except WrongPassphrase as error:
        raise NotDecided(f"The passphrase of {given.name} is another. Type it again.") from error
    except (DamagedBox, OSError) as error:
        raise NotDecided(
            f"The box of {given.name} is missing or damaged. Put its copy back in place."
        ) from error
    if unit.holders_of(request.contact.key).get(given.name) != holder.key.public_key().public_bytes_raw():
        raise NotDecided(
            f"The registry that is here does not name {given.name} as a holder with this key: no entry of theirs "
            "would count. Get the current registry, or have the card enrolled."
        )
    return holder


def _leave(
    settings: IdentitySettings,
    waiting: Waiting,
    request: Request,
    decision: tuple[Outcome, Why | WhyNot],
    holders: Sequence[Holder],
) -> None:
    """Sign the entry and make it durable, here and on the stick. Raises NoStick."""
    outcome, why = decision
    entry = Entry(
        id=secrets.token_hex(16),
        request=request.id,
        digest=disclosure.digest_of(waiting.document),
        unit=settings.unit,
        outcome=outcome,
        why=why,
        day=today(),
        by=tuple(sorted(holder.name for holder in holders)),
    )
    document = disclosure.sign_entry(entry, {holder.name: holder.key for holder in holders})
    settings.trail.mkdir(mode=0o700, exist_ok=True)
    try:
        disclosure.write_file(settings.trail, "entry", document)
        disclosure.write_file(settings.stick, "entry", document)
    except OSError as error:
        raise NoStick from error
