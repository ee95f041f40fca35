"""Passing a conversation on: what goes, to whom, with which trail; and nothing readable or half done."""

import hashlib
import os
import secrets
import tracemalloc
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from common.conversation import mailbox, reply
from common.conversation.reply import Handover
from common.days import today
from common.gpg.opening import Opener, OpeningFailed
from common.report import archive, trail, transfer
from common.report.archive import NotAnEnvelope, WrongFile
from common.report.report import Attachment, Report
from common.report.trail import Why
from common.transport import bundle, bundle_item, forwarding, post
from journalist_interface.desk.answers import composition
from journalist_interface.desk.opening.inspection import CannotOpen
from journalist_interface.desk.passing_on import handover as desk_forwarding
from journalist_interface.desk.passing_on.handover import Choice
from journalist_interface.desk.passing_on.resealing import NotForwardable
from journalist_interface.desk.rows.answers import HandedOver, TakenBack
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all
from tests.journalist_interface.desk.test_killed import killed_at_each_step

pytestmark = pytest.mark.slow

OTHER, UNIT = "other-unit", "demo-unit"
AS_IT_CAME = Choice(OTHER, Why.OTHER_FORCE)
SECRET = "The sergeant at the yard took money in a blue envelope."


def at_the_other(world, sealed):
    """An envelope opened with the other unit's key, by gpg: the report, and its files' contents by name."""
    whole, tail = bytearray(), archive.Tail()
    for take in (whole.extend, tail.feed):
        Opener(world.house.folder / "other" / "gnupg").open(sealed, take)
    read, files = archive.read(tail), {}
    for file in read.files:
        content = bytearray()
        extract = archive.Extract(tail, file, content.extend)
        extract.feed(bytes(whole))
        extract.check()
        files[file.name] = bytes(content)
    return read.report, files, bytes(whole)


def brought(world, *messages):
    """A conversation of these messages, on the desk: (text, files)."""
    reporter = world.reporter()
    sealed = [
        world.seal(reporter, text, files, first=not number) for number, (text, files) in enumerate(messages)
    ]
    world.bundle(*sealed)
    import_all(world.desk())
    return reporter


def pass_on(world, reporter, choice=AS_IT_CAME, forward_id=None):
    forward_id = forward_id or secrets.token_hex(16)
    desk_forwarding.forward(world.desk(), reporter.identity, forward_id, choice)
    return forward_id


def exported(world):
    """The bundles of forwards on the stick: (slips, handover, its envelopes' files)."""
    found = []
    key = world.house.unit.reply_public_key
    for folder in bundle.found(world.stick, "forwards"):
        read = bundle.read_manifest(folder, "forwards", UNIT, (key,))
        for item in read.items:
            bundle_item.check_item(read.folder, item)
        forward = forwarding.load(bundle_item.read_item(read.folder, read.items[0], forwarding.MOST_BYTES))
        slips = [forwarding.read_slip(slip, key) for slip in forward.slips]
        assert sorted(slip.id for slip in slips) == sorted(item.name for item in read.items[1:])
        found.append(
            (slips, post.read(forward.handover, key), [folder / item.name for item in read.items[1:]])
        )
    return found


def handover_in(reporter, world, sealed):
    opened = reporter.key.open(sealed.ciphertext)
    return reply.read(opened, reporter.identity, world.house.unit.reply_public_key)


