"""Private keys as files: the owner's alone, protected where asked, never overwritten."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.transport.courier_key import new_courier
from keys.private_key import NoSuchKey, parse_private_key, pem, read_private_key, write_private_key
from keys.registry.root import new_root


@pytest.mark.parametrize("make", [new_courier, new_root])
@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_a_new_keys_file_is_the_owners_alone_and_never_overwritten(tmp_path, make, umask):
    file = tmp_path / "key"
    before = os.umask(umask)
    try:
        make(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    with pytest.raises(FileExistsError):
        make(file)
    assert file.read_bytes() == content


def test_what_is_given_back_is_the_public_half(tmp_path):
    courier = new_courier(tmp_path / "courier")
    assert read_private_key(tmp_path / "courier").public_key().public_bytes_raw() == courier.public_key
    assert len(courier.key_id) == 16
    root = new_root(tmp_path / "root")
    assert read_private_key(tmp_path / "root").public_key().public_bytes_raw() == root


def test_a_passphrase_protects(tmp_path):
    public = new_root(tmp_path / "root", "a passphrase")
    assert b"ENCRYPTED" in (tmp_path / "root").read_bytes()
    assert read_private_key(tmp_path / "root", "a passphrase").public_key().public_bytes_raw() == public
    for wrong in (None, "", "another"):
        with pytest.raises(NoSuchKey):
            read_private_key(tmp_path / "root", wrong)


def test_what_is_no_such_key_is_refused(tmp_path):
    x25519 = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for wrong in (b"", b"junk", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", x25519):
        with pytest.raises(NoSuchKey):
            parse_private_key(wrong)
    with pytest.raises(NoSuchKey, match="cannot be read"):
        read_private_key(tmp_path / "missing")


def test_a_key_round_trips(tmp_path):
    key = Ed25519PrivateKey.generate()
    assert parse_private_key(pem(key)).private_bytes_raw() == key.private_bytes_raw()
    write_private_key(tmp_path / "key", key)
    assert read_private_key(tmp_path / "key").private_bytes_raw() == key.private_bytes_raw()


def test_a_link_is_not_followed_when_writing(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        new_courier(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()
