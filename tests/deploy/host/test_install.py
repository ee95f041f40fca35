"""Installing into another root folder: it works, it can be repeated, and it takes nothing away that is a host's own."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.days import today
from deploy import bootstrap
from deploy.host import settings, steps
from deploy.host.place import Place, StepFailed
from keys.private_key import write_private_key
from keys.registry.signature import sign_registry

pytestmark = pytest.mark.slow

PROJECT = Path(bootstrap.PROJECT)
KEY = "var/lib/tor-instances/candour/source/hs_ed25519_secret_key"
OWN = ("etc/candour/pepper", "etc/candour/server.toml", "etc/candour/registry.json", KEY)


@pytest.fixture(scope="module")
def made(as_root, new_root, tmp_path_factory):
    """One installation for all tests that leave it well; a key of the onion is there, as tor makes it."""
    root = new_root(tmp_path_factory.mktemp("host"))
    done = root.install()
    assert done.returncode == 0, done.stderr
    assert "nothing was started" in done.stderr
    (root.folder / KEY).write_bytes(os.urandom(96))
    return root


def test_each_file_is_in_place_and_each_folder_its_users(made):
    for file in steps.tree_files():
        assert (made.folder / file.lstrip("/")).read_bytes() == (steps.TREE / file.lstrip("/")).read_bytes()
    source, collection = (made.number("passwd", f"candour-{name}") for name in ("source", "collection"))
    tor, shared = made.number("passwd", "_tor-candour"), made.number("group", "candour")
    assert len({0, source, collection, tor}) == 4
    own = made.number("group", "candour-source")
    assert made.owner("etc/candour/pepper") == (0, own, "0o640")
    assert made.owner("etc/candour/registry.json") == (0, shared, "0o640")
    assert made.owner("var/lib/candour/blobs") == (source, shared, "0o2710")
    assert made.owner("var/lib/candour/outbox") == (source, shared, "0o2750")
    assert made.owner("var/lib/candour/inbox") == (source, shared, "0o2770")
    assert made.owner("var/lib/candour/database") == (source, own, "0o700")
    assert made.owner("var/lib/candour/source")[::2] == (source, "0o700")
    assert made.owner("var/lib/candour/collection")[::2] == (collection, "0o700")
    assert made.owner("var/lib/tor-instances/candour/source")[::2] == (tor, "0o2700")


def test_tor_s_user_shares_no_group_with_the_web_users(made):
    members = {
        line.split(":")[0]: line.split(":")[3]
        for line in (made.folder / "etc/group").read_text().splitlines()
    }
    assert set(members["candour"].split(",")) == {"candour-source", "candour-collection"}
    assert members["_tor-candour"] == ""


def test_code_is_root_s_alone_to_change_and_no_test_or_data_comes_with_it(made):
    code = made.folder / "usr/lib/candour"
    assert (code / "source_interface/app.py").exists()
    assert str((made.folder / "usr/local/bin/candour").readlink()) == "/usr/lib/candour/candour"
    assert not {"tests", "var", "keys", ".git", ".ci"} & {path.name for path in code.iterdir()}
    units_side = {path.name for path in (code / "journalist_interface").iterdir()}
    assert units_side - {"__pycache__"} == {"__init__.py", "collection"}
    assert not (code / "deploy/workshop").exists()
    for path in code.rglob("*"):
        if not path.is_symlink():
            status = path.stat()
            assert (status.st_uid, status.st_mode & 0o022) == (0, 0), path


IMPORT_ALL = """
import importlib, pathlib, sys
code = pathlib.Path(sys.argv[1])
for file in sorted(code.rglob("*.py")):
    parts = file.relative_to(code).with_suffix("").parts
    if parts[0] != ".venv" and "versions" not in parts and parts[-1] not in ("__main__", "env"):
        importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"keys", "common", "deploy"}))
