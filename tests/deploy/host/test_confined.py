"""The two services as their units start them, each under its own user, as far as that goes without systemd.

The command is the unit's own. Around it: a file system that is read-only but for what the unit names, a network
namespace with nothing in it, no capability and no way to one, no core, and the socket handed over as systemd does.
Not here, for only systemd sets them: the filter of system calls, the AppArmor profile, PrivateUsers=.
"""

import hashlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from common.days import today
from common.transport import post
from common.transport.forwarding import Slip, sign_slip
from deploy import bootstrap
from deploy.host import steps
from deploy.workshop.drills.service import reply_key
from keys.private_key import read_private_key

pytestmark = pytest.mark.slow

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
# What the collection's user may read and write, of the paths that root names: owner and mode decide, nothing else.
PROBE = """
import json, os, sys
paths = json.load(sys.stdin)
print(json.dumps({name: [path for path in paths if os.access(path, right)]
                  for name, right in (("read", os.R_OK), ("write", os.W_OK))}))
"""
# What a collection in the wrong hands leaves in the inbox, beside a post that a courier delivered. As under its
# service, it can make nothing setgid (RestrictSUIDSGID=).
AS_COLLECTION = """
import json, os, sys
from pathlib import Path
from common.config import read_server_config
from common.store.inbox import Inbox

def refuse_setgid(event, arguments):
    if event in ("os.mkdir", "os.chmod") and arguments[1] & 0o6000:
        raise PermissionError("RestrictSUIDSGID")

sys.addaudithook(refuse_setgid)
config = read_server_config(Path(os.environ["CANDOUR_SERVER"]))
told = json.load(sys.stdin)
inbox = Inbox(config.inbox)
for document in told["posts"]:
    inbox.put_post("test-unit", document.encode())
inbox.begin("test-unit", told["forward"], told["slip"].encode())
mine = config.inbox / "test-unit"
(mine / told["forward"]).symlink_to(config.pepper_file)
(mine / ("a" * 32)).symlink_to(config.pepper_file)
(mine / ("b" * 32)).symlink_to(told["database"])
(mine / ("c" * 32 + ".part")).symlink_to(told["blob"])
os.mkfifo(mine / ("d" * 32))
(mine / ("e" * 32)).mkdir()
(mine / ("e" * 32) / "deep").touch()
(config.inbox / "nobody").symlink_to(config.blobs)
(config.inbox / "other-unit").mkdir(mode=0)
(config.inbox / "test-charity").symlink_to(Path(told["database"]).parent)
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
            return response.status, response.headers, response.read().decode(errors="replace")
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
    assert "nobody has said yet" in page
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


def test_an_envelope_is_its_owner_s_alone_until_it_is_listed_and_the_database_always(source, codename):
    root, shared = source.root, source.root.number("group", "candour")
    blobs = root.folder / "var/lib/candour/blobs"
    [file] = [path for path in blobs.glob("??/*") if path.is_file()]
    assert root.owner(str(file.relative_to(root.folder))) == (source.user, shared, "0o600")
    for folder in (blobs, blobs / "staging", file.parent):
        assert root.owner(str(folder.relative_to(root.folder))) == (source.user, shared, "0o2710")
    own = root.number("group", "candour-source")
    assert root.owner("var/lib/candour/database") == (source.user, own, "0o700")
    for file in (root.folder / "var/lib/candour/database").iterdir():
        assert root.owner(str(file.relative_to(root.folder)))[::2] == (source.user, "0o600")


def as_user(host, name: str, *words: str, told: object = None) -> str:
    """Run Python as a web user, held back by owners and modes alone. What it says."""
    user, shared = host.number("passwd", f"candour-{name}"), host.number("group", "candour")
    unit = (UNITS / f"candour-{name}.service").read_text()
    bare = (
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
    )
    python = str(host.folder / "usr/lib/candour/.venv/bin/python")
    done = subprocess.run(
        [*bare, python, "-P", *words],
        env=environment(host, unit) | {"GNUPGHOME": "/nonexistent"},
        input=json.dumps(told),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def settle(host) -> None:
    """What the timer starts, as the user of its unit."""
    unit = (UNITS / "candour-settle.service").read_text()
    [command] = re.findall(r"^ExecStart=\S+python -P (.*)$", unit, re.MULTILINE)
    assert "User=candour-source\n" in unit
    assert as_user(host, "source", *shlex.split(command), "--now") == ""


def within_reach(host) -> tuple[set[str], set[str]]:
    """The files under the settings and the data that the collection's user may read; all that it may write."""
    paths = [
        path for path in host.folder.rglob("*") if not path.is_symlink() and (path.is_file() or path.is_dir())
    ]
    found = json.loads(as_user(host, "collection", "-c", PROBE, told=[str(path) for path in paths]))
    read, write = (
        {str(Path(one).relative_to(host.folder)) for one in found[right]} for right in ("read", "write")
    )
    ours = ("etc/candour/", "var/lib/candour/")
    files = {name for name in read if name.startswith(ours) and (host.folder / name).is_file()}
    return files, write


