"""Signed posts come from the stick to the collection, each by itself, and the desk is told what became of them."""

import hashlib
import os
import secrets
from dataclasses import replace

import pytest

from common.days import today
from common.envelope_id import forwarded_id
from common.store.inbox import MOST_POSTS
from common.transport import bundle, bundle_item, post
from common.transport.bundle import Bundle
from journalist_interface.courier.state import State
from tests.journalist_interface.collection.conftest import collection_of

pytestmark = pytest.mark.slow


def name(reply):
    """What a reply's post is called."""
    return post.identity(reply.document)


def test_posts_are_delivered_and_their_bundle_is_taken_off_the_stick(world, courier):
    replies = [world.new_reply() for _ in range(3)]
    held = {world.put("north", b"x" * 16384): b"x" * 16384}
    receipts = world.new_receipts("north", held)
    courier.seal(*replies, receipts)
    result = courier.deliver()
    assert (result.exit_code, result.stdout) == (0, "3 answers delivered. 1 post of receipts delivered.\n")
    assert list(courier.stick.iterdir()) == []
    assert world.delivered("north") == sorted([*map(name, replies), post.identity(receipts)])
    world.settle()
    for reply in replies:
        assert world.replies_under(reply.candidates) == {reply.candidates[0]: reply.ciphertext}
    assert world.listed("north") == []


def test_with_nothing_there_it_says_so(courier):
    assert courier.deliver().stdout == "There is nothing to deliver.\n"


def test_the_desk_is_told_once_what_was_delivered(world, courier):
    replies = [world.new_reply() for _ in range(2)]
    courier.seal(*replies)
    courier.deliver()
    result = courier.collect()
    assert "What became of 2 posts is brought to" in result.stdout
    assert courier.said() == (set(map(name, replies)), set())
    courier.take_stick()
    courier.collect()
    assert list(courier.stick.iterdir()) == []
    courier.collect("--again")  # that stick was lost
    assert courier.said() == (set(map(name, replies)), set())


def test_the_desk_is_told_once_what_found_no_place(world, courier):
    full, free = world.new_reply(), world.new_reply()
    taken = [world.new_reply(tags=full.candidates) for _ in range(3)]
    courier.seal(*taken)
    courier.deliver()
    world.settle()
    courier.seal(full, free)
    assert courier.deliver().stdout == "2 answers delivered.\n"
    world.settle()
    assert world.replies_under(free.candidates)
    courier.collect()
    assert courier.said()[1] == {(name(full), "no-place")}
    assert {name(full), name(free)} < courier.said()[0]
    courier.take_stick()
    courier.collect()
    assert list(courier.stick.iterdir()) == []  # the collection says it for thirty days, and the courier once


def test_what_was_told_before_a_bundle_was_whole_is_told_again(world, courier, kill, line):
    reply = world.new_reply()
    courier.seal(reply)
    courier.deliver()
    with State.held(courier.folder / "state") as state:
        assert [one.post for one in state.telling.to_tell((), again=False)] == [name(reply)]
        assert [one.post for one in state.telling.to_tell((), again=False)] == [name(reply)]


def test_a_bundle_that_comes_a_second_time_changes_nothing(world, courier):
    reply = world.new_reply()
    for _ in range(2):
        courier.seal(reply)
        assert courier.deliver().exit_code == 0
    world.settle()
    assert list(world.replies_under(reply.candidates).values()) == [reply.ciphertext]


def test_replayed_receipts_and_those_of_other_content_delete_nothing_that_is_listed(world, courier):
    content = b"x" * 16384
    held, altered = world.put("north", content), world.put("north", b"y" * 16384)
    receipts = world.new_receipts("north", {held: content, altered: b"z" * 16384})
    for number in range(3):
        courier.seal(receipts, token=f"{number:08}")
        assert courier.deliver().exit_code == 0
        world.settle()
        assert world.listed("north") == [altered]


