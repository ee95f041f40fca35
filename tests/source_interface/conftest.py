"""What the tests of the source interface stand on: a reporter, and real applications for one.

A reporter here is a browser without mercy: every byte of a request can be chosen, the cookie is kept, redirects are
not followed, and pages are read with the standard library's HTML parser.
"""

import http.client
import re
from dataclasses import dataclass, replace
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import delete, insert, select

from common.conversation import codename, mailbox, reply
from common.conversation.derivation import ConversationSecrets, conversation_secrets, derive_root
from common.conversation.header import Header, compose_header, read_header
from common.conversation.links import Conversation
from common.days import today
from common.gpg.opening import Opener
from common.report import archive
from common.store.inbox import Inbox
from common.store.models import EnvelopeRow, ReplyRow
from common.store.outbox import Outbox
from common.store.settlement import Settlement
from common.store.values import KEEP_REPLIES
from common.transport.settled_hours import this_hour
from keys.private_key import parse_private_key
from keys.registry.signature import sign_registry
from keys.unit.unit_keys import GNUPG_HOME, REPLY_KEY
from source_interface import services
from source_interface.app import create_app

CODENAME = re.compile(r"<li><span>([a-z-]+)</span></li>")
BOUNDARY = b"----geckoformboundary5d1f"
UNIT = "test-unit"
FORCE = {"test-unit": "test-force", "other-unit": "other-force"}
PUBLIC = [
    "/",
    "/safety",
    "/help",
    "/certificate",
    "/certificate/test-unit",
    "/certificate/test-unit.asc",
    "/start",
    "/routing",
    "/return",
]


class Page(HTMLParser):
    """The tags and the forms of a page. A form: its action and its fields."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.forms: dict[str, dict[str, str]] = {}
        self.textareas: dict[str, str] = {}
        self.words = ""
        self.answers = ""  # the words of the answers, one after the other
        self._in_answer = False
        self._form: dict[str, str] = {}
        self._area = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        if tag == "div":
            self._in_answer = attributes.get("class") == "words"
        if tag == "form":
            self._form = self.forms.setdefault(attributes.get("action", ""), {})
        elif tag == "input" and attributes.get("type") == "hidden":
            self._form[attributes["name"]] = attributes["value"]
        elif tag == "textarea":
            self._area = attributes["id"]
            self.textareas[self._area] = ""

    def handle_endtag(self, tag):
        if tag == "div":
            self._in_answer = False
        if tag == "textarea":
            self.textareas[self._area] = self.textareas[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data):
        if self._area:
            self.textareas[self._area] += data
        else:
            self.words += data
        if self._in_answer:
            self.answers += data


@dataclass(frozen=True)
class Answer:
    """A response, whole."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    @property
    def page(self):
        return Page(self.text)

    @property
    def goes_to(self):
        return self.headers.get("location", "")

    @property
    def typed(self):
        """The words that the page gives back, in a form to send again or in a box to copy from."""
        areas = self.page.textareas
        return areas.get("text") or areas.get("yours") or ""


def encode_multipart(parts, boundary=BOUNDARY):
    """A form as Tor Browser sends it. A part is (name, text) or (name, filename, bytes)."""
    body = b""
    for name, *rest in parts:
        disposition = f'form-data; name="{name}"'
        if len(rest) == 2:
            disposition += f'; filename="{rest[0]}"\r\nContent-Type: application/octet-stream'
        content = rest[-1] if isinstance(rest[-1], bytes) else rest[-1].encode()
        body += b"--%s\r\nContent-Disposition: %s\r\n\r\n%s\r\n" % (boundary, disposition.encode(), content)
    return body + b"--%s--\r\n" % boundary


def content_type(boundary=BOUNDARY):
    return f"multipart/form-data; boundary={boundary.decode()}"


