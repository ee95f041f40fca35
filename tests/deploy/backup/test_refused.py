"""What is not a whole, honest backup for us is refused, and nothing is put in place."""

import hashlib
import io
import json
import os
import shutil
import tarfile

import pytest

from common.gpg.opening import Opener
from common.gpg.sealing import Sealer
from deploy.backup.errors import BackupFailed, RestoreRefused
from deploy.backup.layout import in_data_folder
from deploy.backup.restore import restore
from deploy.backup.save import save

pytestmark = pytest.mark.slow

STRANGE = "would not have written"


@pytest.fixture(scope="module")
def saved(demo, open_layout, put, operator, tmp_path_factory):
    store = open_layout(demo)
    put(store, os.urandom(40_000))
    put(store)
    return save(demo, tmp_path_factory.mktemp("saved"), operator.certificate).file


@pytest.fixture
def refused(tmp_path, operator):
    """Tries to restore; sees that it was refused in words and that nothing is left anywhere."""

    def attempt(file, gnupg=None, words=""):
        place = tmp_path / "refusing"
        place.mkdir(exist_ok=True)
        with pytest.raises(RestoreRefused) as refusal:
            restore(in_data_folder(place / "data"), file, gnupg or operator.gnupg)
        assert [path for path in place.rglob("*") if not path.is_dir() or path.name != "data"] == []
        assert words in str(refusal.value)
        return str(refusal.value)

    return attempt


@pytest.fixture(scope="module")
def opened(saved, operator):
    """The archive inside: (name, content) in order."""
    whole = bytearray()
    Opener(operator.gnupg).open(saved, whole.extend)
    with tarfile.open(fileobj=io.BytesIO(bytes(whole))) as tar:
        return [(member.name, (tar.extractfile(member) or io.BytesIO()).read()) for member in tar]


@pytest.fixture
def forged(tmp_path, operator):
    """Seals an archive that somebody else has made. A member: (name, content), or a TarInfo in place of the name."""

    def make(members, end=b"", manifest=True):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
            listed = {}
            for name, content in members:
                info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
                listed[info.name] = [len(content), hashlib.sha256(content).hexdigest()]
            if manifest:
                text = json.dumps({"files": listed}).encode()
                info = tarfile.TarInfo("manifest.json")
                info.size = len(text)
                tar.addfile(info, io.BytesIO(text))
        stream.write(end)
        stream.seek(0)
        file = tmp_path / "forged.gpg"
        file.unlink(missing_ok=True)
        Sealer(tmp_path / "forger").seal(stream, [operator.certificate], file)
        return file

    return make


def test_the_forger_can_forge_a_good_one(forged, opened, tmp_path, operator):
    file = forged(opened[:-1])
    assert restore(in_data_folder(tmp_path / "fine"), file, operator.gnupg).envelopes == 2


def test_another_s_key_does_not_open_it(saved, stranger, refused):
    refused(saved, stranger.gnupg, "does not open")


