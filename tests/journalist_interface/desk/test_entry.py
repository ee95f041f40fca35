"""Who comes in, and from where a change may be asked for."""

import multiprocessing
from io import BytesIO

import pytest

from journalist_interface.desk.app import create_app
from journalist_interface.workstation.entry import COOKIE, Entry

pytestmark = pytest.mark.slow


def test_the_link_lets_one_browser_in_once(world):
    app = create_app(world.settings, 8083)
    link, base = app.config["ONE_TIME_LINK"], "http://127.0.0.1:8083"
    first, second = app.test_client(), app.test_client()
    assert first.get(link, base_url=base).status_code == 303
    assert first.get("/", base_url=base).status_code == 200
    assert second.get(link, base_url=base).status_code == 403
    assert second.get("/", base_url=base).status_code == 403
    assert first.get(link, base_url=base).status_code == 303  # who is in stays in


def test_asking_for_the_link_without_opening_it_uses_nothing_up(outside):
    link = outside.app.config["ONE_TIME_LINK"]
    assert outside.client.head(link, base_url=outside.base).status_code == 405
    assert outside.client.post(link, base_url=outside.base).status_code in (403, 405)
    outside.enter()


def test_a_wrong_link_uses_nothing_up(outside):
    link = outside.app.config["ONE_TIME_LINK"]
    for wrong in (link[:-1] + ("0" if link[-1] != "0" else "1"), link[:-1], "/enter/é", "/enter/"):
        assert outside.get(wrong).status_code == 403
    outside.enter()


def test_two_desks_have_two_links(world):
    links = {create_app(world.settings, 8083).config["ONE_TIME_LINK"] for _ in range(2)}
    assert len(links) == 2
    assert all(len(link.removeprefix("/enter/")) == 64 for link in links)


def test_the_cookie_is_for_this_site_and_no_script(outside):
    answer = outside.get(outside.app.config["ONE_TIME_LINK"])
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}_8083=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Expires" not in cookie
    assert "Max-Age" not in cookie


def test_without_the_session_every_page_says_how_to_come_in(outside):
    for rule in outside.app.url_map.iter_rules():
        if rule.endpoint in ("static", "entering.enter"):
            continue
        path = str(rule).replace("<int:number>", "1").replace("<", "").replace(">", "")
        for method in rule.methods - {"OPTIONS", "HEAD"}:
            answer = outside.client.open(path, method=method, base_url=outside.base)
            assert answer.status_code == 403, path
            assert "Restart the desk to get a new link" in answer.text
            assert "demo-unit" not in answer.text
    assert outside.get("/nowhere").status_code == 403
    assert outside.get("/static/desk.css").status_code == 200


def test_another_cookie_is_no_session(outside):
    outside.client.set_cookie(f"{COOKIE}_8083", "0" * 64, domain="127.0.0.1")
    assert outside.get("/").status_code == 403
    outside.client.set_cookie(f"{COOKIE}_8083", "é", domain="127.0.0.1")
    assert outside.get("/").status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example:8083", "127.0.0.1", "127.0.0.1:80", "localhost:8084", "[::1]:8083", ""]
)
def test_under_another_name_nothing_is_answered(browser, host):
    for path in ("/", "/static/desk.css", browser.app.config["ONE_TIME_LINK"]):
        answer = browser.client.get(path, base_url=browser.base, headers={"Host": host})
        assert answer.status_code == 421


def test_localhost_is_the_desk_too(world):
    app = create_app(world.settings, 8083)
    client = app.test_client()
    assert client.get(app.config["ONE_TIME_LINK"], base_url="http://localhost:8083").status_code == 303
    assert client.get("/", base_url="http://localhost:8083").status_code == 200


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é"])
def test_a_form_without_the_sessions_token_does_nothing(world, browser, csrf):
    world.bundle(world.seal(world.reporter()))
    assert browser.post("/import", {"csrf": csrf}).status_code == 400
    assert browser.client.post("/import", data={"x": "1"}, base_url=browser.base).status_code == 400
    assert "No report is on this desk yet" in browser.get("/").text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "https://127.0.0.1:8083"},
        {"Origin": "http://localhost:8083"},
        {"Origin": "http://evil.example"},
    ],
)
def test_a_form_from_elsewhere_does_nothing(browser, headers):
    assert browser.post("/import", headers=headers).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8083"},
        {},
    ],
)
def test_a_form_of_the_desk_is_taken(browser, headers):
    assert browser.post("/import", headers=headers).status_code == 200


def test_a_page_elsewhere_cannot_show_the_desk(browser):
    assert browser.get("/", headers={"Sec-Fetch-Site": "same-site"}).status_code == 400
    assert browser.get("/", headers={"Sec-Fetch-Site": "none"}).status_code == 200


def test_every_answer_is_kept_by_no_cache_and_runs_nothing(browser, outside):
    for answer in (
        browser.get("/"),
        browser.get("/nowhere"),
        outside.get("/"),
        browser.get("/static/desk.css"),
    ):
        headers = answer.headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "<script" not in answer.text
        assert "style=" not in answer.text


def test_no_file_is_taken(browser):
    answer = browser.client.post(
        "/import",
        base_url=browser.base,
        data={"csrf": browser.csrf(), "file": (BytesIO(b"x"), "x.txt")},
    )
    assert answer.status_code == 415


def test_a_form_that_is_far_too_long_is_refused(browser):
    assert browser.post("/import", {"more": "x" * 70_000}).status_code == 413


def test_a_link_used_in_a_worker_stays_used_in_the_next():
    door = Entry(8083)
    token = door.link.removeprefix("/enter/")
    forked = multiprocessing.get_context("fork")
    given = forked.SimpleQueue()

    def first_worker() -> None:
        session = door.enter(token)
        given.put(session.reveal().decode() if session else None)

    worker = forked.Process(target=first_worker)
    worker.start()
    session = given.get()
    worker.join()
    assert session
    assert door.enter(token) is None
    assert door.is_inside(session)
    assert door.is_own_form(door.csrf())


def test_the_door_prints_no_secret():
    door = Entry(8083)
    token = door.link.removeprefix("/enter/")
    assert token not in repr(vars(door))