class Reporter:
    """A browser with one cookie. `page` is the last page it was shown."""

    def __init__(self, send):
        self.send = send
        self.cookie = ""
        self.last = Answer(0, {}, (), b"")

    def ask(self, method, path, body=b"", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            named.setdefault("Cookie", f"candour={self.cookie}")
        self.last = self.send(method, path, body, named)
        for cookie in self.last.cookies:
            self.cookie = cookie.partition(";")[0].removeprefix("candour=").strip('"')
        return self.last

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, fields=None, **headers):
        """Send the form with this action from the last page, some of its fields changed."""
        known = self.last.page.forms.get(path, {}) | (fields or {})
        kind = {"Content_Type": "application/x-www-form-urlencoded"} | headers
        return self.ask("POST", path, urlencode(known).encode(), **kind)

    def message(self, text="It happened at the yard.", files=(), path="", **changed):
        """The body of the message form on the last page. `files`: (name, bytes)."""
        path = path or next(path for path in ("/report", "/conversation/write") if path in self.forms)
        fields = self.forms[path] | changed
        named = list(files) or [("", b"")]
        parts = [*fields.items(), ("text", text), *(("files", name, data) for name, data in named)]
        return path, encode_multipart(parts)

    def write(self, text="It happened at the yard.", files=(), **changed):
        """Send the message form on the last page."""
        return self.deliver(*self.message(text, files, **changed))

    def deliver(self, path, body, **headers):
        return self.ask("POST", path, body, **({"Content_Type": content_type()} | headers))

    @property
    def forms(self):
        return self.last.page.forms

    def start(self):
        """From the first page to the message form."""
        self.get("/routing")
        assert self.begin().goes_to == "/report"
        return self.get("/report")

    def begin(self, unit=UNIT, **changed):
        """Answer the questions on the last page so that the report goes to a unit, and begin."""
        fields = {"force": FORCE[unit], "involved": "no", "do": "begin", "holders": unit}
        return self.post("/routing", fields | changed)

    def report(self, text="It happened at the yard.", files=()):
        """A report that arrives. Returns the words of its codename."""
        self.start()
        answer = self.write(text, files)
        assert (answer.status, answer.goes_to) == (303, "/sent"), answer.text
        return self.codename()

    def codename(self):
        words = CODENAME.findall(self.get("/sent").text)
        assert len(words) == 7
        return words

    def choose(self, unit=UNIT, **more):
        """Say whom the open conversation is about, so that what is added goes to a unit. Its page."""
        self.get("/conversation/routing")
        self.post("/conversation/routing", {"force": FORCE[unit], "involved": "no"} | more)
        assert "It is chosen" in self.post("/conversation/routing", {"do": "begin"}).page.words
        return self.get("/conversation")

    def come_back(self, words):
        self.get("/return")
        answer = self.post("/return", {"codename": words if isinstance(words, str) else " ".join(words)})
        assert answer.goes_to == "/conversation", answer.text
        return self.get("/conversation")


def over_http(place):
    """Sends a request to the server on a port, or where `place` connects to, over a connection of its own."""

    def send(method, path, body=b"", headers=None):
        port = place if isinstance(place, int) else 80
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.sock = None if isinstance(place, int) else place()
            connection.request(method, path, body or None, headers or {})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        named = {name.lower(): value for name, value in response.getheaders()}
        cookies = tuple(value for name, value in response.getheaders() if name.lower() == "set-cookie")
        return Answer(response.status, named, cookies, content)

    return send


def over_wsgi(app):
    """Sends a request to an application through Flask's test client."""
    client = app.test_client(use_cookies=False)

    def send(method, path, body=b"", headers=None):
        request = {"method": method, "input_stream": BytesIO(body), "headers": headers or {}}
        with client.open(path, content_length=len(body), buffered=True, **request) as response:
            named = {name.lower(): value for name, value in response.headers.items()}
            return Answer(
                response.status_code, named, tuple(response.headers.getlist("Set-Cookie")), response.data
            )

    return send


@pytest.fixture(scope="session")
def reporter_at():
    """A reporter at an application, or at a server: its port, or what gives a connection to it."""
    return lambda place: Reporter(over_wsgi(place) if isinstance(place, Flask) else over_http(place))


@pytest.fixture(scope="session")
def multipart():
    """The body of a multipart form, out of its parts."""
    return encode_multipart


@pytest.fixture
def new_app(server_config, registry, charity_keys, root_key):
    """Makes applications with data folders of their own; keywords are limits. `units`: other than the usual two.

    `forces`: other than the usual two.
    """
    made = []

    def make(units=(), forces=None, **limits):
        config = server_config(**limits)
        if units:
            kept = registry.forces if forces is None else tuple(forces)
            draft = replace(registry, forces=kept, units=(*units, charity_keys.unit))
            config.registry.write_bytes(sign_registry(draft, root_key.file))
        made.append(create_app(config))
        return made[-1]

    yield make
    for app in made:
        app.extensions[services.EXTENSION].store.engine.dispose()


@pytest.fixture
def app(new_app):
    """An application that serves the usual two units."""
    return new_app()


