"""The whole round, over the real parts: a report goes to A, A passes it on, B opens it and answers, and B it is."""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.config import ServerConfig
from common.days import today
from common.envelope_id import forwarded_id
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.sealing import Sealer
from common.registry.registry import Registry
from common.report import archive
from common.report.report import Report
from common.report.trail import Step, Why
from common.report.trail import sign as sign_step
from common.store.database import open_store
from common.store.inbox import Inbox
from common.store.outbox import Outbox
from common.store.settlement import Settlement
from common.transport import bundle_item
from common.transport.forwarding import Slip, sign_slip
from common.transport.settled_hours import this_hour
from journalist_interface.collection.app import create_app as create_collection
from journalist_interface.courier.client import CollectionClient
from journalist_interface.courier.config import read_courier_config
from journalist_interface.courier.delivery import Delivered, deliver
from journalist_interface.courier.pickup import collect
from journalist_interface.courier.progress import Progress
from journalist_interface.courier.retries import Patience
from journalist_interface.courier.state import State
from journalist_interface.desk.answers import composition
from journalist_interface.desk.app import create_app as create_desk
from journalist_interface.desk.opening import display
from journalist_interface.desk.opening.oversight import CopyOnly
from journalist_interface.desk.passing_on import handover
from journalist_interface.desk.passing_on.handover import Choice
from journalist_interface.desk.passing_on.resealing import NotForwardable
from journalist_interface.desk.services import Desk, open_desk
from journalist_interface.desk.stick.bundle_export import export_waiting
from journalist_interface.desk.stick.bundle_import import import_all
from journalist_interface.desk.stick.returned import seal_forward_again
from keys.registry.signature import sign_registry
from keys.unit.unit_keys import GNUPG_HOME, REPLY_KEY
from source_interface.app import create_app as create_source
from tests.conftest import RootKey, UnitKeys
from tests.journalist_interface.collection.conftest import serving
from tests.journalist_interface.desk.conftest import PORT, Browser
from tests.source_interface.conftest import Reporter, over_wsgi, signer

pytestmark = pytest.mark.slow

__all__ = ["signer"]

WORDS, FILE = "Someone at the yard was paid.", b"\xff\xd8\xff\xe0" + secrets.token_bytes(1_500_000)
QUICK = Patience(attempts=3, first_pause=0.01, longest_pause=0.02, connect_timeout=10, read_timeout=20)


def settle(server: ServerConfig) -> None:
    """A settled hour comes."""
    store, outbox = open_store(server.database, server.blobs), Outbox(server.outbox, server.blobs)
    try:
        registry = server.load_registry()
        Settlement(store, Inbox(server.inbox), outbox, registry, server.limits).run(this_hour())
    finally:
        outbox.close()
        store.engine.dispose()


