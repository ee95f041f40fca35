"""From codename to secrets: the same for ever, each for one purpose, a bounded number at once."""

import hashlib
import hmac
import threading
from dataclasses import replace

import pytest
from argon2.low_level import Type, hash_secret_raw

from common.conversation.codename import Codename
from common.conversation.derivation import CURRENT, Busy, Gate, Parameters, conversation_secrets, derive_root
from common.secret import Secret

WORDS = ("amnesty", "award", "aluminum", "untrue", "jalapeno", "avid", "shimmy")
PEPPER = Secret(bytes(range(32)))
CHEAP = Parameters(version=1, memory_kib=64, passes=1, lanes=1)
SOON = 60  # seconds that a waiting test gives a thread; none is ever needed


@pytest.fixture(scope="module")
def root() -> Secret:
    return derive_root(Codename(WORDS), PEPPER)


def test_the_known_answer(root):
    """Written down once. Where this changes, every codename there is opens nothing any more."""
    secrets = conversation_secrets(root)
    assert root.reveal().hex() == "dcc5b59638f100c62746e91c033f8de49995405b95e42456685c7858c2dda11b"
    assert (
        secrets.receipt_key.reveal().hex()
        == "f59908cc89127a776abfe1411ba108419814095bdefa5425549a393076cdb8d2"
    )
    assert (
        secrets.mailbox_key.reveal().hex()
        == "a4eeab043552c36ba1fc77586687c597b73ab55f862ce10ff83cc5b7b65480a6"
    )
    assert (
        secrets.header_key.reveal().hex()
        == "122d17d9be5e22706d235d8812f051a8934715900003f014c535a032a349cdaa"
    )
    assert (
        hashlib.sha256(secrets.reply_seed.reveal()).hexdigest()
        == "63891193bb57dc01901a07af83dcb8c02992ab129fa25be32058b878f83d6f81"
    )


def test_the_root_is_argon2id_as_rfc_9106_recommends(root):
    salt = hmac.new(PEPPER.reveal(), b"candour/1", hashlib.sha256).digest()
    words = " ".join(WORDS).encode()
    assert root.reveal() == hash_secret_raw(words, salt, 3, 64 * 1024, 4, 32, Type.ID)


@pytest.mark.parametrize(
    ("name", "label", "length"),
    [
        ("receipt_key", b"receipt-key", 32),
        ("mailbox_key", b"mailbox-key", 32),
        ("header_key", b"header-key", 32),
        ("reply_seed", b"reply-seed", 96),
    ],
)
def test_each_secret_is_an_hkdf_expansion_of_rfc_5869(root, name, label, length):
    blocks, last, counter = b"", b"", 0
    while len(blocks) < length:
        counter += 1
        last = hmac.digest(root.reveal(), last + b"candour/1 " + label + bytes([counter]), "sha256")
        blocks += last
    assert getattr(conversation_secrets(root), name).reveal() == blocks[:length]


def test_nothing_is_shared_between_purposes(root):
    secrets = conversation_secrets(root)
    starts = {
        secret.reveal()[:32]
        for secret in (root, secrets.receipt_key, secrets.mailbox_key, secrets.header_key, secrets.reply_seed)
    }
    assert len(starts) == 5


def test_another_pepper_or_version_gives_another_root():
    codename = Codename(WORDS)
    roots = {
        derive_root(codename, PEPPER, CHEAP).reveal(),
        derive_root(codename, Secret(bytes(32)), CHEAP).reveal(),
        derive_root(codename, PEPPER, replace(CHEAP, version=2)).reveal(),
    }
    assert len(roots) == 3


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_pepper_of_the_wrong_length_is_refused(length):
    with pytest.raises(ValueError, match="32 bytes"):
        derive_root(Codename(WORDS), Secret(bytes(length)), CHEAP)


def test_the_secrets_print_as_nothing(root):
    secrets = conversation_secrets(root)
    assert repr(secrets) == "ConversationSecrets()"


