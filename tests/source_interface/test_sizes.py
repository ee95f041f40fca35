"""Every page has one of few sizes, head and body together, whatever is on it: traffic does not tell what is read."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert

from common import signing
from common.contexts import Context
from common.conversation import codename, derivation, mailbox
from common.conversation.destination import Destination
from common.days import today
from common.gpg.certificate import look
from common.registry import registry as registries
from common.registry.units import Service
from common.report.padding import PAGE_BYTES, PAGE_STEP, REDIRECT_BYTES
from common.secret import Secret
from common.store.models import EnvelopeRow
from keys.private_key import read_private_key
from keys.registry.country import read_country
from source_interface import response_size
from source_interface import session as sessions
from source_interface.notices import NOTICES
from source_interface.session import Session, longest_session, new_session

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _cheap_derivations(monkeypatch):
    """No size depends on what a derivation costs, and there are some hundred of them here."""
    cheap = derivation.Parameters(derivation.CURRENT.version, memory_kib=64, passes=1, lanes=1)
    monkeypatch.setattr(derivation.derive_root, "__defaults__", (cheap,))


def whole(answer, reason):
    """Bytes of a response as it goes out, without what gunicorn adds to every one."""
    fields = [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
    return len(f"HTTP/1.1 {answer.status} {reason}\r\n") + sum(map(len, fields)) + 2 + len(answer.body)


def is_html(answer):
    return answer.headers["content-type"].startswith("text/html")


@pytest.fixture
def size(reporter, app):
    """The whole size of a response, by the status line that the application gave."""
    reasons = {}

    @app.after_request
    def _note(response):
        reasons[response.status_code] = response.status.partition(" ")[2]
        return response

    return lambda answer: whole(answer, reasons[answer.status])


def test_every_page_and_redirect_has_one_of_few_sizes(size, everything):
    pages = [(name, answer) for name, answer in everything if is_html(answer)]
    assert len(pages) > 25
    for name, answer in pages:
        large = PAGE_BYTES * PAGE_STEP**2 if name == "too long" else PAGE_BYTES  # 200,000 letters come back
        assert size(answer) == (REDIRECT_BYTES if answer.goes_to else large), name
    assert {answer.status for _, answer in pages} >= {200, 303, 403, 404, 405, 413, 422, 503}


def test_the_filling_is_white_space_after_the_end(everything):
    filled = []
    for name, answer in everything:
        if is_html(answer) and "</html>" in answer.text:
            assert re.search(r"</html> *\Z", answer.text.replace("\n", " ")), name
            filled.append(name)
    assert len(filled) > 25


WORST = {
    "letters": "w" * 7_500,
    "apostrophes": "'" * 3_543,
    "quotes": '"' * 3_543,
    "ampersands": "&" * 7_000,
    "angle brackets": "<>" * 3_500,
    "line ends": "\n" * 3_543 + "x",
    "no blanks": "\u00e9" * 3_500,
}


@pytest.mark.parametrize("kind", WORST)
@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_whatever_a_unit_writes_each_page_has_one_size_and_all_of_it_is_shown(
    reporter, answer, size, kind, count
):
    words = reporter.report()
    for number in range(1, count + 1):
        answer(words, f"{number:03}{WORST[kind]}{number:03}.", slot=number, number=number)
    page, shown = reporter.come_back(words), ""
    while True:
        assert size(page) == PAGE_BYTES
        shown += page.page.answers
        older = re.search(r'href="([^"]*)">Older answers', page.text)
        if not older:
            break
        page = reporter.get(older[1])
    assert shown == "".join(f"{one:03}{WORST[kind]}{one:03}." for one in range(count, 0, -1))
    assert len(reporter.cookie) == sessions.COOKIE_CHARS


def test_pages_of_answers_that_there_are_not_lead_back(reporter, answer):
    words = reporter.report()
    answer(words)
    reporter.come_back(words)
    for number in (0, 1, 2, 999):
        assert reporter.get(f"/conversation/answers/{number}").goes_to == "/conversation"
        assert reporter.get(f"/conversation/sent/{number}").goes_to == "/conversation"
    assert reporter.get("/conversation/answers/1000").status == 404


def test_however_much_was_sent_each_page_has_one_size(reporter, house, secrets_of, size):
    words = reporter.report()
    tags = mailbox.tags(secrets_of(words).receipt_key)
    rows = [
        {
            "id": f"{n:032x}",
            "receipt_tag": tag,
            "unit": "test-unit",
            "day": today(),
            "padded_size": 1,
            "state": "new",
        }
        for n, tag in enumerate(tags)
        if not house.store.was_received(tag)
    ]
    with house.store.engine.begin() as connection:
        connection.execute(insert(EnvelopeRow), rows)
    page, seen = reporter.come_back(words), 0
    while True:
        assert size(page) == PAGE_BYTES
        seen += page.text.count("You sent a message on")
        following = re.search(r'href="([^"]*)">Next page', page.text)
        if not following:
            break
        page = reporter.get(following[1])
    assert seen == mailbox.MESSAGE_SLOTS


def test_a_page_of_any_length_is_filled_to_the_byte(app):
    first = PAGE_BYTES - 200
    for length in [*range(0, 5000, 331), *range(first, first + 300), 98_303, 98_304, 400_000, 2_000_000]:
        response = response_size.pad(app.response_class(b"x" * length, mimetype="text/html"))
        fields = {name.lower(): value for name, value in response.headers.items()}
        assert int(fields["content-length"]) == len(response.data)
        size = sum(len(name) + len(value) + 4 for name, value in fields.items()) + len(response.data) + 2
        size += len("HTTP/1.1 200 OK\r\n")
        assert size in {PAGE_BYTES * PAGE_STEP**step for step in range(6)}, length
        assert size >= length
        assert size < max(PAGE_BYTES + 1, (length + 200) * PAGE_STEP)


def test_every_cookie_has_the_length_of_the_longest(app):
    box = app.extensions[sessions.EXTENSION]
    root, words = Secret(bytes(32)), codename.generate().words
    states = [
        new_session(),
        longest_session(),
        Session("x" * 24, root, words, destination=Destination("test-unit")),
        Session("x" * 24, root, corrected=(3,)),
        *(Session("x" * 24, root, notice=notice) for notice in NOTICES),
    ]
    assert {len(box.close(state)) for state in states} == {sessions.COOKIE_CHARS}
    assert [box.open(box.close(state)) for state in states] == states


def test_a_session_that_would_show_by_its_length_is_refused(app):
    box = app.extensions[sessions.EXTENSION]
    with pytest.raises(ValueError):
        box.close(Session("x" * 24, Secret(bytes(32)), ("w" * 9,) * 7, destination=Destination("u" * 400)))


def test_every_page_of_a_visit_carries_the_cookie_and_it_never_changes_its_length(reporter, answer):
    reporter.get("/start")
    lengths = [len(reporter.cookie)]
    words = reporter.report()
    lengths.append(len(reporter.cookie))
    reporter.get("/sent")
    reporter.post("/noted")
    lengths.append(len(reporter.cookie))
    answer(words)
    typed = [*words[:6], words[6][:-1] + "qq"]  # put right on return, and said once
    for path in ("/conversation", "/conversation", "/start", "/return"):
        reporter.come_back(typed if path == "/return" else words)
        assert len(reporter.get(path).cookies) == 1
        lengths.append(len(reporter.cookie))
    assert set(lengths) == {sessions.COOKIE_CHARS}


def test_no_redirect_leads_out_of_this_site_and_no_link_does(everything):
    redirects = [(name, answer.goes_to) for name, answer in everything if "location" in answer.headers]
    assert redirects
    for name, target in redirects:
        assert re.fullmatch(r"/[a-z]*", target), name
    for name, answer in everything:
        for tag, attributes in answer.page.tags if is_html(answer) else []:
            for attribute in {"href", "src", "action"} & set(attributes):
                assert re.match(r"/(?!/)|#|data:,$", attributes[attribute]), (name, tag)
        assert "http" not in answer.text.replace("http://evil.example", "") or name == "style", name


def test_nothing_is_compressed_even_if_a_browser_would_like_it(reporter, app):
    for path in ("/", app.jinja_env.globals["style"], "/start"):
        answer = reporter.ask("GET", path, Accept_Encoding="gzip, deflate, br, zstd")
        assert "content-encoding" not in answer.headers
        assert b"Candour" in answer.body


def test_the_questions_fit_with_every_force_of_the_country_and_everything_wrong(
    reporter, put_registry, unit_keys, size
):
    forces = tuple(replace(force, oversight=()) for force in read_country().forces)
    put_registry(replace(unit_keys.unit, serves=()), forces=forces)
    reporter.get("/routing")
    pages = [reporter.last, reporter.post("/routing", {"other": "x", "keep_from": "x", "moved": "1"})]
    reporter.get("/routing")
    pages.append(reporter.post("/routing", {"force": "kent", "other": "essex", "involved": "yes"}))
    assert [page.status for page in pages] == [200, 422, 200]
    assert pages[0].text.count("<option value=") > 3 * 48
    assert {size(page) for page in pages} == {PAGE_BYTES}
    most = max(len(page.body.rstrip()) for page in pages)
    assert most < PAGE_BYTES - 2500, "room for a few forces more, and for longer names"


def test_the_certificates_of_sixty_units_are_pages_like_any_other(
    reporter, house, registry, root_key, lasting_keys, charity_keys, size
):
    """The list of them all, and each with its 24 months."""
    forces = tuple(replace(force, oversight=()) for force in read_country().forces)
    sixty = tuple(
        replace(
            lasting_keys.unit,
            id=f"{forces[number % len(forces)].id[:40]}-anti-corruption-{number}",
            name=f"{forces[number % len(forces)].names[-1].name} Anti-Corruption Unit",
            serves=(Service(forces[number].id),) if number < len(forces) else (),
            fingerprint=f"{number:040X}",
            reply_key=bytes([number] * 32),
            couriers={},
        )
        for number in range(60)
    )
    draft = replace(registry, version=2, forces=forces, units=(*sixty, charity_keys.unit))
    signed = signing.sign(registries.to_body(draft), Context.REGISTRY, read_private_key(root_key.file))
    house.config.registry.write_bytes(signed)
    pages = [reporter.get("/certificate"), reporter.get(f"/certificate/{sixty[7].id}")]
    assert pages[0].text.count('<a href="/certificate/') == 61
    assert "For Kent Police." in pages[0].page.words
    assert pages[1].text.count("BEGIN PGP PUBLIC KEY BLOCK") == 1
    months = look(lasting_keys.unit.certificate).last_day
    assert months is not None
    assert months > today() + timedelta(days=700), "it has 24 months"
    assert [size(page) for page in pages] == [PAGE_BYTES] * 2
