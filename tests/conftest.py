"""What tests of every room share: real keys, made once by the real ceremonies, and a server's settings.

Folders with a GnuPG home have short paths, because the agent's socket must fit into 107 characters.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from common.config import ServerConfig, read_server_config
from common.days import today
from common.gpg.keyring import end_agent
from common.gpg.runner import private_home
from common.registry.forces import Force, Name, Nation
from common.registry.registry import Registry
from common.registry.units import Service, Status, Unit, UnitKind
from common.transport.courier_key import new_courier
from deploy.workshop.demo import new_demo
from deploy.workshop.testnet.network import Network, private_network
from keys.registry.root import new_root
from keys.registry.signature import sign_registry
from keys.unit import identity_key
from keys.unit import unit_keys as units
from keys.unit.identity_key import new_identity, with_identity
from keys.unit.unit_keys import GNUPG_HOME, new_unit
from tests.once import WORKER, Once, shared_folder

MONTHS = 2  # of the keys that tests share: where more are the subject, a test makes its own

UMASK = os.umask(0o022)
os.umask(UMASK)

hypothesis.settings.register_profile("candour", deadline=None)  # a slow machine is no failure
hypothesis.settings.load_profile("candour")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Temporary folders have short paths, also those of a worker, and go when the run ends.

    gpg-agent's sockets are among them, and pytest's own names leave too little of the 107 characters.
    `--basetemp` keeps them elsewhere.
    """
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = made = tempfile.mkdtemp(prefix="ct-")
        config.add_cleanup(lambda: shutil.rmtree(made, ignore_errors=True))


JOURNEYS = Path(__file__).with_name("journeys")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a test stands on, and let that which waits longest begin first: others fill its pauses."""
    for item in items:
        needs = set(getattr(item, "fixturenames", ()))
        if JOURNEYS in item.path.parents:
            item.add_marker("browser")
        if "tor_network" in needs:
            item.add_marker("tor")
        if needs & {"as_root", "small_disk"}:
            item.add_marker("root")
    if WORKER in os.environ:
        turns: dict[Path, int] = {}
        for item in items:
            turns[item.path] = min(_turn(item), turns.get(item.path, len(LONGEST_FIRST)))
        items.sort(key=lambda item: turns[item.path])


LONGEST_FIRST = ("tor", "browser", "slow")  # so that no worker has one of these left when the other is done


def _turn(item: pytest.Item) -> int:
    found = (turn for turn, marker in enumerate(LONGEST_FIRST) if item.get_closest_marker(marker))
    return next(found, len(LONGEST_FIRST))


ON_TOR = ("tests/journeys/test_over_tor", "tests/deploy/onions/", "tests/deploy/workshop/testnet/")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`, what needs the Tor network goes to one worker, so that it is started once."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist carries no types
        def _split_scope(self, nodeid: str) -> str:
            return "tor" if nodeid.startswith(ON_TOR) else super()._split_scope(nodeid)

    return ByFile(config, log)


@dataclass(frozen=True)
class UnitKeys:
    """A unit with its private side: `folder` holds gnupg/, reply.key.gpg and certificate.asc."""

    folder: Path
    unit: Unit
    courier_key_file: Path
    courier_key_id: str


@dataclass(frozen=True)
class RootKey:
    """The registry's root key: the file of its private half, and the public one."""

    file: Path
    public: bytes


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_counts() -> None:
    """A shell starts what runs in its background with this ignored, and every child would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _no_home_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing a test does can touch the home folder of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "GNUPGHOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


LITTLE_STRETCHING = "s2k-count 65536\n"


@pytest.fixture(scope="session", autouse=True)
def _little_stretching() -> Iterator[None]:
    """Homes that ceremonies make in this process stretch passphrases little: the agent takes 0.1 s for each key else.

    Before that it finds out, over several seconds, how much 0.1 s are.
    """

    def little(folder: Path) -> Path:
        home = private_home(folder)
        (home / "gpg-agent.conf").write_text(LITTLE_STRETCHING)
        return home

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "private_home", little)
        patch.setattr(identity_key, "_REMEMBER_NOTHING", identity_key._REMEMBER_NOTHING + LITTLE_STRETCHING)
        yield


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Servers and commands that run in this process change its umask; the next test finds it as it was."""
    yield
    os.umask(UMASK)


class ShortFolders:
    """Makes temporary folders of short path."""

    def __init__(self) -> None:
        self.made: list[tempfile.TemporaryDirectory[str]] = []

    def __call__(self) -> Path:
        self.made.append(tempfile.TemporaryDirectory(prefix="cd-"))
        return Path(self.made[-1].name)


@pytest.fixture(scope="module", autouse=True)
def _no_agent_stays(tmp_path_factory: pytest.TempPathFactory, short_folder: ShortFolders) -> Iterator[None]:
    """gpg starts an agent for each home, which outlives its test; each takes one of the few inotify instances.

    Where a home is used again, gpg starts another.
    """
    yield
    made = [str(tmp_path_factory.getbasetemp()), *(folder.name for folder in short_folder.made)]
    ours = [os.fsencode(folder) for folder in made]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = process.read_bytes().split(b"\0")
            if words[0].endswith(b"gpg-agent") and any(
                word.startswith(one) for word in words for one in ours
            ):
                os.kill(int(process.parent.name), signal.SIGTERM)


@pytest.fixture(scope="session")
def short_folder() -> Iterator[ShortFolders]:
    """Makes temporary folders of short path; ends the gpg-agents of the homes in them."""
    folders = ShortFolders()
    yield folders
    for folder in folders.made:
        for home in Path(folder.name).rglob(GNUPG_HOME):
            end_agent(home)
        folder.cleanup()