"""


def test_what_is_copied_lacks_nothing_that_it_imports(made):
    code = made.folder / "usr/lib/candour"
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT_ALL, code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(code), "HOME": "/nonexistent"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["common", "deploy"]


def test_on_a_host_the_command_offers_what_is_there_and_says_where_the_rest_is(made):
    def candour(*words):
        return subprocess.run(
            [sys.executable, "-P", "-m", "deploy", *words],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(made.folder / "usr/lib/candour")},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    offered = {
        line.split()[0] for line in candour("--help").stdout.partition("Commands:")[2].splitlines() if line
    }
    assert offered == {"backup", "deploy", "doctor", "restore", "settle"}
    refused = candour("keys", "unit")
    assert refused.returncode == 2
    assert "is not on this host" in refused.stderr


def test_services_start_with_the_machine_and_another_tor_does_not(made):
    wants = made.folder / "etc/systemd/system"
    enabled = {path.name for path in wants.glob("*.wants/*")}
    assert enabled == set(steps.UNITS)
    assert str((wants / "tor@default.service").readlink()) == "/dev/null"


def test_no_courier_gets_in_before_one_is_let_in(made):
    folder = made.folder / "var/lib/tor-instances/candour/collection/authorized_clients"
    lock = folder / "nobody.auth"
    assert lock.read_text().startswith("descriptor:x25519:")
    assert made.owner(str(lock.relative_to(made.folder)))[::2] == (
        made.number("passwd", "_tor-candour"),
        "0o600",
    )


def test_installing_again_changes_nothing(made):
    before = made.state()
    done = made.run()
    assert done.returncode == 0, done.stderr
    assert made.state() == before


def test_a_registry_that_does_not_hold_leaves_the_old_one_in_place(made, given, tmp_path):
    before = made.state()
    broken = tmp_path / "broken.json"
    broken.write_bytes((given / "registry.json").read_bytes().replace(b"Test Police", b"Best Police"))
    done = made.install(registry=broken)
    assert done.returncode == 1
    assert "would not start with these settings. The registry is refused" in done.stderr
    assert made.state() == before


def test_a_registry_older_than_the_services_have_seen_is_refused(made):
    seen = made.folder / "var/lib/candour/source/registry-version"
    seen.write_text("7\n")
    try:
        done = made.install()
    finally:
        seen.unlink()
    assert done.returncode == 1
    assert "its version 1 is older than 7, seen before" in done.stderr


def test_a_new_registry_takes_the_old_one_s_place_readable_at_once(made, given, registry, root_key, tmp_path):
    newer = tmp_path / "newer.json"
    newer.write_bytes(
        sign_registry(replace(registry, version=2, expires=today() + timedelta(days=90)), root_key.file)
    )
    try:
        assert made.install(registry=newer).returncode == 0
        assert (made.folder / "etc/candour/registry.json").read_bytes() == newer.read_bytes()
    finally:
        assert made.install().returncode == 0


def test_an_installation_never_changes_whom_the_host_believes(made, registry, tmp_path):
    """A stranger's pair of a higher version holds in itself: only the root that is in place tells."""
    before = made.state()
    key = Ed25519PrivateKey.generate()
    write_private_key(tmp_path / "root.key", key)
    pair = {"registry": tmp_path / "registry.json", "registry-root": tmp_path / "root.pub"}
    pair["registry"].write_bytes(sign_registry(replace(registry, version=9), tmp_path / "root.key"))
    pair["registry-root"].write_text(key.public_key().public_bytes_raw().hex())
    done = made.install(**pair)
    assert done.returncode == 1
    assert "another root than the one that this host trusts" in done.stderr
    assert "candour keys root trust" in done.stderr
    done = made.run("--registry", str(pair["registry"]))
    assert done.returncode == 1
    assert "signature does not hold" in done.stderr
    put_settings = (pair["registry"], pair["registry-root"])
    with pytest.raises(StepFailed, match="signature does not hold"):
        settings.put_settings(Place(made.folder), *put_settings)
    assert made.state() == before


def test_without_a_registry_nothing_is_touched(as_root, new_root, tmp_path):
    root = new_root(tmp_path)
    before = root.state()
    done = root.run()
    assert (done.returncode, root.state()) == (1, before)
    assert "--registry FILE --registry-root FILE" in done.stderr


def test_uninstalling_keeps_what_is_a_host_s_own_and_installing_again_finds_it(made):
    own = {name: (made.folder / name).read_bytes() for name in OWN}
    blob = made.folder / "var/lib/candour/blobs/kept"
    blob.touch()
    whole = made.state()
    done = made.run("--uninstall")
    assert done.returncode == 0, done.stderr
    for file in steps.tree_files():
        assert not (made.folder / file.lstrip("/")).exists()
    assert not (made.folder / "usr/lib/candour").exists()
    assert not (made.folder / "usr/local/bin/candour").is_symlink()
    assert not list((made.folder / "etc/systemd/system").rglob("*candour*"))
    assert not (made.folder / "etc/systemd/system/tor@default.service").is_symlink()
    assert {name: (made.folder / name).read_bytes() for name in OWN} == own
    assert blob.exists()
    assert made.run("--uninstall").returncode == 0, "and again"
    made.lend_environment()
    assert made.run().returncode == 0
    assert made.state() == whole
    blob.unlink()


def test_plain_swap_is_told_from_encrypted(tmp_path):
    from deploy.host.fitness import plain_swap

    for name, uuid in (("dm-0", "CRYPT-PLAIN-x"), ("dm-1", "LVM-x")):
        (tmp_path / name / "dm").mkdir(parents=True)
        (tmp_path / name / "dm/uuid").write_text(f"{uuid}\n")
    (tmp_path / "zram0").mkdir()
    (tmp_path / "zram0/backing_dev").write_text("none\n")
    (tmp_path / "zram1").mkdir()
    (tmp_path / "zram1/backing_dev").write_text("/dev/vdb\n")
    areas = ("/dev/dm-0", "/dev/dm-1", "/dev/zram0", "/dev/zram1", "/dev/vda2", "/swapfile")
    table = "Filename Type Size Used Priority\n" + "".join(f"{area} partition 1 0 -2\n" for area in areas)
    assert list(plain_swap(table, tmp_path)) == ["/dev/dm-1", "/dev/zram1", "/dev/vda2", "/swapfile"]


def test_only_root_installs(as_root, tmp_path):
    for room in ("common", "deploy"):
        shutil.copytree(PROJECT / room, tmp_path / room)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            str(tmp_path / "deploy/install"),
            "--uninstall",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "Only root can do that. Run it with sudo.\n")
