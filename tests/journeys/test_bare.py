"""Images, style sheets and scripts all blocked: what is left is text, links and forms, and it is enough."""

from itertools import pairwise

import pytest

from tests.journeys.steps import say_who

BLOCK = """
    window.candourBlocks = {
        observe(channel) {
            channel.QueryInterface(Ci.nsIHttpChannel);
            if (channel.URI.filePath.endsWith(".css")) channel.cancel(Cr.NS_ERROR_ABORT);
        },
    };
    Services.obs.addObserver(window.candourBlocks, "http-on-modify-request");
"""
UNBLOCK = 'Services.obs.removeObserver(window.candourBlocks, "http-on-modify-request");'
WORDS = "Something happened at the yard, and someone was paid for it."


@pytest.fixture
def bare(firefox):
    """Firefox that takes no image, and lets no request for a style sheet out."""
    marionette = firefox.marionette
    with marionette.using_prefs({"permissions.default.image": 2}):
        in_the_browser(marionette, BLOCK)
        yield firefox
        in_the_browser(marionette, UNBLOCK)


def in_the_browser(marionette, script):
    with marionette.using_context("chrome"):
        marionette.execute_script(script, sandbox="system")


def headings(page):
    return [int(element.tag_name[1]) for element in page.all("h1, h2, h3")]


def look(page, name):
    """What every page must be without its style: in order, with one title, and each field labelled."""
    assert page.find(".skip").rect["x"] >= 0, "the style sheet is blocked"
    levels = headings(page)
    assert levels.count(1) == 1, name
    assert levels[0] == 1 or levels[:2] == [2, 1], f"{name}: only what went wrong may stand before the title"
    assert all(after - before <= 1 for before, after in pairwise(levels)), (name, levels)
    labels = {label.get_attribute("for") for label in page.all("label")}
    for field in page.all("main textarea, main select, main input:not([type=hidden])"):
        assert field.get_attribute("id") in labels, name


def test_a_report_and_the_way_back_with_nothing_but_text(bare, candour):
    bare.go(candour.source)
    look(bare, "index")
    bare.press("Make a report")
    look(bare, "start")
    bare.press("Start a report")
    look(bare, "questions")
    bare.press("Go on")
    look(bare, "questions with a problem")
    say_who(bare, "Demo Constabulary")
    look(bare, "route")
    bare.press("Start the report")
    look(bare, "report")
    bare.press("Send")
    look(bare, "problem")
    assert "Write a few words" in bare.words
    bare.type("#text", WORDS)
    bare.press("Send")
    look(bare, "sent")
    codename = " ".join(element.text for element in bare.all("ol.slip li span"))
    assert len(codename.split()) == 7
    bare.press("I have written it down")
    look(bare, "conversation")
    bare.press("Leave")
    look(bare, "left")

    bare.go(candour.source + "/return")
    look(bare, "return")
    bare.type("#codename", codename)
    bare.press("Open")
    look(bare, "back")
    assert "nobody has said yet" in bare.words
    for path in ("/safety", "/help", "/certificate", "/certificate/demo-unit", "/nope"):
        bare.go(candour.source + path)
        look(bare, path.strip("/"))
        if path == "/help":
            numbers = [element.text for element in bare.all(".number")]
            assert len(numbers) > 10
            assert set(numbers) <= set(bare.words.splitlines()), "a number runs into what stands beside it"