@pytest.fixture
def house(app):
    return app.extensions[services.EXTENSION]


@pytest.fixture
def put_registry(house, root_key, registry, charity_keys):
    """Puts a newer registry, of these units and the charity's desk, into place."""

    def put(*units, version=2, forces=registry.forces):
        draft = replace(registry, version=version, forces=forces, units=(*units, charity_keys.unit))
        part = house.config.registry.with_suffix(".new")
        part.write_bytes(sign_registry(draft, root_key.file))
        part.replace(house.config.registry)

    return put


@pytest.fixture
def reporter(app, reporter_at):
    return reporter_at(app)


@pytest.fixture
def arrived():
    """The sealed files that a store keeps, and whatever else lies among the blobs."""

    def look(config):
        return sorted(
            file
            for file in config.blobs.rglob("*")
            if file.is_file() and file.suffix != ".lock" and file.parent.name != "pool"
        )

    return look


@pytest.fixture
def opened(unit_keys):
    """Opens a sealed file as the desk does, checking each file in it: the report, and the files by name."""

    def look(sealed, keys=unit_keys):
        whole, tail = bytearray(), archive.Tail()
        for take in (whole.extend, tail.feed):
            Opener(keys.folder / GNUPG_HOME).open(sealed, take)
        read, files = archive.read(tail), {}
        for file in read.files:
            content = bytearray()
            extract = archive.Extract(tail, file, content.extend)
            extract.feed(bytes(whole))
            extract.check()
            files[file.name] = bytes(content)
        return read.report, files

    return look


@pytest.fixture(scope="session")
def signer():
    """The key that signs a unit's answers, taken from its workstation."""

    @cache
    def read(folder) -> Ed25519PrivateKey:
        pem = bytearray()
        Opener(folder / GNUPG_HOME).open(folder / REPLY_KEY, pem.extend)
        return parse_private_key(bytes(pem))

    return lambda keys: read(keys.folder)


@pytest.fixture
def secrets_of(house):
    """What a codename's words open."""

    @cache
    def derive(text) -> ConversationSecrets:
        return conversation_secrets(derive_root(codename.read(text), house.config.pepper))

    return lambda words: derive(" ".join(words))


@pytest.fixture
def conversation_of(secrets_of):
    """The conversation of a codename's words."""

    def known(words) -> Conversation:
        found = secrets_of(words)
        return Conversation(found.mailbox_key, mailbox.ReplyKey(found.reply_seed).public())

    return known


@pytest.fixture
def waiting(house):
    """The ids of a unit's envelopes, whatever became of them."""

    def look(unit, store=None):
        query = select(EnvelopeRow.id).where(EnvelopeRow.unit == unit).order_by(EnvelopeRow.id)
        with (store or house.store).engine.connect() as connection:
            return list(connection.execute(query).scalars())

    return look


@pytest.fixture
def settle(house):
    """The settled hour: what is new is listed, what was withdrawn goes."""

    def run():
        outbox = Outbox(house.config.outbox, house.config.blobs)
        inbox = Inbox(house.config.inbox)
        Settlement(house.store, inbox, outbox, house.registry.current(), house.config.limits).run(this_hour())
        outbox.close()

    return run


@pytest.fixture
def hold(house, waiting, settle):
    """A unit's desk says that it holds all that is there for it."""

    def say(unit):
        settle()
        house.store.note_held(unit, waiting(unit), today())

    return say


@pytest.fixture
def put_row(house):
    """Puts bytes under a tag, whatever lies there."""

    def put(tag, ciphertext):
        with house.store.engine.begin() as connection:
            connection.execute(delete(ReplyRow).where(ReplyRow.tag == tag))
            values = {"tag": tag, "ciphertext": ciphertext, "day": today(), "expires": today() + KEEP_REPLIES}
            connection.execute(insert(ReplyRow).values(values))

    return put


@pytest.fixture
def put_item(secrets_of, conversation_of, put_row):
    """Seals an item to a conversation and puts it into a reply slot, whatever lies there."""

    def put(words, slot, plain):
        tag = mailbox.tags(secrets_of(words).mailbox_key)[slot]
        put_row(tag, mailbox.seal(plain, conversation_of(words).reply_public_key))

    return put


