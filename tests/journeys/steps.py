"""What a reporter and a reviewer do on their pages, as the journeys share it."""

from pathlib import Path


def say_who(page, force: str, involved: str = "No", *, other: str = "") -> None:
    """Answer the questions as a person with a keyboard does, and go on."""
    page.find("#force").send_keys(force)
    if other:
        page.find("#other").send_keys(other)
    next(label for label in page.all("fieldset label") if label.text == involved).click()
    page.press("Go on")


def begin(page, source: str, force: str = "Demo Constabulary", involved: str = "No") -> None:
    """From the first page to the one to write on."""
    page.go(source)
    page.press("Make a report")
    page.press("Start a report")
    say_who(page, force, involved)
    page.press("Start the report")


def report(page, source: str, text: str, *files: Path) -> str:
    """Send a first report, note the codename, leave. Returns the codename."""
    begin(page, source)
    return send(page, text, *files)


def send(page, text: str, *files: Path) -> str:
    """Send what is typed, note the codename, leave. Returns the codename."""
    page.type("#text", text)
    page.attach("#files", *files)
    page.press("Send")
    page.wait_for(
        lambda: page.has("ol.slip"), seconds=120
    )  # a large upload goes on while the old page stands
    codename = " ".join(element.text for element in page.all("ol.slip li span"))
    page.press("I have written it down")
    page.press("Leave")
    return codename


def come_back(page, source: str, codename: str) -> None:
    """Open the conversation of a codename."""
    page.go(source)
    page.press("I have a codename")
    page.type("[name=codename]", codename)
    page.press("Open")


def answer(page, text: str) -> None:
    """At the desk, in an open conversation: write, look at it, seal it."""
    page.type("#text", text)
    page.press("Preview")
    assert page.text(".words") == text
    page.find("[name=released]").click()
    page.press("Seal it")


def listed(page, candour) -> set[str]:
    """The conversations that are on the desk."""
    candour.enter_desk(page)
    return {link.get_property("href") for link in page.all("ol.list h2 a")}


def open_new(page, candour, before: set[str]) -> None:
    """At the desk: open the one conversation that was not on its list before."""
    [new] = listed(page, candour) - before
    page.go(new)
