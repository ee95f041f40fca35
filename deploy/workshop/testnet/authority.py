"""Makes the keys of a directory authority, fresh for each network; they are for testing only."""

import re
import secrets
import subprocess
from pathlib import Path

from deploy.run.servers import LOOPBACK
from deploy.workshop.testnet.errors import NetworkFailed
from deploy.workshop.testnet.torrc import Authority

SECONDS = 30


def make_authority(folder: Path, name: str, or_port: int, dir_port: int) -> Authority:
    """Write the keys of `name` into its data folder `folder`. Raises NetworkFailed."""
    keys = folder / "keys"
    for made in (folder, keys):
        made.mkdir(mode=0o700)
    certificate = keys / "authority_certificate"
    _run(
        *("tor-gencert", "--create-identity-key", "-a", f"{LOOPBACK}:{dir_port}", "--passphrase-fd", "0"),
        *("-i", str(keys / "authority_identity_key"), "-s", str(keys / "authority_signing_key")),
        *("-c", str(certificate)),
        told=secrets.token_hex(16) + "\n",
    )
    said = _run(
        *("tor", "--list-fingerprint", "--hush", "--ignore-missing-torrc", "-f", str(folder / "none")),
        *("--defaults-torrc", str(folder / "none"), "--DataDirectory", str(folder), "--Nickname", name),
        *("--ORPort", f"{LOOPBACK}:{or_port}", "--Address", LOOPBACK, "--SocksPort", "0"),
    )
    return Authority(
        name=name,
        or_port=or_port,
        dir_port=dir_port,
        identity=_found(r"^fingerprint ([0-9A-F]{40})$", certificate.read_text(encoding="ascii")),
        fingerprint=_found(rf"^{name} ([0-9A-F ]{{40,}})$", said).replace(" ", ""),
    )


def _run(*words: str, told: str = "") -> str:
    done = subprocess.run(
        words, input=told, capture_output=True, text=True, timeout=SECONDS, check=False, process_group=0
    )
    if done.returncode != 0:
        raise NetworkFailed(f"{words[0]} could not make an authority's keys: {done.stdout}{done.stderr}")
    return done.stdout


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise NetworkFailed(f"An authority's keys are not as expected: there is no {pattern} in {text!r}.")
    return found[1]
