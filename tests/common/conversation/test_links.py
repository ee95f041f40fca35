"""A conversation's identity binds both of its keys; a link follows from all that went before."""

from dataclasses import replace

from common.conversation.links import links, new_link, next_link
from common.secret import Secret


def test_the_identity_is_another_where_either_key_is(party):
    conversation = party.conversation
    other_mailbox = replace(conversation, mailbox_key=Secret(bytes(32)))
    other_reply = replace(conversation, reply_public_key=bytes(1216))
    identities = {one.identity for one in (conversation, other_mailbox, other_reply)}
    assert len(identities) == 3
    assert {len(identity) for identity in identities} == {32}
    assert replace(conversation).identity == conversation.identity


def test_a_link_follows_from_the_one_before_and_from_both_units():
    first, other = new_link(), new_link()
    others = ((other, "a", "b"), (first, "b", "a"), (first, "a", "c"), (first, "c", "b"))
    made = [next_link(*of) for of in ((first, "a", "b"), *others)]
    assert len(set(made)) == 5
    assert links(first, "abc") == (first, made[0], next_link(made[0], "b", "c"))
    assert {len(link) for link in (first, *made)} == {64}


def test_no_two_conversations_begin_alike():
    assert new_link() != new_link()
