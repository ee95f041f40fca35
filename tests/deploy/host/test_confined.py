"""The two services as their units start them, each under its own user, as far as that goes without systemd.

The command is the unit's own. Around it: a file system that is read-only but for what the unit names, a network
namespace with nothing in it, no capability and no way to one, no core, and the socket handed over as systemd does.
Not here, for only systemd sets them: the filter of system calls, the AppArmor profile, PrivateUsers=.
"""

import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest

from deploy import bootstrap
from deploy.host import steps

UNITS = steps.TREE / "etc/systemd/system"
PACKAGES = str(next(Path(bootstrap.PROJECT).glob(".venv/lib/python3*/site-packages")))
BOUNDARY = "----geckoformboundary5d1f"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
# What tor says first on each connection, with HiddenServiceExportCircuitID.
PROXY = b"PROXY TCP6 fc00:dead:beef:4dad::0:29 ::1 65535 80\r\n"

# $1 the root folder, $2 the packages lent to it, $3 the user, $4 the group candour, $5 the user's own folder, $6 what
# it may write to, $7 the socket's number; then the command.
WALLS = r"""
set -e
root=$1 packages=$2 user=$3 shared=$4 own=$5 places=$6 door=$7
shift 7
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$packages" "$(echo "$root"/usr/lib/candour/.venv/lib/python3*/site-packages)"
for place in $places; do
    mount --bind "$root$place" "$root$place"
    mount -o remount,bind,noexec,nosuid,nodev "$root$place"
done
mount --bind "$root$own" "$root/etc/candour/run"
mount -o remount,bind,ro "$root"
mount -o remount,bind,ro /
cd "$root/usr/lib/candour"
exec 3<&"$door"
exec setpriv --reuid "$user" --regid "$user" --groups "$shared" --no-new-privs --bounding-set=-all --inh-caps=-all \
    prlimit --core=0 bash -c 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"' bash "$@"
"""
# The same user without the read-only file system: what is refused then is refused by owner and mode alone.
BARE = r"""
set -e
mount --make-rprivate /
mount --bind "$1" "$(echo "$2"/usr/lib/candour/.venv/lib/python3*/site-packages)"
user=$3 shared=$4
shift 4
exec setpriv --reuid "$user" --regid "$user" --groups "$shared" "$@"
"""
# What the couriers' side does with a store, as its user; what it may not, it is refused by the file system alone.
AS_COLLECTION = """
import json, os, sys
from datetime import date
from pathlib import Path
from common.config import read_server_config
from common.store.opening import open_store

config = read_server_config(Path(os.environ["CANDOUR_SERVER"]))
store = open_store(config.database, config.blobs)
[envelope] = store.waiting("test-unit")
file = store.sealed_file("test-unit", envelope.id)
found = {"id": envelope.id, "bytes": len(file.read_bytes()), "said": envelope.size}
aside = config.blobs.with_name("forwarded") / "set-aside"

def refused(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"

found["refused"] = [
    refused(lambda: file.open("r+b")),
    refused(file.unlink),
    refused(lambda: file.chmod(0o666)),
    refused(lambda: (file.parent / "another").touch()),
    refused(lambda: (config.blobs / "staging/another").touch()),
    refused(lambda: store.blobs.enter()),
    refused(lambda: os.listdir(sys.argv[1])),
    refused(lambda: os.listdir(sys.argv[2])),
    refused(lambda: aside.rename(aside.with_name("another"))),
    refused(lambda: (aside / "another").touch()),
]
store.acknowledge("test-unit", [envelope.id], date.today())
store.post_reply([bytes(16)], bytes(9328), date.today())
found["waiting"] = len(store.waiting("test-unit"))
forwarded = "ffff" + os.urandom(14).hex()
part = store.blobs.forwarded_part(os.urandom(16).hex())
part.write_bytes(b"sealed")
store.accept_forwarded(part, forwarded, "other-unit", 6, date.today())
found["forwarded"] = forwarded
print(json.dumps(found))
"""


