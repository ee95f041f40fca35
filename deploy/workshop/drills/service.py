"""The running service of the throw-away country: its real code, on a few files and on loopback.

A reporter here goes the way that the pages go, without a browser: routed, sealed, kept, and shown what a visit shows.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.serving import WSGIRequestHandler, make_server

from common.config import ServerConfig
from common.conversation import codename, mailbox, reply
from common.conversation.derivation import conversation_secrets, derive_root
from common.conversation.destination import Destination
from common.conversation.header import Header, compose_header
from common.conversation.links import Conversation, new_link
from common.days import today
from common.gpg.opening import Opener
from common.gpg.sealing import Pieces
from common.registry.units import Unit
from common.report import archive
from common.report.report import Report
from common.report.routing import Circumstances, route
from common.secret import Secret
from common.store.blobs import blob_path
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.store.settlement import Settlement
from common.store.values import Addressed, Envelope, SealedReply
from common.transport.settled_hours import this_hour
from deploy.workshop.drills.country import FORCE
from journalist_interface.collection.app import create_app
from keys.private_key import parse_private_key
from keys.unit.unit_keys import GNUPG_HOME, REPLY_KEY
from source_interface.conversation import visit
from source_interface.conversation.keys import Keys
from source_interface.intake import certificates
from source_interface.services import Services, build


@dataclass(frozen=True)
class Reporter:
    """Somebody with a codename."""

    words: codename.Codename = field(default_factory=codename.generate, repr=False)
    _roots: dict[bytes, Secret] = field(default_factory=dict, repr=False, compare=False)

    def root(self, pepper: Secret) -> Secret:
        """What the codename opens at a server with this pepper."""
        known = pepper.reveal()
        if known not in self._roots:
            self._roots[known] = derive_root(self.words, pepper)
        return self._roots[known]


class Service:
    """A server that was started on a folder of settings. `registry()` is what it goes by now."""

    def __init__(self, config: ServerConfig) -> None:
        self.services: Services = build(config)

    def goes_to(self) -> Unit:
        """Who gets a report about the force today."""
        return route(Circumstances(frozenset({FORCE})), today(), self.services.registry.current()).unit

    def send(self, reporter: Reporter, text: str) -> Path:
        """A first report, sealed and kept. The file of its envelope."""
        services, unit = self.services, self.goes_to()
        keys = conversation_secrets(reporter.root(services.config.pepper))
        reply_key = mailbox.ReplyKey(keys.reply_seed)
        conversation = Conversation(keys.mailbox_key, reply_key.public())
        header = Header(new_link(), Destination(unit.id))
        report = Report(
            text, unit.id, today(), first=True, conversation=conversation, link=header.link, sequence=0
        )
        certificate = certificates.certificate_of_the_day(unit, today())
        (envelope,) = services.store.receive(
            [Addressed(mailbox.tags(keys.receipt_key)[0], unit.id)],
            SealedReply(
                mailbox.tags(keys.header_tag_key)[0],
                mailbox.seal(compose_header(header, keys.header_key), reply_key.public()),
            ),
            today(),
            lambda outputs: services.sealer.seal(
                Pieces(archive.write((), lambda: report)), [certificate], outputs[0]
            ),
        )
        return blob_path(services.config.blobs, envelope)

    def answer(self, reporter: Reporter, unit_id: str, text: str, signed_by: Ed25519PrivateKey) -> None:
        """Post an answer, as whoever has the key, the report and a courier can."""
        keys = conversation_secrets(reporter.root(self.services.config.pepper))
        public = mailbox.ReplyKey(keys.reply_seed).public()
        identity = Conversation(keys.mailbox_key, public).identity
        plain = reply.compose(reply.new_reply(unit_id, today(), 1, text), identity, signed_by)
        slots = mailbox.draw_candidates(keys.mailbox_key)
        tags = [mailbox.tags(keys.mailbox_key)[slot] for slot in slots]
        self.services.store.put_reply(tags, mailbox.seal(plain, public), today())

    def settle(self) -> None:
        """What a settled hour brings: what was sent until now is listed for its unit's courier."""
        services, config = self.services, self.services.config
        inbox = Inbox(config.inbox)
        Settlement(services.store, inbox, self._outbox(), services.registry.current(), config.limits).run(
            this_hour()
        )

    def listed(self, unit_id: str) -> list[Envelope]:
        """What a unit's courier may collect."""
        outbox = self._outbox()
        try:
            return outbox.waiting(unit_id)
        finally:
            outbox.close()

    def _outbox(self) -> Outbox:
        return Outbox(self.services.config.outbox, self.services.config.blobs)

    def visit(self, reporter: Reporter) -> visit.Visit:
        """What the reporter finds on coming back."""
        services = self.services
        keys = Keys(reporter.root(services.config.pepper))
        return visit.visit(services.store, services.registry.current(), keys)

    def shown(self, reporter: Reporter) -> list[str]:
        """The answers that the reporter is shown."""
        return [answer.text for answer in self.visit(reporter).answers]

    def close(self) -> None:
        """Let the database go."""
        self.services.store.engine.dispose()


def reply_key(folder: Path) -> Ed25519PrivateKey:
    """The key that signs answers, as whoever has a folder of keys takes it out."""
    pem = bytearray()
    Opener(folder / GNUPG_HOME).open(folder / REPLY_KEY, pem.extend, ask=False)
    return parse_private_key(bytes(pem))


@contextmanager
def collection(config: ServerConfig) -> Iterator[str]:
    """The collection, listening on loopback for as long as this lasts: its address."""
    server = make_server("127.0.0.1", 0, create_app(config), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # its own name
        """Say nothing."""
