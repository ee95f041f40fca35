"""What the pages of the drills have an operator do on a host, done to a host in a folder of the test's own."""

import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner

from deploy.cli import candour
from keys.private_key import read_private_key
from keys.registry.root import new_root as make_root
from keys.registry.signature import sign_registry
from keys.registry.succession import succeed

pytestmark = pytest.mark.slow

ONIONS = "var/lib/tor-instances/candour"


@pytest.fixture(scope="module")
def host(as_root, new_root, tmp_path_factory):
    root = new_root(tmp_path_factory.mktemp("host"))
    done = root.install()
    assert done.returncode == 0, done.stderr
    return root


def test_a_new_root_a_new_pepper_and_new_onions_are_in_place_after_the_commands_of_the_pages(
    host, registry, root_key, tmp_path
):
    settings = host.folder / "etc/candour"
    new_key = tmp_path / "root-2.key"
    public = make_root(new_key)
    (tmp_path / "registry.json").write_bytes(sign_registry(replace(registry, version=5), new_key))
    document = succeed(read_private_key(root_key.file), read_private_key(new_key), 5)
    (tmp_path / "succession.json").write_bytes(document)
    before = (settings / "pepper").read_bytes()
    refused = host.run("--registry", str(tmp_path / "registry.json"))
    assert "its signature does not hold" in refused.stderr + refused.stdout

    words = ["keys", "root", "trust", tmp_path / "registry.json", settings]
    trusted = CliRunner().invoke(
        candour, [*map(str, words), "--succession", str(tmp_path / "succession.json")]
    )
    assert trusted.exit_code == 0, trusted.output
    (settings / "pepper").unlink()
    for service in ("source", "collection"):
        shutil.rmtree(host.folder / ONIONS / service)
    done = host.run()
    assert done.returncode == 0, done.stderr

    assert (settings / "registry-root.pub").read_text().strip() == public.hex()
    for name, group in (
        ("registry.json", "candour"),
        ("registry-root.pub", "candour"),
        ("pepper", "candour-source"),
    ):
        assert host.owner(f"etc/candour/{name}") == (0, host.number("group", group), "0o640")
    drawn = (settings / "pepper").read_bytes()
    assert len(drawn) == 32
    assert drawn != before
    door = host.folder / ONIONS / "collection/authorized_clients"
    assert len(list(door.glob("*.auth"))) == 1, "the door is locked"
    assert (host.folder / ONIONS / "source").is_dir()
