"""What a live tor says of itself and of the two onions, for `candour doctor`.

Promises: it changes nothing. What strangers see of an onion is asked of the network, not of the configuration.
"""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from stem.control import Controller

from common.transport.onion import onion_address
from deploy.doctor.finding import Finding, State, carefully
from deploy.onions import descriptor
from deploy.onions.control import HOST_CONTROL, Control, ask, connected
from deploy.onions.descriptor import Seen
from deploy.onions.errors import TorUnreachable
from deploy.onions.torrc import COLLECTION, SOURCE

INSTALL = "Run deploy/install again: it puts its own torrc in place and lets tor read it."
_LISTENERS = {"socks": "SocksPort", "or": "ORPort", "dir": "DirPort", "trans": "TransPort", "dns": "DNSPort"}


@dataclass(frozen=True)
class Service:
    """An onion service by torrc: its folder, and its options by tor's names in small letters."""

    folder: Path
    options: Mapping[str, str]

    def has(self, option: str, value: str) -> bool:
        return self.options.get(option.lower(), "").lower() == value


def examine_tor(control: Control = HOST_CONTROL) -> Iterator[Finding]:
    """All findings on the tor behind a control socket or port. Takes seconds: descriptors are fetched."""
    try:
        with connected(control) as controller:
            for what, check in (
                ("Tor", check_tor),
                ("Tor's clock", check_clock),
                ("Anonymity", check_anonymity),
                ("Tor's ports", check_ports),
                ("The onions", check_services),
            ):
                yield from carefully(what, partial(check, controller))
    except TorUnreachable as error:
        yield Finding(State.WRONG, "Tor cannot be asked", str(error))


def check_tor(controller: Controller) -> Iterator[Finding]:
    yield Finding(State.GOOD, f"Tor {_info(controller, 'version')} answers")
    if _is_connected(controller):
        yield Finding(State.GOOD, "Tor is connected to its network")
    else:
        remedy = "Wait a minute; then see that the firewall lets tor's user out, and read tor's log."
        phase = _info(controller, "status/bootstrap-phase")
        yield Finding(State.WRONG, f"Tor is not connected to its network yet: {phase}", remedy)


def check_clock(controller: Controller) -> Iterator[Finding]:
    """This machine's clock beside the hours for which the authorities have signed the consensus."""
    if not controller.get_info("consensus/valid-after", ""):
        yield Finding(State.WARNING, "Tor knows no hour of its network yet", "Mend the connection first.")
        return
    after, until = (_moment(controller, name) for name in ("valid-after", "valid-until"))
    now = datetime.now(UTC)
    remedy = "Set the clock, and let it be kept: systemd-timesyncd, see timedatectl."
    if now < after:
        yield Finding(State.WRONG, "The clock is behind that of Tor's authorities", remedy)
    elif now > until:
        text = "The clock is ahead of Tor's authorities, or tor has no news of its network"
        yield Finding(State.WRONG, text, remedy)
    else:
        yield Finding(State.GOOD, "The clock agrees with Tor's authorities")


def check_anonymity(controller: Controller) -> Iterator[Finding]:
    shown = [
        option
        for option in ("HiddenServiceSingleHopMode", "HiddenServiceNonAnonymousMode")
        if _setting(controller, option) == "1"
    ]
    if shown:
        remedy = f"Take the server off the network now: its place can be found. {INSTALL}"
        yield Finding(State.WRONG, f"The onions do not hide where they are ({', '.join(shown)})", remedy)
    else:
        yield Finding(State.GOOD, "The onions are not single-hop")
    if _setting(controller, "VanguardsLiteEnabled") == "0":
        yield Finding(State.WRONG, "Vanguards-lite is off", INSTALL)
    else:
        yield Finding(State.GOOD, "Vanguards-lite is on")


def check_ports(controller: Controller) -> Iterator[Finding]:
    opened = [option for kind, option in _LISTENERS.items() if _info(controller, f"net/listeners/{kind}")]
    if opened:
        yield Finding(State.WRONG, f"This tor serves others too ({', '.join(opened)})", INSTALL)
    else:
        yield Finding(State.GOOD, "Tor is nobody's proxy and no relay")


