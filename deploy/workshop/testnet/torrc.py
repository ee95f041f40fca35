"""The lines of every torrc on the private network. One place for its intervals.

Promises: nothing listens but on 127.0.0.1 and on unix sockets; no log but notices, in the network's folder.
Source: tor(1), "Testing network options".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.run.servers import LOOPBACK

# Long, so that a network at work is calm. The time period of an onion address is 24 intervals (rend-spec-v3,
# "TIME-PERIODS", as tor shortens it for testing): with the shortest interval every address would move every 4 minutes.
INTERVAL = 300  # seconds; a day is a multiple of it
DELAY = 2  # seconds for votes to arrive, and again for signatures; the shortest that tor takes


@dataclass(frozen=True)
class Authority:
    """A directory authority as others know it."""

    name: str
    or_port: int
    dir_port: int
    identity: str  # of its votes, 40 hexadecimal digits
    fingerprint: str  # of it as a relay, the same

    def line(self) -> str:
        return (
            f"DirAuthority {self.name} orport={self.or_port} no-v2 v3ident={self.identity} "
            f"{LOOPBACK}:{self.dir_port} {self.fingerprint}"
        )


def offset_of_next_vote(now: float, *, soon: bool) -> int:
    """By how many seconds votes must be later than full intervals for the next to begin within a second of `now`.

    Not `soon`: for it to be as far away as it can be. A consensus becomes valid two delays after its vote begins.
    """
    valid_after = int(now) + 2 * DELAY + 1 if soon else int(now) - 1
    return valid_after % INTERVAL


def network_lines(authorities: Iterable[Authority]) -> list[str]:
    """What makes a tor belong to this network."""
    return [
        "TestingTorNetwork 1",
        *(authority.line() for authority in authorities),
        "AssumeReachable 1",
        "PathsNeededToBuildCircuits 0.67",
    ]


def process_lines(folder: Path, log: Path, control_socket: Path) -> list[str]:
    """What every tor has of its own."""
    return [
        f"DataDirectory {quoted(folder)}",
        f"Log notice file {log}",
        f"ControlSocket {quoted(control_socket)}",
        "CookieAuthentication 1",
        f"CookieAuthFile {quoted(folder / 'control_auth_cookie')}",
        "ShutdownWaitLength 0",
        "DisableDebuggerAttachment 0",
    ]


def relay_lines(name: str, or_port: int) -> list[str]:
    return [
        f"Nickname {name}",
        f"Address {LOOPBACK}",
        f"ORPort {LOOPBACK}:{or_port} IPv4Only",
        "ExitPolicy reject *:*",
        "SocksPort 0",
    ]


def authority_lines(authority: Authority, offset: int) -> list[str]:
    """`offset`: by how many seconds its votes are later than full intervals."""
    return [
        *relay_lines(authority.name, authority.or_port),
        f"DirPort {LOOPBACK}:{authority.dir_port}",
        "AuthoritativeDirectory 1",
        "V3AuthoritativeDirectory 1",
        "ContactInfo nobody",
        f"TestingV3AuthInitialVotingInterval {INTERVAL} seconds",
        f"V3AuthVotingInterval {INTERVAL} seconds",
        f"TestingV3AuthVotingStartOffset {offset}",
        f"TestingV3AuthInitialVoteDelay {DELAY} seconds",
        f"TestingV3AuthInitialDistDelay {DELAY} seconds",
        f"V3AuthVoteDelay {DELAY} seconds",
        f"V3AuthDistDelay {DELAY} seconds",
        "TestingDirAuthVoteGuard *",
        "TestingDirAuthVoteHSDir *",
        "TestingDirAuthVoteExit *",
    ]


def client_lines(lines: Sequence[str]) -> list[str]:
    """What a tor that is no relay has: its own lines, and no SOCKS port that it did not ask for."""
    words = [line.split(maxsplit=1)[0].lower() for line in lines if line.strip()]
    return [*lines, *([] if "socksport" in words else ["SocksPort 0"])]


def quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
