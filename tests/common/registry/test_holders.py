"""Two holders open an identity key, and one cannot: by the shares, and by each one's own passphrase."""

import io
import json
import subprocess

import pytest
from shamir_mnemonic import MnemonicError, combine_mnemonics

from common.gpg.keyring import end_agent
from common.gpg.opening import Opener, OpeningFailed
from common.gpg.runner import gpg_environment
from common.gpg.sealing import Sealer
from common.registry import holders
from common.registry.holders import (
    GNUPG_HOME,
    HOLDERS,
    DamagedBox,
    NotTwo,
    WrongPassphrase,
    draw,
    open_box,
    seal_box,
    together,
)

PHRASE = "five words that nobody guesses"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Boxes that cost little: a box tells its cost itself."""
    monkeypatch.setattr(holders, "_MEMORY_KIB", 64)


@pytest.fixture
def box():
    _, (holder, _) = draw(("ada", "ben"))
    return seal_box(holder, PHRASE)


def test_any_two_of_several_give_the_passphrase_and_one_alone_does_not():
    passphrase, drawn = draw(("ada", "ben", "cy"))
    pairs = [(one, other) for one in drawn for other in drawn if one is not other]
    assert all(together(*pair) == passphrase for pair in pairs)
    for one in drawn:
        with pytest.raises(NotTwo):
            together(one, one)
        with pytest.raises(MnemonicError):
            combine_mnemonics([one.share.reveal().decode()])


def test_shares_of_two_keys_do_not_go_together():
    (_, (one, _)), (_, (_, other)) = draw(("ada", "ben")), draw(("ada", "ben"))
    with pytest.raises(NotTwo):
        together(one, other)


def test_a_box_opens_by_its_own_passphrase_alone_and_shows_nothing(box):
    _, (holder, _) = draw(("ada", "ben"))
    sealed = seal_box(holder, PHRASE)
    again = open_box(sealed, "ada", PHRASE)
    assert again.share == holder.share
    assert again.key.public_key() == holder.key.public_key()
    assert holder.share.reveal() not in sealed
    assert holder.share.reveal().split()[0].decode() not in repr(again)
    for wrong in ("", PHRASE + " ", PHRASE.upper()):
        with pytest.raises(WrongPassphrase):
            open_box(sealed, "ada", wrong)
    with pytest.raises(DamagedBox):
        open_box(sealed, "ben", PHRASE)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "ben"},
        {"memory_kib": 2**31},
        {"passes": 0},
        {"passes": 10**6},
        {"lanes": 64},
        {"salt": "AA=="},
    ],
)
def test_a_box_that_was_changed_is_refused_whatever_it_says_it_costs(box, changed):
    document = json.loads(box)
    document["outside"] |= changed
    with pytest.raises((DamagedBox, WrongPassphrase)):
        open_box(json.dumps(document).encode(), "ada", PHRASE)


def test_junk_is_no_box():
    for junk in (b"", b"{}", b"junk", b'{"outside":{},"sealed":""}'):
        with pytest.raises(DamagedBox):
            open_box(junk, "ada", PHRASE)


def test_what_is_sealed_to_the_key_opens_with_two_shares_and_gpg_remembers_nothing(identity_keys, tmp_path):
    home, names = identity_keys.folder / GNUPG_HOME, list(identity_keys.passphrases)
    (tmp_path / "certificate").write_text(identity_keys.unit.identity_certificate)
    sealed = Sealer(tmp_path / "sealing").seal_in_memory(b"Kestrel" * 10, [tmp_path / "certificate"])
    (tmp_path / "sealed").write_bytes(sealed)
    opened = [
        open_box(
            (identity_keys.folder / HOLDERS / f"{name}.json").read_bytes(),
            name,
            identity_keys.passphrases[name],
        )
        for name in names
    ]
    gpg = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--pinentry-mode",
        "loopback",
        "--decrypt",
        str(tmp_path / "sealed"),
    ]

    def by_hand(*more, given=b""):
        words = [*gpg, *more, "--decrypt", str(tmp_path / "sealed")]
        done = subprocess.run(words, input=given, capture_output=True, env=gpg_environment(), check=False)
        return done.stdout

    try:
        for pair in ((0, 1), (1, 2), (2, 0)):
            content = bytearray()
            passphrase = together(*(opened[n] for n in pair))
            Opener(home).open(io.BytesIO(sealed), content.extend, passphrase=passphrase)
            assert content == b"Kestrel" * 10
            assert by_hand() == b""  # not even while the agent still runs
        for one in opened:  # a share is no passphrase, nor is what a holder types
            for given in (one.share.reveal(), identity_keys.passphrases[one.name].encode()):
                assert by_hand("--passphrase-fd", "0", given=given + b"\n") == b""
        with pytest.raises(OpeningFailed):
            Opener(home).open(io.BytesIO(sealed), lambda _: None, passphrase=draw(("a", "b"))[0])
    finally:
        end_agent(home)
