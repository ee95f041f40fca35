"""No other site can act for a reporter: tokens of the session, and what browsers say about where a form came from."""

import pytest

pytestmark = pytest.mark.slow

FORMS = [
    "/routing",
    "/conversation/routing",
    "/return",
    "/leave",
    "/noted",
    "/another",
    "/withdraw",
    "/answer/delete",
]


@pytest.fixture
def inside(reporter):
    """A reporter on the conversation's page, with a message that could be withdrawn."""
    reporter.report()
    reporter.post("/noted")
    reporter.get("/conversation")
    return reporter


def test_a_small_form_needs_the_sessions_token(inside, arrived, house):
    fields = {"unit": "test-unit", "codename": "x", "slot": "1", "answer": "1", "confirm": "1"}
    cookie, nothing = inside.cookie, type(inside.last)(200, {}, (), b"")
    for path in FORMS:
        for token in ({}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": "é\u202e"}, {"csrf": "0" * 1000}):
            inside.last, inside.cookie = nothing, cookie  # no form is at hand
            answer = inside.post(path, fields | token)
            assert answer.status == 403, (path, token)
            assert "earlier visit" in answer.text
    inside.cookie = cookie
    assert inside.get("/conversation").status == 200
    assert len(arrived(house.config)) == 1


def test_a_message_needs_the_sessions_token_and_the_words_come_back(inside, reporter_at, app, arrived, house):
    other = reporter_at(app)
    other.start()
    first, later = other.last, inside.last
    for path, page in (("/report", first), ("/conversation/write", later)):
        for token in ("", "wrong", first.page.forms["/report"]["csrf"]):
            inside.last = page
            answer = inside.deliver(*inside.message("Words typed long.", path=path, csrf=token))
            assert answer.status == 403, path
            assert answer.typed == "Words typed long."
            assert not {"/report", "/conversation/write"} & set(inside.forms)
    assert len(arrived(house.config)) == 1


def test_a_message_without_any_token_is_refused(inside, multipart, arrived, house):
    answer = inside.deliver("/conversation/write", multipart([("slot", "9"), ("text", "No token.")]))
    assert answer.status == 403
    assert answer.typed == "No token."
    assert len(arrived(house.config)) == 1


def test_a_stale_form_is_never_put_into_a_form_of_the_new_session_whatever_else_is_wrong(
    reporter, reporter_at, app
):
    """Otherwise words of one matter would go out under the codename of another."""
    reporter.start()
    path, good = reporter.message("First matter. " + "x" * 4_300_000)
    _, twice = reporter.message("First matter.", files=[("a", b"a")])
    twice = twice.replace(b'name="files"; filename="a"', b'name="csrf"')
    other = reporter_at(app)
    other.start()
    for body in (good, twice):
        answer = other.deliver(path, body)
        assert answer.status == 403, answer.page.words
        assert answer.typed.startswith("First matter.")
        assert "/report" not in other.forms


ELSEWHERE = [
    {"Origin": "http://evil.example"},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "https://evil.example", "Sec_Fetch_Site": "same-origin"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Sec_Fetch_Site": "none"},
    {"Sec_Fetch_Site": "cross-site", "Origin": "null"},
    {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "http://["},
    {"Origin": ""},
    {"Origin": "nonsense"},
    {"Origin": "file://"},
]


OURS = [
    {},
    {"Origin": "null"},
    {"Origin": "null", "Sec_Fetch_Site": "same-origin"},
    {"Origin": "http://localhost", "Sec_Fetch_Site": "same-origin"},
]


def test_a_form_sent_from_another_site_is_refused_with_a_good_token(inside, arrived, house):
    page = inside.last
    for headers in ELSEWHERE:
        for path in ("/withdraw", "/noted", "/leave", "/another"):
            inside.last = page
            answer = inside.post(path, {"confirm": "1"}, **headers)
            assert answer.status == 403, (path, headers)
            assert "another site" in answer.text
        inside.last = page
        answer = inside.deliver(*inside.message("Typed here."), **headers)
        assert answer.status == 403, headers
        assert answer.typed == "Typed here."
    assert len(arrived(house.config)) == 1


def test_a_form_of_ours_is_taken(inside, arrived, house):
    for number, headers in enumerate(OURS):
        inside.get("/conversation")
        assert inside.deliver(*inside.message("Typed here."), **headers).goes_to == "/conversation", headers
        assert len(arrived(house.config)) == 2 + number


def test_a_page_may_be_followed_to_from_anywhere(reporter):
    assert reporter.ask("GET", "/", Sec_Fetch_Site="cross-site", Origin="http://evil.example").status == 200


def test_a_token_is_new_in_every_session_and_in_every_matter(reporter, reporter_at, app):
    tokens = set()
    for one in (reporter, reporter_at(app)):
        tokens.add(one.get("/routing").page.forms["/routing"]["csrf"])
        one.start()
        tokens.add(one.forms["/report"]["csrf"])
    assert len(tokens) == 4
    assert min(map(len, tokens)) >= 24


def test_what_acts_is_never_a_get(reporter):
    for path in ("/noted", "/another", "/withdraw", "/answer/delete", "/leave", "/conversation/write"):
        assert reporter.get(path).status == 405, path