@pytest.fixture
def headers_of(house, secrets_of):
    """The headers of a conversation, by the slot of the message that left each."""

    def read(words) -> dict[int, Header]:
        found = secrets_of(words)
        tags = mailbox.tags(found.header_tag_key, mailbox.MESSAGE_SLOTS)
        lying = house.store.mailbox([], tags).replies
        opener = mailbox.ReplyKey(found.reply_seed)
        return {
            slot: read_header(opener.open(lying[tag]), found.header_key)
            for slot, tag in enumerate(tags)
            if tag in lying
        }

    return read


@pytest.fixture
def header_of(headers_of):
    """The header that counts."""
    return lambda words: max(headers_of(words).values(), key=lambda header: header.sequence)


@pytest.fixture
def header_to(secrets_of, conversation_of, headers_of, put_row):
    """Puts another header into a conversation, after all that are there. `changed`: where it goes."""

    def put(words, header, **changed):
        found, there = secrets_of(words), headers_of(words)
        slot = next(slot for slot in range(mailbox.MESSAGE_SLOTS) if slot not in there)
        to = replace(header.destination, **changed)
        after = replace(header, destination=to, sequence=1 + max(one.sequence for one in there.values()))
        tag = mailbox.tags(found.header_tag_key, mailbox.MESSAGE_SLOTS)[slot]
        plain = compose_header(after, found.header_key)
        put_row(tag, mailbox.seal(plain, conversation_of(words).reply_public_key))

    return put


@pytest.fixture
def answer(secrets_of, conversation_of, signer, unit_keys, put_row):
    """Seals and posts a unit's answer as desk, courier and settlement do. Returns the slot it lies in."""

    def post(
        words,
        text="We have read it.",
        *,
        slot=7,
        number=1,
        unit=UNIT,
        by=None,
        mailbox_of=None,
        day=None,
        sealed=None,
    ):
        public = conversation_of(words).reply_public_key
        named = conversation_of(mailbox_of or words).identity
        written = reply.new_reply(unit, day or today(), number, text)
        sealed = sealed or mailbox.seal(reply.compose(written, named, signer(by or unit_keys)), public)
        put_row(mailbox.tags(secrets_of(words).mailbox_key)[slot], sealed)
        return slot

    return post


@pytest.fixture
def everything(reporter, answer, app):
    """Every page there is, in all its states: (what it is, its answer)."""
    seen = [(path, reporter.get(path)) for path in PUBLIC]
    seen += [
        (f"nothing at {path}", reporter.get(path))
        for path in (
            "/nope",
            "/start/",
            "//start",
            "//evil.example/start",
            "/certificate/x",
            "/certificate/x.asc",
            "/static/../app.py",
        )
    ]
    seen += [("ended", reporter.get("/conversation")), ("no such way", reporter.ask("DELETE", "/"))]
    seen.append(("elsewhere", reporter.ask("POST", "/routing", Origin="http://evil.example")))
    reporter.get("/routing")
    seen.append(("no choice", reporter.post("/routing", {"force": "none"})))
    reporter.get("/routing")
    route = reporter.post("/routing", {"force": "test-force", "involved": "yes", "keep_from": "other-force"})
    seen.append(("route", route))
    seen.append(("changed", reporter.post("/routing", {"do": "change"})))
    seen.append(("form", reporter.start()))
    seen.append(("no text", reporter.write("")))
    seen.append(
        ("hints", reporter.write('My sergeant said "</textarea><script>alert(1)</script> and so much more".'))
    )
    seen.append(("too long", reporter.write("</textarea><script>" + "x" * 200_000)))
    seen.append(("stale", reporter.write("</textarea><script>alert(1)</script>", csrf="x")))
    words = reporter.report()
    seen.append(("codename", reporter.get("/sent")))
    seen.append(("to the conversation", reporter.post("/noted")))
    answer(words, "<script>alert(1)</script> http://evil.example")
    seen.append(("conversation", reporter.get("/conversation")))
    seen.append(("withdraw?", reporter.post("/withdraw")))
    reporter.get("/conversation")
    seen.append(("problem", reporter.write("")))
    reporter.get("/conversation")
    seen.append(("left", reporter.post("/leave")))
    reporter.get("/return")
    seen.append(("no codename", reporter.post("/return", {"codename": '"><script>alert(1)</script>'})))
    app.view_functions["public.index"] = lambda: 1 // 0
    seen.append(("broken", reporter.get("/")))
    seen += [
        ("style", reporter.get(app.jinja_env.globals["style"])),
        ("options", reporter.ask("OPTIONS", "/start")),
    ]
    return seen
