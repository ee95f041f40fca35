"""`registry`: what it costs to take in a registry of the whole country, and to seal by it."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from time import perf_counter

from common import signing
from common.config import ServerConfig, read_server_config
from common.contexts import Context
from common.days import today
from common.gpg.runner import private_home, run_gpg
from common.registry import registry as registries
from common.registry.registry import Registry
from common.registry.units import Service, UnitKind
from deploy import data_folder
from deploy.run import gpg_agent
from deploy.workshop.bench.figures import Figure, in_turn, plain, ratio
from deploy.workshop.bench.rows.message import Client, together
from deploy.workshop.bench.stage import Stage, fresh_stage
from keys.private_key import read_private_key
from keys.registry.country import read_country
from source_interface.intake.certificates import certificate_of_the_day

_UNITS, _EPOCHS, _TIMES = 60, 24, 20
_MESSAGES, _MESSAGE_TIMES = 20, 15  # in one repetition; repetitions


def run(stage: Stage) -> Iterator[Figure]:
    """Milliseconds to take in 60 units of 24 epochs; the time of sealing then, of that with one unit of one."""
    certificate = _certificate(stage)
    config = read_server_config(data_folder.server_settings(stage.data))
    signed = _signed(stage, _nation(config.load_registry(), certificate))
    took = [_milliseconds(signed, config) for _ in range(_TIMES)]
    yield plain("registry", "a registry of 60 units with 24 epochs", took, "ms", 200)
    with fresh_stage(stage, "nation") as many, fresh_stage(stage, "village") as one:
        for servers, grown in (
            (many, partial(_nation, certificate=certificate)),
            (one, partial(_village, stage)),
        ):
            config = read_server_config(data_folder.server_settings(servers.data))
            new = servers.scratch / "registry.json"
            new.write_bytes(_signed(servers, grown(config.load_registry())))
            new.rename(config.registry)
        yield _sealing(many, one)


def _sealing(many: Stage, one: Stage) -> Figure:
    """Messages one after another, which two at once would only blur."""
    in_nation, in_village = Client(many.source), Client(one.source)
    ours, beside = in_turn(
        _MESSAGE_TIMES, lambda: together([in_nation], _MESSAGES), lambda: together([in_village], _MESSAGES)
    )
    for client in (in_nation, in_village):
        client.browser.close()
    what = "messages with a registry of 60 units and 24 epochs, of those with one of one"
    return ratio("registry", what, ours, beside, 1.05, at_most=True)


def _milliseconds(signed: bytes, config: ServerConfig) -> float:
    started = perf_counter()
    registries.verify(signed, config.registry_root, today())
    return (perf_counter() - started) * 1000


def _signed(stage: Stage, grown: Registry) -> bytes:
    key = read_private_key(stage.data / "root" / "registry-root.key")
    return signing.sign(registries.to_body(replace(grown, version=grown.version + 1)), Context.REGISTRY, key)


def _nation(small: Registry, certificate: str) -> Registry:
    """The demo's registry, grown: keys and digits that differ, and one certificate of the true size for all."""
    country = read_country()
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
            identity_certificate="",
            identity_fingerprint="",
            identity_holders={},
        )
        for number in range(_UNITS)
    )
    return replace(
        small, forces=(*small.forces, *country.forces), units=(*small.units, *many, *country.overseers)
    )


def _village(stage: Stage, small: Registry) -> Registry:
    """The demo's registry with one unit, whose certificate has one epoch."""
    unit = small.enrolled_units()[0]
    certificate = certificate_of_the_day(unit, today())
    armoured = run_gpg(private_home(stage.scratch / "village"), "--enarmor", given=certificate)
    block = armoured.stdout.decode().replace("PGP ARMORED FILE", "PGP PUBLIC KEY BLOCK")
    lines = [line for line in block.splitlines() if not line.startswith("Comment:")]
    others = (other for other in small.units if other.kind is not UnitKind.UNIT)
    return replace(small, units=(replace(unit, certificate="\n".join(lines)), *others))


def _certificate(stage: Stage) -> str:
    home = private_home(stage.scratch / "nation")

    def gpg(*arguments: str) -> str:
        done = run_gpg(home, *arguments, passphrase="")
        done.check_returncode()
        return done.stdout.decode()

    gpg("--quick-gen-key", "A Unit", "ed25519", "cert", "3y")
    listed = gpg("--list-keys", "--with-colons").splitlines()
    fingerprint = next(row.split(":")[9] for row in listed if row.startswith("fpr"))
    try:
        for _ in range(_EPOCHS):
            gpg("--quick-add-key", fingerprint, "cv25519", "encr", "2y")
        return gpg("--armor", "--export", fingerprint)
    finally:
        gpg_agent.stop(home)
