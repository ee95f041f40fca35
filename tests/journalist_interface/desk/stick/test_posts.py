"""Receipts, and what couriers say of posts: taken in any order, however often it comes."""

import hashlib
import itertools
import secrets
import shutil
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.conversation import reply
from common.report.trail import Why
from common.transport import post
from common.transport.bundle import Returned
from common.transport.post import MOST_RECEIPTS
from journalist_interface.desk.answers import composition
from journalist_interface.desk.passing_on.handover import Choice, forward, read_kept
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all
from journalist_interface.desk.stick.returned import seal_answer_again, seal_forward_again
from tests.journalist_interface.desk.passing_on.test_handover import exported, handover_in
from tests.journalist_interface.desk.stick.test_bundle_export import (
    on_the_stick,
    posts_on_the_stick,
    receipts_on_the_stick,
)
from tests.journalist_interface.desk.test_killed import killed_at_each_step

pytestmark = pytest.mark.slow


def clear(world):
    """The stick is taken away and comes back empty."""
    shutil.rmtree(world.stick)
    world.stick.mkdir()


@pytest.fixture
def reporter(world):
    """Whose message is on the desk."""
    made = world.reporter()
    world.bundle(world.seal(made, "Words."))
    import_all(world.desk())
    clear(world)
    return made


@pytest.fixture
def answered(world, reporter):
    """The id of an answer that left."""
    answer_id = secrets.token_hex(16)
    composition.seal_answer(world.desk(), reporter.identity, answer_id, "Thank you.")
    export_waiting(world.desk())
    return answer_id


def row(world, answer_id):
    return world.desk().cabinet.answers.get(answer_id)


def post_of(world, answer_id):
    return post.identity(composition.read_answer(world.desk(), answer_id).outgoing)


def read_reply(world, documents):
    """The one answer among documents."""
    [document] = documents
    read = post.read(document, world.house.unit.reply_public_key)
    assert isinstance(read, post.ReplyPost)
    return read


def receipt_posts(world):
    """The ids of the receipts' posts that are on the stick."""
    return [
        post.identity(document)
        for posts in posts_on_the_stick(world)
        for document, read in posts.items()
        if isinstance(read, post.ReceiptsPost)
    ]


def test_each_envelope_that_is_here_gets_a_receipt_until_it_was_delivered(world, browser):
    sealed = [world.seal(world.reporter()) for _ in range(3)]
    world.bundle(*sealed)
    browser.post("/import")
    held = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sealed}
    assert "Receipts for 3 messages leave" in browser.get("/export").text
    assert "Receipts for 3 messages written" in browser.post("/export").text
    assert receipts_on_the_stick(world) == [held]
    [first] = receipt_posts(world)
    clear(world)
    browser.post("/export")  # that stick was lost
    assert receipts_on_the_stick(world) == [held]
    clear(world)
    world.bundle(delivered=[first])
    browser.post("/import")
    assert "Receipts for" not in browser.get("/export").text
    assert "nothing was written" in browser.post("/export").text


def test_many_receipts_take_several_posts_each_of_which_fits(world, reporter):
    desk = world.desk()
    held = {f"{number:032x}": f"{number:064x}" for number in range(MOST_RECEIPTS * 2 + 1)}
    with desk.cabinet.engine.begin() as connection:
        for one, sha256 in held.items():
            connection.exec_driver_sql(
                "INSERT INTO envelope SELECT ?, ?, size, day, imported, turn, 'sealed', reason, conversation, "
                "later, files, epoch FROM envelope WHERE state = 'opened' LIMIT 1",
                (one, sha256),
            )
            connection.exec_driver_sql("INSERT INTO receipt (envelope, delivered) VALUES (?, 0)", (one,))
            place = desk.files.envelope(one)
            place.parent.mkdir(exist_ok=True)
            place.touch()
    assert export_waiting(desk).receipts == len(held) + 1
    [posts] = posts_on_the_stick(world)
    assert len(posts) == 3
    assert all(len(document) <= post.MOST_BYTES for document in posts)
    assert held.items() < receipts_on_the_stick(world)[0].items()