class Service:
    """A service of an installed root folder that runs."""

    def __init__(self, root, name: str) -> None:
        self.root, self.name = root, name
        self.user = root.number("passwd", f"candour-{name}")
        self.door = root.folder / f"run/candour-{name}/http.sock"
        unit = (UNITS / f"candour-{name}.service").read_text().replace("\\\n", "")
        places = re.findall(r"^ReadWritePaths=(.*)$", unit, re.MULTILINE)[0]
        notify = self.door.with_name("notify")
        with socket.socket(socket.AF_UNIX) as door, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            door.bind(str(self.door))
            door.listen(16)
            told.bind(str(notify))
            notify.chmod(0o666)
            notify.parent.chmod(0o755)
            told.settimeout(30)
            self.process = subprocess.Popen(
                [
                    *(
                        "unshare",
                        "--net",
                        "--ipc",
                        "--mount",
                        "bash",
                        "-c",
                        WALLS,
                        "walls",
                        str(root.folder),
                        PACKAGES,
                    ),
                    *(str(self.user), str(root.number("group", "candour"))),
                    *(f"/var/lib/candour/{name}", places, str(door.fileno())),
                    *shlex.split(re.findall(r"^ExecStart=(.*)$", here(root, unit), re.MULTILINE)[0]),
                ],
                env=environment(root, unit) | {"NOTIFY_SOCKET": str(notify)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[door.fileno()],
                process_group=0,
            )
            try:
                while b"READY=1" not in told.recv(4096):
                    pass
            except TimeoutError:
                self.stop()
                raise AssertionError(self.said) from None

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.said = self.process.communicate(timeout=15)[0].decode()
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def ask(self, method: str, path: str, body: bytes = b"", *, first: bytes = b"", **headers: str):
        """One request over a connection of its own: (status, headers, text)."""
        connection = http.client.HTTPConnection("onion.test", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.door))
        connection.sock.sendall(first)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()


def here(root, text: str) -> str:
    """Paths of the host as they lie in this root folder."""
    for path in ("/usr/lib/candour", "/etc/candour", "/var/lib/candour"):
        text = text.replace(path, f"{root.folder}{path}")
    return text


def environment(root, unit: str) -> dict[str, str]:
    told = shlex.split(re.findall(r"^Environment=(.*)$", here(root, unit), re.MULTILINE)[0])
    return {"PATH": "/usr/bin:/bin", **dict(one.split("=", 1) for one in told)}


class Visitor:
    """A reporter's browser: keeps one cookie, and the last page."""

    def __init__(self, service: Service) -> None:
        self.service, self.cookie, self.page = service, "", ""

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = ""):
        headers = {"Cookie": self.cookie} | ({"Content-Type": kind} if kind else {})
        status, told, self.page = self.service.ask(method, path, body, first=PROXY, **headers)
        for cookie in told.get_all("Set-Cookie") or ():
            self.cookie = cookie.partition(";")[0]
        return status, told.get("Location", "")

    def hidden(self, action: str) -> dict[str, str]:
        form = re.search(rf'<form[^>]* action="{action}".*?</form>', self.page, re.DOTALL)
        assert form, self.page
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))

    def post(self, path: str, **fields: str):
        body = urlencode(self.hidden(path) | fields).encode()
        return self.ask("POST", path, body, "application/x-www-form-urlencoded")

    def report(self, text: str, name: str, content: bytes) -> list[str]:
        """Send a report with one file. Returns the codename's words."""
        self.ask("GET", "/routing")
        assert self.post("/routing", force="test-force", involved="no", holders="test-unit") == (
            303,
            "/report",
        )
        self.ask("GET", "/report")
        parts = [
            (f'name="{key}"', value.encode())
            for key, value in (self.hidden("/report") | {"text": text}).items()
        ]
        parts.append((f'name="files"; filename="{name}"', content))
        body = b"".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + value + b"\r\n"
            for head, value in parts
        )
        assert self.ask("POST", "/report", body + f"--{BOUNDARY}--\r\n".encode(), MULTIPART) == (303, "/sent")
        self.ask("GET", "/sent")
        return re.findall(r"<li><span>([a-z-]+)</span></li>", self.page)

    def come_back(self, words: list[str]) -> str:
        self.ask("GET", "/return")
        assert self.post("/return", codename=" ".join(words)) == (303, "/conversation")
        self.ask("GET", "/conversation")
        return self.page