TEST_FORCES = (
    Force("test-force", (Name("Test Police"),), Nation.ENGLAND, "Test Region"),
    Force("other-force", (Name("Other Police"),), Nation.WALES, "Wales"),
)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes what is dear to make once for all workers."""
    return Once(shared_folder(tmp_path_factory.getbasetemp()) / "once")


@pytest.fixture(scope="session")
def _made_unit(once: Once, short_folder: ShortFolders) -> Callable[..., UnitKeys]:
    def make(
        unit_id: str, name: str, kind: UnitKind, *forces: str, months: int = MONTHS, called: str = ""
    ) -> UnitKeys:
        def fill(folder: Path) -> Unit:
            made = new_unit(folder, unit_id, name, passphrase=None, months=months)
            courier = new_courier(folder / "courier.key")
            return Unit(
                id=unit_id,
                name=name,
                kind=kind,
                status=Status.ENROLLED,
                serves=tuple(map(Service, forces)),
                certificate=made.certificate,
                fingerprint=made.fingerprint,
                reply_key=made.reply_public_key,
                couriers={courier.key_id: courier.public_key},
            )

        folder = short_folder()
        unit = once.copy(called or unit_id, fill, folder)
        return UnitKeys(folder, unit, folder / "courier.key", next(iter(unit.couriers)))

    return make


@pytest.fixture(scope="session")
def unit_keys(_made_unit: Callable[..., UnitKeys]) -> UnitKeys:
    return _made_unit("test-unit", "Test Anti-Corruption Unit", UnitKind.UNIT, "test-force")


@pytest.fixture(scope="session")
def lasting_keys(_made_unit: Callable[..., UnitKeys]) -> UnitKeys:
    """Others of the same unit, with two years of months."""
    name = "Test Anti-Corruption Unit"
    return _made_unit("test-unit", name, UnitKind.UNIT, "test-force", months=24, called="lasting")


@pytest.fixture(scope="session")
def other_unit_keys(_made_unit: Callable[..., UnitKeys]) -> UnitKeys:
    return _made_unit("other-unit", "Other Anti-Corruption Unit", UnitKind.UNIT, "other-force")


@pytest.fixture(scope="session")
def charity_keys(_made_unit: Callable[..., UnitKeys]) -> UnitKeys:
    """The charity's own desk."""
    return _made_unit("test-charity", "Test Charity Desk", UnitKind.DESK)


@pytest.fixture(scope="session")
def overseer_keys(_made_unit: Callable[..., UnitKeys]) -> UnitKeys:
    """An oversight body. In no registry, unless a test puts it there."""
    return _made_unit("test-overseer", "Test Oversight Body", UnitKind.OVERSEER)


@dataclass(frozen=True)
class IdentityKeys:
    """An identity key with its private side: `folder` holds gnupg/ and holders/; `unit` has its public side."""

    folder: Path
    unit: Unit
    passphrases: dict[str, str]


@pytest.fixture(scope="session")
def identity_keys(once: Once, short_folder: Callable[[], Path], unit_keys: UnitKeys) -> IdentityKeys:
    """Those of the test unit: three people hold its identity key."""
    folder, passphrases = short_folder(), {name: f"the passphrase of {name}" for name in ("ada", "ben", "cy")}
    card = once.copy("identity", lambda empty: new_identity(empty, unit_keys.unit.id, passphrases), folder)
    return IdentityKeys(folder, with_identity(unit_keys.unit, card), passphrases)


@pytest.fixture(scope="session")
def root_key(tmp_path_factory: pytest.TempPathFactory) -> RootKey:
    file = tmp_path_factory.mktemp("root") / "registry-root.key"
    return RootKey(file, new_root(file))


@pytest.fixture(scope="session")
def registry(unit_keys: UnitKeys, other_unit_keys: UnitKeys, charity_keys: UnitKeys) -> Registry:
    """Two forces, their two units, and the charity's desk."""
    return Registry(
        version=1,
        issued=today(),
        expires=today() + timedelta(days=365),
        forces=TEST_FORCES,
        units=(unit_keys.unit, other_unit_keys.unit, charity_keys.unit),
    )


@pytest.fixture(scope="session")
def registry_bytes(registry: Registry, root_key: RootKey) -> bytes:
    return sign_registry(registry, root_key.file)


@pytest.fixture
def server_config(
    registry_bytes: bytes, root_key: RootKey, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., ServerConfig]:
    """Makes the settings of a fresh server; keywords go into [limits]. Its folder is `.registry.parent`."""

    def make(**limits: int) -> ServerConfig:
        folder = tmp_path_factory.mktemp("server")
        (folder / "registry.json").write_bytes(registry_bytes)
        (folder / "registry-root.pub").write_text(root_key.public.hex())
        (folder / "pepper").write_bytes(bytes(range(32)))
        lines = [
            'registry = "registry.json"',
            'registry_root = "registry-root.pub"',
            'pepper = "pepper"',
            'database = "sqlite:///candour.sqlite"',
            'blobs = "blobs"',
            "[limits]",
            *(f"{name} = {value}" for name, value in limits.items()),
        ]
        (folder / "server.toml").write_text("\n".join(lines) + "\n")
        return read_server_config(folder / "server.toml")

    return make


@pytest.fixture(scope="session")
def copy_demo(once: Once) -> Callable[[Path], None]:
    """Puts the demo's data folder into a place where nothing is, as its real code makes it."""

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="cd-") as short:
            new_demo.make(folder, "http://127.0.0.1:8081", Path(short), months=MONTHS)

    return lambda data: once.copy("demo", make, data)


@pytest.fixture(scope="session")
def tor_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A private Tor network that all tests share; what a test joins to it has a name of its own, and is stopped."""
    with private_network(tmp_path_factory.mktemp("tor network")) as network:
        yield network


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 24 MB, where that can be had."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "candour-test", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root has a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)