def check_services(controller: Controller) -> Iterator[Finding]:
    services = {service.folder.name: service for service in _services(controller)}
    for name, check in ((SOURCE, check_source), (COLLECTION, check_collection)):
        if name not in services:
            yield Finding(State.WRONG, f"There is no {name} onion", INSTALL)
            continue
        yield from carefully(f"The {name} onion", partial(check, controller, services[name]))


def check_source(controller: Controller, source: Service) -> Iterator[Finding]:
    yield from _check_options(
        SOURCE,
        source,
        {
            "HiddenServicePoWDefensesEnabled": "1",
            "HiddenServiceEnableIntroDoSDefense": "1",
            "HiddenServiceExportCircuitID": "haproxy",
        },
    )
    seen = yield from _check_published(controller, SOURCE, source)
    if seen is None:
        return
    if not seen.readable:
        remedy = (
            f"Remove what is in {source.folder / 'authorized_clients'}, and run: systemctl reload tor@candour"
        )
        yield Finding(State.WRONG, "The source onion lets in only clients with a key", remedy)
    elif seen.proof_of_work:
        yield Finding(
            State.GOOD, "The source onion's descriptor asks for proof of work when there is a flood"
        )
    else:
        yield Finding(State.WRONG, "The source onion's descriptor asks for no proof of work", INSTALL)


def check_collection(controller: Controller, collection: Service) -> Iterator[Finding]:
    yield from _check_options(COLLECTION, collection, {"HiddenServiceEnableIntroDoSDefense": "1"})
    seen = yield from _check_published(controller, COLLECTION, collection)
    if seen is None:
        return
    if seen.readable:
        remedy = "Dismiss or admit a courier (candour deploy --help): either locks the door again."
        yield Finding(State.WRONG, "Anybody can reach the collection onion", remedy)
    else:
        yield Finding(State.GOOD, "The collection onion's descriptor can be read with a courier's key only")


def _check_options(name: str, service: Service, wanted: Mapping[str, str]) -> Iterator[Finding]:
    missing = [option for option, value in wanted.items() if not service.has(option, value)]
    if not service.options.get("hiddenserviceport", "").startswith("80 unix:"):
        missing.append("HiddenServicePort 80 unix:…")
    if missing:
        yield Finding(State.WRONG, f"The {name} onion is without {', '.join(missing)}", INSTALL)
    else:
        yield Finding(State.GOOD, f"The {name} onion has its defences, and leads to a unix socket")


def _check_published(
    controller: Controller, name: str, service: Service
) -> Generator[Finding, None, Seen | None]:
    """What the network gives for the service's address; None, with a finding, if that is nothing."""
    if not _is_connected(controller):
        text = f"Whether the {name} onion is published cannot be told while tor is not connected"
        yield Finding(State.WARNING, text, "Mend the connection first.")
        return None
    address = onion_address(
        (service.folder / "hostname").read_text("ascii")
    )  # tor named the folder: no other text
    seen = descriptor.fetch(controller, address)
    if seen is None:
        remedy = "Wait two minutes and look again; then see tor's log."
        yield Finding(State.WRONG, f"The relays have no descriptor of the {name} onion {address}", remedy)
    else:
        yield Finding(State.GOOD, f"The {name} onion is published: {address}")
    return seen


def _is_connected(controller: Controller) -> bool:
    return " PROGRESS=100 " in _info(controller, "status/bootstrap-phase")


def _services(controller: Controller) -> list[Service]:
    """In tor's answer each service begins with its HiddenServiceDir."""
    found: list[tuple[Path, dict[str, str]]] = []
    for line in ask(controller, "GETCONF HiddenServiceOptions"):
        option, _, value = line.partition("=")
        if option == "HiddenServiceDir":
            found.append((Path(value), {}))
        elif found:
            found[-1][1][option.lower()] = value
    return [Service(folder, options) for folder, options in found]


def _setting(controller: Controller, option: str) -> str:
    return ask(controller, f"GETCONF {option}")[0].partition("=")[2]


def _info(controller: Controller, key: str) -> str:
    return ask(controller, f"GETINFO {key}")[0].partition("=")[2]


def _moment(controller: Controller, name: str) -> datetime:
    return datetime.strptime(_info(controller, f"consensus/{name}"), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
