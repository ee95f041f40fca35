"""The collection needs neither the database nor the pepper, and loads nothing that could reach them."""

import os
import subprocess
import sys

from tests.journalist_interface.collection.conftest import PROJECT, collection_of

LOADED = """
import sys
from journalist_interface.collection.app import create_app
create_app()
print(*(name for name in sys.modules if name.split(".")[0] == "sqlalchemy" or name.startswith("common.store.")))
"""


def test_it_serves_where_there_is_no_database_and_no_pepper(world, call):
    envelope = world.put("north", b"sealed" * 4000)
    world.store.engine.dispose()
    for file in (world.config.pepper_file, *world.folder.glob("candour.sqlite*")):
        file.unlink()
    with collection_of(world) as address:
        north = call("north", address)
        assert [one["id"] for one in north.ask("GET", "/v1/envelopes").json()["envelopes"]] == [envelope]
        assert north.ask("GET", f"/v1/envelopes/{envelope}").content == b"sealed" * 4000
        assert north.ask("POST", "/v1/posts", world.new_reply().document).status_code == 204
        assert north.ask("GET", "/v1/returned").json() == {"returned": []}
    assert list(world.folder.glob("candour.sqlite*")) == []


def test_it_loads_no_module_that_reaches_a_database(world):
    settings = world.folder / "server.toml"
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=PROJECT,
        env=os.environ | {"CANDOUR_SERVER": str(settings)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert set(done.stdout.split()) == {
        f"common.store.{name}" for name in ("blob_pool", "blobs", "inbox", "outbox", "set_aside", "values")
    }
