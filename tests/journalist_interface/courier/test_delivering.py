"""Sealed replies come from the stick to the collection, once."""

import secrets

from common.outgoing import OutgoingReply


def test_replies_are_delivered_and_their_bundle_is_taken_off_the_stick(world, courier):
    replies = [world.new_reply() for _ in range(3)]
    courier.seal(*replies)
    result = courier.deliver()
    assert (result.exit_code, result.stdout) == (0, "3 replies delivered.\n")
    for reply in replies:
        assert world.replies_under(reply) == {reply.candidates[0]: reply.ciphertext}
    assert list(courier.stick.iterdir()) == []


def test_with_no_replies_it_says_so(courier):
    assert courier.deliver().stdout == "There are no replies to deliver.\n"


def test_a_bundle_that_comes_a_second_time_changes_nothing(world, courier):
    reply = world.new_reply()
    for _ in range(2):
        courier.seal(reply)
        assert courier.deliver().exit_code == 0
    assert list(world.replies_under(reply).values()) == [reply.ciphertext]


def test_a_refused_bundle_is_named_and_left_and_the_others_go_on(world, courier):
    good = world.new_reply()
    altered = courier.seal(world.new_reply(), token="1" * 8)
    (altered / f"{0:032x}").write_bytes(b"{}")
    forged = courier.seal(world.new_reply(), token="2" * 8, unit="south")
    garbled = courier.seal(world.new_reply(), token="3" * 8)
    (garbled / "manifest.json").write_bytes(b"\xff")
    courier.seal(good, token="4" * 8)
    result = courier.deliver()
    assert result.exit_code == 1
    assert world.replies_under(good)
    for left in (altered, forged, garbled):
        assert f"{left.name}: This bundle is refused" in result.stderr
        assert left.is_dir()
    assert len(list(courier.stick.iterdir())) == 3


def test_of_an_altered_bundle_no_reply_is_posted(world, courier):
    first, second = world.new_reply(), world.new_reply()
    folder = courier.seal(first, second)
    (folder / f"{1:032x}").write_bytes(b"{}")
    assert courier.deliver().exit_code == 1
    assert world.replies_under(first) == {}


def test_a_reply_without_a_free_slot_is_reported_and_left_and_the_others_are_delivered(world, courier):
    full, free = world.new_reply(), world.new_reply()
    world.fill(full)
    folder = courier.seal(full, free)
    result = courier.deliver()
    assert result.exit_code == 1
    assert f"{folder.name}: 1 of its replies found no free place" in result.stderr
    assert world.replies_under(free)
    assert folder.is_dir()


def test_a_reply_that_its_reporter_deleted_does_not_come_again(world, courier):
    full, read = world.new_reply(), world.new_reply()
    world.fill(full)
    courier.seal(full, read)
    courier.deliver()
    world.store.delete_reply(read.candidates[0], b"m" * 16)
    assert courier.deliver().exit_code == 1
    assert read.ciphertext not in world.replies_under(read).values()
    world.empty(full.candidates[1])
    assert courier.deliver().exit_code == 0
    assert world.replies_under(full)[full.candidates[1]] == full.ciphertext
    assert list(courier.stick.iterdir()) == []


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
    courier.write_settings(courier.address)
    assert courier.deliver().exit_code == 0
    for reply in replies:
        assert list(world.replies_under(reply).values()) == [reply.ciphertext]


def test_two_replies_that_want_one_slot_both_find_one(world, courier):
    first = world.new_reply()
    second = OutgoingReply(first.candidates, secrets.token_bytes(len(first.ciphertext)))
    courier.seal(first, second)
    assert courier.deliver().exit_code == 0
    assert sorted(world.replies_under(first).values()) == sorted([first.ciphertext, second.ciphertext])


def test_a_link_on_the_stick_is_not_followed(world, courier, tmp_path):
    folder = courier.seal(world.new_reply())
    item = folder / f"{0:032x}"
    (tmp_path / "elsewhere").write_bytes(item.read_bytes())
    item.unlink()
    item.symlink_to(tmp_path / "elsewhere")
    assert courier.deliver().exit_code == 1