SETTINGS = {
    f"etc/candour/{name}"
    for name in ("server.toml", "registry.json", "registry-root.pub", "firewall.nft")  # nothing secret
}
LISTING = "var/lib/candour/outbox/listing.sqlite"


def blobs_of(host) -> set[str]:
    blobs = host.folder / "var/lib/candour/blobs"
    return {str(path.relative_to(host.folder)) for path in blobs.glob("??/*") if path.is_file()}


def test_the_collection_s_user_reads_the_listing_and_what_is_listed_and_writes_the_inbox_alone(
    host, source, codename
):
    """Neither database nor pepper, no envelope that is not listed, no folder of envelopes; and not one row."""
    [before] = blobs_of(host)
    assert host.owner(before)[2] == "0o600"
    writable = {"var/lib/candour/collection", "var/lib/candour/inbox"}
    assert within_reach(host) == (SETTINGS | {LISTING}, writable)
    settle(host)
    shared = host.number("group", "candour")
    assert host.owner(before) == (source.user, shared, "0o640")
    assert host.owner(LISTING) == (source.user, shared, "0o640")
    Visitor(source).report("Something else, since then.", "later.jpg", b"light" * 9000)
    [later] = blobs_of(host) - {before}
    assert within_reach(host) == (SETTINGS | {LISTING, before}, writable)
    names = "import os, sys; os.listdir(sys.argv[1])"
    for folder in ("blobs", str(Path(later).parent.relative_to("var/lib/candour")), "database", "source"):
        with pytest.raises(AssertionError, match="PermissionError"):
            as_user(host, "collection", "-c", names, str(host.folder / "var/lib/candour" / folder))