@dataclass
class Place:
    """A unit's desk, its courier, and the stick between them."""

    folder: Path
    keys: UnitKeys
    server: ServerConfig
    address: str

    @property
    def id(self) -> str:
        return self.keys.unit.id

    @property
    def stick(self) -> Path:
        return self.folder / "stick"

    def set_up(self) -> "Place":
        for name in ("desk", "courier", "stick"):
            (self.folder / name).mkdir(parents=True)
        common = {
            "unit": self.id,
            "registry": str(self.server.registry),
            "registry_root": str(self.server.registry.with_name("registry-root.pub")),
        }
        desk = {
            "gnupg": str(self.keys.folder / GNUPG_HOME),
            "database": "desk.sqlite",
            "sealed": "sealed",
            "saved": "saved",
            "reply_key": str(self.keys.folder / REPLY_KEY),
            "stick": "../stick",
        }
        courier = {
            "collection": self.address,
            "key": str(self.keys.courier_key_file),
            "key_id": self.keys.courier_key_id,
            "state": "state",
        }
        for name, values in (("desk", desk), ("courier", courier)):
            lines = [f"{key} = {json.dumps(value)}\n" for key, value in (common | values).items()]
            (self.folder / name / f"{name}.toml").write_text("".join(lines))
        return self

    def desk(self) -> Desk:
        return open_desk(self.folder / "desk" / "desk.toml")

    def fetch(self) -> Desk:
        """The courier collects, the desk imports."""
        config = read_courier_config(self.folder / "courier" / "courier.toml", None)
        client = CollectionClient(config.collection, config.identity, config.socks, QUICK)
        settle(self.server)
        with State.held(config.state) as state:
            collect(client, state, self.stick, config, Progress())
        desk = self.desk()
        done = import_all(desk)
        assert not done.refused
        assert not any(taken.aside for taken in done.taken)
        assert not done.looked.unreadable
        return desk

    def send(self) -> Delivered:
        """The desk exports, the courier delivers, and a settled hour comes."""
        export_waiting(self.desk())
        delivered = self.deliver()
        settle(self.server)
        return delivered

    def deliver(self) -> Delivered:
        config = read_courier_config(self.folder / "courier" / "courier.toml", None)
        client = CollectionClient(config.collection, config.identity, config.socks, QUICK)
        with State.held(config.state) as state:
            return deliver(client, state, self.stick, config.its_unit(), Progress())

    def conversation(self) -> str:
        [found] = self.desk().cabinet.conversations.page()
        return found.identity

    def answer(self, text: str) -> None:
        composition.seal_answer(self.desk(), self.conversation(), secrets.token_hex(16), text)

    def pass_on(self, choice: Choice) -> None:
        handover.forward(self.desk(), self.conversation(), secrets.token_hex(16), choice)

    def messages(self) -> list[display.ShownMessage]:
        desk = self.desk()
        rows = desk.cabinet.envelopes.of_conversation(self.conversation())
        return [display.show_message(desk, row.id) for row in rows]


@dataclass
class Round:
    """One source interface, one collection, and the places."""

    reporter: Reporter
    place: Callable[[str], Place]
    server: ServerConfig


@contextmanager
def going_round(server: ServerConfig, folder: Path, *keys: UnitKeys) -> Iterator[Round]:
    source, collection = create_source(server), create_collection(server)
    made: dict[str, Place] = {}
    with serving(collection) as address:

        def place(unit: str) -> Place:
            if unit not in made:
                [its] = [one for one in keys if one.unit.id == unit]
                made[unit] = Place(folder / unit, its, server, address).set_up()
            return made[unit]

        yield Round(Reporter(over_wsgi(source)), place, server)
    collection.extensions["candour"].outbox.close()
    source.extensions["candour"].store.engine.dispose()


@pytest.fixture
def round_(
    server_config: Callable[..., ServerConfig],
    tmp_path: Path,
    unit_keys: UnitKeys,
    other_unit_keys: UnitKeys,
    charity_keys: UnitKeys,
) -> Iterator[Round]:
    with going_round(server_config(), tmp_path, unit_keys, other_unit_keys, charity_keys) as going:
        yield going


@pytest.fixture
def overseen_round(
    server_config: Callable[..., ServerConfig],
    tmp_path: Path,
    registry: Registry,
    root_key: RootKey,
    unit_keys: UnitKeys,
    other_unit_keys: UnitKeys,
    charity_keys: UnitKeys,
    overseer_keys: UnitKeys,
) -> Iterator[Round]:
    """The other unit has a second seal; the first has none."""
    overseen = replace(other_unit_keys.unit, second_seal=overseer_keys.unit.id)
    units = (unit_keys.unit, overseen, charity_keys.unit, overseer_keys.unit)
    server = server_config()
    server.registry.write_bytes(sign_registry(replace(registry, version=2, units=units), root_key.file))
    with going_round(server, tmp_path, unit_keys, other_unit_keys, charity_keys, overseer_keys) as going:
        yield going


def answers(reporter: Reporter) -> list[str]:
    return [
        part.split("</div>")[0].split('class="words">')[1] for part in page(reporter).split("<article")[1:]
    ]


def page(reporter: Reporter) -> str:
    answer = reporter.get("/conversation")
    assert answer.status == 200
    return answer.text


