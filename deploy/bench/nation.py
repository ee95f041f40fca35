"""`registry`: what it costs to take in a new registry of the whole country."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter

from common import registry, signing
from common.config import ServerConfig, read_server_config
from common.days import today
from common.registry import Registry
from common.sealing import gpg_environment, private_home
from common.units import Service
from deploy import agent, demo
from deploy.bench.figures import Figure, plain
from deploy.bench.stage import Stage
from keys.country import read_country
from keys.private import read_private_key

_UNITS, _EPOCHS, _TIMES = 60, 24, 20


def run(stage: Stage) -> Iterator[Figure]:
    """Milliseconds to verify, read and check 60 units, each with a certificate of 24 epochs."""
    config = read_server_config(demo.server_settings(stage.data))
    root_key = read_private_key(stage.data / "root" / "registry-root.key")
    body = registry.to_body(_nation(config, _certificate(stage)))
    signed = signing.sign(body, registry.CONTEXT, root_key)
    took = [_milliseconds(signed, config) for _ in range(_TIMES)]
    yield plain("registry", "a registry of 60 units with 24 epochs", took, "ms", 200)


def _milliseconds(signed: bytes, config: ServerConfig) -> float:
    started = perf_counter()
    registry.verify(signed, config.registry_root, today())
    return (perf_counter() - started) * 1000


def _nation(config: ServerConfig, certificate: str) -> Registry:
    """The demo's registry, grown: keys and digits that differ, and one certificate of the true size for all."""
    small, country = config.load_registry(), read_country()
    unit = small.enrolled_units()[0]
    many = (
        replace(
            unit,
            id=f"unit-{number}",
            serves=(Service(country.forces[number].id),) if number < len(country.forces) else (),
            certificate=certificate,
            fingerprint=f"{number:040X}",
            reply_key=number.to_bytes(signing.PUBLIC_KEY_BYTES, "big"),
            couriers={f"courier-{number}": number.to_bytes(signing.PUBLIC_KEY_BYTES, "big")},
        )
        for number in range(_UNITS)
    )
    overseers = (*country.overseers, small.unit(demo.OVERSEER_ID))
    return replace(small, forces=country.forces, units=(*many, *overseers, small.desk))


def _certificate(stage: Stage) -> str:
    home = private_home(stage.scratch / "nation")

    def gpg(*arguments: str) -> str:
        options = ("--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
        command = ["gpg", "--homedir", str(home), *options, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, env=gpg_environment()
        ).stdout

    gpg("--quick-gen-key", "A Unit", "ed25519", "cert", "3y")
    listed = gpg("--list-keys", "--with-colons").splitlines()
    fingerprint = next(row.split(":")[9] for row in listed if row.startswith("fpr"))
    try:
        for _ in range(_EPOCHS):
            gpg("--quick-add-key", fingerprint, "cv25519", "encr", "2y")
        return gpg("--armor", "--export", fingerprint)
    finally:
        agent.stop(home)