def test_whatever_a_collection_in_wrong_hands_leaves_in_the_inbox_leads_the_settlement_nowhere(
    host, source, codename, unit_keys
):
    key, tags = reply_key(unit_keys.folder), [os.urandom(16) for _ in range(3)]
    answer = post.sign_reply("test-unit", today(), tags, os.urandom(9328), key)
    pepper, data = host.folder / "etc/candour/pepper", host.folder / "var/lib/candour"
    stolen = hashlib.sha256(pepper.read_bytes()).hexdigest()
    slip = Slip(f"ffff{stolen[:28]}", "test-unit", "other-unit", today(), 32, stolen)
    forged = post.sign_reply(
        "test-unit", today(), [os.urandom(16) for _ in range(3)], os.urandom(9328), other_key()
    )
    settle(host)
    blob = next(iter(blobs_of(host)))
    kept = {name: (host.folder / name).read_bytes() for name in blobs_of(host)}
    told = {
        "posts": [answer.decode(), forged.decode()],
        "forward": slip.id,
        "slip": sign_slip(slip, key).decode(),
        "database": str(data / "database/candour.sqlite"),
        "blob": str(host.folder / blob),
    }
    as_user(host, "collection", "-c", AS_COLLECTION, told=told)
    assert host.owner("var/lib/candour/inbox/test-unit")[1:] == (host.number("group", "candour"), "0o2770")
    try:
        settle(host)
        with closing(sqlite3.connect(f"file:{data}/database/candour.sqlite?mode=ro", uri=True)) as rows:
            replies = {tag for (tag,) in rows.execute("SELECT tag FROM reply")}
            envelopes = {
                f"var/lib/candour/blobs/{one[:2]}/{one}" for (one,) in rows.execute("SELECT id FROM envelope")
            }
            returned = set(rows.execute("SELECT unit, post, why FROM returned"))
        assert len(replies.intersection(tags)) == 1, (
            "what the desk signed was taken, in spite of all the rest"
        )
        assert returned <= {
            ("test-unit", post.identity(forged), "refused"),
            ("test-unit", slip.id, "refused"),
        }
        assert envelopes == blobs_of(host) == set(kept)
        assert {name: (host.folder / name).read_bytes() for name in kept} == kept
        assert hashlib.sha256(pepper.read_bytes()).hexdigest() == stolen
        left = {path.name for path in (data / "inbox/test-unit").iterdir()}
        assert left <= {"c" * 32 + ".part", "e" * 32}, (
            "what no courier leaves is gone, or stays and is passed over"
        )
        assert (data / "blobs").is_dir()
    finally:
        for path in (data / "inbox").iterdir():  # the next test finds the inbox as a courier would
            if path.is_symlink():
                path.unlink()
            else:
                shutil.rmtree(path)


def other_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def test_a_courier_s_post_goes_through_the_service_under_its_own_user_to_the_reporter_s_mailbox(
    host, source, unit_keys
):
    tags, sealed = [os.urandom(16) for _ in range(3)], os.urandom(9328)
    document = post.sign_reply("test-unit", today(), tags, sealed, reply_key(unit_keys.folder))
    collection = Service(host, "collection")
    try:
        assert collection.user != source.user
        assert collection.ask("GET", "/envelopes")[0] == 401
        mark = json.loads(ask_signed(collection, unit_keys, "GET", "/v1/envelopes")[2])["nonce"]
        status, _, listed = ask_signed(collection, unit_keys, "GET", "/v1/envelopes", mark=mark)
        assert (status, sorted(json.loads(listed))) == (200, ["envelopes", "settled"])
        for one in json.loads(listed)["envelopes"]:
            assert ask_signed(collection, unit_keys, "GET", f"/v1/envelopes/{one['id']}", mark=mark)[0] == 200
        assert ask_signed(collection, unit_keys, "POST", "/v1/posts", document, mark=mark)[0] == 204
    finally:
        collection.stop()
    assert "Error" not in collection.said
    name = f"var/lib/candour/inbox/test-unit/{post.identity(document)}"
    assert host.owner(name) == (collection.user, host.number("group", "candour"), "0o640")
    settle(host)
    with closing(
        sqlite3.connect(f"file:{host.folder}/var/lib/candour/database/candour.sqlite?mode=ro", uri=True)
    ) as rows:
        assert sealed in {content for (content,) in rows.execute("SELECT ciphertext FROM reply")}
    assert not (host.folder / name).exists()


def ask_signed(service, unit_keys, method: str, path: str, body: bytes = b"", *, mark: str = ""):
    """A courier's request over the service's door, signed as RFC 9421 says."""
    request = requests.Request(method, f"http://onion.test{path}", data=body or None).prepare()
    key = read_private_key(unit_keys.courier_key_file)
    resolver = MappingKeyResolver(public_keys={}, private_keys={unit_keys.courier_key_id: key})
    HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=resolver).sign(
        request,
        key_id=unit_keys.courier_key_id,
        created=datetime.now(UTC),
        nonce=mark + os.urandom(16).hex(),
        tag="candour-courier",
        covered_component_ids=["@method", "@authority", "@path"],
        body=body or None,
    )
    signed = {name: str(value) for name, value in request.headers.items() if name != "Content-Length"}
    return service.ask(method, path, body, **signed)
