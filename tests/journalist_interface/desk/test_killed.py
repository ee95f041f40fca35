"""Killed with SIGKILL at every step in turn: nothing is half done, and doing it again brings it to its end."""

import multiprocessing
import secrets
import shutil
import threading

import pytest

from common.transport import bundle, bundle_item, post
from common.transport.post import ReplyPost
from journalist_interface.desk.answers import composition
from journalist_interface.desk.app import create_app
from journalist_interface.desk.opening import saved_files
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all
from tests.journalist_interface.desk.conftest import _run_until

pytestmark = pytest.mark.slow


def fresh(world, number):
    """A copy of the world as it is, with a stick of its own."""
    base = world.folder.parent / f"copy-{number}"
    base.mkdir()
    shutil.copytree(world.folder, base / "desk")
    shutil.copytree(world.stick, base / "stick")
    return type(world)(base / "desk", world.house, world.sealer)


class AtEach:
    """In the place of a step's number: asks at each step, waits until it was looked at, and stops at none."""

    def __init__(self, pipe):
        self.pipe = pipe
        self.turn = threading.Lock()  # several threads of the work take steps

    def __eq__(self, number):
        with self.turn:
            self.pipe.send(number)
            self.pipe.recv()
        return False

    def __hash__(self):
        return id(self)


def on_disk(folder):
    """What is in a folder. Of SQLite's index no process finds more than it makes anew from the log."""
    return frozenset(
        (str(path.relative_to(folder)), path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if not path.name.endswith("-shm")
    )


def steps_that_find_another_disk(world, work):
    """Where a kill leaves what it leaves at no step before: a file that is only read has a step, too."""
    copy, forked = fresh(world, 0), multiprocessing.get_context("fork")
    watched = copy.folder.parent
    here, there = forked.Pipe()
    process = forked.Process(target=_run_until, args=(AtEach(there), lambda: work(copy), watched, there))
    process.start()
    there.close()
    steps, seen = [], set()
    while (number := here.recv()) is not None:
        if (found := on_disk(watched)) not in seen:
            seen.add(found)
            steps.append(number)
        here.send(None)
    process.join()
    here.close()
    shutil.rmtree(watched, ignore_errors=True)
    return steps


def killed_at_each_step(world, kill_at, work):
    """Worlds in which the work was cut short, one for each state of the disk on its way; the last one saw it done."""
    steps = steps_that_find_another_disk(world, work)
    assert len(steps) > 3  # it was cut short more than a few times
    for at in (*steps, None):
        copy = fresh(world, at)
        step = kill_at(at, lambda copy=copy: work(copy), copy.folder.parent)
        assert at is not None or step is None
        yield copy
        shutil.rmtree(copy.folder.parent, ignore_errors=True)  # connections may be closed meanwhile


def is_reply(document, world):
    return isinstance(post.read(document, world.house.unit.reply_public_key), ReplyPost)


def held_by_receipts(documents, world):
    """The envelopes for which these posts are receipts."""
    read = [post.read(document, world.house.unit.reply_public_key) for document in documents]
    return {one for receipts in read if not isinstance(receipts, ReplyPost) for one in receipts.held}


def envelope_ids(desk):
    with desk.cabinet.engine.connect() as connection:
        return set(connection.exec_driver_sql("SELECT id FROM envelope").scalars())


def test_an_import_that_is_killed_leaves_all_or_none_and_is_brought_to_its_end(world, kill_at):
    reporter = world.reporter()
    sealed = [world.seal(reporter, f"part {number}", first=number == 0) for number in range(2)]
    world.bundle(*sealed)
    all_ids = {file.name for file in sealed}

    for copy in killed_at_each_step(world, kill_at, lambda copy: import_all(copy.desk())):
        desk = copy.desk()
        assert envelope_ids(desk) in (set(), all_ids)
        for file in sealed:
            if file.name in envelope_ids(desk):
                assert desk.files.envelope(file.name).read_bytes() == file.read_bytes()
        import_all(desk)
        assert envelope_ids(desk) == all_ids
        assert list(desk.files.staging.iterdir()) == []
        [found] = desk.cabinet.conversations.page()
        assert (found.identity, found.messages) == (reporter.identity, 2)
        for file in sealed:
            assert desk.files.envelope(file.name).read_bytes() == file.read_bytes()
            assert [line.what for line in desk.cabinet.envelopes.handled([file.name])] == [
                "received",
                "opened",
            ]
        assert set(desk.cabinet.posts.owed_receipts()) == all_ids


def test_an_export_that_is_killed_loses_no_answer_and_delivers_none_as_another(world, kill_at):
    reporter = world.reporter()
    sealed = world.seal(reporter)
    world.bundle(sealed)
    desk = world.desk()
    import_all(desk)
    for _ in range(2):
        composition.seal_answer(desk, reporter.identity, secrets.token_hex(16), "Thank you.")
    documents = {
        composition.read_answer(desk, answer.id).outgoing for answer in desk.cabinet.answers.to_export(9)
    }
    desk.cabinet.rest()

    for copy in killed_at_each_step(world, kill_at, lambda copy: export_waiting(copy.desk())):
        desk = copy.desk()
        for answer in desk.cabinet.answers.to_export(9):
            if list(bundle.found(copy.stick, "posts")):
                assert not composition.take_back(desk, answer.id)  # it is on the stick
        export_waiting(desk)
        assert desk.cabinet.answers.count_to_export() == 0
        delivered = set()
        for folder in bundle.found(copy.stick, "posts"):
            read = bundle.read_manifest(folder, "posts", "demo-unit", (world.house.unit.reply_public_key,))
            delivered |= {bundle_item.read_item(read.folder, item, post.MOST_BYTES) for item in read.items}
        assert {document for document in delivered if is_reply(document, world)} == documents
        assert sealed.name in held_by_receipts(delivered, world)
        assert list(copy.stick.glob(".partial-posts-*")) == []


def test_an_answer_whose_sealing_is_killed_is_whole_or_not_there(world, kill_at):
    reporter = world.reporter()
    world.bundle(world.seal(reporter))
    import_all(world.desk())
    answer_id = secrets.token_hex(16)

    def work(copy):
        composition.seal_answer(copy.desk(), reporter.identity, answer_id, "Thank you.")

    for copy in killed_at_each_step(world, kill_at, work):
        desk = copy.desk()
        if desk.cabinet.answers.get(answer_id):
            assert composition.read_answer(desk, answer_id).text == "Thank you."
        work(copy)
        assert composition.read_answer(desk, answer_id).text == "Thank you."
        assert desk.cabinet.answers.count_to_export() == 1


def test_a_file_whose_saving_is_killed_is_whole_or_not_there(world, kill_at):
    content = secrets.token_bytes(300_000)
    sealed = world.seal(world.reporter(), "x", [("photo.jpg", [content])])
    world.bundle(sealed)
    import_all(world.desk())

    def work(copy):
        desk = copy.desk()
        saved_files.save(desk, desk.cabinet.envelopes.get(sealed.name), 1)

    for copy in killed_at_each_step(world, kill_at, work):
        create_app(copy.settings, 8083)
        saved = [path for path in (copy.folder / "saved").rglob("*") if path.is_file()]
        assert all(path.read_bytes() == content for path in saved)
        work(copy)
        [path] = [path for path in (copy.folder / "saved").rglob("*") if path.is_file()]
        assert path.read_bytes() == content
