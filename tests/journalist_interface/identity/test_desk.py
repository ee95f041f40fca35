"""The identity holders' desk: two open, one cannot; what goes wrong is told, opens nothing and loses nothing."""

import logging
import re
from dataclasses import replace

import pytest

from common.registry.holders import GNUPG_HOME
from common.registry.units import Status
from common.report import disclosure
from common.report.disclosure import Outcome
from journalist_interface.identity.app import create_app
from keys.registry.signature import sign_registry
from tests.journalist_interface.identity.conftest import PORT, REACH, Holders, set_up, words

pytestmark = pytest.mark.slow


@pytest.fixture
def entries(stick, identity_keys):
    """The entries on the stick, verified."""
    return lambda: [
        disclosure.read_entry(file.read_bytes(), identity_keys.unit, identity_keys.unit.identity_fingerprint)
        for file in disclosure.found(stick, "entry")
    ]


def test_a_request_shows_who_asks_why_and_for_which_report(holders, ask):
    ask()
    for page in (holders.get("/"), holders.get(holders.only())):
        said = words(page)
        for part in ("C-0f0f0f0f", "Test Anti-Corruption Unit", "Somebody may be in danger."):
            assert part in said
        assert REACH not in said


@pytest.mark.parametrize("handed_on", [False, True])
def test_the_page_says_that_nothing_proves_who_wrote_them_and_that_others_had_them(
    holders, ask, given, handed_on
):
    ask(handed_on=handed_on)
    for page in (holders.get(holders.only()), holders.open(given[0], given[1])):
        said = words(page)
        assert "Nothing proves who wrote them." in said
        assert ("Another unit handed these on" in said) == handed_on


def test_two_holders_open_it_once_and_leave_a_signed_entry(holders, ask, given, entries, settings):
    file = ask()
    answer = holders.open(given[2], given[0])
    assert (answer.status_code, REACH in answer.text) == (200, True)
    assert answer.headers["Cache-Control"] == "no-store"
    [entry] = entries()
    assert (entry.outcome, entry.why, entry.by) == (Outcome.OPENED, "danger", ("ada", "cy"))
    assert entry.digest == disclosure.digest_of(file.read_bytes())
    assert len(list((settings.parent / "trail").iterdir())) == 1
    page = words(holders.get(holders.only()))
    assert "Opened On" in page
    assert "by ada and cy" in page
    assert REACH not in page


def test_one_holder_refuses_and_the_entry_says_so(holders, ask, given, entries):
    ask()
    assert "Nothing was opened" in words(holders.refuse(given[1]))
    [entry] = entries()
    assert (entry.outcome, entry.why, entry.by) == (Outcome.REFUSED, "harm", ("ben",))


def test_whatever_is_wrong_with_the_holders_nothing_opens_and_what_was_chosen_stays(
    holders, ask, given, entries
):
    ask()
    (ada, hers), (ben, his), _ = given
    for one, other, says in (
        ((ada, "another passphrase"), (ben, his), "The passphrase of ada is another"),
        ((ada, hers), (ben, hers), "The passphrase of ben is another"),
        ((ada, hers), (ada, hers), "Two different holders are needed"),
        ((ada, hers), ("eve", "x"), "Choose a holder who has a box here"),
        ((ada, hers), ("../ada", hers), "Choose a holder who has a box here"),
        ((ada, hers), ("", ""), "Choose a holder who has a box here"),
    ):
        answer = holders.open(one, other)
        assert answer.status_code == 422
        assert says in words(answer)
        assert REACH not in answer.text
        assert "<option selected>ada</option>" in answer.text
        assert 'value="danger" required checked' in answer.text
        assert not any(phrase in answer.text for _, phrase in (one, other) if phrase not in ("", "x"))
    assert "Say why" in words(holders.open(given[0], given[1], why="because"))
    assert "The passphrase of ada is another" in words(holders.refuse((ada, "x")))
    assert entries() == []
    assert REACH in holders.open(given[0], given[1]).text


