"""Drill: the registry's root must change: on purpose, and because it was stolen. The page is root-changes.md."""

from pathlib import Path

from common.days import today
from common.durable import write_whole
from common.registry.file import RegistryFile
from common.registry.registry import Registry, RegistryRefused
from common.registry.units import UnitKind
from deploy.doctor.finding import State
from deploy.doctor.server import check_registry
from deploy.workshop.drills.country import UNIT, UNIT_NAME, Country
from deploy.workshop.drills.rehearsal import Exposed, Outcome, Rehearsal
from keys.cards import UnitCard
from keys.commands.shared import grouped
from keys.registry.draft import read_draft
from keys.registry.publication import PUBLIC
from keys.registry.signature import sign_registry
from keys.registry.succession import follow, read_succession, replace_root
from keys.unit.unit_keys import new_unit

RESTART = "systemctl restart candour-source.service candour-collection.service"
OUTCOME = Outcome(
    stopped=(
        "The old root’s word, at each place from the moment that it trusts the new one.",
        "New registries at a place that was forgotten: it goes on with its last one until that ends.",
    ),
    rekeyed=("The root. No key of a unit, a courier or a reporter: their keys and codenames stay.",),
    exposed=(
        Exposed("Nothing old: the root opens no report, and knows no reporter"),
        Exposed(
            "After a theft: reports sent where a false registry was in place, while it was",
            "whoever signed it: the difference to the last good one names their certificate",
        ),
    ),
)


def rehearse(rehearsal: Rehearsal, country: Country) -> Outcome:
    """A change on purpose, then a theft of the root that came of it."""
    rehearsal.part("The old root is good: it names its successor")
    _change_on_purpose(rehearsal, country)
    rehearsal.part("The root was stolen: nobody may believe it")
    _change_after_theft(rehearsal, country)
    return OUTCOME


def _change_on_purpose(rehearsal: Rehearsal, country: Country) -> None:
    server = RegistryFile.of(country.config())
    server.current()
    rehearsal.step(
        "Signer and witness make the new root, and the old one names it. Both passphrases are typed."
    )
    rehearsal.run("./candour keys root new root-2.key", also="--no-passphrase")
    rehearsal.run("./candour keys root succeed root.key root-2.key succession.json --version 2")
    rehearsal.run(
        "./candour keys registry sign registry.draft registry-2.json --root-key root-2.key --version 2"
    )
    rehearsal.step("A place that does not know the new root yet keeps what it has.")
    rehearsal.is_refused(
        "./candour keys registry publish registry-2.json server/ --root root-2.pub",
        "The new registry is not put in place there",
        "another root",
    )
    rehearsal.check("The server goes on with version 1", _version(server) == 1)
    _by_force(rehearsal, country, server)
    rehearsal.step("Each place follows, one after the other, and is started again.")
    rehearsal.run("./candour keys root trust registry-2.json desk/ courier/ --succession succession.json")
    signed, document = (country.folder / name for name in ("registry-2.json", "succession.json"))
    rehearsal.on_host(
        "candour keys root trust registry-2.json /etc/candour --succession succession.json",
        lambda: follow(country.server, signed.read_bytes(), read_succession(document.read_bytes())),
    )
    rehearsal.by_hand(RESTART)
    rehearsal.check("A server that starts now has version 2", _starts_with(country) == 2)
    rehearsal.step(
        "From now on the old root counts for nothing here. It is destroyed when every place has followed."
    )
    old = sign_registry(_draft(country, 3), country.folder / "root.key")
    rehearsal.check("What the old root signs is refused", not _is_taken(country, old))
    earlier = sign_registry(_draft(country, 1), country.folder / "root-2.key")
    rehearsal.check("So is an older version, though the new root signed it", not _is_taken(country, earlier))
    (country.folder / "altered.json").write_bytes(
        document.read_bytes().replace(b'"version":2', b'"version":1')
    )
    rehearsal.is_refused(
        "./candour keys root trust registry-2.json desk/ --succession altered.json",
        "A succession that was altered is refused",
        "altered",
    )


