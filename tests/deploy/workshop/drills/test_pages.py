"""No page of a drill, and no drill, names a command line that the real parsers would not take."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from deploy.cli import candour
from deploy.host.__main__ import command_line
from deploy.host.steps import UNITS
from deploy.run.servers import PROJECT
from deploy.workshop.drills.command import DRILLS, PAGES

pytestmark = pytest.mark.slow

OPERATOR = PROJECT / "deploy" / "OPERATOR.md"
OTHERS = ("cryptsetup luksChangeKey", "shred --remove", "rm ", "systemctl ")
FOR = {
    "ADDRESS": "198.51.100.7",
    "DIGITS": "ab" * 32,
    "KEYID": "0123456789abcdef",
    "LINE": f"descriptor:x25519:{'A' * 52}",
}
ONION = f"{'a' * 51}m2dqd.onion"


def lines_of(page):
    """The command lines: those that stand alone, and those within a sentence."""
    text = page.read_text("utf-8")
    alone = [line.strip() for line in text.splitlines() if re.match(r" {4,}\S", line) and not _is_prose(line)]
    within = re.findall(r"`((?:\./candour|candour|deploy/install|systemctl|gpg) [^`]+)`", text)
    return [*alone, *within]


def _is_prose(line):
    return not re.match(r" +(\./candour|candour|deploy/install|gpg|systemctl|shred|rm|cryptsetup) ", line)


def check(line):
    """Raises when a line would not be taken as it stands. What stands for something is filled in."""
    filled = re.sub("|".join(FOR), lambda found: FOR[found[0]], line)
    if re.search(r"courier enrol|--onion", line):
        filled = line.replace("ADDRESS", ONION)
    program, *words = shlex.split(filled)
    if program.removeprefix("./") == "candour":
        context = click.Context(candour, info_name="candour")
        command: click.Command = candour
        while isinstance(command, click.Group):
            found = command.get_command(context, words.pop(0)) if words else None
            assert found is not None, f"no such command: {line}"
            command, context = found, click.Context(found, parent=context)
        command.make_context("it", words, parent=context.parent)
    elif program == "deploy/install":
        command_line().parse_args(words)
    elif program == "gpg":
        known = subprocess.run(
            ["gpg", "--dump-options"], capture_output=True, text=True, check=True
        ).stdout.split()
        assert {word for word in words if word.startswith("--")} <= set(known), line
    else:
        assert filled.startswith(OTHERS), f"nobody checks this program: {line}"
        named = {word for word in words if word.endswith(".service")}
        assert named <= set(UNITS), line


@pytest.fixture(autouse=True)
def _any_file_is_there(monkeypatch):
    """Files of the examples are not here: all else is checked as when the command is typed."""
    monkeypatch.setattr(click.Path, "convert", lambda _, value, *__: Path(value))


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_every_command_line_of_a_page_is_taken_by_the_real_parser(page):
    found = lines_of(page)
    assert len(found) >= 5
    for line in found:
        check(line)


@pytest.mark.parametrize("page", [*PAGES.glob("*.md"), OPERATOR], ids=lambda page: page.stem)
def test_no_page_gives_a_root_but_to_a_first_installation(page):
    given = [line for line in page.read_text("utf-8").splitlines() if "deploy/install --registry" in line]
    assert [line for line in given if "--registry-root" in line and "--ssh-from" not in line] == []


@pytest.mark.parametrize("name", DRILLS)
def test_every_command_line_that_a_drill_shows_is_taken_by_the_real_parser(name, whole):
    lines = [re.sub(r" {3}\((on the host|not rehearsed)\)$", "", line) for line in whole(name).commands]
    assert len(lines) >= 5
    for line in lines:
        check(line)


@pytest.mark.parametrize(
    "wrong",
    [
        "./candour keys root follow x y",
        "./candour keys root trust registry-8.json desk/ --sucession x",
        "./candour keys registry sign registry.draft out.json --root-key root.key",
        "./candour keys registry set registry.draft west-unit --status gone",
        "candour deploy recollect west-unit --since 2027-03-01",
        "candour courier collect --to stick/ --agian",
        "candour deploy dismiss",
        "deploy/install --registry",
        "gpg --homedir x --destroy-all",
        "systemctl restart candour-sauce.service",
        "curl https://example.org",
    ],
)
def test_a_command_line_with_a_slip_is_noticed(wrong):
    with pytest.raises((AssertionError, click.UsageError, SystemExit)):
        check(wrong)


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_says_what_such_a_day_asks(page):
    text = page.read_text("utf-8")
    assert f"`./candour drill {page.stem}`" in text
    for asked in (
        "You need:",
        "stops",
        "re-keyed",
        "## What is exposed, and to whom",
        "## Whom to tell, and what",
        "## It is over when",
    ):
        assert asked.lower() in text.lower(), asked


def test_every_link_of_the_pages_leads_somewhere():
    pages = [*PAGES.glob("*.md"), OPERATOR, PROJECT / "keys" / "CEREMONY.md"]
    found = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    ]
    assert len(found) > 12
    assert [(page.name, link) for page, link in found if not (page.parent / link).exists()] == []