def test_a_bundle_whose_manifest_does_not_hold_is_named_and_left_and_the_others_go_on(world, courier):
    good = world.new_reply()
    forged = courier.seal(world.new_reply(), token="2" * 8, unit="south")
    garbled = courier.seal(world.new_reply(), token="3" * 8)
    (garbled / "manifest.json").write_bytes(b"\xff")
    courier.seal(good, token="4" * 8)
    result = courier.deliver()
    assert result.exit_code == 1
    assert world.delivered("north") == [name(good)]
    for left in (forged, garbled):
        assert f"{left.name}: This bundle is refused" in result.stderr
        assert left.is_dir()
    assert len(list(courier.stick.iterdir())) == 2


def alter(item):
    item.write_bytes(b"{}")


def link(item):
    elsewhere = item.parent.parent.parent / "elsewhere"
    item.rename(elsewhere)
    item.symlink_to(elsewhere)


def pipe(item):
    item.unlink()
    os.mkfifo(item)


@pytest.mark.parametrize("harm", [alter, link, pipe, os.remove])
def test_of_a_bundle_with_harm_done_to_one_post_the_others_are_delivered_and_the_desk_hears_of_it(
    world, courier, harm
):
    harmed, *good = [world.new_reply() for _ in range(3)]
    folder = courier.seal(harmed, *good)
    harm(folder / name(harmed))
    result = courier.deliver()
    assert result.exit_code == 1
    assert f"{folder.name}: The item {name(harmed)} was not taken: it " in result.stderr
    assert "The desk hears of it with the next bundle" in result.stderr
    assert world.delivered("north") == sorted(map(name, good))
    assert list(courier.stick.iterdir()) == []
    courier.collect()
    assert courier.said() == (set(map(name, good)), {(name(harmed), "refused")})


def test_what_no_desk_signed_is_not_even_posted(world, courier):
    """Whoever writes a manifest, each post stands by its own signature and its own name."""
    forged, misnamed, good = world.new_reply(signed_by="south"), world.new_reply(), world.new_reply()
    items = {name(forged): forged.document, "0" * 32: misnamed.document, name(good): good.document}
    courier.put_bundle("posts", items)
    result = courier.deliver()
    assert result.exit_code == 1
    assert "it is not a post of this unit" in result.stderr
    assert "it has another post's name" in result.stderr
    assert world.delivered("north") == [name(good)]


def test_what_the_collection_refuses_goes_back_to_the_desk(world, courier):
    old = world.new_reply(day=today().replace(year=today().year - 1))
    good = world.new_reply()
    courier.seal(old, good)
    result = courier.deliver()
    assert result.exit_code == 1
    assert "This is too old" in result.stderr
    assert list(courier.stick.iterdir()) == []
    courier.collect()
    assert courier.said() == ({name(good)}, {(name(old), "refused")})


def test_what_is_too_much_until_the_next_settled_hour_waits_on_the_stick(world, courier):
    replies = [world.new_reply() for _ in range(MOST_POSTS + 1)]
    folder = courier.seal(*replies)
    result = courier.deliver()
    assert result.exit_code == 1
    assert f"{MOST_POSTS} answers delivered." in result.stdout
    assert "deliver it after the next settled hour" in result.stderr
    assert folder.is_dir()
    world.settle()
    assert courier.deliver().stdout == "1 answer delivered.\n"
    assert list(courier.stick.iterdir()) == []
    world.settle()
    assert all(world.replies_under(reply.candidates) for reply in replies)
    courier.collect()
    assert courier.said() == (set(map(name, replies)), set())


def test_a_full_disk_is_told_and_not_tried_for_minutes(world, courier):
    world.limit(keep_free_bytes=1 << 60)
    world.settle()
    with collection_of(world) as address:
        courier.write_settings(address)
        folder = courier.seal(world.new_reply())
        result = courier.deliver()
    assert result.exit_code == 1
    assert "The disk here is nearly full" in result.stderr
    assert "What is left stays on the stick" in result.stderr
    assert folder.is_dir()