def _by_force(rehearsal: Rehearsal, country: Country, server: RegistryFile) -> None:
    """What comes of a registry that was copied past all commands."""
    file = country.server / "registry.json"
    before = file.read_bytes()
    write_whole(file, (country.folder / "registry-2.json").read_bytes(), PUBLIC)
    found = [one for one in check_registry(country.config()) if one.state is State.WRONG]
    rehearsal.check(
        "Copied there by force it takes nothing in, and the doctor says why and where to read",
        _version(server) is None and bool(found) and "root-changes.md" in found[0].remedy,
    )
    write_whole(file, before, PUBLIC)
    rehearsal.check("With the last good one back, it serves again", _version(server) == 1)


def _change_after_theft(rehearsal: Rehearsal, country: Country) -> None:
    thief = country.folder / "thief"
    thief.mkdir()
    made = new_unit(thief, UNIT, UNIT_NAME, passphrase=None, months=1)
    card = UnitCard(UNIT, UNIT_NAME, made.certificate, made.fingerprint, made.reply_public_key)
    false = read_draft(country.folder / "registry.draft").with_card(card, UnitKind.UNIT)
    signed = sign_registry(false.to_sign(7, today()), country.folder / "root-2.key")
    rehearsal.note(
        "The thief has root-2.key, and has signed a registry 7 in which the unit’s certificate is theirs."
    )
    rehearsal.check(
        "Whoever still trusts the stolen root would take it: so be quick",
        _is_taken(country, signed, keep=False),
    )
    rehearsal.step(
        "Another root. No succession: the thief could sign one too. A version above any that was seen."
    )
    rehearsal.run("./candour keys root new root-3.key", also="--no-passphrase")
    rehearsal.run(
        "./candour keys registry sign registry.draft registry-8.json --root-key root-3.key --version 8"
    )
    digits = grouped((country.folder / "root-3.pub").read_text("ascii").strip())
    rehearsal.step(
        "At each place somebody types the digits, as the signer reads them out over a call that they made themselves."
    )
    rehearsal.run(f'./candour keys root trust registry-8.json desk/ courier/ --root "{digits}"')
    good = (country.folder / "registry-8.json").read_bytes()
    rehearsal.on_host(
        f'candour keys root trust registry-8.json /etc/candour --root "{digits}"',
        lambda: replace_root(country.server, good, bytes.fromhex(digits)),
    )
    rehearsal.by_hand(RESTART)
    rehearsal.check("A server that starts now has version 8", _starts_with(country) == 8)
    rehearsal.check("The thief’s registry is refused", not _is_taken(country, signed))
    higher = sign_registry(false.to_sign(99, today()), country.folder / "root-2.key")
    rehearsal.check("So is any later one of theirs", not _is_taken(country, higher))
    rehearsal.run("./candour keys root new root-thief.key", also="--no-passphrase")
    rehearsal.run("./candour keys root succeed root-2.key root-thief.key false.json --version 9")
    rehearsal.run(
        "./candour keys registry sign registry.draft registry-9.json --root-key root-thief.key --version 9"
    )
    rehearsal.is_refused(
        "./candour keys root trust registry-9.json desk/ --succession false.json",
        "A succession that the thief signed leads nowhere",
        "another root",
    )


def _draft(country: Country, version: int) -> Registry:
    return read_draft(country.folder / "registry.draft").to_sign(version, today())


def _starts_with(country: Country) -> int | None:
    return _version(RegistryFile.of(country.config()))


def _version(server: RegistryFile) -> int | None:
    try:
        return server.current().version
    except RegistryRefused:
        return None


def _is_taken(country: Country, signed: bytes, *, keep: bool = True) -> bool:
    """Whether a server that starts now, with what it remembers, would go by this registry."""
    file: Path = country.server / "registry.json"
    before = file.read_bytes()
    write_whole(file, signed, PUBLIC)
    remembered = country.server / "run" / "registry-version"
    seen = remembered.read_bytes()
    try:
        return _starts_with(country) is not None
    finally:
        write_whole(file, before, PUBLIC)
        if not keep:
            remembered.write_bytes(seen)
