"""A message is sealed to whom its reporter chose, and to nobody else in their place."""

import io
import subprocess
from dataclasses import replace

import pytest

from common import codename
from common.sealing import RecipientRefused, gpg_environment
from keys.unit import GNUPG_HOME
from source_interface import house as houses


def test_what_is_added_for_a_unit_that_left_the_registry_goes_to_nobody(
    reporter, put_registry, house, other_unit_keys
):
    words = reporter.report("About a superintendent of Other Police.")
    for come in (lambda: reporter.get("/conversation"), lambda: reporter.come_back(words)):
        come()
        put_registry(other_unit_keys.unit)
        answer = reporter.write("His name is in here.")
        assert answer.status == 409
        assert "Who this goes to has to be chosen again" in answer.text
        assert answer.typed == "His name is in here."
        assert not house.store.waiting("other-unit")
    assert len(house.store.waiting("test-unit")) == 1


def test_when_the_unit_is_there_again_so_is_the_conversation(
    reporter, put_registry, house, unit_keys, other_unit_keys
):
    reporter.report()
    put_registry(other_unit_keys.unit)
    reporter.get("/conversation")
    assert reporter.write("More.").status == 409
    put_registry(unit_keys.unit, other_unit_keys.unit, version=3)
    assert reporter.write("More.").status == 303
    assert len(house.store.waiting("test-unit")) == 2


def test_a_choice_is_not_replaced_when_one_unit_is_left(reporter, put_registry, other_unit_keys):
    reporter.get("/start")
    put_registry(other_unit_keys.unit)
    answer = reporter.post("/start", {"unit": "test-unit"})
    assert answer.status == 422
    assert "Who can receive reports has changed" in answer.text
    assert other_unit_keys.unit.name in answer.page.words
    assert reporter.post("/start").goes_to == "/report"  # the choice that the page now shows
    assert other_unit_keys.unit.name in reporter.get("/report").text


def test_no_choice_is_no_choice(reporter):
    reporter.get("/start")
    answer = reporter.post("/start", {"unit": ""})
    assert answer.status == 422
    assert "Choose who your report should go to" in answer.text


def test_a_report_begun_for_a_unit_that_left_goes_to_nobody(reporter, put_registry, house, other_unit_keys):
    reporter.start()
    put_registry(other_unit_keys.unit)
    answer = reporter.write("For the unit that I chose.")
    assert answer.status == 403
    assert answer.typed == "For the unit that I chose."
    assert not house.store.waiting("other-unit")


def test_under_a_codename_that_nobody_used_it_goes_where_it_goes_by_default(reporter, house):
    reporter.come_back(codename.generate().words)
    assert reporter.write("Never sent before.").status == 303
    assert len(house.store.waiting("test-charity")) == 1
    assert reporter.get("/conversation").status == 200
    assert reporter.write("And more.").status == 303  # the first has left its header
    assert len(house.store.waiting("test-charity")) == 2


def test_a_certificate_that_was_revoked_is_sealed_to_no_more(house, unit_keys, tmp_path):
    """It has the same fingerprint as before."""
    unit = unit_keys.unit
    house.sealer.seal(io.BytesIO(b"x"), house.recipient_files(unit), tmp_path / "before")
    revocation = unit_keys.folder / GNUPG_HOME / "openpgp-revocs.d" / f"{unit.fingerprint}.rev"

    def gpg(*arguments, stdin=""):
        command = ["gpg", "--homedir", tmp_path, "--batch", "--no-autostart", *arguments]
        return subprocess.run(
            command, input=stdin.encode(), capture_output=True, check=True, env=gpg_environment()
        ).stdout.decode()

    gpg("--import", stdin=unit.certificate + revocation.read_text().replace(":-----BEGIN", "-----BEGIN"))
    revoked = replace(unit, certificate=gpg("--armor", "--export"))
    with pytest.raises(RecipientRefused):
        house.sealer.seal(io.BytesIO(b"x"), house.recipient_files(revoked), tmp_path / "after")


def test_certificates_of_old_registries_go_when_the_servers_start(server_config):
    config = server_config()
    old = config.run / "recipients" / "old.asc"
    old.parent.mkdir(parents=True)
    old.touch()
    houses.build(config).store.engine.dispose()
    assert not old.exists()
