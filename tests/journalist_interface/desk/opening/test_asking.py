"""A unit whose key has a passphrase: a person is asked for it by the desk's own file, and never by an envelope."""

import shutil
from dataclasses import replace

import pytest

from common.days import today
from common.gpg.opening import Opener, OpeningFailed, Unopened
from common.report.archive import write
from common.report.report import Report
from common.transport import bundle_item
from journalist_interface.desk.opening.display import show
from journalist_interface.desk.opening.hand_sealed import open_by_hand
from journalist_interface.desk.opening.inspection import CannotOpen, look_into_new, open_envelope
from keys.unit.unit_keys import GNUPG_HOME, REPLY_KEY, new_unit
from tests.pinentry import forget_passphrases, pinentry

pytestmark = pytest.mark.slow

PASSPHRASE = "five or six random words"
KEYS = 2  # a month's and the case key: gpg asks for each in turn, until one is given or all are cancelled


@pytest.fixture(scope="module")
def locked(short_folder):
    folder = short_folder()
    return folder, new_unit(folder, "demo-unit", "Locked", passphrase=PASSPHRASE, months=1)


@pytest.fixture
def desk(world, locked):
    """The world's desk, with the keys of a unit that has a passphrase."""
    folder, _ = locked
    desk = world.desk()
    settings = replace(desk.settings, gnupg=folder / GNUPG_HOME, reply_key=folder / REPLY_KEY)
    return replace(desk, settings=settings, opener=Opener(settings.gnupg))


@pytest.fixture
def envelope(world, desk, locked):
    """Seals a report to the locked unit, or to another, and puts it among the desk's files."""

    def put(certificate=None, reporter=None):
        report = Report(
            "Words.", "demo-unit", today(), True, (reporter or world.reporter()).conversation, "f" * 64, 0
        )
        sealed = world.seal_bytes(write([], lambda: report), certificate or locked[1].certificate)
        shutil.copy(sealed, desk.files.staging / sealed.name)
        desk.files.put_envelopes([sealed.name], today())
        desk.cabinet.envelopes.receive([bundle_item.describe(sealed)], today(), today())
        return sealed

    return put


def test_the_person_is_asked_once_for_many_envelopes(desk, envelope, tmp_path):
    for _ in range(3):
        envelope()
    with pinentry(desk.settings.gnupg, tmp_path, PASSPHRASE) as asked:
        assert look_into_new(desk).opened == 3
        assert asked() == 1


def test_an_envelope_opens_after_the_passphrase_was_forgotten(desk, envelope, tmp_path):
    sealed = envelope()
    with pinentry(desk.settings.gnupg, tmp_path, PASSPHRASE) as asked:
        open_envelope(desk, sealed.name, sealed.stat().st_size)
        assert asked() == 1
        forget_passphrases(desk.settings.gnupg)
        open_envelope(desk, sealed.name, sealed.stat().st_size)
        assert asked() == 2


@pytest.mark.parametrize("whose", ["ours", "of another"])
def test_who_cancels_is_asked_for_the_unit_s_own_key_and_by_no_envelope(
    desk, envelope, world, tmp_path, whose
):
    sealed = envelope(None if whose == "ours" else world.house.other.certificate)
    with pinentry(desk.settings.gnupg, tmp_path) as asked:
        with pytest.raises(CannotOpen, match="no key that is here opens it"):
            open_envelope(desk, sealed.name, sealed.stat().st_size)
        assert asked() == KEYS  # by the desk's own file


def test_a_page_of_messages_asks_once(desk, envelope, world, tmp_path):
    reporter = world.reporter()
    for _ in range(3):
        envelope(reporter=reporter)
    with pinentry(desk.settings.gnupg, tmp_path / "a", PASSPHRASE):
        assert look_into_new(desk).opened == 3
    places, _ = desk.cabinet.conversations.places(reporter.identity)
    with pinentry(desk.settings.gnupg, tmp_path / "b") as asked:
        assert all("no key that is here" in (message.problem or "") for message in show(desk, places))
        assert asked() == KEYS
    with pinentry(desk.settings.gnupg, tmp_path / "c", PASSPHRASE) as asked:
        assert [message.text for message in show(desk, places)] == ["Words."] * 3
        assert asked() == 1


def test_nothing_that_a_sender_made_asks_for_anything(desk, envelope, tmp_path):
    sealed = envelope()
    with pinentry(desk.settings.gnupg, tmp_path) as asked:
        with pytest.raises(OpeningFailed) as failure:
            desk.opener.open(sealed, lambda _: None)
        assert failure.value.reason is Unopened.NO_KEY
        assert open_by_hand(desk.opener, sealed.read_bytes()).text is None
        assert asked() == 0
