"""Drill: a courier's machine is lost with its stick. The page is courier-lost.md."""

import shlex
from pathlib import Path

from common.gpg.runner import private_home
from common.transport import bundle
from deploy.onions import couriers
from deploy.workshop.drills.country import UNIT, Country, next_version, opens, point_courier
from deploy.workshop.drills.rehearsal import Exposed, Outcome, Rehearsal
from deploy.workshop.drills.service import Reporter, Service, collection
from keys.registry.draft import read_draft
from keys.unit.unit_keys import GNUPG_HOME

ONION = f"{'a' * 51}m2dqd.onion"  # nobody's
OUTCOME = Outcome(
    stopped=(
        "The lost machine’s way to the collection: at the onion, and by the registry.",
        "Bundles that its key signed: the desk refuses them.",
        "Carrying for that unit, until another machine is enrolled. Reports wait; reporters notice nothing.",
    ),
    rekeyed=("The courier’s two keys, on a new machine. No key of the unit’s.",),
    exposed=(
        Exposed("No text: what it carried is sealed to the unit"),
        Exposed(
            "How many envelopes it carried, of which days and sizes",
            "the finder, since the loss, if the disk was not locked",
        ),
        Exposed(
            "What waited for the unit, sealed. Nobody but its desk could have said that it was collected",
            "the finder, from the loss until the new registry",
        ),
    ),
)


def rehearse(rehearsal: Rehearsal, country: Country) -> Outcome:
    """Dismiss, strike off, enrol another, which collects what was lost."""
    service, lost = Service(country.config()), country.folder / "courier"
    sealed = service.send(Reporter(), "What was seen.")
    service.settle()
    onions = _stand_in_for_tor(country.folder / "onions")
    with collection(country.config()) as address:
        point_courier(lost / "courier.toml", address)
        rehearsal.note("The courier’s last round, before the machine and the stick were lost together:")
        rehearsal.run("./candour courier collect --to stick/ --config courier/courier.toml")
        [carried] = bundle.found(country.folder / "stick", "envelopes")
        service.send(Reporter(), "What was seen later.")
        service.settle()
        _shut_out(rehearsal, country, onions)
        _look_at_what_is_lost(rehearsal, country, carried, sealed.name)
        line = _enrol_another(rehearsal, country, address)
        rehearsal.on_host(
            f"candour deploy admit west-2 {line}", lambda: couriers.admit(onions, "west-2", line)
        )
        rehearsal.check("One machine is let in, the new one", couriers.admitted(onions) == ["west-2"])
        _collect_once_more(rehearsal, country, sealed.name)
    service.close()
    return OUTCOME


def _stand_in_for_tor(onions: Path) -> Path:
    (onions / "collection" / couriers.CLIENTS).mkdir(parents=True)
    couriers.admit(onions, "west-1", "descriptor:x25519:" + "A" * 52)
    return onions


def _shut_out(rehearsal: Rehearsal, country: Country, onions: Path) -> None:
    rehearsal.step("At once: shut the door of the onion, on the host.")
    rehearsal.on_host("candour deploy couriers", lambda: couriers.admitted(onions))
    rehearsal.on_host("candour deploy dismiss west-1", lambda: couriers.dismiss(onions, "west-1"))
    rehearsal.check("The lost machine is let in no more", "west-1" not in couriers.admitted(onions))
    rehearsal.note("Its tor may still get in for some hours by what it remembers. So, on the same day:")
    rehearsal.step("Strike its key off the registry. That turns it away wherever it comes from.")
    key_id = next(iter(read_draft(country.folder / "registry.draft").content.unit(UNIT).couriers))
    rehearsal.run(f"./candour keys registry set registry.draft {UNIT} --drop-courier {key_id}")
    next_version(rehearsal, country, 2)
    rehearsal.is_refused(
        "./candour courier collect --to stick/ --config courier/courier.toml",
        "Whoever has the lost machine is turned away, even inside the onion",
        "refuses this courier",
    )


def _look_at_what_is_lost(rehearsal: Rehearsal, country: Country, carried: Path, name: str) -> None:
    rehearsal.step("Say what is exposed. What it carried is tried without the unit’s keys.")
    nobody = private_home(country.folder / "nobody")
    rehearsal.check(
        "What it carried does not open without the unit’s keys", not opens(carried / name, nobody)
    )
    unit = Service(country.config()).services.registry.current().unit(UNIT)
    rehearsal.check(
        "The desk refuses a bundle that its key signed", not _taken(carried, tuple(unit.couriers.values()))
    )


def _taken(folder: Path, signers: tuple[bytes, ...]) -> bool:
    """Whether a desk that knows these couriers takes a bundle."""
    try:
        bundle.read_manifest(folder, "envelopes", UNIT, signers)
    except bundle.BundleRefused:
        return False
    return True


def _enrol_another(rehearsal: Rehearsal, country: Country, address: str) -> str:
    """The new machine's line for the onion's host."""
    rehearsal.step(
        "Enrol another machine. Its owner reads the digits to the witness, and the line to the operator."
    )
    said = rehearsal.run(
        f"./candour courier enrol {ONION} --unit {UNIT} --name west-2 --config courier-2/courier.toml"
    )
    rehearsal.run("./candour keys registry add registry.draft courier-2/courier-card.json")
    for name in ("registry.json", "registry-root.pub"):
        (country.folder / "courier-2" / name).write_bytes((country.folder / "courier" / name).read_bytes())
    next_version(rehearsal, country, 3)
    point_courier(country.folder / "courier-2" / "courier.toml", address)
    return next(word for word in shlex.split(said, comments=False) if word.startswith("descriptor:"))


def _collect_once_more(rehearsal: Rehearsal, country: Country, name: str) -> None:
    rehearsal.step(
        "What was on the lost stick is still at the collection, for the desk never said that it holds it. Collect."
    )
    (country.folder / "stick-2").mkdir()
    rehearsal.run("./candour courier collect --to stick-2/ --config courier-2/courier.toml")
    [folder] = bundle.found(country.folder / "stick-2", "envelopes")
    here = {file.name for file in folder.iterdir()}
    rehearsal.check(
        "The new machine brings the lost report, and the later one", name in here and len(here) == 3
    )
    rehearsal.check("The unit opens it as ever", opens(folder / name, country.west / GNUPG_HOME))
