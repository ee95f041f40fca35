"""Drill: a reviewer leaves, who knew the passphrase and holds a share. The page is reviewer-leaves.md."""

from pathlib import Path

from common.days import today
from common.gpg.keyring import Where, end_agent, keys_of
from common.gpg.runner import run_gpg
from deploy.workshop.drills.country import Country, copy_home, seal_on
from deploy.workshop.drills.rehearsal import Exposed, Outcome, Rehearsal
from keys.unit.shares import split
from keys.unit.unit_keys import CERTIFICATE, GNUPG_HOME, change_unit_passphrase, read_unit_card

OLD, NEW = "known to who leaves", "known to who stays"
OUTCOME = Outcome(
    stopped=(
        "Whoever left opens nothing on the unit’s workstation any more.",
        "The old shares: too few are left of them, once the others are burnt.",
    ),
    rekeyed=(
        "The passphrase of all the unit’s keys, and the disk’s; the shares of the primary key.",
        "The certificate stays, and so do the registry and all conversations.",
    ),
    exposed=(
        Exposed("What they have read in all their time, and remember or wrote down", "them, as ever"),
        Exposed(
            "If they made a copy: all of a month whose key was not destroyed by that day, with the old passphrase",
            "them, since that day; where it cannot be ruled out, go on with unit-key-stolen",
        ),
    ),
)


def rehearse(rehearsal: Rehearsal, country: Country) -> Outcome:
    """Bring the primary key back, change the passphrase, share anew; then try what the leaver has."""
    keys = country.west
    _protect(keys)
    sealed = country.folder / "sealed.gpg"
    seal_on(today(), "What was seen.", keys / CERTIFICATE, sealed)
    split(keys, country.folder / "west-shares", need=2, of=3, passphrase=OLD, remove=True)
    copy_home(keys, country.folder / "copy")
    rehearsal.check("Before: who leaves can open a report", _opens(sealed, keys, OLD))
    rehearsal.note(
        "They hold share 1 of 3, of which 2 are needed, with its box; and they know the passphrase."
    )

    rehearsal.step("Two of those who stay come with their shares. The primary key comes back.")
    rehearsal.run(
        "./candour keys unit restore west west-shares/primary.box "
        "west-shares/share-2-of-3.txt west-shares/share-3-of-3.txt"
    )
    rehearsal.step(
        "Change the passphrase of all the unit’s keys. Two people know the new one, or a paper in a safe."
    )
    rehearsal.run("./candour keys unit passphrase west", answers=f"{OLD}\n{NEW}\n{NEW}\n")
    rehearsal.check("A report does not open with the old passphrase", not _opens(sealed, keys, OLD))
    rehearsal.check("It does with the new one", _opens(sealed, keys, NEW))
    _share_anew(rehearsal, keys)

    rehearsal.step("Change what else they knew: the log-in and the disk’s passphrase. Start the desk again.")
    rehearsal.by_hand("cryptsetup luksChangeKey /dev/DISK")
    rehearsal.by_hand("./candour desk --data DIR")
    rehearsal.step(
        "Say what is exposed, and ask whether a copy may have been made: of the disk, or of a backup."
    )
    rehearsal.check(
        "A copy made before still opens, with the old passphrase: it cannot be called back",
        _opens(sealed, country.folder / "copy", OLD),
    )
    return OUTCOME


def _protect(folder: Path) -> None:
    """Give the unit's keys the passphrase that is known to who leaves."""
    # A passphrase is stretched for a tenth of a second each time. Here many are tried, and none guards anything.
    (folder / GNUPG_HOME / "gpg-agent.conf").write_text("s2k-count 65536\n", "ascii")
    change_unit_passphrase(folder, "", OLD)
    end_agent(folder / GNUPG_HOME)


def _share_anew(rehearsal: Rehearsal, keys: Path) -> None:
    rehearsal.step(
        "Share the primary key anew, to those who stay. Burn the old shares and boxes, in the same hour."
    )
    rehearsal.run(
        "./candour keys unit split west west-shares-2 --need 2 --of 3 --remove-primary",
        answers=f"{NEW}\n",
    )
    primary = keys_of(keys / GNUPG_HOME, read_unit_card(keys).fingerprint)[0]
    rehearsal.check("The primary key is on the workstation no more", primary.where is Where.GONE)
    too_few = "do not open it"
    rehearsal.is_refused(
        "./candour keys unit restore alone west-shares/primary.box west-shares/share-1-of-3.txt",
        "The share that left opens nothing alone",
        too_few,
        answers=f"{NEW}\n{NEW}\n",
    )
    rehearsal.is_refused(
        "./candour keys unit restore mixed west-shares-2/primary.box "
        "west-shares/share-1-of-3.txt west-shares-2/share-2-of-3.txt",
        "Nor does it count among the new shares",
        too_few,
        answers=f"{NEW}\n{NEW}\n",
    )


def _opens(sealed: Path, folder: Path, passphrase: str) -> bool:
    home = folder / GNUPG_HOME
    end_agent(home)  # it remembers
    opened = run_gpg(home, "--decrypt", str(sealed), passphrase=passphrase)
    end_agent(home)
    return opened.returncode in (0, 2) and b"What was seen" in opened.stdout
