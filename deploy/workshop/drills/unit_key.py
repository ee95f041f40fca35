"""Drill: somebody has a copy of a unit's keys. The page is unit-key-stolen.md."""

from pathlib import Path

from common.gpg.keyring import destroy
from deploy.workshop.drills.country import (
    DESK,
    UNIT,
    UNIT_NAME,
    Country,
    copy_home,
    next_version,
    opens,
    point_courier,
    seal_on,
)
from deploy.workshop.drills.rehearsal import Exposed, Outcome, Rehearsal
from deploy.workshop.drills.service import Reporter, Service, collection, reply_key
from keys.unit.unit_keys import CERTIFICATE, GNUPG_HOME

OUTCOME = Outcome(
    stopped=(
        "Sealing to the stolen certificate, from the moment the registry is in place.",
        "The unit’s courier and its answers, until it has new keys.",
        "What the unit had answered before: it was signed by the stolen key, and is shown to nobody.",
    ),
    rekeyed=("The unit’s certificate and months, its case key, and the key that signs answers.",),
    exposed=(
        Exposed(
            "Every report of a month whose key was not destroyed before the theft, and what was kept for a case",
            "whoever has the stolen keys and the sealed envelope: those on the workstation, since it was copied",
        ),
        Exposed(
            "Every report sealed between the theft and the new registry",
            "the same, if they get the envelope as well",
        ),
    ),
)


def rehearse(rehearsal: Rehearsal, country: Country) -> Outcome:
    """Suspend, make new keys, enrol; then look at what the stolen copy opens."""
    service = Service(country.config())
    past, reporter = country.folder / "past.gpg", Reporter()
    first = country.epochs()[0]
    seal_on(first.month, "What was seen.", country.west / CERTIFICATE, past)
    recent = service.send(reporter, "What was seen.")
    service.answer(reporter, UNIT, "We have read it.", reply_key(country.west))
    rehearsal.check(
        "Before: the unit opens both reports", opens(past, _home(country)) and opens(recent, _home(country))
    )
    destroy(country.west / GNUPG_HOME, first.key)
    copy_home(country.west, country.folder / "stolen")
    rehearsal.note(
        f"A thief has a copy of the unit’s workstation. The key of {first.name} was destroyed there before; the others "
        "were not."
    )
    _suspend(rehearsal, country, service, reporter)
    _begin_anew(rehearsal, country, service, reporter, recent)
    rehearsal.step("Say what is exposed. The stolen copy is tried on what was sealed before.")
    stolen = country.folder / "stolen" / GNUPG_HOME
    rehearsal.check(
        f"A report of {first.name}, whose key was destroyed, does not open with it", not opens(past, stolen)
    )
    rehearsal.check("A report of this month does: it must be taken as read", opens(recent, stolen))
    service.close()
    return OUTCOME


def _suspend(rehearsal: Rehearsal, country: Country, service: Service, reporter: Reporter) -> None:
    rehearsal.step(
        "Within the hour: suspend the unit, so that nothing more is sealed to it and nothing of it is heard."
    )
    rehearsal.run(f"./candour keys registry set registry.draft {UNIT} --status suspended")
    next_version(rehearsal, country, 2)
    rehearsal.check("A report about its force now goes to the charity’s desk", service.goes_to().id == DESK)
    with collection(country.config()) as address:
        point_courier(country.folder / "courier" / "courier.toml", address)
        rehearsal.is_refused(
            "./candour courier collect --to stick/ --config courier/courier.toml",
            "The unit’s courier is turned away",
            "refuses this courier",
        )
    service.answer(reporter, UNIT, "Who are you?", reply_key(country.folder / "stolen"))
    rehearsal.check("An answer signed with the stolen key is not shown", service.shown(reporter) == [])


def _begin_anew(
    rehearsal: Rehearsal, country: Country, service: Service, reporter: Reporter, recent: Path
) -> None:
    rehearsal.step(
        "On a machine that the thief never touched: new keys. The digits go to the witness by voice."
    )
    rehearsal.run(
        f'./candour keys unit new west-2 --id {UNIT} --name "{UNIT_NAME}"', also="--no-passphrase --months 2"
    )
    rehearsal.run("./candour keys registry add registry.draft west-2/unit-card.json")
    rehearsal.run(f"./candour keys registry set registry.draft {UNIT} --status enrolled")
    next_version(rehearsal, country, 3)
    anew, stolen = country.folder / "west-2" / GNUPG_HOME, country.folder / "stolen" / GNUPG_HOME
    fresh = service.send(Reporter(), "What was seen since.")
    rehearsal.check("A new report goes to the unit again, and its new keys open it", opens(fresh, anew))
    rehearsal.check("The stolen keys do not", not opens(fresh, stolen))
    service.answer(reporter, UNIT, "Write to us.", reply_key(country.folder / "stolen"))
    rehearsal.check(
        "Answers signed with the stolen key stay hidden, those of before too: send again what matters",
        service.shown(reporter) == [],
    )
    service.answer(reporter, UNIT, "We have new keys.", reply_key(country.folder / "west-2"))
    rehearsal.check(
        "Answers signed with the new one are shown", service.shown(reporter) == ["We have new keys."]
    )
    rehearsal.step(
        "What waits at the collection is sealed to the old keys. The new home takes them in, to read that and no more."
    )
    rehearsal.gpg("gpg --homedir west/gnupg --export-secret-keys --output old-keys.gpg")
    rehearsal.gpg("gpg --homedir west-2/gnupg --import old-keys.gpg")
    rehearsal.by_hand("shred --remove old-keys.gpg")
    rehearsal.check(
        "The new workstation opens what came before", opens(recent, country.folder / "west-2" / GNUPG_HOME)
    )


def _home(country: Country) -> Path:
    return country.west / GNUPG_HOME