@pytest.fixture(scope="module")
def host(as_root, new_root, short_folder):
    """An installed root folder that its users can pass into."""
    top = short_folder()
    top.chmod(0o711)
    root = new_root(top / "host")
    done = root.install()
    assert done.returncode == 0, done.stderr
    settings = root.folder / "etc/candour/server.toml"
    settings.write_text(here(root, settings.read_text()).replace("[limits]", "[limits]\nkeep_free_bytes = 0"))
    return root


@pytest.fixture(scope="module")
def source(host):
    service = Service(host, "source")
    yield service
    service.stop()
    assert service.said == "", "a whole visit logs nothing"


@pytest.fixture(scope="module")
def codename(source):
    words = Visitor(source).report("It happened at the yard.", "photo.jpg", b"light" * 9000)
    assert len(words) == 7
    return words


def test_a_whole_visit_behind_these_walls(source, codename):
    page = Visitor(source).come_back(codename)
    assert "not yet collected" in page
    home = source.root.folder / "var/lib/candour/source/gnupg"
    assert list(home.iterdir()) == [], "gpg made no key, and started no agent"


def test_the_walls_stand(source):
    children = Path(f"/proc/{source.process.pid}/task/{source.process.pid}/children").read_text().split()
    assert len(children) == 2
    for pid in (source.process.pid, *children):
        told = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert told["Uid"].split() == [str(source.user)] * 4
        assert told["NoNewPrivs"] == "1"
        assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
        assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text())
        devices = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
        assert [line.split(":")[0].strip() for line in devices] == ["lo"]
        assert re.search(r" / ro[, ]", Path(f"/proc/{pid}/mountinfo").read_text())


def test_an_envelope_is_the_group_s_to_read_and_nobody_s_to_write(source, codename):
    root, shared = source.root, source.root.number("group", "candour")
    blobs = root.folder / "var/lib/candour/blobs"
    [file] = [path for path in blobs.glob("??/*") if path.is_file()]
    assert root.owner(str(file.relative_to(root.folder))) == (source.user, shared, "0o640")
    for folder in (blobs / "staging", file.parent):
        assert root.owner(str(folder.relative_to(root.folder))) == (source.user, shared, "0o2750")
    for suffix in ("", "-wal", "-shm", ".lock"):
        assert root.owner(f"var/lib/candour/database/candour.sqlite{suffix}") == (
            source.user,
            shared,
            "0o660",
        )


def test_the_other_user_fetches_and_acknowledges_what_one_took_in_and_can_change_no_envelope(
    host, source, codename
):
    user, shared = host.number("passwd", "candour-collection"), host.number("group", "candour")
    unit = (UNITS / "candour-collection.service").read_text()
    told = environment(host, unit)
    folders = [
        str(host.folder / path) for path in ("var/lib/candour/source", "var/lib/tor-instances/candour")
    ]
    done = subprocess.run(
        [
            *(
                "unshare",
                "--mount",
                "bash",
                "-c",
                BARE,
                "bare",
                PACKAGES,
                str(host.folder),
                str(user),
                str(shared),
            ),
            *(str(host.folder / "usr/lib/candour/.venv/bin/python"), "-P", "-c", AS_COLLECTION, *folders),
        ],
        env=told,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["bytes"] == found["said"] > 45_000
    assert found["refused"] == ["PermissionError"] * 10
    assert found["waiting"] == 0
    forwarded = f"var/lib/candour/forwarded/{found['forwarded']}"
    assert host.owner(forwarded) == (
        user,
        shared,
        "0o640",
    )  # the source interface's sweep and a backup can read it
    assert "<strong>collected</strong>" in Visitor(source).come_back(codename)


def test_the_couriers_service_answers_under_its_own_user(host, source):
    collection = Service(host, "collection")
    try:
        assert collection.user != source.user
        assert collection.ask("GET", "/envelopes")[0] == 401
    finally:
        collection.stop()
    assert "Error" not in collection.said
