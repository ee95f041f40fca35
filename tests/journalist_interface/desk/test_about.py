"""The page that says whose desk this is, and which program and registry it goes by."""

from dataclasses import replace

from common import signing
from common.contexts import Context
from common.registry import registry as registries
from common.version import VERSION
from keys.private_key import read_private_key


def test_it_names_the_program_and_who_signed_the_registry(world, browser):
    root = read_private_key(world.house.folder / "root.key")
    registry = registries.verify_signature(world.house.registry, world.house.root)
    body = registries.to_body(replace(registry, signed_with="9.9.9"))
    (world.folder / "registry.json").write_bytes(signing.sign(body, Context.REGISTRY, root))
    page = browser.get("/about").text
    assert f"<dt>Program</dt><dd>Candour {VERSION}</dd>" in page
    assert "signed with Candour 9.9.9</dd>" in page


def test_it_names_the_program_where_the_registry_is_refused(world, browser):
    (world.folder / "registry.json").write_bytes(b"")
    page = browser.get("/about").text
    assert "The registry is refused" in page
    assert f"<dt>Program</dt><dd>Candour {VERSION}</dd>" in page
