"""A message is sealed to whom its reporter was shown, and to nobody else in their place."""

import io
import subprocess
from dataclasses import replace

import pytest

from common.conversation import codename
from common.days import today
from common.gpg.runner import gpg_environment
from common.gpg.sealing import RecipientRefused
from keys.unit.unit_keys import GNUPG_HOME
from source_interface.intake.certificates import certificate_of_the_day

pytestmark = pytest.mark.slow

GONE = "Nobody is chosen who could open this"
AGAIN = "/conversation/routing"


def test_what_is_added_for_a_unit_that_left_the_registry_goes_to_nobody(
    reporter, put_registry, unit_keys, other_unit_keys, waiting
):
    words = reporter.report("About a superintendent of Other Police.")
    for version, come in enumerate((lambda: reporter.get("/conversation"), reporter.choose), 2):
        come()
        put_registry(other_unit_keys.unit, version=2 * version)
        answer = reporter.write("His name is in here.")
        assert answer.status == 409
        assert GONE in answer.text
        assert answer.typed == "His name is in here."
        assert not waiting("other-unit")
        assert not waiting("test-charity")
        put_registry(unit_keys.unit, other_unit_keys.unit, version=2 * version + 1)
        reporter.come_back(words)
    assert len(waiting("test-unit")) == 1


def test_who_gets_it_then_is_chosen_again_while_the_words_wait_in_their_tab(
    reporter, put_registry, house, other_unit_keys, arrived, opened, waiting
):
    words = reporter.report()
    reporter.come_back(words)
    reporter.choose()
    put_registry(other_unit_keys.unit)
    tab = reporter.write("More, typed before.")
    assert ("a", AGAIN) in [(tag, attributes.get("href")) for tag, attributes in tab.page.tags]
    assert "Step 2" not in reporter.get(AGAIN).text
    shown = reporter.post(AGAIN, {"force": "other-force", "involved": "no"})
    assert other_unit_keys.unit.name in shown.page.words
    assert not waiting("other-unit")
    chosen = reporter.post(AGAIN, {"do": "begin"})
    assert "Nothing has been sent yet" in chosen.page.words
    before = set(arrived(house.config))
    reporter.last = tab
    shown = reporter.write("More, typed before.")
    assert (shown.status, shown.typed) == (409, "More, typed before.")
    assert f"can be opened by {other_unit_keys.unit.name}" in shown.page.words
    assert reporter.write(shown.typed).goes_to == "/conversation"
    assert len(waiting("other-unit")) == 1
    [sealed] = set(arrived(house.config)) - before
    report, _ = opened(sealed, other_unit_keys)
    assert (report.unit, report.first) == ("other-unit", True)  # its new holder has seen nothing of it before
    reporter.come_back(words)
    reporter.choose("other-unit")
    assert reporter.write("And more.").status == 303
    assert len(waiting("other-unit")) == 2


def test_while_it_is_seen_who_holds_it_nobody_else_can_be_chosen(reporter, answer, waiting):
    words = reporter.report()
    answer(words)
    reporter.come_back(words)
    assert reporter.get(AGAIN).goes_to == "/conversation"
    token = reporter.get("/conversation").page.forms["/leave"]["csrf"]
    fields = {"csrf": token, "force": "other-force", "involved": "no", "holders": "other-unit"}
    assert reporter.post(AGAIN, fields).goes_to == "/conversation"
    reporter.get("/conversation")
    assert reporter.write("More.").status == 303
    assert not waiting("other-unit")


def test_when_the_unit_is_there_again_so_is_the_conversation(
    reporter, put_registry, unit_keys, other_unit_keys, waiting
):
    reporter.report()
    reporter.get("/conversation")
    form = reporter.message("More.")
    put_registry(other_unit_keys.unit)
    assert reporter.deliver(*form).status == 409
    put_registry(unit_keys.unit, other_unit_keys.unit, version=3)
    again = reporter.write("More.")
    assert again.status == 409  # the page had said: nobody
    assert again.typed == "More."
    assert "can be opened by Test Anti-Corruption Unit" in again.page.words
    assert reporter.write(again.typed).status == 303
    assert len(waiting("test-unit")) == 2


def test_what_was_shown_is_not_replaced_when_the_registry_has_changed(
    reporter, put_registry, other_unit_keys, charity_keys
):
    reporter.get("/routing")
    shown = reporter.post("/routing", {"force": "test-force", "involved": "no"})
    assert "Test Anti-Corruption Unit" in shown.page.words
    put_registry(other_unit_keys.unit)
    again = reporter.post("/routing", {"do": "begin"})
    assert again.status == 200
    assert "Who can receive reports has changed" in again.page.words
    assert charity_keys.unit.name in again.page.words
    assert reporter.post("/routing", {"do": "begin"}).goes_to == "/report"
    assert charity_keys.unit.name in reporter.get("/report").page.words


def test_a_report_begun_for_a_unit_that_left_goes_to_nobody(
    reporter, put_registry, house, other_unit_keys, waiting
):
    reporter.start()
    put_registry(other_unit_keys.unit)
    answer = reporter.write("For the unit that I chose.")
    assert answer.status == 403
    assert answer.typed == "For the unit that I chose."
    assert not waiting("other-unit")


def test_under_a_codename_that_nobody_used_it_goes_to_whom_was_chosen_and_never_to_a_default(
    reporter, waiting
):
    reporter.come_back(codename.generate().words)
    assert "/conversation/write" not in reporter.forms
    reporter.choose("other-unit")
    assert reporter.write("Never sent before.").status == 303
    assert [len(waiting(one)) for one in ("test-unit", "other-unit", "test-charity")] == [0, 1, 0]
    assert reporter.get("/conversation").status == 200
    assert reporter.write("And more.").status == 303  # the first has left its header
    assert len(waiting("other-unit")) == 2


def test_not_even_where_there_is_only_one_unit(new_app, reporter_at, unit_keys):
    reporter = reporter_at(new_app(units=[unit_keys.unit]))
    reporter.come_back(codename.generate().words)
    assert "/conversation/write" not in reporter.forms


def test_a_certificate_that_was_revoked_is_sealed_to_no_more(house, unit_keys, tmp_path):
    """It has the same fingerprint as before."""
    unit = unit_keys.unit
    house.sealer.seal(io.BytesIO(b"x"), [certificate_of_the_day(unit, today())], tmp_path / "before")
    revocation = unit_keys.folder / GNUPG_HOME / "openpgp-revocs.d" / f"{unit.fingerprint}.rev"

    def gpg(*arguments, stdin=""):
        command = ["gpg", "--homedir", tmp_path, "--batch", "--no-autostart", *arguments]
        return subprocess.run(
            command, input=stdin.encode(), capture_output=True, check=True, env=gpg_environment()
        ).stdout.decode()

    gpg("--import", stdin=unit.certificate + revocation.read_text().replace(":-----BEGIN", "-----BEGIN"))
    revoked = replace(unit, certificate=gpg("--armor", "--export"))
    with pytest.raises(RecipientRefused):
        house.sealer.seal(io.BytesIO(b"x"), [certificate_of_the_day(revoked, today())], tmp_path / "after")