def test_a_form_opens_once(holders, ask, given, entries):
    ask()
    address = holders.only()
    holders.open(given[0], given[1], form="0" * 32)
    assert entries() == []
    page = holders.get(address).text
    form = page.split('name="form" value="')[1].split('"')[0]
    assert REACH in holders.open(given[0], given[1], form=form).text
    again = holders.open(given[0], given[1], form=form)
    assert (again.status_code, REACH in again.text) == (400, False)
    assert len(entries()) == 1


def test_a_request_that_is_exchanged_after_it_was_shown_is_not_opened(holders, ask, given, entries):
    shown = ask("harmless")
    address = holders.only()
    page = holders.get(address).text
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    ask("VICTIM").rename(shown)
    (ada, hers), (ben, his), (cy, _) = given
    typed = {"name1": ada, "passphrase1": hers, "name2": ben, "passphrase2": his, "why": "danger"}
    answer = holders.client.post(f"{address}/open", data=found | typed, base_url=holders.base)
    assert (answer.status_code, "VICTIM" in answer.text) == (422, False)
    assert "another than the one that you were shown" in words(answer)
    assert f"<option selected>{ben}</option>" in answer.text
    assert 'value="danger" required checked' in answer.text
    assert hers not in answer.text

    page = holders.get(address).text
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    ask("a third one").rename(shown)
    typed = {"name": cy, "passphrase": given[2][1], "why": "harm"}
    answer = holders.client.post(f"{address}/refuse", data=found | typed, base_url=holders.base)
    assert "another than the one that you were shown" in words(answer)
    assert entries() == []
    assert "a third one" in holders.open(given[0], given[1]).text


def test_a_request_that_was_tampered_with_cannot_even_be_looked_at(holders, ask, given, entries):
    file = ask()
    whole = file.read_bytes()
    for altered in (
        whole.replace(b'"danger"', b'"agreed"'),
        whole.replace(b"0f0f", b"0f0e"),
        whole[:-1],
        b"junk",
        whole.replace(b'"by":"test-unit"', b'"by":"other-unit"'),
        whole.replace(b'"by":"test-unit"', b'"by":"nobody"'),
    ):
        assert altered != whole
        file.write_bytes(altered)
        assert "It is refused" in words(holders.get("/"))
        address = f"/requests/{file.name}"
        assert "It is refused" in words(holders.get(address))
        assert REACH not in holders.client.post(f"{address}/open", base_url=holders.base).text
    assert entries() == []


def test_a_request_for_another_key_and_one_for_another_report_open_nothing(
    holders, ask, given, entries, identity_keys, stick
):
    for changed in ({"unit": "other-unit"}, {"key": "A" * 40}):
        file = ask(**changed)
        assert "sealed to another identity key" in words(holders.get("/"))
        assert "passphrase" not in holders.get(f"/requests/{file.name}").text
        file.unlink()
    ask(inside="e" * 32)
    answer = holders.open(given[0], given[1])
    assert "belong to another report" in words(answer)
    assert REACH not in answer.text
    assert entries() == []


def test_another_unit_that_has_the_report_by_now_may_ask(
    holders, ask, given, entries, other_unit_keys, signer
):
    ask(by=(other_unit_keys, signer(other_unit_keys)))
    assert "Other Anti-Corruption Unit" in words(holders.get("/"))
    assert REACH in holders.open(given[0], given[1]).text
    assert len(entries()) == 1


def test_an_older_registry_does_not_bring_back_a_unit_that_may_ask_no_more(
    holders, ask, given, entries, settings, registry, identity_keys, root_key
):
    ask()
    file = settings.parent / "registry.json"
    before = file.read_bytes()
    suspended = replace(identity_keys.unit, status=Status.SUSPENDED)
    newer = replace(registry, version=registry.version + 5, units=(suspended, *registry.units[1:]))
    file.write_bytes(sign_registry(newer, root_key.file))
    assert "it is suspended" in words(holders.get("/"))
    address = (
        f"/requests/{disclosure.found(holders.app.extensions['candour'].settings.stick, 'request')[0].name}"
    )
    file.write_bytes(before)
    for answer in (holders.get("/"), holders.get(address), Holders(create_app(settings, PORT)).get("/")):
        assert (answer.status_code, "passphrase" in answer.text) == (409, False)
        assert "is older than 6, seen before" in words(answer)
    assert entries() == []