def test_a_report_to_one_unit_is_passed_on_opened_and_answered_by_the_other(round_):
    reporter, a, b = round_.reporter, round_.place("test-unit"), round_.place("other-unit")
    reporter.report(WORDS, [("yard.jpg", FILE)])
    a.fetch()
    a.answer("It is read.")
    a.send()
    assert answers(reporter) == ["It is read."]
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    done = a.send()
    assert (done.forwards, done.left) == (1, ())
    assert not list(a.stick.glob("forwards-*"))

    assert "Other Anti-Corruption Unit</strong> can open what you write here" in page(reporter)
    assert answers(reporter) == ["It is read."]
    desk = b.fetch()
    [message] = b.messages()
    assert (message.text, message.first, len(message.files)) == (WORDS, True, 1)
    [step] = message.trail
    assert step.holds
    assert step.by == "Test Anti-Corruption Unit"
    assert "It concerns another force" in step.sentence
    [row] = desk.cabinet.envelopes.of_conversation(b.conversation())
    whole, tail = bytearray(), archive.Tail()
    for take in (whole.extend, tail.feed):
        desk.opener.open(desk.files.envelope(row.id), take)
    [file] = archive.read(tail).files
    assert FILE in whole
    assert file.name == "files/0001-yard.jpg"
    b.answer("We look into it.")
    b.send()
    assert set(answers(reporter)) == {"It is read.", "We look into it."}

    reporter.write("One thing more.")
    a.fetch()
    b.fetch()
    assert [len(place.messages()) for place in (a, b)] == [1, 2]
    assert b.messages()[1].text == "One thing more."
    with pytest.raises(NotForwardable):
        b.pass_on(Choice("test-unit", Why.ASKED))


def test_a_chain_over_the_charity_s_desk_ends_at_the_last_and_its_trail_names_each(round_):
    reporter = round_.reporter
    a, b, c = (round_.place(unit) for unit in ("test-unit", "test-charity", "other-unit"))
    reporter.report(WORDS)
    for here, there in ((a, b), (b, c)):
        here.fetch()
        here.pass_on(Choice(there.id, Why.ROUTED))
        here.send()
    c.fetch()
    [message] = c.messages()
    assert [step.by for step in message.trail] == ["Test Anti-Corruption Unit", "Test Charity Desk"]
    assert all(step.holds for step in message.trail)
    c.answer("Third.")
    c.send()
    assert answers(reporter) == ["Third."]


def test_a_rewritten_report_goes_without_the_original_and_its_reporter_is_still_reached(round_):
    reporter, a, b = round_.reporter, round_.place("test-unit"), round_.place("other-unit")
    reporter.report(WORDS, [("yard.jpg", FILE)])
    a.fetch()
    a.pass_on(Choice("other-unit", Why.CONFLICT, "A payment, we hear."))
    a.send()
    b.fetch()
    [message] = b.messages()
    assert (message.text, message.files) == ("A payment, we hear.", ())
    assert "rewritten; the original stayed with them" in message.trail[0].sentence
    assert a.messages()[0].text == WORDS
    b.answer("Thank you.")
    b.send()
    assert answers(reporter) == ["Thank you."]


def test_delivered_twice_it_arrives_once_and_a_broken_delivery_goes_on(round_, monkeypatch):
    reporter, a, b = round_.reporter, round_.place("test-unit"), round_.place("other-unit")
    reporter.report(WORDS, [("yard.jpg", FILE)])
    a.fetch()
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    export_waiting(a.desk())
    shutil.copytree(a.stick, a.folder / "kept")

    class Cut(Exception):
        """The machine was switched off."""

    with monkeypatch.context() as patch:
        patch.setattr(CollectionClient, "post", lambda *_: (_ for _ in ()).throw(Cut))
        with pytest.raises(Cut):
            a.deliver()
    assert "can open what you write here" not in page(reporter)
    assert a.deliver().forwards == 1
    settle(round_.server)
    assert "can open what you write here" in page(reporter)
    shutil.copytree(a.folder / "kept", a.stick, dirs_exist_ok=True)
    assert a.deliver().forwards == 1
    b.fetch()
    assert len(b.messages()) == 1
    b.answer("Once.")
    b.send()
    assert answers(reporter) == ["Once."]