def test_a_courier_killed_while_delivering_delivers_the_rest_next_time(world, courier, line, kill):
    replies = [world.new_reply() for _ in range(3)]
    folder = courier.seal(*replies)
    posts = []

    def hold_the_second(request):
        posts.extend([request] if request.startswith(b"POST") else [])
        if len(posts) == 3:  # the first was signed once more, for the start mark
            line.hold()
        return True

    line.before_request = hold_the_second
    process = courier.start("deliver", "--from", courier.stick)
    assert line.held.wait(60)
    kill(process)
    assert folder.is_dir()
    assert len(world.delivered("north")) == 1
    courier.write_settings(courier.address)
    assert courier.deliver().stdout == "2 answers delivered.\n"
    world.settle()
    for reply in replies:
        assert list(world.replies_under(reply.candidates).values()) == [reply.ciphertext]
    courier.collect()
    assert courier.said() == (set(map(name, replies)), set())


def test_what_is_passed_on_arrives_with_its_handover_and_under_the_name_of_its_content(world, courier):
    contents = [secrets.token_bytes(2_500_000), secrets.token_bytes(16384)]
    _, handover = courier.pass_on(*contents)
    assert courier.deliver().stdout == "1 report passed on.\n"
    assert list(courier.stick.iterdir()) == []
    world.settle()
    assert world.listed("south") == sorted(forwarded_id(hashlib.sha256(one).hexdigest()) for one in contents)
    assert world.replies_under(handover.candidates)
    courier.collect()
    assert courier.said() == ({name(handover)}, set())


@pytest.mark.parametrize("harm", [alter, link, os.remove])
@pytest.mark.parametrize("item", [0, 1, 2])
def test_of_what_is_passed_on_nothing_is_posted_when_an_item_is_harmed_and_the_desk_hears_of_it(
    world, courier, harm, item
):
    folder, handover = courier.pass_on(secrets.token_bytes(16384), secrets.token_bytes(16384))
    read = bundle.read_manifest(
        folder, "forwards", "north", (world.reply_keys["north"].public_key().public_bytes_raw(),)
    )
    harm(folder / read.items[item].name)
    result = courier.deliver()
    assert result.exit_code == 1
    assert world.delivered("north") == []
    assert list(courier.stick.iterdir()) == []
    courier.collect()
    delivered, returned = courier.said()
    assert not delivered
    [(told, why)] = returned
    assert told in {one.name for one in read.items[1:]}
    assert why == "refused"
    assert name(handover) not in delivered


def test_what_is_passed_on_to_a_unit_that_is_not_enrolled_goes_back_to_the_desk(world, courier):
    world.write_registry(version=2, suspended=("south",))
    _, handover = courier.pass_on(secrets.token_bytes(16384))
    result = courier.deliver()
    assert result.exit_code == 1
    assert "Nothing can be passed on to that unit" in result.stderr
    assert name(handover) not in world.delivered("north")
    courier.collect()
    [(told, why)] = courier.said()[1]
    assert (told[:4], why) == ("ffff", "refused")


def test_a_bundle_of_forwards_with_nothing_in_it_is_refused(world, courier):
    folder = courier.put_bundle("forwards", {})
    result = courier.deliver()
    assert result.exit_code == 1
    assert "This bundle is refused: nothing is passed on in it" in result.stderr
    assert folder.is_dir()


def test_a_manifest_that_names_more_than_the_slips_passes_nothing_on(world, courier):
    folder, _ = courier.pass_on(secrets.token_bytes(16384))
    key = world.reply_keys["north"]
    read = bundle.read_manifest(folder, "forwards", "north", (key.public_key().public_bytes_raw(),))
    (folder / ("f" * 32)).write_bytes(b"more")
    more = (*read.items, bundle_item.describe(folder / ("f" * 32)))
    bundle.write_manifest(replace(Bundle(folder, "forwards", "north", today(), ()), items=more), key)
    assert "its envelopes are not those that it names" in courier.deliver().stderr
    assert world.delivered("north") == []