def test_the_parameters_are_the_ones_that_were_chosen():
    assert Parameters(version=1, memory_kib=65536, passes=3, lanes=4) == CURRENT


class Visitors:
    """Threads at a gate: each says when it is within, and stays until it is let go."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.lock = threading.Lock()
        self.entered: list[int] = []
        self.within = 0
        self.most = 0
        self.came = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def visit(self, number: int, key: str | None = None) -> None:
        with self.gate.turn(key):
            with self.lock:
                self.entered.append(number)
                self.within += 1
                self.most = max(self.most, self.within)
            self.came.release()
            assert self.go.acquire(timeout=SOON)
            with self.lock:
                self.within -= 1

    def send(self, number: int, key: str | None = None) -> None:
        self.threads.append(threading.Thread(target=self.visit, args=(number, key)))
        self.threads[-1].start()

    def queued(self, count: int) -> None:
        """Return once so many wait."""
        while self.gate.waiting < count:
            threading.Event().wait(0.001)

    def end(self) -> None:
        for thread in self.threads:
            thread.join(SOON)
            assert not thread.is_alive()


@pytest.mark.parametrize("at_once", [1, 3])
def test_never_more_than_so_many_at_once(at_once):
    visitors = Visitors(Gate(at_once, patience=SOON))
    for number in range(50):
        visitors.send(number)
    for _ in range(at_once):
        assert visitors.came.acquire(timeout=SOON)
    visitors.queued(50 - at_once)
    assert visitors.within == at_once
    for _ in range(50):
        visitors.go.release()
    visitors.end()
    assert sorted(visitors.entered) == list(range(50))
    assert visitors.most == at_once


def test_turns_are_given_in_the_order_of_arrival():
    visitors = Visitors(Gate(1, patience=SOON))
    for number in range(50):
        visitors.send(number)
        if number == 0:
            assert visitors.came.acquire(timeout=SOON)
        visitors.queued(number)
    for _ in range(50):
        visitors.go.release()
    visitors.end()
    assert visitors.entered == list(range(50))


def test_keys_take_turns_so_that_a_quiet_one_never_waits_for_the_second_of_a_busy_one():
    visitors = Visitors(Gate(1, patience=SOON))
    keys = ["busy"] * 6 + ["quiet", "other", "other"]
    for number, key in enumerate(keys):
        visitors.send(number, key)
        if number == 0:
            assert visitors.came.acquire(timeout=SOON)
        visitors.queued(number)
    for _ in keys:
        visitors.go.release()
    visitors.end()
    assert [keys[number] for number in visitors.entered] == [
        *("busy", "quiet", "other", "busy", "other"),
        *("busy", "busy", "busy", "busy"),
    ]
    assert [number for number in visitors.entered if keys[number] == "busy"] == list(range(6))
    assert visitors.gate.waiting == 0


def test_who_leaves_and_comes_again_waits_behind_who_was_there():
    gate = Gate(1, patience=SOON)
    order: list[str] = []
    inside, leave = threading.Event(), threading.Event()

    def comes_twice() -> None:
        with gate.turn():
            inside.set()
            assert leave.wait(SOON)
        with gate.turn():
            order.append("again")

    def waits() -> None:
        with gate.turn():
            order.append("waited")

    threads = [threading.Thread(target=comes_twice), threading.Thread(target=waits)]
    threads[0].start()
    assert inside.wait(SOON)
    threads[1].start()
    while not gate.waiting:
        threading.Event().wait(0.001)
    leave.set()
    for thread in threads:
        thread.join(SOON)
    assert order == ["waited", "again"]


def test_who_waits_too_long_is_told_and_takes_no_place():
    gate = Gate(1, patience=0.01)
    with gate.turn(), pytest.raises(Busy), gate.turn():
        pytest.fail("two were let in")
    assert not gate.waiting
    with gate.turn():
        pass


def test_a_failed_derivation_gives_its_turn_back():
    gate = Gate(1, patience=0.01)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.turn():
            raise ZeroDivisionError
    with gate.turn():
        pass