def test_what_is_passed_on_to_a_unit_with_a_second_seal_goes_there_too(overseen_round):
    reporter = overseen_round.reporter
    a, b, overseer = (overseen_round.place(unit) for unit in ("test-unit", "other-unit", "test-overseer"))
    reporter.report(WORDS, [("yard.jpg", FILE)])
    a.fetch()
    browser = Browser(create_desk(a.folder / "desk" / "desk.toml", PORT)).enter()
    assert (
        "A copy goes to Test Oversight Body as well."
        in browser.get(f"/conversations/{a.conversation()}/forward").text
    )
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    assert a.send().forwards == 1
    for place in (b, overseer):
        place.fetch()
        [message] = place.messages()
        assert (message.text, len(message.files)) == (WORDS, 1)
        assert message.trail[0].holds
        assert "Passed on to Other Anti-Corruption Unit" in message.trail[0].sentence
    opener, sealed = (
        overseer.desk().opener,
        list(overseen_round.server.blobs.glob("ff/ffff*")),
    )
    opened = 0
    for file in sealed:
        with suppress(OpeningFailed):
            opener.open(file, lambda _: None)
            opened += 1
    assert (len(sealed), opened) == (2, 1)  # to each its own envelope

    assert "A second copy is locked for Test Oversight Body" in page(reporter)
    assert "A copy went to Test Oversight Body as well." in page(reporter)
    assert "Not as you wrote it" not in page(reporter)
    desk = Browser(create_desk(overseer.folder / "desk" / "desk.toml", PORT)).enter()
    whole = desk.get(f"/conversations/{overseer.conversation()}").text
    assert "this is a copy, and <bdi>Other Anti-Corruption Unit</bdi> has the conversation" in whole
    assert "No reporter sent this here" not in whole

    reporter.write("One thing more.")
    for place in (a, b, overseer):
        place.fetch()
    assert [len(place.messages()) for place in (a, b, overseer)] == [1, 2, 2]


def test_a_rewritten_report_goes_to_the_second_seal_rewritten(overseen_round):
    a, overseer = (overseen_round.place(unit) for unit in ("test-unit", "test-overseer"))
    overseen_round.reporter.report(WORDS, [("yard.jpg", FILE)])
    a.fetch()
    a.pass_on(Choice("other-unit", Why.CONFLICT, "A payment, we hear."))
    a.send()
    overseer.fetch()
    [message] = overseer.messages()
    assert (message.text, message.files) == ("A payment, we hear.", ())
    assert "Not as you wrote it: in their own words, and without files." in page(overseen_round.reporter)


def test_an_overseer_that_gave_it_away_gets_no_copy_from_whoever_passes_it_on_later(overseen_round):
    reporter = overseen_round.reporter
    a, overseer, charity = (
        overseen_round.place(unit) for unit in ("test-unit", "test-overseer", "test-charity")
    )
    reporter.report(WORDS)
    for here, there in ((a, overseer), (overseer, charity)):
        here.fetch()
        here.pass_on(Choice(there.id, Why.CONFLICT))
        here.send()
    charity.fetch()
    browser = Browser(create_desk(charity.folder / "desk" / "desk.toml", PORT)).enter()
    shown = browser.get(f"/conversations/{charity.conversation()}/forward").text
    assert "Other Anti-Corruption Unit" in shown
    assert "A copy goes to" not in shown
    charity.pass_on(Choice("other-unit", Why.CONFLICT))
    [passed] = charity.desk().cabinet.forwards.of(charity.conversation())
    assert len(charity.desk().cabinet.forwards.envelopes(passed.id)) == 1


def test_an_overseer_that_passes_on_gets_no_copy_of_its_own(overseen_round, overseer_keys):
    reporter = overseen_round.reporter
    a, overseer = (overseen_round.place(unit) for unit in ("test-unit", "test-overseer"))
    reporter.report(WORDS)
    a.fetch()
    a.pass_on(Choice("test-overseer", Why.CONFLICT))
    a.send()
    overseer.fetch()
    overseer.pass_on(Choice("other-unit", Why.ROUTED))
    [passed] = overseer.desk().cabinet.forwards.of(overseer.conversation())
    assert len(overseer.desk().cabinet.forwards.envelopes(passed.id)) == 1


