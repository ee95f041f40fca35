"""Makes the ground that ./candour stands on: Debian packages, then .venv from hash-pinned requirements.

Promises: nothing runs that is not pinned by hash or signed by Debian. A stamp in .venv is written last and
says what it was made from, so a second run costs milliseconds and an interrupted one is mended by the
next: without a right stamp the environment is built anew. Standard library only, and old syntax on
purpose: it must be able to say "your Python is too old" on any Python 3.
"""

import fcntl
import hashlib
import importlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from types import FrameType
from typing import Deque, Dict, List, Optional

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDEST = (3, 11)
# program -> the Debian package that brings it
PROGRAMS = {"gpg": "gpg", "gpgconf": "gpgconf", "gpg-connect-agent": "gpgconf", "gpg-agent": "gpg-agent"}
TOR_PROGRAMS = {"tor": "tor", "tor-gencert": "tor"}
# command -> what it needs besides
MORE_PROGRAMS = {
    "test": dict(
        dict(TOR_PROGRAMS, unzip="unzip", curl="curl", nft="nftables", scdaemon="scdaemon"),
        **{"firefox-esr": "firefox-esr", "systemd-analyze": "systemd", "apparmor_parser": "apparmor"},
    ),
    "bench": dict(TOR_PROGRAMS, curl="curl"),
    "testnet": TOR_PROGRAMS,
}  # type: Dict[str, Dict[str, str]]
# package -> what to know of it. Debian starts and enables a service when it installs one. Only a policy for the whole
# machine (policy-rc.d) could stop that, and that is not ours to set: containers have one, a systemd machine does not.
NOTES = {
    "tor": "Debian's own tor service came with it and speaks to the real Tor network. Candour does not use it here;\n"
    "to stop it for good:\n    sudo systemctl disable --now tor.service"
}
BUILD_TOOLS = "deploy/build-tools.txt"
REQUIREMENTS = "requirements.txt"
TEST_REQUIREMENTS = "requirements-dev.txt"
LAST_LINES = 15


class SetupError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


# -- running apt and pip -----------------------------------------------------------------------------------


def run(what: str, command: List[str], remedy: str, env: Optional[Dict[str, str]] = None) -> None:
    """Run `command`, saying `what` and how it gets on.

    :raises SetupError: when it fails; shows its last lines and `remedy`.
    """
    started = time.monotonic()
    terminal = sys.stderr.isatty()
    say(what)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env=env,
        )
    except OSError as error:
        raise SetupError(
            "{} could not be started: {}.\n{}".format(command[0], error.strerror, remedy)
        ) from error
    try:
        lines = follow(process, started, terminal)
        status = process.wait()
    finally:
        if terminal:
            sys.stderr.write("\r\033[K")
        if process.poll() is None:
            process.terminate()
            process.wait()
    if status != 0:
        tail = "\n".join("    " + line for line in lines)
        raise SetupError("That failed. The last lines were:\n{}\n{}".format(tail, remedy))
    say("  done in {:.0f} s".format(time.monotonic() - started))


def follow(process: "subprocess.Popen[bytes]", started: float, terminal: bool) -> List[str]:
    """Read what `process` prints to its end, show progress, return the last lines."""
    assert process.stdout is not None  # noqa: S101
    lines: "Deque[str]" = deque(maxlen=LAST_LINES)
    rest = b""
    interval = 1 if terminal else 10
    told = started
    while True:
        ready, _, _ = select.select([process.stdout], [], [], interval)
        if ready:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return list(lines)
            whole = (rest + chunk).split(b"\n")
            rest = whole.pop()
            lines.extend(line.decode("utf-8", "replace").rstrip() for line in whole if line.strip())
        now = time.monotonic()
        if now - told >= interval or (terminal and ready):
            told = now
            text = "  {:.0f} s  {}".format(now - started, lines[-1].strip()[:90] if lines else "")
            sys.stderr.write("\r\033[K" + text if terminal else text + "\n")
            sys.stderr.flush()


# -- Debian packages ---------------------------------------------------------------------------------------


def missing_packages(command: str) -> List[str]:
    """The Debian packages that are not there, judged by their programs and not by dpkg."""
    programs = dict(PROGRAMS, **MORE_PROGRAMS.get(command, {}))
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/lib/gnupg"  # root's and gpg's own
    packages = list(
        {package for program, package in programs.items() if shutil.which(program, path=path) is None}
    )
    if not can_make_venv():
        packages.append("python3-venv")
    return sorted(packages)


def can_make_venv() -> bool:
    if venv_is_whole(False):
        return True
    importlib.invalidate_caches()
    try:
        importlib.import_module("venv")
        importlib.import_module("ensurepip")
    except ImportError:
        return False
    return True


