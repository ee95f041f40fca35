"""A host that is lost comes back on a clean machine: same names, same rows, same owners; and nothing is overwritten."""

import grp
import io
import os
import shutil
import sqlite3
import subprocess
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from common.days import today
from common.gpg.runner import gpg_environment
from common.transport.onion import public_line
from deploy.backup.errors import BackupFailed, RestoreRefused
from deploy.backup.layout import on_host
from deploy.backup.restore import restore
from deploy.backup.save import Contents, save
from deploy.host import ownership
from deploy.onions import couriers

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="a host is root's")]


@pytest.fixture
def saved(host, open_layout, put, operator, tmp_path):
    store = open_layout(host)
    for content in (b"one", b"two" * 1000, b"three"):
        put(store, content)
    return save(host, tmp_path, operator.certificate)


@pytest.fixture
def clean(tmp_path):
    """A machine on which nothing is but Debian's tables of users."""
    layout = on_host(tmp_path / "clean")
    (layout.root / "etc").mkdir(parents=True)
    for table in ("passwd", "group"):
        (layout.root / "etc" / table).write_text("")
    return layout


def test_the_same_onions_come_back(saved, clean, operator, onion_keys, names_by_tor):
    restored = restore(clean, saved.file, operator.gnupg)
    names = onion_keys[1]
    assert dict(restored.addresses) == names
    for service in names:
        (clean.onions / service / "hostname").unlink()
    top = clean.root / "as-tor"  # tor looks at owners: here it runs as root
    shutil.copytree(clean.onions, top / "onions")
    for folder, _, _ in os.walk(top):
        Path(folder).chmod(0o700)
    assert names_by_tor(top / "onions") == names
    assert (
        (clean.onions / "collection" / "authorized_clients" / "unit.auth")
        .read_text()
        .startswith("descriptor")
    )


def test_what_was_listed_is_the_collection_s_to_read_again_and_nothing_else_is(
    host, clean, operator, open_layout, put, settle_in, tmp_path
):
    store = open_layout(host)
    listed = put(store)
    settle_in(host, store)
    new = put(store)
    saved = save(host, tmp_path, operator.certificate)
    assert (saved.envelopes, saved.lost) == (2, 0)
    restore(clean, saved.file, operator.gnupg)
    numbers = {
        line.split(":")[0]: int(line.split(":")[2])
        for table in ("passwd", "group")
        for line in (clean.root / "etc" / table).read_text().splitlines()
    }
    for blob_id, mode in ((listed, 0o640), (new, 0o600)):
        file = clean.blobs / blob_id[:2] / blob_id
        status = file.stat()
        assert (status.st_uid, status.st_gid) == (numbers["candour-source"], numbers["candour"])
        assert status.st_mode & 0o7777 == mode
        assert file.parent.stat().st_mode & 0o7777 == 0o2710
    assert [path.stat().st_mode & 0o7777 for path in clean.database.parent.glob("*")] != []
    for path in (clean.database.parent, *clean.database.parent.glob("*")):
        assert (path.stat().st_uid, path.stat().st_mode & 0o077) == (numbers["candour-source"], 0)


def test_what_couriers_delivered_since_the_last_settled_hour_is_in_no_backup(host, operator, tmp_path):
    """It is not checked yet, is a few hours old, and is the collection's: root reads nothing of it."""
    inbox = host.blobs.with_name("inbox") / "test-unit"
    inbox.mkdir(parents=True)
    (inbox / ("a" * 32)).write_bytes(b"delivered")
    (inbox / ("b" * 32)).symlink_to(host.settings / "pepper")
    names = [name for name in written(host) if "inbox" in name or "outbox" in name or "a" * 32 in name]
    assert names == []
    assert save(host, tmp_path, operator.certificate).envelopes == 0


def written(layout):
    """The names in a backup's archive."""
    contents, archive = Contents(layout), io.BytesIO()
    while piece := contents.read(1):
        archive.write(piece)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        return tar.getnames()


