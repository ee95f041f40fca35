"""From a codename to the named secrets of its conversation.

    root    = Argon2id(NFKC(words), salt = HMAC-SHA256(pepper, "candour/1"))     RFC 9106
    secret  = HKDF-SHA256(root, info = context)                                  RFC 5869

Each purpose has a label of its own, so that giving one away (the desk holds the mailbox key) tells nothing of
the others. Nothing derived is cached or stored. The pepper is a file outside the database: who holds only the
database cannot even begin to guess.

Why these parameters: RFC 9106 section 4's second recommended option (64 MiB, three passes, four lanes). One
derivation takes about 80 ms and 64 MiB on two cores. A codename has 82 bits, so that guessing is out of reach
already; Argon2id makes each guess dear, and costs a visitor less than a heartbeat.
"""

import hashlib
import hmac
import threading
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from common.contexts import Context
from common.conversation.codename import Codename
from common.secret import Secret

PEPPER_BYTES = 32
ROOT_BYTES = 32
REPLY_SEED_BYTES = 96  # ML-KEM-768 seed (64, FIPS 203) and X25519 private key (32, RFC 7748)


@dataclass(frozen=True)
class Parameters:
    """Argon2id's cost. `version` goes into the salt, so that a change never mixes with what was before."""

    version: int
    memory_kib: int
    passes: int
    lanes: int


CURRENT = Parameters(version=1, memory_kib=64 * 1024, passes=3, lanes=4)


class Busy(Exception):
    """Many people are coming in at this moment. Wait a minute and try again; nothing is lost."""


class Gate:
    """Lets a bounded number of derivations run at once; the others wait their turn.

    Fifty log-ins at once then cost no more memory than `at_once` of them, and pages that derive nothing never
    pass here. Keys take turns: whoever comes first under a key does not wait for the second of another. Under one key
    turns are given in the order of arrival.
    """

    def __init__(self, at_once: int = 1, patience: float = 30.0) -> None:
        self._free = at_once  # turns that nobody waits for
        self._waiting: OrderedDict[Hashable, deque[threading.Event]] = OrderedDict()  # the first goes next
        self._lock = threading.Lock()
        self._patience = patience

    @property
    def waiting(self) -> int:
        """How many wait."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    @contextmanager
    def turn(self, key: Hashable = None) -> Iterator[None]:
        """Wait for a turn. Raises Busy after `patience` seconds."""
        self._wait(key)
        try:
            yield
        finally:
            self._pass_on(key)

    def _wait(self, key: Hashable) -> None:
        called = threading.Event()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            self._waiting.setdefault(key, deque()).append(called)
        if called.wait(self._patience):
            return
        with self._lock:
            if not called.is_set():  # it could be called at the last moment
                self._waiting[key].remove(called)
                self._tidy(key)
                raise Busy

    def _pass_on(self, key: Hashable) -> None:
        with self._lock:
            if key in self._waiting:  # it has just had a turn
                self._waiting.move_to_end(key)
            if not self._waiting:
                self._free += 1
                return
            following = next(iter(self._waiting))
            self._waiting[following].popleft().set()  # straight to it: a newcomer must not slip in between
            self._waiting.move_to_end(following)
            self._tidy(following)

    def _tidy(self, key: Hashable) -> None:
        if not self._waiting[key]:
            del self._waiting[key]


@dataclass(frozen=True)
class ConversationSecrets:
    """What a codename opens, each part for one purpose."""

    receipt_key: Secret = field(repr=False)  # 32 bytes: tags of what was sent
    mailbox_key: Secret = field(repr=False)  # 32 bytes: tags of what is answered; the desk holds it too
    header_key: Secret = field(repr=False)  # 32 bytes: MAC of who holds the conversation; nobody else's
    header_tag_key: Secret = field(repr=False)  # 32 bytes: tags of the headers; nobody else's
    reply_seed: Secret = field(repr=False)  # 96 bytes: opens the answers


def derive_root(codename: Codename, pepper: Secret, parameters: Parameters = CURRENT) -> Secret:
    """32 bytes from which all else of this conversation follows. Takes the whole cost: call it behind a Gate."""
    if len(pepper) != PEPPER_BYTES:
        raise ValueError(f"the pepper must be {PEPPER_BYTES} bytes")
    salt = hmac.digest(pepper.reveal(), f"candour/{parameters.version}".encode(), hashlib.sha256)
    return Secret(
        hash_secret_raw(
            secret=unicodedata.normalize("NFKC", codename.text).encode(),
            salt=salt,
            time_cost=parameters.passes,
            memory_cost=parameters.memory_kib,
            parallelism=parameters.lanes,
            hash_len=ROOT_BYTES,
            type=Type.ID,
        )
    )


def conversation_secrets(root: Secret) -> ConversationSecrets:
    """The named secrets of a conversation. Cheap: five HKDF expansions."""
    return ConversationSecrets(
        receipt_key=_expand(root, Context.RECEIPT_KEY, 32),
        mailbox_key=_expand(root, Context.MAILBOX_KEY, 32),
        header_key=_expand(root, Context.HEADER_KEY, 32),
        header_tag_key=_expand(root, Context.HEADER_TAG_KEY, 32),
        reply_seed=_expand(root, Context.REPLY_SEED, REPLY_SEED_BYTES),
    )


def _expand(root: Secret, context: Context, length: int) -> Secret:
    # The root is uniformly random already, so that HKDF's expand step alone is enough (RFC 5869, 3.3).
    return Secret(HKDFExpand(SHA256(), length=length, info=context.octets).derive(root.reveal()))