def test_an_envelope_whose_file_is_gone_gets_no_receipt(world, reporter):
    """The servers may have the last copy of it."""
    desk = world.desk()
    [envelope] = desk.cabinet.envelopes.of_conversation(reporter.identity)
    desk.files.envelope(envelope.id).unlink()
    assert export_waiting(desk).folder is None


def test_what_the_servers_still_list_gets_its_receipt_again_and_an_old_bundle_on_the_stick_does_not(world):
    sealed = world.seal(world.reporter())
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    export_waiting(desk)
    world.bundle(delivered=receipt_posts(world))
    for _ in range(2):
        import_all(desk)  # both bundles lie on the stick
    assert desk.cabinet.posts.owed_receipts() == {}
    world.bundle(sealed)  # the courier collected again
    import_all(desk)
    assert set(desk.cabinet.posts.owed_receipts()) == {sealed.name}


def test_receipts_that_came_back_are_owed_again(world, reporter):
    desk = world.desk()
    export_waiting(desk)
    [receipts] = receipt_posts(world)
    world.bundle(delivered=[receipts])
    import_all(desk)
    assert desk.cabinet.posts.owed_receipts() == {}
    world.bundle(returned=[Returned(receipts, "refused")])
    import_all(desk)
    assert len(desk.cabinet.posts.owed_receipts()) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_bundles_in_any_order_and_twice_come_to_the_same(world, answered, order):
    """A courier repeats and reorders what it says: an answer that came back stays so, whatever is said after."""
    its, other = post_of(world, answered), "b" * 32
    clear(world)
    says = ({"delivered": [its, other]}, {"returned": [Returned(its, "no-place")]}, {"delivered": [its]})
    for number in (*order, *order):
        world.bundle(**says[number])
        import_all(world.desk())
        clear(world)
    assert row(world, answered).state == "returned"


def test_a_delivered_answer_is_shown_so_and_can_leave_again(world, answered, browser):
    assert row(world, answered).state == "exported"
    documents = on_the_stick(world)
    world.bundle(delivered=[post_of(world, answered)])
    browser.post("/import")
    page = browser.get(f"/conversations/{row(world, answered).conversation}").text
    assert "and delivered to the servers, as the courier says" in page
    assert "Take it back" not in page
    browser.post(f"/answers/{answered}/again")
    clear(world)
    export_waiting(world.desk())
    assert on_the_stick(world) == documents


def test_an_answer_that_came_back_is_sealed_again_in_one_step_as_the_same_answer(
    world, reporter, answered, browser
):
    [before] = on_the_stick(world)
    first = read_reply(world, before)
    its = post_of(world, answered)
    clear(world)
    world.bundle(returned=[Returned(its, "no-place")])
    for page in (browser.post("/import"), browser.get("/export")):
        assert "Came back" in page.text
        assert f"/answers/{answered}/seal-again" in page.text
    shown = browser.get(f"/conversations/{reporter.identity}").text
    assert "The servers did not take this answer" in shown
    assert "Take it back" not in shown
    export_waiting(world.desk())
    assert on_the_stick(world) == [set()]  # it does not leave by itself, but its receipts do
    for _ in range(2):
        assert browser.post(f"/answers/{answered}/seal-again").status_code == 303
    assert "Came back" not in browser.get("/export").text
    assert row(world, answered).state == "leaving"
    clear(world)
    world.bundle(returned=[Returned(its, "no-place")], delivered=[its])  # of the first sealing: said too late
    import_all(world.desk())
    assert row(world, answered).state == "leaving"
    export_waiting(world.desk())
    [after] = on_the_stick(world)
    second = read_reply(world, after)
    assert not set(first.candidates) & set(second.candidates)
    assert first.ciphertext != second.ciphertext
    assert reporter.key.open(first.ciphertext) == reporter.key.open(second.ciphertext)
    opened = reply.read(
        reporter.key.open(second.ciphertext), reporter.identity, world.house.unit.reply_public_key
    )
    assert isinstance(opened, reply.Reply)
    assert (opened.identity, opened.text) == (answered, "Thank you.")
    assert len(world.desk().cabinet.answers.used_slots(reporter.identity)) == 6


