"""Each drill goes through and finds what it claims; and with the protection broken its checks fail."""

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from common import canonical, config, signing
from common.conversation.derivation import derive_root
from common.days import today
from common.gpg.epochs import month_after, month_of
from common.gpg.keyring import destroy, keys_of
from common.registry import registry as registries
from common.registry import version
from common.registry.units import Unit
from common.report import routing
from common.report.routing import Reason
from common.secret import Secret
from common.store.outbox import Outbox
from common.store.settlement import Settlement
from deploy.cli import candour
from deploy.doctor import server as doctor
from deploy.onions import couriers
from deploy.workshop.drills import command, server_key, service, unit_key
from deploy.workshop.drills.command import DRILLS, PAGES
from deploy.workshop.drills.country import UNIT
from keys.commands import main as keys_cli
from keys.commands import registry as registry_command
from keys.registry import publication, succession
from keys.unit import shares
from keys.unit.unit_keys import GNUPG_HOME, change_unit_passphrase, read_unit_card
from source_interface import session
from source_interface.intake import certificates

pytestmark = pytest.mark.slow

CHECKS = {
    "unit-key-stolen": 11,
    "courier-lost": 7,
    "reviewer-leaves": 7,
    "root-changes": 13,
    "server-key-gone": 14,
}


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_finds_what_it_claims_and_leaves_nothing(name, whole):
    done = whole(name)
    assert done.failed == []
    assert done.said.count("[ok]") == CHECKS[name]
    assert f"{CHECKS[name]} checks, all good." in done.said
    assert all(f"\n{title}" in done.said for title in ("What stopped", "What is re-keyed", "What is exposed"))
    assert not done.folder.parent.exists()
    running = [file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    assert not [words for words in running if os.fsencode(done.folder) in words]


def test_the_command_lists_the_drills_each_with_a_page_that_is_there():
    listed = CliRunner().invoke(candour, ["drill"])
    assert listed.exit_code == 0
    for name in DRILLS:
        assert re.search(rf"^{name} .*{name}\.md$", listed.output, re.MULTILINE)
    assert sorted(DRILLS) == sorted(page.stem for page in PAGES.glob("*.md"))


def test_the_exit_code_tells_of_a_check_that_failed(monkeypatch):
    for failed, code in ((["a claim"], 1), ([], 0)):
        monkeypatch.setattr(command, "rehearse", lambda *_, result=failed: result)
        assert CliRunner().invoke(candour, ["drill", "root-changes"]).exit_code == code


# -- each protection broken, and the claims that then fail: all of them, and no other


def serve_the_suspended(patch):
    patch.setattr(Unit, "is_enrolled", property(lambda unit: unit.has_keys))
    patch.setattr(routing, "RULES", [rule for rule in routing.RULES if rule.because is not Reason.SUSPENDED])


def keep_the_first_certificate(patch):
    first: dict[str, bytes] = {}
    look = certificates.certificate_of_the_day
    patch.setattr(
        certificates, "certificate_of_the_day", lambda unit, day: first.setdefault(unit.id, look(unit, day))
    )


def believe_every_answer(patch):
    patch.setattr(signing, "verify_document", lambda untrusted, *_: canonical.inner(untrusted, "body"))


def destroy_no_month(patch):
    patch.setattr(unit_key, "destroy", lambda *_: None)


def strike_no_courier_off(patch):
    patch.setattr(registry_command, "without_courier", lambda unit, _: unit)


def dismiss_nobody(patch):
    patch.setattr(couriers, "dismiss", lambda *_: None)


def take_a_download_for_a_receipt(patch):
    """What a courier was given counts as held by its desk from the next settled hour on."""
    given: set[str] = set()
    find, settle = Outbox.open, Settlement.run

    def sealed_file(its, unit, envelope_id):
        given.add(envelope_id)
        return find(its, unit, envelope_id)

    def run(its, hour):
        its._store.note_held(UNIT, sorted(given), today())
        settle(its, hour)

    patch.setattr(Outbox, "open", sealed_file)
    patch.setattr(Settlement, "run", run)


def leave_the_months_their_passphrase(patch):
    change = change_unit_passphrase

    def all_but_the_months(folder, old, new):
        certificate = read_unit_card(folder).fingerprint
        files = folder / GNUPG_HOME / "private-keys-v1.d"
        months = [
            files / f"{key.keygrip}.key" for key in keys_of(folder / GNUPG_HOME, certificate) if key.encrypts
        ]
        kept = {file: file.read_bytes() for file in months}
        change(folder, old, new)
        for file, content in kept.items():
            file.write_bytes(content)

    patch.setattr(keys_cli, "change_unit_passphrase", all_but_the_months)


def leave_the_primary_key(patch):
    calls: list[object] = []

    def only_at_first(*key):
        """The first is of the time before, when it was shared for the first time."""
        calls.append(key)
        if len(calls) == 1:
            destroy(*key)

    patch.setattr(shares, "destroy", only_at_first)


def publish_whatever_root(patch):
    patch.setattr(publication, "_check_root", lambda *_: None)


def forget_the_version(patch):
    patch.setattr(version, "recall", lambda *_: 0)


def say_nothing_of_the_root(patch):
    patch.setattr(doctor, "_UNKNOWN_ROOT", "Mend it.")


def believe_every_registry(patch):
    patch.setattr(config, "verify", lambda untrusted, *_: registries.read(signing.read_unverified(untrusted)))


def believe_every_succession(patch):
    patch.setattr(succession, "_verify", lambda *_: None)


def leave_the_pepper_out(patch):
    for module in (server_key, service):
        patch.setattr(module, "derive_root", lambda words, _: derive_root(words, Secret(bytes(32))))


def keep_the_session_key(patch):
    box = session.SessionBox(60, 60)
    patch.setattr(server_key, "SessionBox", lambda *_: box)


BROKEN = [
    (
        "unit-key-stolen",
        (serve_the_suspended, destroy_no_month),
        [
            "A report about its force now goes to the charity’s desk",
            "The unit’s courier is turned away",
            "An answer signed with the stolen key is not shown",
            f"A report of {month_after(month_of(today()), -2):%B %Y}, whose key was destroyed, does not open with it",
        ],
    ),
    (
        "unit-key-stolen",
        (keep_the_first_certificate, believe_every_answer),
        [
            "A new report goes to the unit again, and its new keys open it",
            "The stolen keys do not",
            "Answers signed with the stolen key stay hidden, those of before too: send again what matters",
            "Answers signed with the new one are shown",
        ],
    ),
    (
        "courier-lost",
        (strike_no_courier_off,),
        [
            "Whoever has the lost machine is turned away, even inside the onion",
            "The desk refuses a bundle that its key signed",
        ],
    ),
    (
        "courier-lost",
        (dismiss_nobody, take_a_download_for_a_receipt),
        [
            "The lost machine is let in no more",
            "One machine is let in, the new one",
            "The new machine brings the lost report, and the later one",
            "The unit opens it as ever",
        ],
    ),
    (
        "reviewer-leaves",
        (leave_the_months_their_passphrase, leave_the_primary_key),
        [
            "A report does not open with the old passphrase",
            "It does with the new one",
            "The primary key is on the workstation no more",
        ],
    ),
    (
        "root-changes",
        (publish_whatever_root, say_nothing_of_the_root, forget_the_version),
        [
            "The new registry is not put in place there",
            "The server goes on with version 1",
            "Copied there by force it takes nothing in, and the doctor says why and where to read",
            "With the last good one back, it serves again",
            "So is an older version, though the new root signed it",
        ],
    ),
    (
        "root-changes",
        (believe_every_registry, believe_every_succession),
        [
            "Copied there by force it takes nothing in, and the doctor says why and where to read",
            "With the last good one back, it serves again",
            "What the old root signs is refused",
            "A succession that was altered is refused",
            "So is any later one of theirs",
        ],
    ),
    (
        "server-key-gone",
        (leave_the_pepper_out, keep_the_session_key),
        [
            "With another pepper a codename of before finds nothing, though the database be the old one",
            "It looks like any codename without news: no page can tell them, the public notice must",
            "With the database and no pepper nothing can be tried",
            "Cookies die with the server’s memory: the next start opens none",
            "A codename of the new server is not confirmed by the stolen pepper",
        ],
    ),
]


@pytest.mark.parametrize(("name", "breaks", "claims"), BROKEN)
def test_with_protections_broken_these_claims_fail_and_no_others(name, breaks, claims, drill, monkeypatch):
    for broken in breaks:
        broken(monkeypatch)
    done = drill(name)
    assert done.failed == claims, "\n".join(done.failed)
    assert f" {len(claims)} WRONG." in done.said