def test_a_backup_that_was_cut_is_refused(saved, refused, tmp_path):
    content = saved.read_bytes()
    for length in (0, 10, 700, len(content) // 2, len(content) - 1):
        cut = tmp_path / "cut"
        cut.write_bytes(content[:length])
        refused(cut)


def test_one_changed_byte_is_refused(saved, refused, tmp_path):
    content = saved.read_bytes()
    for place in (0, 100, 1000, len(content) // 2, len(content) - 30, len(content) - 1):
        changed = tmp_path / "changed"
        changed.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        refused(changed)


def test_a_file_that_is_no_backup_is_refused(refused, tmp_path, demo):
    refused(tmp_path / "nothing", words="nothing")
    refused(demo.settings / "server.toml", words="It is not a sealed message.")


def test_an_archive_that_is_cut_inside_the_seal_is_refused(opened, forged, refused):
    assert "cut short" in refused(forged(opened[:-1], manifest=False))
    refused(forged([]))


def test_a_manifest_that_lists_otherwise_is_refused(opened, forged, refused):
    *members, (name, manifest) = opened
    listed = json.loads(manifest)
    pepper = listed["files"]["settings/pepper"]
    pepper[1] = "0" * 64
    refused(forged([*members, (name, json.dumps(listed).encode())], manifest=False), words="manifest lists")
    del listed["files"]["settings/pepper"]
    refused(forged([*members, (name, json.dumps(listed).encode())], manifest=False), words="manifest lists")
    listed["files"]["settings/pepper"] = "x"
    refused(forged([*members, (name, json.dumps(listed).encode())], manifest=False))


@pytest.mark.parametrize(
    "name",
    [
        *("/etc/passwd", "../evil", "settings/../../evil", "settings/evil", "blobs/../evil", "blobs/AA", ""),
        *(
            "blobs/" + "A" * 32,
            "rows/secret/000000",
            "rows/envelope/0",
            "settings/pepper/",
            "onions/x/hostname",
        ),
        *("blobs/" + "0" * 31 + "\n", "settings/server.toml\n", "blobs/" + "0" * 32),
        *("onions/source/hs_ed25519_secret_key", "onions/collection/authorized_clients/../x.auth"),
    ],
)
def test_a_name_that_nothing_here_has_is_refused(opened, forged, refused, name):
    told = refused(forged([opened[0], (name, b"x" * 32)]))
    assert any(words in told for words in (STRANGE, "without its row", "onion keys in this backup of a demo"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_a_link_a_folder_or_a_device_is_refused(opened, forged, refused, kind):
    info = tarfile.TarInfo("settings/pepper")
    info.type = kind
    info.linkname = "/etc/shadow" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    refused(forged([opened[0], (info, b"x" * 32)]), words=STRANGE)


def test_long_names_and_extended_headers_are_refused(opened, forged, refused):
    refused(forged([opened[0], ("settings/" + "x" * 300, b"x")]), words=STRANGE)
    info = tarfile.TarInfo("settings/pepper")
    info.type = tarfile.XHDTYPE
    refused(forged([opened[0], (info, b"30 path=../evil\n")]), words=STRANGE)


def test_a_file_twice_is_refused(opened, forged, refused):
    refused(forged([*opened[:3], opened[1]]), words=STRANGE)


def test_a_size_beyond_all_bounds_is_refused_before_it_is_read(opened, forged, refused):
    refused(forged([opened[0], ("settings/pepper", b"x" * (16 * 1024**2 + 1))]), words=STRANGE)


def test_bytes_after_the_end_are_refused(opened, forged, refused):
    refused(forged(opened[:-1], end=b"more".ljust(512)), words=STRANGE)


def test_an_envelope_without_its_row_or_of_another_size_is_refused(opened, forged, refused):
    members = opened[:-1]
    refused(forged([*members, ("blobs/" + "0" * 32, b"x")]), words="without its row")
    changed = [(name, content + b"x" if name.startswith("blobs/") else content) for name, content in members]
    refused(forged(changed), words="without its row")


def test_rows_that_are_none_are_refused(opened, forged, refused):
    def with_row(table, change):
        members = []
        for name, content in opened[:-1]:
            if name.startswith(f"rows/{table}/"):
                piece = json.loads(content)
                change(piece)
                members.append((name, json.dumps(piece).encode()))
            else:
                members.append((name, content))
        return forged(members)

    changes = [
        lambda piece: piece["rows"].append(piece["rows"][0]),
        lambda piece: piece["rows"][0].pop(),
        lambda piece: piece["rows"][0].__setitem__(0, "../../evil"),
        lambda piece: piece["rows"][0].__setitem__(1, "AAAA"),
        lambda piece: piece["rows"][0].__setitem__(2, "u" * 65),
        lambda piece: piece["rows"][0].__setitem__(3, "yesterday"),
        lambda piece: piece["rows"][0].__setitem__(4, -1),
        lambda piece: piece["rows"][0].__setitem__(4, None),
        lambda piece: piece["columns"].reverse(),
        lambda piece: piece.update(rows=7),
    ]
    for change in changes:
        refused(with_row("envelope", change), words="not rows")
    refused(with_row("reply", lambda piece: piece["rows"][0].__setitem__(1, "AAAA")), words="not rows")


def test_settings_that_point_elsewhere_are_refused(opened, forged, refused):
    def with_settings(old, new):
        return forged(
            [
                (name, content.replace(old, new) if name == "settings/server.toml" else content)
                for name, content in opened[:-1]
            ]
        )

    refused(with_settings(b'"blobs"', b'"../../elsewhere"'), words="elsewhere")
    refused(with_settings(b"sqlite:///candour.sqlite", b"postgresql://evil/db"), words="another kind")
    refused(with_settings(b'"blobs"', b"["), words="TOML")


def test_a_backup_without_one_of_its_parts_is_refused(opened, forged, refused):
    for left_out in ("settings/pepper", "settings/registry.json"):
        refused(forged([one for one in opened[:-1] if one[0] != left_out]), words="lacks")
    refused(forged(opened[1:-1]), words=STRANGE)  # no format


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("format", 2, "another version"), ("shape", "0099", "another version"), ("kind", "host", "of a 'host'")],
)
def test_another_version_or_another_kind_is_refused(opened, forged, refused, key, value, words):
    head = json.loads(opened[0][1]) | {key: value}
    refused(forged([(opened[0][0], json.dumps(head).encode()), *opened[1:-1]]), words=words)


def test_a_backup_is_never_written_over_another(saved, demo, operator):
    content = saved.read_bytes()
    for to in (saved, saved.parent):
        with pytest.raises(BackupFailed, match="already"):
            save(demo, to, operator.certificate)
    assert saved.read_bytes() == content


def test_a_backup_that_fails_leaves_nothing(demo, operator, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "bad.asc").write_text("no certificate")
    with pytest.raises(BackupFailed, match="certificate"):
        save(demo, away, tmp_path / "bad.asc")
    with pytest.raises(BackupFailed, match="Name the operator"):
        save(demo, away, tmp_path / "none.asc")
    with pytest.raises(BackupFailed, match="no folder"):
        save(demo, away / "x" / "y", operator.certificate)
    broken = in_data_folder(tmp_path / "broken")
    shutil.copytree(demo.settings, broken.settings)
    broken.stamp.unlink(missing_ok=True)
    broken.database.write_bytes(b"not a database".ljust(4096))
    with pytest.raises(BackupFailed, match="cannot be copied"):
        save(broken, away, operator.certificate)
    assert list(away.iterdir()) == []
    assert not broken.stamp.exists()
