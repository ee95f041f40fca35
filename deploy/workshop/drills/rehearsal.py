"""A drill under way: it says each step, runs the command that a person would type, and checks what it claims.

A command goes through the parser that a person's own would, in this process. What belongs to a host, a
rehearsal does to a folder that stands for one, and says so. A check that fails does not stop the drill; it ends badly.
"""

import shlex
import subprocess
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from common.gpg.runner import gpg_environment
from deploy.errors import DeployError

WIDTH = 100


class DrillFailed(DeployError):
    """A step of the rehearsal itself did not work. The message has what was said."""


@dataclass(frozen=True)
class Exposed:
    """Old data that somebody can now read, or learn from: to whom, and since when; or that there is none."""

    what: str
    to_whom: str = ""

    def __str__(self) -> str:
        return f"{self.what}. To whom: {self.to_whom}." if self.to_whom else f"{self.what}."


@dataclass(frozen=True)
class Outcome:
    """The table at the end."""

    stopped: Sequence[str]
    rekeyed: Sequence[str]
    exposed: Sequence[Exposed]


@dataclass
class Rehearsal:
    """`say` shows a line. `failed` holds the claims that turned out to be wrong, `commands` what was run."""

    say: Callable[[str], None]
    failed: list[str] = field(default_factory=list)
    checked: int = 0
    commands: list[str] = field(default_factory=list)
    _steps: int = 0

    def part(self, text: str) -> None:
        """Another day: its steps count from one."""
        self._steps = 0
        self.say(f"\n=== {text} ===")

    def step(self, text: str) -> None:
        """What is done next, in plain words."""
        self._steps += 1
        self.say("")
        self._wrapped(f"{self._steps}. ", text)

    def note(self, text: str) -> None:
        """A sentence besides."""
        self._wrapped("   ", text)

    def run(self, command: str, also: str = "", answers: str = "") -> str:
        """Run a command; what it said. `also`: options that the rehearsal alone adds. Raises DrillFailed."""
        code, said = self._invoke(command, also, answers)
        if code != 0:
            raise DrillFailed(
                f"`{command}` did not work here, so that the drill cannot go on. It said:\n{said}"
            )
        return said

    def gpg(self, command: str) -> None:
        """Run a command of gpg as a person types it; its keys have no passphrase here. Raises DrillFailed."""
        self._show(command)
        program, *words = shlex.split(command)
        done = subprocess.run(
            [program, "--batch", *words], capture_output=True, check=False, env=gpg_environment()
        )
        if done.returncode != 0:
            raise DrillFailed(f"`{command}` did not work here, so that the drill cannot go on.")

    def is_refused(self, command: str, claim: str, because: str, answers: str = "") -> None:
        """Run a command that must be refused with these words; that is a check."""
        code, said = self._invoke(command, "", answers)
        self.check(claim, code != 0 and because in said)

    def on_host(self, command: str, stand_in: Callable[[], object]) -> None:
        """A command for the host, as root: its work is done on what stands for the host here."""
        self._show(command, "   (on the host)")
        stand_in()

    def by_hand(self, command: str) -> None:
        """A command that this machine cannot rehearse."""
        self._show(command, "   (not rehearsed)")

    def check(self, claim: str, holds: bool) -> None:
        """Whether what the drill claims is so."""
        self.checked += 1
        if not holds:
            self.failed.append(claim)
        self._wrapped("   [ok] " if holds else "   [WRONG] ", claim)

    def end(self, outcome: Outcome) -> None:
        """The table."""
        self.say("")
        for title, lines in (
            ("What stopped", outcome.stopped),
            ("What is re-keyed", outcome.rekeyed),
            ("What is exposed", [str(one) for one in outcome.exposed]),
        ):
            for number, line in enumerate(lines):
                self._wrapped(f"{'' if number else title:<18}", line)
            self.say("")
        wrong = len(self.failed)
        self.say(f"{self.checked} checks, " + (f"{wrong} WRONG." if wrong else "all good."))

    def _invoke(self, command: str, also: str, answers: str) -> tuple[int, str]:
        from click.testing import CliRunner

        from deploy.cli import candour

        self._show(command)
        words = shlex.split(f"{command} {also}")
        done = CliRunner().invoke(candour, words[1:], input=answers, prog_name="candour")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    def _show(self, command: str, where: str = "") -> None:
        self.commands.append(command)
        self.say(f"      {command}{where}")

    def _wrapped(self, begin: str, text: str) -> None:
        self.say(textwrap.fill(text, WIDTH, initial_indent=begin, subsequent_indent=" " * len(begin)))
