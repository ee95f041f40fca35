"""What tests of the protocol share: two conversations, and a key that signs."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.days import today
from common.derivation import ConversationSecrets, conversation_secrets
from common.mailbox import ReplyKey
from common.report import Conversation, Report
from common.secret import Secret


@dataclass(frozen=True)
class Party:
    """A conversation as its reporter has it."""

    secrets: ConversationSecrets
    key: ReplyKey
    public: bytes


def _party(root: bytes) -> Party:
    secrets = conversation_secrets(Secret(root))
    key = ReplyKey(secrets.reply_seed)
    return Party(secrets, key, key.public())


@pytest.fixture(scope="session")
def party() -> Party:
    return _party(b"1" * 32)


@pytest.fixture(scope="session")
def other_party() -> Party:
    return _party(b"2" * 32)


@pytest.fixture(scope="session")
def signer() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"s" * 32)


@pytest.fixture(scope="session")
def a_report(party: Party) -> Callable[..., Report]:
    def make(text: str = "It happened at the yard.", *, first: bool = True) -> Report:
        conversation = Conversation(party.secrets.mailbox_key, party.public)
        return Report(text, "test-unit", today(), first, conversation)

    return make