def test_what_was_a_copy_is_the_overseer_s_own_once_it_is_given_it(overseen_round):
    b, overseer = (overseen_round.place(unit) for unit in ("other-unit", "test-overseer"))
    reporter = overseen_round.reporter
    reporter.get("/routing")
    assert reporter.begin("other-unit", holders="other-unit test-overseer").goes_to == "/report"
    reporter.get("/report")
    reporter.write(WORDS)
    for place in (b, overseer):
        place.fetch()
    desk = Browser(create_desk(overseer.folder / "desk" / "desk.toml", PORT)).enter()
    other = Browser(create_desk(b.folder / "desk" / "desk.toml", PORT)).enter()
    path = f"/conversations/{overseer.conversation()}"
    assert "A copy of what went to <bdi>Other Anti-Corruption Unit</bdi>" in desk.get(path).text
    for offered in ('id="text"', "pass it on to another unit", "Unanswered"):
        assert offered not in desk.get(path).text
        assert offered in other.get(path).text
    assert '<span class="done">Copy</span>' in desk.get("/").text
    for refused in (
        lambda: overseer.answer("Not ours."),
        lambda: overseer.pass_on(Choice("test-unit", Why.ASKED)),
    ):
        with pytest.raises(CopyOnly):
            refused()

    [copy] = overseer.desk().cabinet.conversations.page()
    assert (copy.ours, copy.unanswered) == (False, False)
    b.pass_on(Choice("test-overseer", Why.CONFLICT))
    b.send()
    overseer.fetch()
    [own] = overseer.desk().cabinet.conversations.page()
    assert (own.ours, own.unanswered, own.messages) == (True, True, 2)
    overseer.answer("We look into it.")
    overseer.send()
    assert answers(reporter) == ["We look into it."]


def test_a_copy_stays_one_when_the_registry_names_no_second_seal_any_more(
    overseen_round, registry, root_key, unit_keys, other_unit_keys, charity_keys, overseer_keys
):
    reporter, overseer = overseen_round.reporter, overseen_round.place("test-overseer")
    reporter.get("/routing")
    reporter.begin("other-unit", holders="other-unit test-overseer")
    reporter.get("/report")
    reporter.write(WORDS)
    units = tuple(keys.unit for keys in (unit_keys, other_unit_keys, charity_keys, overseer_keys))
    overseen_round.server.registry.write_bytes(
        sign_registry(replace(registry, version=9, units=units), root_key.file)
    )
    overseer.fetch()
    with pytest.raises(CopyOnly):
        overseer.answer("Of nobody who holds it.")


@pytest.mark.parametrize("genuine", [True, False])
def test_no_unit_hides_a_conversation_from_whoever_it_gave_it_to(
    overseen_round, signer, unit_keys, overseer_keys, tmp_path, genuine
):
    """The trail says that another has it, who would have a second seal here."""
    reporter, a, overseer = (
        overseen_round.reporter,
        *(overseen_round.place(unit) for unit in ("test-unit", "test-overseer")),
    )
    reporter.report(WORDS)
    a.fetch()
    first = composition.first_report(a.desk(), a.conversation())
    step = Step(
        "test-unit",
        "other-unit",
        today(),
        Why.OTHER_FORCE,
        False,
        a.conversation(),
        ("f" * 64,),
        ("0" * 64,),
        (),
    )
    key = signer(unit_keys) if genuine else Ed25519PrivateKey.generate()
    forged = replace(first, trail=(sign_step(step, key),))
    (tmp_path / "overseer.asc").write_text(overseer_keys.unit.certificate)
    sealed = tmp_path / "sealed"
    packed = BytesIO(b"".join(archive.write((), lambda: forged)))
    Sealer(tmp_path / "home").seal(packed, [tmp_path / "overseer.asc"], sealed)
    item = bundle_item.describe(sealed)
    name = forwarded_id(item.sha256)
    slip = Slip(name, "test-unit", "test-overseer", today(), item.size, item.sha256)
    config = read_courier_config(a.folder / "courier" / "courier.toml", None)
    client = CollectionClient(config.collection, config.identity, config.socks, QUICK)
    with sealed.open("rb") as file:
        client.post_forward(sign_slip(slip, signer(unit_keys)), name, file, lambda _: None)
    overseer.fetch()
    assert overseer.messages()[0].unaccounted is not genuine
    overseer.answer("We look into it.")
    [own] = overseer.desk().cabinet.conversations.page()
    assert own.ours


