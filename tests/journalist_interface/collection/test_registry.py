"""The registry is followed as it changes, and while it is not valid nobody is let in."""

from datetime import timedelta

import pytest

from common.days import today

LIST = "/v1/envelopes"


def test_a_courier_struck_from_the_registry_is_refused_from_then_on(world, north, call):
    south = call("south")
    assert north.ask("GET", LIST).status_code == 200
    world.write_registry(version=2, without=("north",))
    assert north.ask("GET", LIST).status_code == 401
    assert south.ask("GET", LIST).status_code == 200


def test_a_courier_that_is_enrolled_while_the_collection_runs_is_let_in(world, call):
    world.write_registry(version=2, without=("north",))
    call("south").ask("GET", LIST)
    world.write_registry(version=3)
    assert call("north").ask("GET", LIST).status_code == 200


def test_the_courier_of_a_suspended_unit_is_refused_until_it_is_enrolled_again(world, north, call):
    south = call("south")
    assert north.ask("GET", LIST).status_code == 200
    world.write_registry(version=2, suspended=("north",))
    assert north.ask("GET", LIST).status_code == 401
    assert south.ask("GET", LIST).status_code == 200
    world.write_registry(version=3)
    assert north.ask("GET", LIST).status_code == 200


def altered(world):
    content = world.config.registry.read_bytes()
    world.config.registry.write_bytes(content.replace(b"North", b"Forth"))


def emptied(world):
    world.config.registry.write_bytes(b"")


def removed(world):
    world.config.registry.unlink()


def expired(world):
    world.write_registry(version=2, expires=today() - timedelta(days=1))


@pytest.mark.parametrize("spoil", [altered, emptied, removed, expired])
def test_a_registry_that_is_not_valid_shuts_the_door_until_it_is(world, north, spoil):
    assert north.ask("GET", LIST).status_code == 200
    spoil(world)
    for _ in range(2):
        answer = north.ask("GET", LIST)
        assert answer.status_code == 503
        assert "registry" in answer.json()["error"]
    world.write_registry(version=3)
    assert north.ask("GET", LIST).status_code == 200


def test_an_older_registry_does_not_come_back(world, north):
    world.write_registry(version=5)
    assert north.ask("GET", LIST).status_code == 200
    world.write_registry(version=4)
    assert north.ask("GET", LIST).status_code == 503


def test_a_collection_that_starts_without_a_registry_lets_nobody_in(world, gunicorn, call):
    removed(world)
    caller = call("north", gunicorn.address)
    assert caller.send(caller.sign(caller.prepare("GET", LIST))).status_code == 503