def test_what_is_passed_on_opens_at_the_other_unit_alone_with_every_file_and_the_trail(world):
    photo = secrets.token_bytes(200_000)
    reporter = brought(world, (SECRET, [("yard photo.jpg", [photo]), ("empty.txt", [])]), ("Later.", ()))
    originals = [row.id for row in world.desk().cabinet.envelopes.of_conversation(reporter.identity)]
    pass_on(world, reporter)
    assert export_waiting(world.desk()).forwards == 1
    [(slips, handover, files)] = exported(world)
    assert {(slip.by, slip.to) for slip in slips} == {(UNIT, OTHER)}
    found = {}
    for file in files:
        with pytest.raises(OpeningFailed):
            world.desk().opener.open(file, lambda _: None)
        assert file.name not in originals
        report, attached, _ = at_the_other(world, file)
        assert report.conversation == reporter.conversation
        [signed] = report.trail
        registry, _ = world.desk().settings.load_registry()
        assert trail.holds(signed, reporter.identity, registry)
        step = trail.claimed(signed)
        assert (step.by, step.to, step.why, step.rewritten) == (UNIT, OTHER, Why.OTHER_FORCE, False)
        found[report.text] = (report.first, attached, step.originals)
    assert found[SECRET][:2] == (True, {"files/0001-yard photo.jpg": photo, "files/0002-empty.txt": b""})
    assert found["Later."][:2] == (False, {})
    handled = world.desk().cabinet.envelopes.handled(originals)
    opened = {line.sha256 for line in handled if line.what == "opened"}
    assert {digest for *_, step in found.values() for digest in step} == opened
    sealed = {hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    assert {line.sha256 for line in handled if line.what == "forwarded"} == sealed
    assert handover_in(reporter, world, handover).next == OTHER


def test_the_handover_names_the_answers_that_stand_and_later_ones_are_refused(world):
    reporter = brought(world, (SECRET, ()))
    desk = world.desk()
    composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "Thank you.")
    [row] = desk.cabinet.answers.to_export(9)
    pass_on(world, reporter)
    export_waiting(desk)
    [(_, sealed, _)] = exported(world)
    handover = handover_in(reporter, world, sealed)
    answer = reply.Reply(row.id, UNIT, row.day, 1, "Thank you.")
    assert isinstance(handover, Handover)
    assert handover.standing == {reply.digest(answer, reporter.identity)}
    with pytest.raises(HandedOver):
        composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "And also.")
    tags = mailbox.tags(reporter.secrets.mailbox_key)
    used = desk.cabinet.answers.used_slots(reporter.identity)
    assert not {tags.index(tag) for tag in sealed.candidates} & used


def test_a_rewritten_version_holds_nothing_of_the_original(world):
    reporter = brought(world, (SECRET, [("blue.jpg", [b"\xff\xd8" + SECRET.encode()])]), ("Of the yard.", ()))
    pass_on(world, reporter, Choice(OTHER, Why.CONFLICT, "Someone was paid."))
    export_waiting(world.desk())
    [(_, _, [file])] = exported(world)
    report, attached, whole = at_the_other(world, file)
    assert (report.text, attached) == ("Someone was paid.", {})
    assert report.conversation == reporter.conversation
    for word in (b"sergeant", b"blue", b"yard", SECRET.encode()):
        assert word not in whole
    [step] = [trail.claimed(signed) for signed in report.trail]
    assert step.rewritten
    assert len(step.originals) == 2
    assert "rewritten; the original stayed with them" in step.sentence
    assert b"rewritten; the original stayed" in whole  # report.txt says so too
    messages = world.desk().cabinet.envelopes.of_conversation(reporter.identity)
    assert all(world.desk().files.envelope(row.id).is_file() for row in messages)
    handled = world.desk().cabinet.envelopes.handled([row.id for row in messages])
    assert sum(line.what == "rewritten" for line in handled) == 2


def test_nothing_readable_is_in_any_file_that_the_desk_wrote(world, browser, everything_in):
    reporter = brought(world, (SECRET, [("Yardphoto.jpg", [b"EVIDENCE" * 1000])]))
    for version in ("original", "rewritten"):
        form = browser.fields(browser.get(f"/conversations/{reporter.identity}/forward").text)
        choice = {"receiver": OTHER, "why": "conflict", "version": version, "text": "SANITISED words here"}
        answer = browser.post(f"/conversations/{reporter.identity}/forward", form | choice)
        assert answer.status_code == 303, answer.text
    assert browser.post("/export").status_code == 200
    key = reporter.conversation.mailbox_key.reveal()
    for folder in (world.folder, world.stick):
        written = everything_in(folder)
        for word in (b"sergeant", b"EVIDENCE", b"Yardphoto", b"SANITISED", key, key.hex().encode()):
            assert word not in written
    assert len(exported(world)) == 2


