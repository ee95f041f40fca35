"""The keys and the tags of one conversation, derived from its root for one request."""

from functools import cached_property

from common.conversation import mailbox
from common.conversation.derivation import ConversationSecrets, conversation_secrets
from common.conversation.links import Conversation
from common.conversation.mailbox import MESSAGE_SLOTS, ReplyKey
from common.secret import Secret


class Keys:
    """What a root opens. Each part is derived when it is first asked for, and once."""

    def __init__(self, root: Secret) -> None:
        self._root = root

    @cached_property
    def secrets(self) -> ConversationSecrets:
        """The named secrets."""
        return conversation_secrets(self._root)

    @cached_property
    def reply_key(self) -> ReplyKey:
        """What opens the answers and the headers."""
        return ReplyKey(self.secrets.reply_seed)

    @cached_property
    def conversation(self) -> Conversation:
        """What its units know of it."""
        return Conversation(self.secrets.mailbox_key, self.reply_key.public())

    @cached_property
    def receipt_tags(self) -> list[bytes]:
        """By slot, the tags (16 bytes each) of what was sent."""
        return mailbox.tags(self.secrets.receipt_key)

    @cached_property
    def reply_tags(self) -> list[bytes]:
        """By slot, the tags of what is answered."""
        return mailbox.tags(self.secrets.mailbox_key)

    @cached_property
    def header_tags(self) -> list[bytes]:
        """By the slot of a message, the tag of its header."""
        return mailbox.tags(self.secrets.header_tag_key, MESSAGE_SLOTS)
