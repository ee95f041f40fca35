"""A reporter with Tor Browser's engine, JavaScript off: the pages do what they say, whatever one does to them."""

import os
from pathlib import Path

from tests.journeys import steps

WORDS = "Something happened at the yard, and someone was paid for it."


def begin(firefox, candour) -> None:
    steps.begin(firefox, candour.source)


def codename_on(page) -> str:
    return " ".join(element.text for element in page.all("ol.slip li span"))


def test_scripts_do_not_run_in_this_browser(firefox, tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<p id=said>off</p><script>document.getElementById('said').textContent='on'</script>")
    firefox.go(page.as_uri())
    assert firefox.find("#said").text == "off"


def test_no_page_asks_for_anything_from_elsewhere_or_for_scripts(firefox, candour):
    for path in (
        "/",
        "/start",
        "/routing",
        "/return",
        "/safety",
        "/help",
        "/certificate",
        "/certificate/demo-unit",
    ):
        firefox.go(candour.source + path)
        source = firefox.marionette.page_source
        assert "<script" not in source
        assert not firefox.all("[src]"), path
        for link in firefox.all("a[href], link[href]"):
            address = link.get_property("href")
            assert address.startswith((candour.source, "data:,")), f"{path} leads to {address}"
        assert not firefox.find("p.scripting").is_displayed()


def test_the_codename_is_shown_once_and_leads_back(firefox, candour):
    begin(firefox, candour)
    firefox.type("#text", WORDS)
    firefox.press("Send")
    codename = codename_on(firefox)
    assert len(codename.split()) == 7
    firefox.go(candour.source + "/sent")
    assert codename_on(firefox) == codename, "loading the page again must show the same codename"
    firefox.press("I have written it down")
    assert codename not in firefox.words
    firefox.go(candour.source + "/sent")
    assert codename not in firefox.words
    assert WORDS not in firefox.words

    firefox.press("Leave")
    firefox.go(candour.source + "/conversation")
    assert "visit has ended" in firefox.words

    firefox.go(candour.source + "/return")
    firefox.type("[name=codename]", codename.upper().replace(" ", " - "))
    firefox.press("Open")
    assert "nobody has said yet" in firefox.words


def test_one_slip_in_a_word_is_put_right_or_named(firefox, candour):
    begin(firefox, candour)
    firefox.type("#text", WORDS)
    firefox.press("Send")
    words = codename_on(firefox).split()
    firefox.press("I have written it down")
    firefox.press("Leave")
    words[2] = words[2][:-1] + "qq"
    firefox.go(candour.source + "/return")
    firefox.type("[name=codename]", " ".join(words))
    firefox.press("Open")
    assert "word 3" in firefox.words.lower()


def test_a_report_without_words_is_asked_for_them_and_keeps_its_page(firefox, candour):
    begin(firefox, candour)
    firefox.press("Send")
    assert "Write a few words" in firefox.words
    assert firefox.find("#text").get_property("value") == ""
    firefox.type("#text", WORDS)
    firefox.press("Send")
    assert len(codename_on(firefox).split()) == 7


def test_a_phrase_that_points_to_its_writer_is_questioned_before_anything_is_sent(firefox, candour):
    begin(firefox, candour)
    firefox.type("#text", "Only three of us knew.")
    firefox.press("Send")
    assert "Nothing has been sent yet" in firefox.words
    assert firefox.find("#text").get_property("value") == "Only three of us knew."
    firefox.press("Send it as it stands now")
    assert len(codename_on(firefox).split()) == 7


def test_a_file_that_is_too_large_is_refused_in_words_and_the_text_stays(firefox, candour, tmp_path: Path):
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(2_000_000))
    begin(firefox, candour)
    assert "976 KB" in firefox.words, "limits are said before anything is uploaded"
    firefox.type("#text", WORDS)
    firefox.attach("#files", large)
    firefox.press("Send")
    assert "A file is too large" in firefox.words
    assert firefox.find("#text").get_property("value") == WORDS
    firefox.press("Send")
    assert len(codename_on(firefox).split()) == 7


def test_a_report_larger_than_its_limit_still_gets_a_page_not_a_broken_connection(
    firefox, candour, tmp_path: Path
):
    large = tmp_path / "huge.bin"
    with large.open("wb") as file:
        file.truncate(5_500_000)
    begin(firefox, candour)
    firefox.type("#text", WORDS)
    firefox.attach("#files", large)
    firefox.press("Send")
    assert "too large" in firefox.words
    assert firefox.find("#text").get_property("value") == WORDS


def test_a_form_gone_back_to_and_sent_again_is_one_message(firefox, candour):
    begin(firefox, candour)
    firefox.type("#text", WORDS)
    firefox.press("Send")
    codename = codename_on(firefox)
    firefox.marionette.go_back()
    firefox.go(candour.source + "/report")
    assert codename_on(firefox) == codename, "a report that has arrived is not asked for again"
    firefox.press("I have written it down")
    assert firefox.words.count("You sent a message on") == 1


def test_the_form_of_another_matter_does_not_go_out_under_the_new_codename(firefox, candour):
    begin(firefox, candour)
    firefox.type("#text", WORDS)
    firefox.press("Send")
    first = codename_on(firefox)
    firefox.press("I have written it down")
    old_tab = firefox.marionette.current_window_handle
    opened = firefox.marionette.open(type="tab", focus=True)["handle"]
    firefox.marionette.switch_to_window(opened)
    firefox.go(candour.source + "/conversation")
    firefox.press("Report another matter")
    assert "/routing" in firefox.address
    steps.say_who(firefox, "Demo Constabulary")
    firefox.press("Start the report")
    assert "/report" in firefox.address

    firefox.marionette.switch_to_window(old_tab)
    firefox.type("#text", "A line meant for the first matter.")
    firefox.press("Send")
    assert "earlier visit" in firefox.words
    assert "A line meant for the first matter." in firefox.find("textarea").get_property("value")

    firefox.marionette.switch_to_window(opened)
    firefox.type("#text", WORDS)
    firefox.press("Send")
    second = codename_on(firefox)
    firefox.marionette.close()
    firefox.marionette.switch_to_window(old_tab)
    assert len(second.split()) == 7
    assert second != first


def test_a_withdrawn_message_is_gone_after_asking_once_more(firefox, candour):
    begin(firefox, candour)
    firefox.type("#text", WORDS)
    firefox.press("Send")
    firefox.press("I have written it down")
    firefox.press("Withdraw")
    assert firefox.address.endswith("/withdraw")
    firefox.press("Withdraw")
    assert "withdrawn, and deleted here" in firefox.words
    assert "nobody has said yet" not in firefox.words
