"""What tests of the protocol share: two conversations, and a key that signs."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.conversation.derivation import ConversationSecrets, conversation_secrets
from common.conversation.links import Conversation
from common.conversation.mailbox import ReplyKey
from common.days import today
from common.gpg.runner import gpg_environment, private_home
from common.report.report import Report
from common.secret import Secret
from keys.unit.unit_keys import GNUPG_HOME


@dataclass(frozen=True)
class Party:
    """A conversation as its reporter has it."""

    secrets: ConversationSecrets
    key: ReplyKey
    public: bytes

    @property
    def conversation(self) -> Conversation:
        return Conversation(self.secrets.mailbox_key, self.public)

    @property
    def identity(self) -> str:
        return self.conversation.identity


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
        return Report(text, "test-unit", today(), first, party.conversation, "f" * 64, 0)

    return make


@pytest.fixture(scope="session")
def gpg_certificate(short_folder: Callable[[], Path]) -> Callable[..., str]:
    """Makes a certificate, armoured, with so many subkeys to encrypt to."""

    def make(*, subkeys: int) -> str:
        home = private_home(short_folder() / GNUPG_HOME)

        def gpg(*arguments: str) -> str:
            options = ("--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
            command = ["gpg", "--homedir", str(home), *options, *arguments]
            return subprocess.run(
                command, capture_output=True, check=True, env=gpg_environment()
            ).stdout.decode()

        gpg("--quick-gen-key", "A Unit", "ed25519", "cert", "3y")
        listed = gpg("--list-keys", "--with-colons").splitlines()
        fingerprint = next(row.split(":")[9] for row in listed if row.startswith("fpr"))
        for _ in range(subkeys):
            gpg("--quick-add-key", fingerprint, "cv25519", "encr", "2y")
        return gpg("--armor", "--export", fingerprint)

    return make
