"""What is a host's own and outlives its code: settings, registry, pepper, the couriers' lock.

Promises: what is there is kept, whole; only the registry is replaced, and only by one that holds. Whom the registry is
believed from is settled at the first installation: another root comes by `candour keys root trust` alone.
"""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from common.durable import new_file, sync_stream, write_whole
from deploy import bootstrap
from deploy.host.place import CODE, DATA, ONIONS, SETTINGS, Place, StepFailed
from deploy.host.user_switch import acting_as
from deploy.onions.lock import NOBODY, key_nobody_holds

HERE = Path(__file__).resolve().parent
PEPPER_BYTES = 32
REGISTRY, ROOT = "registry.json", "registry-root.pub"
REMEMBERED = f"{DATA}/source/registry-version"  # written by the source interface


def make_folders(place: Place) -> None:
    """The folders that settings and data go into; systemd-tmpfiles gives them their owners."""
    mask = os.umask(0o077)
    for folder in (SETTINGS, DATA):
        place.path(folder).mkdir(parents=True, exist_ok=True)
    os.umask(mask)


def check_registry_is_given(place: Place, registry: Path | None, registry_root: Path | None) -> None:
    """Asked before anything is changed. Raises StepFailed, also for another root than the one that is trusted here."""
    for name, source in ((REGISTRY, registry), (ROOT, registry_root)):
        if source is None and not (place.path(SETTINGS) / name).exists():
            raise StepFailed("There is no registry yet. Give it with --registry FILE --registry-root FILE.")
    trusted = place.path(SETTINGS) / ROOT
    if registry_root is not None and trusted.exists() and _digits(registry_root) != _digits(trusted):
        raise StepFailed(
            f"{registry_root} is another root than the one that this host trusts. Nothing was changed. An installation "
            "never changes it: leave --registry-root out. Where the root was changed on purpose, or stolen, "
            "deploy/workshop/drills/root-changes.md says what to do, with `candour keys root trust`."
        )


def _digits(file: Path) -> bytes:
    return b"".join(_read(file).split()).lower()


def put_settings(place: Place, registry: Path | None, registry_root: Path | None) -> None:
    """Settings and registry. Raises StepFailed, and leaves the old registry where it is, when they do not hold.

    `registry_root` counts where there is none yet.
    """
    folder = place.path(SETTINGS)
    _keep_or_write(folder / "server.toml", (HERE / "server.toml").read_bytes())
    _keep_or_write(folder / "pepper", secrets.token_bytes(PEPPER_BYTES))
    sources = {REGISTRY: registry, ROOT: None if (folder / ROOT).exists() else registry_root}
    given = {name: _read(source) for name, source in sources.items() if source is not None}
    trial = folder / "trial"
    shutil.rmtree(trial, ignore_errors=True)
    trial.mkdir(mode=0o700)
    try:
        for name in ("server.toml", "pepper", *sources):
            write_whole(trial / name, given[name] if name in given else _read(folder / name), 0o600)
        _check(place, trial / "server.toml")
    finally:
        shutil.rmtree(trial)
    for name, content in given.items():  # readable at once: the services look at it while they run
        write_whole(folder / name, content, 0o640, place.group("candour"))


def _keep_or_write(file: Path, content: bytes) -> None:
    if not file.exists():
        write_whole(file, content, 0o600)


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise StepFailed(f"{source} cannot be read: {error.strerror}. Name the right file.") from error


def _check(place: Place, trial: Path) -> None:
    """Let the installed code read the settings as the services will."""
    words = [bootstrap.venv_python(), "-P", "-B", "-m", "deploy.host.trial"]
    words += [str(trial), str(place.path(REMEMBERED))]
    code = str(place.path(CODE))
    ended = subprocess.run(
        words, env={"PYTHONPATH": code}, cwd=code, capture_output=True, text=True, check=False
    )
    if ended.returncode != 0:
        said = (ended.stderr.strip().splitlines() or ["It did not say why."])[-1]
        raise StepFailed(f"The services would not start with these settings. {said}")


def lock_collection(place: Place) -> None:
    """While no courier is let in, let in a key that nobody holds: tor takes an empty folder for an open door."""
    folder = os.open(place.path(f"{ONIONS}/collection/authorized_clients"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(folder) as entries:
            if any(entry.name.endswith(".auth") for entry in entries):
                return
        with (
            acting_as(
                place.user("_tor-candour"), place.group("_tor-candour")
            ),  # the folder is theirs, links too
            new_file(f"{NOBODY}.auth", within=folder) as stream,
        ):
            stream.write(f"{key_nobody_holds()}\n".encode("ascii"))
            sync_stream(stream)
    except OSError as error:
        raise StepFailed(
            f"The collection's lock cannot be put into {ONIONS}/collection: {error.strerror}. See what is there."
        ) from error
    finally:
        os.close(folder)


def open_ssh(place: Place, address: str) -> None:
    """Let log-ins by ssh in from one address or network."""
    kind = "6" if ":" in address else "4"
    line = f"add element inet candour ssh_from{kind} {{ {address} }}\n"
    write_whole(place.path(f"{SETTINGS}/firewall.d/ssh.nft"), line.encode("ascii"), 0o600)
