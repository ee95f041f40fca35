"""Contact details in confidence as people meet them: the demo, a reporter, a reviewer and two holders, in Firefox."""

import os
from pathlib import Path

from deploy import data_folder
from deploy.workshop.demo import holders as demo_holders
from tests.journeys.steps import begin, listed, open_new, send

REACH = "Robin, at the allotments on Sundays."


def choose(page, form: int, holder: str, passphrase: str, number: str = "") -> None:
    page.find(f"#name{number}").send_keys(holder)
    page.type(f"#passphrase{number}", passphrase)


def test_two_holders_open_what_the_reviewer_cannot(firefox, whole_candour):
    candour, shots = whole_candour, os.environ.get("SHOTS")

    def shot(name):
        if shots:
            firefox.shot(Path(shots) / f"{name}.png")

    before = listed(firefox, candour)
    begin(firefox, candour.source)
    firefox.type("#contact", REACH)
    shot("report")
    send(firefox, "It happened at the yard.")
    candour.round()

    open_new(firefox, candour, before)
    conversation = firefox.address
    assert "This desk cannot open them." in firefox.words
    assert REACH not in firefox.words
    firefox.find(".within summary").click()
    next(label for label in firefox.all("fieldset label") if "in danger" in label.text).click()
    shot("reviewer")
    firefox.press("Write a request to the stick")
    assert "No answer has been imported yet" in firefox.words

    with candour.desk_of("--identity", str(data_folder.identity_folder(candour.data))) as link:
        firefox.go(link)
        shot("requests")
        firefox.press("Conversation")
        (first, hers), (second, his) = demo_holders.PASSPHRASES.items()
        for passphrase in (his + "?", his):
            choose(firefox, 1, first, hers, "1")
            choose(firefox, 1, second, passphrase, "2")
            firefox.all("form[action$=open] label")[4].click()
            firefox.press("Open and show it once")
            if "is another" in firefox.words:
                shot("wrong")
        assert firefox.text(".words") == REACH
        shot("opened")

    firefox.go(candour.desk)
    firefox.press("Import")
    firefox.press("Import")
    shot("import")
    firefox.find("form[action$=import] button").click()
    shot("imported")
    firefox.go(conversation)
    shot("trail")
    assert f"by {first} and {second}. The reporter agreed to it" in firefox.words
    assert REACH not in firefox.words
