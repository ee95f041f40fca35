"""`first` and `visit`: what a codename costs, beside bare Argon2id with the same parameters."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.config import read_server_config
from common.conversation import codename, mailbox, reply
from common.conversation.derivation import conversation_secrets, derive_root
from common.conversation.links import Conversation
from common.days import today
from common.gpg.opening import Opener
from common.secret import Secret
from common.store.database import open_store
from deploy import data_folder
from deploy.workshop.bench.browser import BEGIN, Browser
from deploy.workshop.bench.figures import Figure, in_turn, plain, ratio
from deploy.workshop.bench.gpg import Gpg
from deploy.workshop.bench.stage import Stage

_TIMES = 15
_ANSWERS = 10


def first(stage: Stage) -> Iterator[Figure]:
    """A first report with a new codename, until its codename can be shown."""
    pepper = read_server_config(data_folder.server_settings(stage.data)).pepper
    source = stage.scratch / "first"
    source.write_text("The first. " * 180)
    gpg = Gpg(stage.scratch, stage.certificate)

    def ours() -> float:
        browser = Browser(stage.source)
        browser.read_token("/routing")
        started = perf_counter()
        browser.post("/routing", BEGIN)
        took = perf_counter() - started
        browser.read_token("/report")
        started = perf_counter()
        browser.send("/report", 0, "The first. " * 180)
        took += perf_counter() - started
        browser.close()
        return took

    def bare() -> float:
        return argon2id(pepper) + gpg.seal(source, "first-sealed")

    whole, beside = in_turn(_TIMES, ours, bare)
    yield ratio("first", "a first report, of Argon2id and one bare gpg", whole, beside, 1.3, at_most=True)


def visit(stage: Stage) -> Iterator[Figure]:
    """Coming back by codename, with no answer and with ten."""
    config = read_server_config(data_folder.server_settings(stage.data))
    without, answered = _with_answers(stage, 0), _with_answers(stage, _ANSWERS)
    quiet, beside = in_turn(_TIMES, lambda: _come_back(stage, without), lambda: argon2id(config.pepper))
    yield ratio("visit", "coming back, of bare Argon2id", quiet, beside, 1.25, at_most=True)
    busy, beside = in_turn(_TIMES, lambda: _come_back(stage, answered), lambda: argon2id(config.pepper))
    yield ratio("visit", "coming back to ten answers, of bare Argon2id", busy, beside, 1.25, at_most=True)
    full, empty = in_turn(_TIMES, lambda: _read(stage, answered), lambda: _read(stage, without))
    added = [max(0.0, full.median - empty.median) * 1000]
    yield plain("visit", "time that ten answers add to the page", added, "ms", 5)


def argon2id(pepper: Secret) -> float:
    """Seconds of one bare derivation."""
    words = codename.generate()
    started = perf_counter()
    derive_root(words, pepper)
    return perf_counter() - started


def _come_back(stage: Stage, words: str) -> float:
    browser = Browser(stage.source)
    browser.read_token("/return")
    started = perf_counter()
    browser.post("/return", {"codename": words})
    browser.get("/conversation")
    took = perf_counter() - started
    browser.close()
    return took


def _read(stage: Stage, words: str) -> float:
    browser = Browser(stage.source)
    browser.come_back(words)
    started = perf_counter()
    browser.get("/conversation")
    took = perf_counter() - started
    browser.close()
    return took


def _with_answers(stage: Stage, answers: int) -> str:
    """The codename of a new conversation that has so many genuine answers."""
    browser = Browser(stage.source)
    browser.begin()
    browser.send("/report", 0, "The first.")
    words = browser.codename()
    browser.close()
    config = read_server_config(data_folder.server_settings(stage.data))
    store = open_store(config.database, config.blobs)
    unit = config.load_registry().enrolled_units()[0]
    keys = conversation_secrets(derive_root(codename.read(words), config.pepper))
    reply_key, tags = mailbox.ReplyKey(keys.reply_seed).public(), mailbox.tags(keys.mailbox_key)
    identity = Conversation(keys.mailbox_key, reply_key).identity
    signer = _reply_key(stage.data)
    for slot in range(1, answers + 1):
        answer = reply.new_reply(unit.id, today(), slot, "Thank you. We have read it. " * 100)
        sealed = mailbox.seal(reply.compose(answer, identity, signer), reply_key)
        store.put_reply([tags[slot]], sealed, answer.day)
    store.engine.dispose()
    return words


def _reply_key(data: Path) -> Ed25519PrivateKey:
    from keys.private_key import parse_private_key

    opened = bytearray()
    Opener(data_folder.gnupg_home(data)).open(data / "desk" / "reply.key.gpg", opened.extend)
    return parse_private_key(bytes(opened))
