"""Drill: what only the charity's server has is lost; or, which is worse, somebody else has it too.

The page is server-key-gone.md. It says of each secret what it is for.
"""

import math
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from common import codename, mailbox
from common.derivation import CURRENT, PEPPER_BYTES, conversation_secrets, derive_root
from common.sealing import gpg_environment, private_home
from common.secret import Secret
from common.store.opening import open_store
from deploy.drills.country import UNIT, Country, copy_home, opens
from deploy.drills.rehearsal import Exposed, Outcome, Rehearsal
from deploy.drills.service import Reporter, Service, reply_key
from keys.unit import GNUPG_HOME
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
    tool = ["gpg", "--homedir", str(private_home(home)), "--batch", "--no-options"]
    kind = ("--passphrase", "", "--quick-generate-key", "Operator", "future-default", "default", "never")
    made = [*tool, "--pinentry-mode", "loopback", "--faked-system-time", "20200101T000000!", *kind]
    given = [*tool, "--armor", "--export", "--output", str(home.with_name("operator.asc"))]
    for words in (made, given):
        subprocess.run(words, env=gpg_environment(), capture_output=True, check=True)


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
    sealed = service.house.store.blobs.path(name)
    rehearsal.check("The unit still opens the report", opens(sealed, country.west / GNUPG_HOME))
    service.close()


def _lost_without(rehearsal: Rehearsal, country: Country, reporter: Reporter) -> None:
    rehearsal.step("Install anew: another pepper, and another address.")
    rehearsal.by_hand(
        "deploy/install --registry registry.json --registry-root registry-root.pub --ssh-from ADDRESS"
    )
    rehearsal.by_hand("candour deploy site --onion ADDRESS --to site")
    service = Service(country.config())
    database = service.house.store
    pepper = country.server / "pepper"
    kept = pepper.read_bytes()
    pepper.write_bytes(secrets.token_bytes(PEPPER_BYTES))
    anew = Service(country.config())
    rehearsal.check(
        "A codename of before finds nothing, though the database be the old one",
        not anew.visit(reporter).messages and not anew.shown(reporter),
    )
    rehearsal.check(
        "It looks like any codename without news: the pages must say what happened",
        anew.visit(reporter).answers == anew.visit(Reporter()).answers,
    )
    rehearsal.check(
        "What is in the database the unit’s courier still collects", len(database.waiting(UNIT)) == 1
    )
    service.close()
    anew.close()
    pepper.write_bytes(kept)


def _stolen(rehearsal: Rehearsal, country: Country, stolen: Path, reporter: Reporter, name: str) -> None:
    rehearsal.step("Pull the plug. Say what the thief has: their copy is tried.")
    nobody = country.folder / "nobody"
    sealed = next(stolen.rglob(name))
    rehearsal.check(
        "No report opens: the server has no key that could", not opens(sealed, private_home(nobody))
    )
    pepper = Secret((stolen / "pepper").read_bytes())
    rehearsal.check("A codename that was found on paper is confirmed", _finds(stolen, reporter.words, pepper))
    other = Secret(bytes(32))
    rehearsal.check(
        "With the database and no pepper nothing can be tried", not _finds(stolen, reporter.words, other)
    )
    _say_the_cost(rehearsal, min(_seconds_of_a_guess(pepper) for _ in range(3)))
    box, later = SessionBox(60), SessionBox(60)
    rehearsal.check("Cookies die with the server’s memory: the next start opens none", _dies(box, later))

    rehearsal.step(
        "A new machine at a new address, with a new pepper. Restore no onion and no pepper of before."
    )
    rehearsal.by_hand(
        "deploy/install --registry registry.json --registry-root registry-root.pub --ssh-from ADDRESS"
    )
    (country.server / "pepper").write_bytes(secrets.token_bytes(PEPPER_BYTES))
    service, since = Service(country.config()), Reporter()
    service.send(since, "What was seen since.")
    rehearsal.check(
        "What is sent there the stolen pepper confirms no more",
        not _finds(country.server, since.words, pepper),
    )
    service.close()

    rehearsal.step(
        "Where the operator’s key was stolen too, each old backup is open. Make another key, and destroy them."
    )
    copy_home(country.folder / "operator", country.folder / "thief")
    rehearsal.run("./candour restore --from backup.gpg --gnupg thief --data loot")
    loot = country.folder / "loot" / "server" / "pepper"
    rehearsal.check("Key and backup together give the pepper", loot.read_bytes() == pepper.reveal())


def _finds(server: Path, words: codename.Codename, pepper: Secret) -> bool:
    """Whether a database shows that a codename was used, to somebody with this pepper."""
    keys = conversation_secrets(derive_root(words, pepper))
    store = open_store(f"sqlite:///{server / 'candour.sqlite'}", server / "blobs")
    found = store.mailbox(mailbox.tags(keys.receipt_key), mailbox.tags(keys.mailbox_key))
    store.engine.dispose()
    return bool(found.sent)


def _dies(box: SessionBox, later: SessionBox) -> bool:
    cookie = box.close(new_session())
    box.open(cookie)
    try:
        later.open(cookie)
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