def test_killed_at_any_step_it_is_passed_on_whole_or_not_at_all(world, kill_at):
    reporter = brought(world, (SECRET, [("a.txt", [b"x" * 1000])]))
    forward_id = secrets.token_hex(16)
    for copy in killed_at_each_step(
        world, kill_at, lambda copy: pass_on(copy, reporter, AS_IT_CAME, forward_id)
    ):
        desk = copy.desk()
        found = desk.cabinet.forwards.get(forward_id)
        if found is not None:
            names = [forward_id, *(one.id for one in desk.cabinet.forwards.envelopes(forward_id))]
            assert all(desk.files.forwarded(name).is_file() for name in names)
        pass_on(copy, reporter, AS_IT_CAME, forward_id)
        assert len(desk.cabinet.forwards.of(reporter.identity)) == 1
        assert len(list((copy.folder / "sealed" / "forwarded").iterdir())) == 2
        export_waiting(desk)
        [(_, _, [file])] = exported(copy)
        assert at_the_other(copy, file)[0].text == SECRET
        desk.cabinet.rest()


def test_an_export_that_is_killed_leaves_all_of_it_or_none(world, kill_at):
    reporter = brought(world, (SECRET, ()), ("Later.", ()))
    forward_id = pass_on(world, reporter)
    world.desk().cabinet.rest()
    for copy in killed_at_each_step(world, kill_at, lambda copy: export_waiting(copy.desk())):
        desk = copy.desk()
        if there := exported(copy):
            [(slips, _, files)] = there
            assert len(slips) == len(files) == 2
            assert not desk_forwarding.take_back(desk, forward_id)
        export_waiting(desk)
        assert desk.cabinet.forwards.count_to_export() == 0
        kept = desk_forwarding.read_kept(desk, forward_id).forward.handover
        assert [handover for _, handover, _ in exported(copy)] == [
            post.read(kept, world.house.unit.reply_public_key)
        ] * len(exported(copy))
        assert list(copy.stick.glob(".partial-*")) == []
        desk.cabinet.rest()


def test_it_can_be_taken_back_until_it_is_exported_and_the_record_says_so(world):
    reporter = brought(world, (SECRET, ()))
    desk = world.desk()
    first = pass_on(world, reporter)
    assert desk_forwarding.take_back(desk, first)
    assert list((world.folder / "sealed" / "forwarded").iterdir()) == []
    assert export_waiting(desk).forwards == 0
    composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "Thank you.")
    second = pass_on(world, reporter)
    with pytest.raises(TakenBack):
        desk.cabinet.forwards.leave(first)
    export_waiting(desk)
    assert not desk_forwarding.take_back(desk, second)
    assert desk.cabinet.forwards.export_again(second)
    export_waiting(desk)
    one, again = exported(world)
    assert (one[0], one[1]) == (again[0], again[1])
    [message] = desk.cabinet.envelopes.of_conversation(reporter.identity)
    done = [line.what for line in desk.cabinet.envelopes.handled([message.id])]
    assert done == ["received", "opened", "forwarded", "taken back", "forwarded"]


def test_what_was_said_of_a_passing_on_is_never_changed(world):
    reporter = brought(world, (SECRET, ()))
    pass_on(world, reporter)
    for change in ("UPDATE forward SET why = 'asked'", "DELETE FROM forward"):
        with pytest.raises(IntegrityError), world.desk().cabinet.engine.begin() as connection:
            connection.exec_driver_sql(change)


