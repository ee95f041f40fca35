"""Drill: what only the charity's server has is lost; or, which is worse, somebody else has it too.

The page is server-key-gone.md. It says of each secret what it is for.
"""

import math
import secrets
import shutil
import time
from pathlib import Path

from common.config import read_server_config
from common.conversation import codename, mailbox
from common.conversation.derivation import CURRENT, PEPPER_BYTES, conversation_secrets, derive_root
from common.gpg.runner import private_home, run_gpg
from common.secret import Secret
from common.store.blobs import blob_path
from common.store.database import open_store
from deploy.workshop.drills.country import UNIT, Country, copy_home, opens
from deploy.workshop.drills.rehearsal import Exposed, Outcome, Rehearsal
from deploy.workshop.drills.service import Reporter, Service, reply_key
from keys.gpg_key import public_part
from keys.unit.unit_keys import GNUPG_HOME
from source_interface.session import NoSession, SessionBox, new_session

_HOUR, _YEAR = 3600, 365 * 86_400  # seconds
OUTCOME = Outcome(
    stopped=(
        "Lost, with a backup: nothing but the days since it.",
        "Lost without one: every codename, and the address. What is still in the database the units collect.",
        "Stolen: the old address. Nobody is to use it or an old codename again.",
    ),
    rekeyed=(
        "Stolen: pepper, both onions, the couriers’ way in: all of it on a new machine, at a new address.",
        "The operator’s key and a new backup, where that key was lost or stolen.",
        "No key of a unit: the server has none.",
    ),
    exposed=(
        Exposed("Lost: nothing. What is gone is gone for everybody"),
        Exposed(
            "Counts by unit and day, and sealed envelopes, of the day of the copy", "whoever has the database"
        ),
        Exposed(
            "A codename of which but two or three words are not known: it can be tried, and nobody notices",
            "whoever has database and pepper, or an old backup and the operator’s key, since then and for good",
        ),
        Exposed(
            "Those who still come to the old address", "whoever has the onion’s key: they can pose as it"
        ),
    ),
)


def rehearse(rehearsal: Rehearsal, country: Country) -> Outcome:
    """Lost with a backup; lost without; stolen."""
    service, reporter = Service(country.config()), Reporter()
    envelope = service.send(reporter, "What was seen.")
    service.answer(reporter, UNIT, "We have read it.", reply_key(country.west))
    service.close()
    stolen = country.folder / "stolen"
    _make_operator(country.folder / "operator")
    rehearsal.part("Lost: the disk is dead, and there is a backup")
    _lost_with_a_backup(rehearsal, country, reporter, envelope.name)
    shutil.copytree(country.server, stolen)
    rehearsal.part("Lost: there is no backup, or nobody can open it")
    _lost_without(rehearsal, country, reporter)
    rehearsal.part("Stolen: somebody has the disk, with database, pepper and the onions’ keys")
    _stolen(rehearsal, country, stolen, reporter, envelope.name)
    return OUTCOME


def _make_operator(home: Path) -> None:
    """The operator's key, and operator.asc beside its home."""
    kind = ("--quick-generate-key", "Operator", "future-default", "default", "never")
    run_gpg(private_home(home), *kind, passphrase="", clock="20200101T000000!").check_returncode()
    home.with_name("operator.asc").write_text(public_part(home, "Operator"), "ascii")


def _lost_with_a_backup(rehearsal: Rehearsal, country: Country, reporter: Reporter, name: str) -> None:
    rehearsal.note("On the host it is --host in place of --data, and the file is carried off at once.")
    rehearsal.run("./candour backup --to backup.gpg --recipient operator.asc --data .")
    country.server.rename(country.folder / "dead")
    rehearsal.step(
        "Put the backup in place on a clean machine. Compare the digits that it prints before all else."
    )
    rehearsal.is_refused(
        "./candour restore --from backup.gpg --gnupg west/gnupg --data elsewhere",
        "With another key than the operator’s it does not open",
        "does not open",
    )
    rehearsal.run("./candour restore --from backup.gpg --gnupg operator --data .")
    service = Service(country.config())
    rehearsal.check("A codename still finds its answer", service.shown(reporter) == ["We have read it."])
    sealed = blob_path(service.services.config.blobs, name)
    rehearsal.check("The unit still opens the report", opens(sealed, country.west / GNUPG_HOME))
    service.close()


def _lost_without(rehearsal: Rehearsal, country: Country, reporter: Reporter) -> None:
    rehearsal.step("If the database is still there, let the couriers make a last round. Then install anew.")
    rehearsal.by_hand(
        "deploy/install --registry registry.json --registry-root registry-root.pub --ssh-from ADDRESS"
    )
    rehearsal.by_hand("candour deploy site --onion ADDRESS --to site")
    pepper = country.server / "pepper"
    kept = pepper.read_bytes()
    pepper.write_bytes(secrets.token_bytes(PEPPER_BYTES))
    anew = Service(country.config())
    found = anew.visit(reporter)
    rehearsal.check(
        "With another pepper a codename of before finds nothing, though the database be the old one",
        not found.messages and not found.answers,
    )
    never = anew.visit(Reporter())
    rehearsal.check(
        "It looks like any codename without news: no page can tell them, the public notice must",
        (found.messages, found.answers) == (never.messages, never.answers),
    )
    anew.settle()
    rehearsal.check("What waits for the unit depends on no pepper", len(anew.listed(UNIT)) == 1)
    anew.close()
    pepper.write_bytes(kept)