def test_a_reporter_s_withdrawing_leaves_what_was_passed_on_where_it_is(round_):
    reporter, a, b = round_.reporter, round_.place("test-unit"), round_.place("other-unit")
    reporter.report(WORDS)
    a.fetch()
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    a.send()
    assert page(reporter).count("they say that they have it") == 1  # the one that was sent, and no other
    assert "/withdraw" not in reporter.forms
    b.fetch()
    assert len(b.messages()) == 1


def test_a_courier_alone_passes_nothing_on_and_what_was_altered_on_the_stick_is_sealed_again(round_):
    reporter, a, b = round_.reporter, round_.place("test-unit"), round_.place("other-unit")
    reporter.report(WORDS)
    a.fetch()
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    export_waiting(a.desk())
    [folder] = a.stick.glob("forwards-*")
    manifest = folder / "manifest.json"
    kept = manifest.read_bytes()
    manifest.write_bytes(kept[:-9] + bytes([kept[-9] ^ 1]) + kept[-8:])
    assert (a.deliver().forwards, folder.exists()) == (0, True)
    manifest.write_bytes(kept)
    for number in range(2):  # its document, and its envelope
        [folder] = a.stick.glob("forwards-*")
        names = sorted(file.name for file in folder.iterdir() if file.name != "manifest.json")
        file = folder / sorted(names, key=lambda name: name.startswith("ffff"))[number]
        file.write_bytes(b"x" + file.read_bytes()[1:])
        done = a.deliver()
        assert (done.forwards, len(done.left)) == (0, 1), file.name
        a.fetch()
        [passed] = a.desk().cabinet.forwards.of(a.conversation())
        assert passed.state == "returned"
        assert seal_forward_again(a.desk(), passed.id)
        export_waiting(a.desk())
    b.fetch()
    assert b.desk().cabinet.conversations.page() == []
    assert a.send().forwards == 1
    b.fetch()
    assert len(b.messages()) == 1


def test_what_the_collection_keeps_of_it_opens_with_the_other_unit_s_key_alone(
    round_, unit_keys, other_unit_keys
):
    reporter, a = round_.reporter, round_.place("test-unit")
    reporter.report(WORDS)
    a.fetch()
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    a.send()
    [sealed] = round_.server.blobs.glob("ff/ffff*")
    tail = archive.Tail()
    Opener(other_unit_keys.folder / GNUPG_HOME).open(sealed, tail.feed)
    assert archive.read(tail).report.text == WORDS
    with pytest.raises(Exception, match="not sealed to a key that is here"):
        Opener(unit_keys.folder / GNUPG_HOME).open(sealed, lambda _: None)


def test_what_a_hostile_unit_posts_is_not_taken_for_a_reporter_s(
    round_, signer, unit_keys, other_unit_keys, tmp_path
):
    """It knows the conversation's keys, and writes what the reporter might have written; the name tells."""
    reporter, a, b = round_.reporter, round_.place("test-unit"), round_.place("other-unit")
    reporter.report(WORDS)
    a.fetch()
    a.pass_on(Choice("other-unit", Why.OTHER_FORCE))
    a.send()
    first = composition.first_report(a.desk(), a.conversation())
    (tmp_path / "b.asc").write_text(other_unit_keys.unit.certificate)
    sealed = tmp_path / "sealed"
    forged = Report("I made it all up.", "other-unit", today(), False, first.conversation, first.link, 1)
    packed = BytesIO(b"".join(archive.write((), lambda: forged)))
    Sealer(tmp_path / "home").seal(packed, [tmp_path / "b.asc"], sealed)
    item = bundle_item.describe(sealed)
    name = forwarded_id(item.sha256)
    slip = Slip(name, "test-unit", "other-unit", today(), item.size, item.sha256)
    config = read_courier_config(a.folder / "courier" / "courier.toml", None)
    client = CollectionClient(config.collection, config.identity, config.socks, QUICK)
    with sealed.open("rb") as file:
        client.post_forward(sign_slip(slip, signer(unit_keys)), name, file, lambda _: None)
    reporter.get("/conversation")
    reporter.write("One thing more.")
    b.fetch()
    assert {message.text: message.unaccounted for message in b.messages()} == {
        WORDS: False,
        "I made it all up.": True,
        "One thing more.": False,
    }