def test_a_damaged_entry_is_named_and_hinders_nothing(holders, ask, given, stick, settings):
    ask()
    holders.open(given[0], given[1])
    [whole] = disclosure.found(settings.parent / "trail", "entry")
    hostile = (
        *(b"", b"junk", b"[]", b"{}", b'{"signed":{}}', b'{"signed":{"ada":1}}', b'{"signed":{"ada":""}}'),
        *(whole.read_bytes()[:-9], b"[" * 60_000, bytes(disclosure.MOST_BYTES + 1)),
    )
    names = [f"contact-entry-{number:08x}.json" for number in range(len(hostile) + 2)]
    for folder in (settings.parent / "trail", stick):
        for name, content in zip(names, hostile, strict=False):
            (folder / name).write_bytes(content)
            (folder / name.replace("entry", "request")).write_bytes(content)
        (folder / names[-2]).mkdir()
        (folder / names[-1]).symlink_to("/dev/zero")
    page = holders.get("/")
    assert page.status_code == 200
    assert all(name in page.text for name in names)
    assert "by ada and ben" in words(page)

    assert REACH in holders.open(given[1], given[2]).text


def test_holders_whom_the_registry_does_not_name_open_nothing(
    tmp_path, identity_keys, registry_with, root_key, stick, ask, given, entries
):
    ask()
    others = {**identity_keys.unit.identity_holders, "ben": b"x" * 32}
    settings = set_up(
        tmp_path / "stale", identity_keys, registry_with(identity_holders=others), root_key.public, stick
    )
    holders = Holders(create_app(settings, PORT))
    answer = holders.open(given[0], given[1])
    assert "does not name ben as a holder with this key" in words(answer)
    assert REACH not in answer.text
    assert entries() == []


def test_without_a_stick_nothing_is_shown_and_nothing_is_lost(
    holders, ask, given, stick, monkeypatch, entries
):
    ask()
    address = holders.only()
    with monkeypatch.context() as patch:

        def full(*_):
            raise OSError(28, "No space left on device")

        patch.setattr(disclosure, "write_file", full)
        answer = holders.open(given[0], given[1])
        assert "it cannot be written to" in words(answer)
        assert REACH not in answer.text
    stick.rename(stick.with_name("pulled"))
    assert "The stick is not there" in words(holders.get("/"))
    assert holders.get(address).status_code == 404
    stick.with_name("pulled").rename(stick)
    assert REACH in holders.open(given[0], given[1]).text


def test_nobody_is_inside_without_the_link_and_no_page_is_framed_or_kept(holders, ask):
    ask()
    address = holders.only()
    stranger = holders.app.test_client()
    for path in ("/", address):
        assert stranger.get(path, base_url=holders.base).status_code == 403
    assert stranger.post(f"{address}/open", base_url=holders.base).status_code == 403
    assert holders.client.get("/", base_url="http://evil.example").status_code == 421
    assert (
        holders.client.post(f"{address}/open", base_url=holders.base, data={"csrf": "x"}).status_code == 400
    )
    for page in (holders.get("/"), holders.get(address), holders.get("/nothing")):
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "<script" not in page.text
    assert holders.get("/static/desk.css").status_code == 200


def test_neither_details_nor_passphrases_are_in_any_file_or_line(
    holders, ask, given, settings, identity_keys, stick, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    ask()
    holders.open(given[0], (given[1][0], "the wrong Halcyon-Underpass"))
    assert REACH in holders.open(given[0], given[1]).text
    planted = [REACH, "Kestrel-in-the-rafters", "Halcyon-Underpass", *(phrase for _, phrase in given)]
    said = caplog.text + "".join(capfd.readouterr())
    for folder in (settings.parent, stick, identity_keys.folder):
        for file in folder.rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert not any(word.encode() in content for word in planted), file
    assert not any(word in said for word in planted)
    assert not (identity_keys.folder / GNUPG_HOME / "S.gpg-agent").exists()  # the agent has ended