def test_what_came_later_goes_to_the_same_unit_and_to_no_other(world):
    reporter = brought(world, (SECRET, ()))
    pass_on(world, reporter)
    for choice in (
        AS_IT_CAME,
        Choice("charity", Why.CONFLICT),
        Choice(UNIT, Why.CONFLICT),
        Choice("x", Why.ASKED),
    ):
        with pytest.raises(NotForwardable):
            pass_on(world, reporter, choice)
    world.bundle(world.seal(reporter, "Later.", first=False))
    import_all(world.desk())
    pass_on(world, reporter)
    export_waiting(world.desk())
    texts = [at_the_other(world, file)[0].text for *_, files in exported(world) for file in files]
    assert sorted(texts) == ["Later.", SECRET]


def test_the_next_holder_is_told_which_reply_slots_may_be_taken(world):
    reporter = brought(world, (SECRET, ()))
    desk = world.desk()
    composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "Thank you.")
    pass_on(world, reporter)
    export_waiting(desk)
    [(_, handover, [file])] = exported(world)
    report, _, _ = at_the_other(world, file)
    tags = mailbox.tags(reporter.secrets.mailbox_key)
    used = {tags.index(tag) for tag in handover.candidates} | desk.cabinet.answers.used_slots(
        reporter.identity
    )
    assert len(used) == 6
    registry, _ = desk.settings.load_registry()
    assert trail.used_slots(trail.proven(report.trail, reporter.identity, registry)) == used


def test_a_step_of_the_trail_that_another_signed_or_of_another_conversation_does_not_hold(world):
    reporter = brought(world, (SECRET, ()))
    pass_on(world, reporter)
    export_waiting(world.desk())
    [(_, _, [file])] = exported(world)
    [signed] = at_the_other(world, file)[0].trail
    registry, _ = world.desk().settings.load_registry()
    assert trail.holds(signed, reporter.identity, registry)
    assert not trail.holds(signed, "0" * 32, registry)
    assert not trail.holds(
        signed.replace(b'"by":"demo-unit"', b'"by":"other-unit"'), reporter.identity, registry
    )
    assert not trail.holds(signed.replace(b'"other-force"', b'"conflict"'), reporter.identity, registry)