def install_packages(command: str) -> None:
    """:raises SetupError: when packages are missing and may not be installed from here."""
    packages = missing_packages(command)
    if not packages:
        return
    by_hand = "sudo apt-get install -y --no-install-recommends " + " ".join(packages)
    if shutil.which("apt-get") is None:
        raise SetupError(
            "These Debian packages, or what your system has in their place, are missing: {}.\n"
            "Install them and run this again.".format(" ".join(packages))
        )
    prefix = as_root()
    if prefix is None:
        raise SetupError("Some Debian packages are missing. Run this, then the same again:\n    " + by_hand)
    remedy = "Install them by hand, then run this again:\n    " + by_hand
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run("Reading Debian's list of packages.", prefix + ["apt-get", "-q", "update"], remedy, env)
    install = prefix + ["apt-get", "-q", "-y", "install", "--no-install-recommends"] + packages
    run("Installing Debian packages: {}.".format(", ".join(packages)), install, remedy, env)
    left = missing_packages(command)
    if left:
        raise SetupError(
            "apt-get finished, but these are still missing: {}.\n{}".format(" ".join(left), remedy)
        )
    if os.path.isdir("/run/systemd/system"):  # sd_booted(3)
        for package in packages:
            if package in NOTES:
                say(NOTES[package])


def as_root() -> Optional[List[str]]:
    """What to put before a command so that root runs it; None when that needs a password."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    asked = subprocess.call(["sudo", "-n", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ["sudo", "-n"] if asked == 0 else None


# -- the virtual environment -------------------------------------------------------------------------------


def venv_python() -> str:
    return os.path.join(PROJECT, ".venv", "bin", "python")


def stamp_path() -> str:
    return os.path.join(PROJECT, ".venv", "made-from")


def wanted_stamp(testing: bool) -> str:
    """What a whole environment was made from: its place, its Python and each requirements file by hash."""
    lines = [venv_python(), os.path.realpath(venv_python())]
    for name in [BUILD_TOOLS, REQUIREMENTS] + ([TEST_REQUIREMENTS] if testing else []):
        with open(os.path.join(PROJECT, name), "rb") as file:
            lines.append("{} {}".format(hashlib.sha256(file.read()).hexdigest(), name))
    return "\n".join(lines) + "\n"


def found_stamp() -> str:
    try:
        with open(stamp_path(), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""


def venv_is_whole(testing: bool) -> bool:
    # The stamp of an environment with the test packages begins with the stamp of one without.
    return os.access(venv_python(), os.X_OK) and found_stamp().startswith(wanted_stamp(testing))


def make_venv(testing: bool) -> None:
    """:raises SetupError: when pip fails."""
    if venv_is_whole(testing):
        return
    lock = os.open(PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not venv_is_whole(testing):
            build_venv(testing)
    finally:
        os.close(lock)


def build_venv(testing: bool) -> None:
    folder = os.path.join(PROJECT, ".venv")
    remedy = "Check the network connection and the free disk space, then run this again."
    keep = venv_is_whole(False)
    if os.path.exists(stamp_path()):
        os.unlink(stamp_path())
    if not keep:
        if os.path.islink(folder):
            raise SetupError("{} is a link. Remove it and run this again.".format(folder))
        shutil.rmtree(folder, ignore_errors=True)
        run("Making the virtual environment .venv.", [sys.executable, "-m", "venv", folder], remedy)
    files = [REQUIREMENTS] + ([TEST_REQUIREMENTS] if testing else [])
    pip = [venv_python(), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    pip += ["--progress-bar", "off", "--require-hashes"]
    if not keep:
        run("Installing what builds packages (pinned by hash).", pip + ["-r", BUILD_TOOLS], remedy)
    chosen = [word for name in files for word in ("-r", name)]
    install = pip + ["--no-build-isolation", "--use-pep517"] + chosen
    run("Installing Python packages (pinned by hash): {}.".format(", ".join(files)), install, remedy)
    with open(stamp_path() + ".new", "w", encoding="utf-8") as file:
        file.write(wanted_stamp(testing))
        file.flush()
        os.fsync(file.fileno())
    os.rename(stamp_path() + ".new", stamp_path())


# -- the way in --------------------------------------------------------------------------------------------


def environment() -> Dict[str, str]:
    """The environment in which the project is importable, whatever the working directory holds."""
    others = [
        entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != PROJECT
    ]
    return dict(os.environ, PYTHONPATH=os.pathsep.join([PROJECT] + others), PYTHONSAFEPATH="1")


def stop(number: int, frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt


def main(arguments: List[str]) -> int:
    if sys.version_info[:2] < OLDEST:
        say("Candour needs Python {}.{} or newer; this is {}.{}.".format(*(OLDEST + sys.version_info[:2])))
        return 1
    name = arguments[0] if arguments else ""
    signal.signal(signal.SIGTERM, stop)
    try:
        install_packages(name)
        make_venv(name == "test")
        command = [venv_python(), "-P", "-m", "deploy"] + arguments
        os.execve(command[0], command, environment())  # noqa: S606
    except SetupError as error:
        say(str(error))
        return 1
    except OSError as error:
        say("{}. Mend that and run this again.".format(error))
        return 1
    except KeyboardInterrupt:
        say("\nStopped. Run it again to go on from here.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