def test_a_passing_on_that_came_back_is_sealed_again_with_the_same_handover(world, reporter, browser):
    forward_id = secrets.token_hex(16)
    forward(world.desk(), reporter.identity, forward_id, Choice("other-unit", Why.OTHER_FORCE))
    export_waiting(world.desk())
    [(slips, first, files)] = exported(world)
    kept = read_kept(world.desk(), forward_id)
    names = [file.name for file in files]
    for said in (
        {"delivered": [post.identity(kept.forward.handover)]},
        {"returned": [Returned(names[0], "refused")]},
    ):
        clear(world)
        world.bundle(**said)
        import_all(world.desk())
    shown = browser.get(f"/conversations/{reporter.identity}").text
    assert "The servers did not take all of it" in shown
    assert browser.post(f"/forwards/{forward_id}/seal-again").status_code == 303
    assert world.desk().cabinet.forwards.get(forward_id).state == "leaving"
    clear(world)
    export_waiting(world.desk())
    [(again, second, files)] = exported(world)
    assert again == slips
    assert [file.name for file in files] == names
    assert not set(first.candidates) & set(second.candidates)
    assert handover_in(reporter, world, first) == handover_in(reporter, world, second)


def test_what_came_back_keeps_the_month_that_it_is_sealed_to(world, answered):
    desk = world.desk()
    with desk.cabinet.engine.connect() as connection:
        month = connection.exec_driver_sql("SELECT epoch FROM answer").scalar_one()
    assert desk.cabinet.sealed_to.holding(month).waiting_answers == 0
    world.bundle(returned=[Returned(post_of(world, answered), "no-place")])
    import_all(desk)
    assert desk.cabinet.sealed_to.holding(month).waiting_answers == 1


def test_what_is_not_returned_is_not_sealed_again(world, answered):
    before = composition.read_answer(world.desk(), answered)
    assert not seal_answer_again(world.desk(), answered)
    assert not seal_answer_again(world.desk(), "0" * 32)
    assert not seal_forward_again(world.desk(), "0" * 32)
    assert composition.read_answer(world.desk(), answered) == before


def test_an_import_of_what_couriers_say_that_is_killed_is_brought_to_its_end(world, answered, kill_at):
    its = post_of(world, answered)
    clear(world)
    world.bundle(world.seal(world.reporter()), returned=[Returned(its, "no-place")])
    world.desk().cabinet.rest()
    for copy in killed_at_each_step(world, kill_at, lambda copy: import_all(copy.desk())):
        assert row(copy, answered).state in ("exported", "returned")
        import_all(copy.desk())
        assert row(copy, answered).state == "returned"
        assert len(copy.desk().cabinet.posts.owed_receipts()) == 2


def test_a_sealing_again_that_is_killed_leaves_an_answer_that_opens(world, answered, kill_at):
    its = post_of(world, answered)
    clear(world)
    world.bundle(returned=[Returned(its, "no-place")])
    import_all(world.desk())
    world.desk().cabinet.rest()
    for copy in killed_at_each_step(world, kill_at, lambda copy: seal_answer_again(copy.desk(), answered)):
        assert composition.read_answer(copy.desk(), answered).text == "Thank you."
        assert row(copy, answered).state in ("returned", "leaving")
        seal_answer_again(copy.desk(), answered)
        with copy.desk().cabinet.engine.connect() as connection:
            noted = connection.exec_driver_sql("SELECT post FROM answer").scalar_one()
        assert noted == post_of(copy, answered)


def test_what_came_back_after_the_unit_has_another_key_is_signed_by_that(world, reporter, answered):
    """Else it would be sealed and delivered again and again, and no page would ever show it."""
    desk = world.desk()
    _, unit = desk.settings.load_registry()
    kept = composition.read_answer(desk, answered)
    by_another = reply.sign_again(kept.composed, Ed25519PrivateKey.generate())
    composition.store_answer(desk, unit, reporter.identity, answered, replace(kept, composed=by_another))
    clear(world)
    world.bundle(returned=[Returned(post_of(world, answered), "no-place")])
    import_all(desk)
    assert seal_answer_again(desk, answered)
    clear(world)
    export_waiting(world.desk())
    [after] = on_the_stick(world)
    opened = reporter.key.open(read_reply(world, after).ciphertext)
    said = reply.read(opened, reporter.identity, world.house.unit.reply_public_key)
    assert isinstance(said, reply.Reply)
    assert said.text == "Thank you."
