"""What every page promises: its headers, no script, nothing from elsewhere, and a small first visit."""

import re
from dataclasses import replace

import pytest

from common.registry.units import Status

pytestmark = pytest.mark.slow

CSP = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def test_every_response_carries_the_headers(everything):
    assert {answer.status for _, answer in everything} >= {200, 303, 400 + 3, 404, 405, 413, 422, 503}
    for name, answer in everything:
        expected = {
            "content-security-policy": CSP,
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "x-dns-prefetch-control": "off",
            "cache-control": "no-store" if name != "style" else "private, max-age=28800",
        }
        assert {key: answer.headers.get(key) for key in expected} == expected, name
        assert not {"server", "x-powered-by", "etag", "last-modified", "date"} & set(answer.headers), name


def test_the_style_sheet_tells_nothing_of_its_reader(reporter, app):
    style = reporter.get(app.jinja_env.globals["style"])
    assert style.cookies == ()
    assert not re.search(rb"url\(|@import|@font-face|:visited|http", style.body)


URLS = {
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "srcset",
    "cite",
    "background",
    "ping",
    "manifest",
}


def test_no_page_runs_a_script_or_asks_anything_of_elsewhere(everything):
    for name, answer in everything:
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        for tag, attributes in answer.page.tags:
            where = f"{name}: <{tag} {attributes}>"
            assert tag not in {
                "script",
                "iframe",
                "object",
                "embed",
                "base",
                "img",
                "svg",
                "style",
                "video",
            }, where
            assert not [attribute for attribute in attributes if attribute.startswith("on")], where
            assert "style" not in attributes, where
            assert attributes.get("http-equiv") is None, where
            for attribute in URLS & set(attributes):
                assert re.match(r"/(?!/)|#|data:,$", attributes[attribute]), where
            if attributes.get("target") == "_blank":
                assert attributes["rel"] == "noopener noreferrer", where
            if tag == "form":
                assert (attributes["method"], attributes["autocomplete"]) == ("post", "off"), where
        assert "@" not in re.sub(r"\S+@\S+", "", answer.page.words) or name == "help"


def test_a_title_never_says_what_the_site_is_for(everything):
    for name, answer in everything:
        for title in re.findall(r"<title>(.*?)</title>", answer.text):
            assert not re.search(r"(?i)whistle|corrupt|police|report|anonym|answer", title), name


def test_what_someone_typed_is_inert_wherever_it_is_shown(everything):
    for name, answer in everything:
        assert "<script" not in answer.text, name


def test_no_address_holds_anything_secret(everything):
    for name, answer in everything:
        assert "?" not in answer.goes_to, name
        for tag, attributes in answer.page.tags if "html" in answer.headers["content-type"] else []:
            assert "?" not in attributes.get("href", "") + attributes.get("action", ""), (name, tag)


def test_the_message_form_stands_in_the_order_that_intake_needs(reporter):
    page = reporter.start()
    names = [attributes["name"] for _, attributes in page.page.tags if "name" in attributes]
    names = names[len(names) - names[::-1].index("slot") - 2 :]
    assert names == ["csrf", "slot", "addressees", "text", "files"]


def test_a_certificate_is_a_file_that_gpg_reads(reporter, unit_keys):
    answer = reporter.get("/certificate/test-unit.asc")
    assert answer.headers["content-type"] == "application/pgp-keys"
    assert answer.headers["content-disposition"] == 'attachment; filename="test-unit.asc"'
    assert answer.text == unit_keys.unit.certificate
    for path in ("/certificate", "/certificate/test-unit"):
        assert unit_keys.unit.fingerprint in reporter.get(path).page.words.replace(" ", "")
    assert unit_keys.unit.certificate.strip() in reporter.last.page.words
    assert "gpg -ae --compress-algo none -F test-unit.asc" in reporter.last.page.words


def test_who_is_not_enrolled_has_no_page_of_a_certificate(reporter, put_registry, unit_keys, other_unit_keys):
    put_registry(unit_keys.unit, replace(other_unit_keys.unit, status=Status.SUSPENDED))
    assert other_unit_keys.unit.name not in reporter.get("/certificate").page.words
    assert reporter.get("/certificate/other-unit").status == 404
    assert reporter.get("/certificate/test-unit").status == 200


def test_head_and_options_and_get_with_a_body(reporter):
    assert reporter.ask("HEAD", "/").body == b""
    assert reporter.ask("GET", "/", b"x" * 100_000).status == 200
    assert set(reporter.ask("OPTIONS", "/routing").headers["allow"].split(", ")) == {
        "GET",
        "HEAD",
        "OPTIONS",
        "POST",
    }
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        assert reporter.ask(method, "/routing").status == 405, method


def test_no_page_says_that_whoever_opens_a_report_is_police_or_a_unit(reporter):
    reporter.start()
    for page in (reporter.get("/safety"), reporter.get("/report")):
        words = " ".join(page.page.words.split())
        assert "The unit that opens a report is" not in words
        assert "to the unit" not in words
        assert "the unit as you sent" not in words
    assert "oversight bodies are not police" in " ".join(reporter.get("/safety").page.words.split())
