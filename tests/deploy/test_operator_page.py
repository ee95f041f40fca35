"""The operator's page names no command that is not there."""

import re

import click
import pytest
from click.testing import CliRunner

from deploy.cli import candour
from deploy.host.steps import tree_files
from deploy.run.servers import PROJECT

PAGE = (PROJECT / "deploy" / "OPERATOR.md").read_text("utf-8")
COMMANDS = sorted(
    {line.strip() for line in re.findall(r"(?:^|`)candour ([a-z][^`\n]*)", PAGE, re.MULTILINE)}
    - {"stands for"}
)
# Built beside this page. Take a name out of here as soon as its command is there.


def found(words):
    """The command that the first words name, and the options after it."""
    command: click.Command = candour
    context = click.Context(candour)
    names: list[str] = []
    for word in words:
        if not isinstance(command, click.Group) or (inner := command.get_command(context, word)) is None:
            break
        command = inner
        names.append(word)
    return command, names, {word for word in words[len(names) :] if word.startswith("--")} - {"--help"}


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_on_the_page_is_there_with_its_options(line):
    words = line.split()
    command, names, options = found(words)
    assert names, line
    assert not isinstance(command, click.Group) or words[len(names) :] in ([], ["--help"]), line
    assert options <= {name for parameter in command.params for name in parameter.opts}, line
    assert CliRunner().invoke(candour, [*names, "--help"]).exit_code == 0


def test_the_page_names_the_commands_that_an_operator_needs():
    assert len(COMMANDS) >= 10
    for name in ("doctor", "backup", "restore", "settle"):
        assert any(line.startswith(name) for line in COMMANDS), name


def test_every_option_of_the_installer_that_the_page_names_is_there():
    installer = (PROJECT / "deploy" / "host" / "__main__.py").read_text("utf-8")
    named = {
        option
        for line in re.findall(r"deploy/install ([^`\n]*)", PAGE)
        for option in re.findall(r"--[a-z-]+", line)
    }
    assert "--ssh-from" in named
    assert all(f'"{option}"' in installer for option in named)


def test_the_page_and_the_host_agree():
    tree = PROJECT / "deploy" / "host" / "tree"
    whole = "\n".join((tree / file.lstrip("/")).read_text("utf-8") for file in tree_files())
    assert "RuntimeMaxUse=4M" in whole
    assert "MaxRetentionSec=1day" in whole
    assert 'Automatic-Reboot-Time "03:00"' in whole
    assert "OnCalendar=*-*-* *:00:00 UTC" in whole