def test_rows_envelopes_and_settings_are_the_same(saved, clean, host, operator, rows_of):
    restore(clean, saved.file, operator.gnupg)
    assert rows_of(clean) == rows_of(host)
    assert len(rows_of(host)["envelope"]) == 3
    for row in rows_of(host)["envelope"]:
        name = f"{str(row[0])[:2]}/{row[0]}"
        assert (clean.blobs / name).read_bytes() == (host.blobs / name).read_bytes()
        assert (clean.blobs / name).stat().st_mtime == (host.blobs / name).stat().st_mtime
    for name in ("server.toml", "registry.json", "registry-root.pub", "pepper"):
        assert (clean.settings / name).read_bytes() == (host.settings / name).read_bytes()
    with sqlite3.connect(clean.database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_everything_has_the_owner_and_mode_that_the_host_s_own_rules_say(saved, clean, operator):
    restore(clean, saved.file, operator.gnupg)
    numbers = {"root": 0}
    for table in ("passwd", "group"):
        for line in (clean.root / "etc" / table).read_text().splitlines():
            numbers[line.split(":")[0]] = int(line.split(":")[2])
    seen = 0
    for rule in ownership.rules():
        path = clean.root / rule.path.lstrip("/")
        if path.exists():
            seen += 1
            status = path.stat()
            assert (status.st_mode & 0o7777, status.st_uid) == (rule.mode, numbers[rule.user]), path
            assert status.st_gid == numbers[rule.group], path
    assert seen >= 9
    for folder, uid, mode in (
        (clean.blobs, numbers["candour-source"], 0o600),  # none was listed yet
        (clean.onions, numbers["_tor-candour"], 0o600),
    ):
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files
        assert {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in files} == {(uid, mode)}
    assert grp.getgrgid(0).gr_name == "root"


def test_nothing_in_the_archive_tells_an_hour(saved, operator):
    words = ["gpg", "--homedir", str(operator.gnupg), "--batch", "--quiet", "--decrypt", str(saved.file)]
    opened = subprocess.run(words, env=gpg_environment(), capture_output=True, check=True).stdout
    listed = subprocess.run(
        ["tar", "--list", "--verbose", "--full-time", "--utc", "--file", "-"],
        input=opened,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert len(listed.splitlines()) > 12
    assert all(" 00:00:00 " in line for line in listed.splitlines())
    assert str(today()) in saved.file.name
    assert saved.file.stat().st_mtime % 86400 == 0
    assert saved.file.stat().st_mode & 0o077 == 0


def test_an_installation_is_not_overwritten(saved, clean, host, operator, rows_of):
    before = rows_of(host)
    with pytest.raises(RestoreRefused, match="something already"):
        restore(host, saved.file, operator.gnupg)
    assert rows_of(host) == before
    for stray in (clean.onions / "source" / "hostname", clean.blobs / "00" / "x", clean.settings / "pepper"):
        stray.parent.mkdir(parents=True)
        stray.write_text("x")
        with pytest.raises(RestoreRefused, match=stray.name):
            restore(clean, saved.file, operator.gnupg)
        stray.unlink()
    (clean.root / "empty").mkdir()
    assert restore(clean, saved.file, operator.gnupg).envelopes == 3  # empty folders are no installation


def test_a_row_whose_envelope_was_withdrawn_meanwhile_is_left_out(
    host, clean, open_layout, put, operator, tmp_path, rows_of, monkeypatch
):
    store = open_layout(host)
    kept, withdrawn = put(store), put(store)
    real = Contents._blobs

    def withdraw_first(self, writer, envelopes):
        tag = next(row[1] for row in rows_of(host)["envelope"] if row[0] == withdrawn)
        assert store.withdraw(tag)
        put(store)  # and another comes
        return real(self, writer, envelopes)

    monkeypatch.setattr(Contents, "_blobs", withdraw_first)
    saved = save(host, tmp_path, operator.certificate)
    assert (saved.envelopes, saved.lost) == (1, 0)
    restore(clean, saved.file, operator.gnupg)
    assert [row[0] for row in rows_of(clean)["envelope"]] == [kept]


def test_an_envelope_that_the_disk_has_lost_is_told_and_the_others_are_saved(
    host, open_layout, put, operator, tmp_path
):
    store = open_layout(host)
    put(store)
    store.blobs._path(put(store)).unlink()
    saved = save(host, tmp_path, operator.certificate)
    assert (saved.envelopes, saved.lost) == (1, 1)


def test_saving_leaves_the_databases_files_to_the_servers(host, open_layout, put, operator, tmp_path):
    store = open_layout(host)
    put(store)
    store.engine.dispose()
    for suffix in ("-wal", "-shm"):  # as tmpfiles.d makes them, for users who may make no file there
        host.database.with_name(host.database.name + suffix).touch()
    before = {path.name: path.stat().st_ino for path in host.database.parent.iterdir()}
    save(host, tmp_path, operator.certificate)
    assert {path.name: path.stat().st_ino for path in host.database.parent.iterdir()} == before


def test_the_day_of_the_last_backup_is_noted_and_no_hour(saved, host):
    assert host.stamp.read_text() == f"{today()}\n"
    assert host.stamp.stat().st_mtime % 86400 == 0


def test_without_the_onions_keys_no_backup_is_made(host, operator, tmp_path):
    (host.onions / "collection" / "hs_ed25519_secret_key").unlink()
    with pytest.raises(BackupFailed, match="Let tor start once"):
        save(host, tmp_path, operator.certificate)
    assert not list(tmp_path.glob("candour-*"))


def test_settings_that_have_moved_things_are_not_saved_by_halves(host, operator, tmp_path):
    settings = host.settings / "server.toml"
    settings.write_text(settings.read_text().replace("/var/lib/candour/blobs", "/srv/blobs"))
    with pytest.raises(Exception, match="/srv/blobs"):
        save(host, tmp_path, operator.certificate)


def test_what_is_past_its_time_goes_at_the_first_sweep(
    host, clean, open_layout, put, settle_in, operator, tmp_path, rows_of
):
    store = open_layout(host)
    old = put(store)
    settle_in(host, store)
    store.note_held("test-unit", [old], today() - timedelta(days=30))
    fresh = put(store)
    saved = save(host, tmp_path, operator.certificate)
    restore(clean, saved.file, operator.gnupg)
    again = open_layout(clean)
    again.sweep(today(), alone=True)
    assert [row[0] for row in rows_of(clean)["envelope"]] == [fresh]
    assert not again.blobs._path(old).exists()


@pytest.mark.parametrize("name", ["a" * 64, "A.b_c-" + "d" * 58])
def test_a_courier_of_the_longest_name_comes_back(host, clean, operator, tmp_path, name):
    line = public_line(os.urandom(32))
    couriers.admit(host.onions, "a" * 64, line)
    clients = Path("collection/authorized_clients")
    (host.onions / clients / f"{'a' * 64}.auth").rename(host.onions / clients / f"{name}.auth")
    saved = save(host, tmp_path, operator.certificate)
    restore(clean, saved.file, operator.gnupg)
    assert (clean.onions / clients / f"{name}.auth").read_text() == f"{line}\n"


@pytest.mark.parametrize(
    ("name", "content"), [("a" * 65, b"x"), ("é", b"x"), ("empty", b""), ("large", b"x" * 4097)]
)
def test_what_could_not_be_restored_fails_the_backup_and_is_named(host, operator, tmp_path, name, content):
    (host.onions / "collection" / "authorized_clients" / f"{name}.auth").write_bytes(content)
    with pytest.raises(BackupFailed, match=rf"{name}\.auth .* could not be restored"):
        save(host, tmp_path, operator.certificate)
    assert not list(tmp_path.glob("candour-*"))


@pytest.mark.parametrize("kind", ["link", "folder behind a link", "pipe", "folder"])
@pytest.mark.parametrize("place", ["blobs", "clients"])
def test_nothing_but_plain_files_of_other_users_is_read(
    host, open_layout, put, operator, tmp_path, kind, place
):
    """Root reads what they own: they could lead it to what is root's, or let it wait for ever."""
    secret = tmp_path / "root-only"
    secret.mkdir()
    store = open_layout(host)
    blob = store.blobs._path(put(store))
    folder = host.onions / "collection" / "authorized_clients"
    file = blob if place == "blobs" else folder / "unit.auth"
    (secret / file.name).write_bytes(b"what only root may read")
    file.unlink()
    if kind == "link":
        file.symlink_to(secret / file.name)
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.parent.rename(file.parent.with_name("before"))
        file.parent.symlink_to(secret)
    with pytest.raises(BackupFailed, match="is no plain file, or lies behind a link"):
        save(host, tmp_path, operator.certificate)
    assert not list(tmp_path.glob("candour-*"))
    pieces = Contents(host)
    read = bytearray()
    with pytest.raises(BackupFailed):
        while piece := pieces.read(0):
            read += piece
    assert b"what only root" not in read