@pytest.mark.quiet
def test_memory_stays_flat_while_a_large_file_passes(world):
    size = 96 * 1024 * 1024
    block = os.urandom(1024 * 1024)
    reporter = brought(world, ("Words.", [("large.bin", [block] * (size // len(block)))]))
    tracemalloc.start()
    try:
        pass_on(world, reporter)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024 * 1024
    [one] = world.desk().cabinet.forwards.envelopes(world.desk().cabinet.forwards.of(reporter.identity)[0].id)
    assert one.size > size


def test_a_damaged_message_is_not_passed_on_and_leaves_nothing(world):
    reporter = brought(world, (SECRET, [("a.bin", [os.urandom(100_000)])]))
    desk = world.desk()
    [message] = desk.cabinet.envelopes.of_conversation(reporter.identity)
    sealed = desk.files.envelope(message.id)
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 1
    sealed.write_bytes(content)
    with pytest.raises(CannotOpen):
        pass_on(world, reporter)
    assert desk.cabinet.forwards.of(reporter.identity) == []
    assert list((world.folder / "sealed" / "forwarded").iterdir()) == []


def packed(world, files):
    parts = [archive.FilePart(name, iter([content])) for name, content in files]
    made = b"".join(archive.write(parts, lambda: _report(world)))
    tail = archive.Tail()
    tail.feed(made)
    return made, tail, archive.read(tail).files


def _report(world):
    return Report("Words.", UNIT, today(), True, world.reporter().conversation, "f" * 64, 0)


@pytest.mark.parametrize("piece", [1, 7, 4096, 1 << 20])
def test_files_pass_by_whole_wherever_the_stream_is_cut(world, piece):
    made, tail, files = packed(world, [("a.txt", b"one" * 500), ("b.txt", b""), ("c.txt", b"three")])
    stream = (made[at : at + piece] for at in range(0, len(made), piece))
    through = transfer.Passing(tail, files, stream)
    assert [(part.untrusted_name, b"".join(part.chunks)) for part in through.parts()] == [
        ("a.txt", b"one" * 500),
        ("b.txt", b""),
        ("c.txt", b"three"),
    ]
    through.check()


def test_a_stream_that_is_another_at_the_second_time_is_refused(world):
    made, tail, files = packed(world, [("a.txt", b"one" * 500)])
    at = made.index(b"one")
    for altered in (made[:at] + b"two" + made[at + 3 :], made[: at + 10], made[:-1] + b"x"):
        through = transfer.Passing(tail, files, iter([altered]))
        with pytest.raises(WrongFile):
            for part in through.parts():
                for _ in part.chunks:
                    pass
            through.check()


def test_a_file_that_is_not_the_one_of_the_manifest_is_refused_before_the_end(world):
    made, tail, files = packed(world, [("a.txt", b"one" * 500)])
    through = transfer.Passing(tail, (replace(files[0], sha256="0" * 64),), iter([made]))
    with pytest.raises(WrongFile):
        [b"".join(part.chunks) for part in through.parts()]


def test_files_that_lie_over_each_other_are_refused(world):
    _, tail, files = packed(world, [("a.txt", b"one" * 500), ("b.txt", b"two")])
    with pytest.raises(NotAnEnvelope):
        transfer.Passing(tail, files[::-1], iter([]))
    longer = replace(files[0], size=5000)
    assert isinstance(longer, Attachment)
    with pytest.raises(NotAnEnvelope):
        transfer.Passing(tail, (longer, files[1]), iter([]))


def test_whatever_breaks_on_one_side_ends_the_other(world):
    def endless(take):
        while True:
            take(b"x" * 1000)

    with transfer.Pulled(endless) as stream:
        assert next(stream)
    with pytest.raises(ZeroDivisionError), transfer.Pulled(lambda take: take(bytes(1 // 0))) as stream:
        next(stream)
    with transfer.Pulled(lambda take: take(b"all")) as stream:
        assert list(stream) == [b"all"]


def test_the_pages_say_to_whom_why_and_what_and_show_the_typed_words_again(world, browser):
    reporter = brought(world, (SECRET, ()))
    path = f"/conversations/{reporter.identity}/forward"
    page = browser.get(path)
    assert "The Unit of other-unit" in page.text
    assert "The Unit of demo-unit" not in page.text
    form = browser.fields(page.text)
    for missing in ("receiver", "why", "version"):
        choice = {"receiver": OTHER, "why": "conflict", "version": "original", "text": "Typed <b>long</b>."}
        choice.pop(missing)
        answer = browser.post(path, form | choice)
        assert "Say to whom it goes" in answer.text
        assert "Typed &lt;b&gt;long&lt;/b&gt;." in answer.text
    empty = {"receiver": OTHER, "why": "conflict", "version": "rewritten", "text": "  "}
    assert "There are no words" in browser.post(path, form | empty).text
    good = form | {"receiver": OTHER, "why": "conflict", "version": "original"}
    for _ in range(2):
        assert browser.post(path, good).status_code == 303
    shown = browser.get(f"/conversations/{reporter.identity}").text
    assert shown.count("Passed on to other-unit") == 1
    assert "It concerns people of the unit that had it" in shown
    assert 'id="answer"' not in shown
    again = browser.post(
        f"/conversations/{reporter.identity}/answer/seal",
        {"answer": "a" * 32, "text": "x", "released": "yes"},
    )
    assert again.status_code == 409
    assert "This was passed on" in again.text
    assert browser.post(f"/forwards/{form['forward']}/take-back").status_code == 303
    shown = browser.get(f"/conversations/{reporter.identity}").text
    assert "Taken back before it left" in shown
    assert 'id="answer"' in shown
    assert browser.get(f"/conversations/{'0' * 32}/forward").status_code == 404
    assert browser.post(f"/forwards/{'0' * 32}/again").status_code == 404
