"""Publishing: whole, and never an older registry over a newer one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from common.days import today
from common.registry.registry import RegistryRefused
from keys.registry.publication import NotPublished, publish
from keys.registry.signature import sign_registry


@pytest.fixture
def signed(registry, root_key):
    def make(version, **changed):
        return sign_registry(replace(registry, version=version, **changed), root_key.file)

    return make


@pytest.fixture
def places(tmp_path):
    made = (tmp_path / "server", tmp_path / "desk")
    for place in made:
        place.mkdir()
    return made


def test_it_goes_into_each_folder_and_in_place_of_what_is_there(signed, root_key, places):
    files = tuple(place / "registry.json" for place in places)
    assert publish(signed(1), root_key.public, *places) == files
    assert publish(signed(2), root_key.public, *places) == files
    assert [file.read_bytes() for file in files] == [signed(2), signed(2)]
    publish(signed(2), root_key.public, *places)  # once more is no harm
    assert all([file.name for file in place.iterdir()] == ["registry.json"] for place in places)


def test_where_one_folder_is_misspelt_or_refuses_none_is_written_to(signed, root_key, places, tmp_path):
    server, desk = places
    publish(signed(1), root_key.public, server)
    publish(signed(3), root_key.public, desk)
    a_file = tmp_path / "file"
    a_file.write_bytes(b"old")
    for wrong, said in (
        (tmp_path / "srever", "srever is no folder that is there"),
        (a_file, "file is no folder"),
        (desk, "has version 3, and this is 2"),
    ):
        with pytest.raises(NotPublished, match=said):
            publish(signed(2), root_key.public, server, wrong)
        assert (server / "registry.json").read_bytes() == signed(1)
    assert (a_file.read_bytes(), (tmp_path / "srever").exists()) == (b"old", False)


def test_an_older_one_and_another_of_the_same_version_are_refused(signed, registry, root_key, tmp_path):
    [file] = publish(signed(5), root_key.public, tmp_path)
    other = signed(5, expires=registry.expires - timedelta(days=1))
    for wrong, said in (
        (signed(4), "has version 5, and this is 4"),
        (other, "another registry of version 5"),
    ):
        with pytest.raises(NotPublished, match=said):
            publish(wrong, root_key.public, tmp_path)
    assert file.read_bytes() == signed(5)


def test_one_that_expired_still_keeps_older_ones_away(signed, root_key, tmp_path):
    ended = signed(5, issued=today() - timedelta(days=9), expires=today() - timedelta(days=1))
    (tmp_path / "registry.json").write_bytes(ended)
    with pytest.raises(NotPublished):
        publish(signed(4), root_key.public, tmp_path)
    publish(signed(6), root_key.public, tmp_path)


def test_what_no_server_would_take_is_not_published(signed, root_key, tmp_path):
    ended = signed(9, issued=today() - timedelta(days=9), expires=today() - timedelta(days=1))
    for wrong in (ended, signed(9)[:-1], signed(9).replace(b"Test", b"Fest", 1), b""):
        with pytest.raises(RegistryRefused):
            publish(wrong, root_key.public, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [b"", b"junk", b'{"body":{},"signature":""}'])
def test_what_no_server_would_read_is_replaced(signed, root_key, tmp_path, there):
    (tmp_path / "registry.json").write_bytes(there)
    publish(signed(1), root_key.public, tmp_path)
    assert (tmp_path / "registry.json").read_bytes() == signed(1)