def _stolen(rehearsal: Rehearsal, country: Country, stolen: Path, reporter: Reporter, name: str) -> None:
    rehearsal.step("Pull the plug. Say what the thief has: their copy is tried.")
    nobody = private_home(country.folder / "nobody")
    rehearsal.check(
        "No report opens: the server has no key that could", not opens(next(stolen.rglob(name)), nobody)
    )
    pepper = Secret((stolen / "pepper").read_bytes())
    rehearsal.check("A codename that was found on paper is confirmed", _finds(stolen, reporter.words, pepper))
    thief = Service(read_server_config(stolen / "server.toml"))
    rehearsal.check("The answers that are still there open with it", bool(thief.shown(reporter)))
    thief.close()
    other = Secret(secrets.token_bytes(PEPPER_BYTES))
    rehearsal.check(
        "With the database and no pepper nothing can be tried", not _finds(stolen, reporter.words, other)
    )
    _say_the_cost(rehearsal, min(_seconds_of_a_guess(pepper) for _ in range(3)))
    rehearsal.check("Cookies die with the server’s memory: the next start opens none", _cookies_die())

    rehearsal.step(
        "A new machine, a new address, a new pepper. What had not been collected comes from the last backup, out of "
        "which pepper and onions’ keys are taken before anything starts."
    )
    rehearsal.run("./candour restore --from backup.gpg --gnupg operator --data anew")
    rehearsal.on_host("rm /etc/candour/pepper", (country.folder / "anew" / "server" / "pepper").unlink)
    rehearsal.by_hand("rm -r /var/lib/tor-instances/candour/source /var/lib/tor-instances/candour/collection")
    _install_anew(rehearsal, country.folder / "anew" / "server", pepper)

    rehearsal.step(
        "Where the operator’s key was stolen too, each old backup is open. Make another key, and destroy them."
    )
    copy_home(country.folder / "operator", country.folder / "thief")
    rehearsal.run("./candour restore --from backup.gpg --gnupg thief --data loot")
    loot = country.folder / "loot" / "server" / "pepper"
    rehearsal.check("Key and backup together give the pepper", loot.read_bytes() == pepper.reveal())


def _install_anew(rehearsal: Rehearsal, server: Path, stolen_pepper: Secret) -> None:
    drawn = secrets.token_bytes(PEPPER_BYTES)
    rehearsal.on_host("deploy/install --ssh-from ADDRESS", lambda: (server / "pepper").write_bytes(drawn))
    service, since = Service(read_server_config(server / "server.toml")), Reporter()
    service.settle()
    rehearsal.check("What had not been collected reaches its unit", len(service.listed(UNIT)) == 1)
    service.send(since, "What was seen since.")
    service.close()
    rehearsal.check(
        "A codename of the new server is not confirmed by the stolen pepper",
        not _finds(server, since.words, stolen_pepper),
    )


def _finds(server: Path, words: codename.Codename, pepper: Secret) -> bool:
    """Whether a database shows that a codename was used, to somebody with this pepper."""
    keys = conversation_secrets(derive_root(words, pepper))
    store = open_store(f"sqlite:///{server / 'candour.sqlite'}", server / "blobs")
    found = store.mailbox(mailbox.tags(keys.receipt_key), mailbox.tags(keys.mailbox_key))
    store.engine.dispose()
    return bool(found.sent)


def _cookies_die() -> bool:
    """Whether a cookie of one run of the server is nothing to the next."""
    run, next_run = SessionBox(60, 60), SessionBox(60, 60)
    cookie = run.close(new_session())
    run.open(cookie)
    try:
        next_run.open(cookie)
    except NoSession:
        return True
    return False


def guesses(unknown: int) -> int:
    """How many codenames there are to try when this many of the seven words are not known."""
    listed, fitting = len(codename.word_list()), 2**codename.CHECK_BITS
    return int(listed**unknown / fitting)


def _seconds_of_a_guess(pepper: Secret) -> float:
    started = time.perf_counter()
    derive_root(codename.generate(), pepper)
    return time.perf_counter() - started


def _say_the_cost(rehearsal: Rehearsal, seconds: float) -> None:
    """What guessing costs, from one guess that was measured here."""
    rehearsal.note(
        f"One guess took {seconds * 1000:.0f} ms here, and {CURRENT.memory_kib // 1024} MiB. To try them all:"
    )
    for unknown in (1, 2, 3, 4, codename.WORDS_IN_A_CODENAME):
        count = guesses(unknown)
        words = "1 word" if unknown == 1 else f"{unknown} words"
        rehearsal.note(
            f"  {words} unknown: {_about(count)} guesses, {_long(count * seconds)} of such a machine"
        )


def _long(seconds: float) -> str:
    if seconds < 2 * _HOUR:
        return f"{seconds:.0f} s"
    return f"{seconds / _HOUR:.0f} hours" if seconds < 2 * _YEAR else f"{_about(seconds / _YEAR)} years"


def _about(number: float) -> str:
    if number < 1e7:
        return f"{number:,.0f}"
    exponent = int(math.log10(number))
    return f"{number / 10**exponent:.0f} × 10^{exponent}"
