"""A server's settings: read whole, or refused with the file and what to do, and never the pepper."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from common.config import BadConfiguration, Limits, read_server_config
from common.days import today
from common.registry.file import RegistryFile
from common.registry.registry import RegistryRefused
from keys.registry.signature import sign_registry

PEPPER = bytes(range(32))


@pytest.fixture
def file(server_config):
    return server_config().registry.parent / "server.toml"


def with_line(file, key, value):
    """The settings with one line replaced; None takes it out."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{key} =")]
    if value is not None:
        lines.insert(0, f"{key} = {value}")
    file.write_text("\n".join(lines))
    return file


def refused(file, match, use=lambda _: None):
    with pytest.raises(BadConfiguration, match=match) as refusal:
        use(read_server_config(file))
    error: BaseException | None = refusal.value
    shown = ""
    while error is not None:
        shown += str(error) + repr(error)
        error = error.__cause__
    assert str(file.parent) in str(refusal.value)
    assert str(refusal.value).endswith(".")
    assert not any(str(pepper) in shown for pepper in (PEPPER, PEPPER[:8], PEPPER.hex()))
    return shown


def test_settings_are_read_and_paths_are_beside_the_file(server_config, registry):
    config = server_config(max_files=3)
    folder = config.registry.parent
    assert config.limits == Limits(max_files=3)
    assert config.service_name == "Candour"
    assert config.blobs == folder / "blobs"
    assert config.run == folder / "run"
    assert config.database == f"sqlite:///{folder}/candour.sqlite"
    assert config.pepper.reveal() == PEPPER
    assert config.load_registry() == registry


def test_settings_print_without_the_pepper(server_config):
    shown = repr(server_config())
    assert "pepper" not in shown
    assert repr(PEPPER)[2:20] not in shown


def test_a_missing_file_and_one_that_is_not_toml_are_refused(tmp_path, file):
    refused(tmp_path / "server.toml", "is missing or is not TOML")
    for content in (b"=", b"\xff\xfe", b"a = 1\na = 2"):
        file.write_bytes(content)
        refused(file, "is missing or is not TOML")


@pytest.mark.parametrize("key", ["database", "blobs", "registry", "registry_root", "pepper"])
@pytest.mark.parametrize("value", [None, '""', "3", "[]"])
def test_a_setting_that_is_not_there_is_named(file, key, value):
    refused(with_line(file, key, value), f"must say what `{key}` is")


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_pepper_of_the_wrong_length_is_refused_and_not_shown(file, length):
    (file.parent / "pepper").write_bytes((PEPPER * 2)[:length])
    refused(file, "pepper must be 32 bytes", lambda config: config.pepper)


def test_settings_are_read_by_who_may_not_read_the_pepper(file):
    (file.parent / "pepper").unlink()
    config = read_server_config(file)
    assert config.load_registry().version
    refused(file, "pepper cannot be read", lambda config: config.pepper)


def test_the_pepper_of_the_start_is_the_pepper_of_the_run(file):
    config = read_server_config(file)
    assert config.pepper.reveal() == PEPPER
    (file.parent / "pepper").write_bytes(bytes(32))
    assert config.pepper.reveal() == PEPPER


def test_inbox_and_outbox_lie_beside_the_blobs_unless_said(file):
    config = read_server_config(file)
    assert (config.inbox, config.outbox) == (file.parent / "inbox", file.parent / "outbox")
    config = read_server_config(with_line(with_line(file, "inbox", '"in"'), "outbox", '"/srv/out"'))
    assert (config.inbox, config.outbox) == (file.parent / "in", Path("/srv/out"))
    refused(with_line(file, "inbox", "3"), "must say what `inbox` is")


@pytest.mark.parametrize(
    ("disk", "kept"),
    [(1024**4, 5 * 1024**3), (64 * 1024**3, 5 * 1024**3), (1024**3, 1024**3 + 1024**3 // 16)],
)
def test_what_units_post_leaves_room_for_reports_and_more_on_a_large_disk(disk, kept):
    assert Limits().kept_from_posts(disk) == kept > Limits().keep_free_bytes


def test_a_file_that_is_not_there_is_named(file):
    (file.parent / "registry-root.pub").unlink()
    refused(file, "registry-root.pub cannot be read")


@pytest.mark.parametrize("content", [b"", b"junk", b"00" * 31, b"00" * 33, b"\xff" * 64])
def test_a_root_key_that_is_none_is_refused(file, content):
    (file.parent / "registry-root.pub").write_bytes(content)
    refused(file, "64 hex digits")


@pytest.mark.parametrize(
    "line", ["max_files = -1", 'max_files = "3"', "max_files = 1.5", "max_files = true", "max_file = 3"]
)
def test_a_limit_that_is_none_is_refused(file, line):
    file.write_text(file.read_text() + line + "\n")
    refused(file, r"\[limits\] in .*server.toml (may hold only|holds whole numbers only)")


def test_limits_that_are_no_table_are_refused(file):
    file.write_text(file.read_text().replace("[limits]", "limits = 3"))
    refused(file, r"\[limits\]")


@pytest.mark.parametrize("url", ["nonsense", "", "://", "postgresql://me:hunter2@host:port/x"])
def test_a_database_that_is_no_url_is_refused_without_its_password(file, url):
    shown = refused(with_line(file, "database", f'"{url}"'), "database")
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("sqlite:////srv/x.sqlite", "sqlite:////srv/x.sqlite"),
        ("postgresql://me:a%40b@db/candour", "postgresql://me:a%40b@db/candour"),
    ],
)
def test_a_database_elsewhere_stays_where_it_is(file, url, kept):
    assert read_server_config(with_line(file, "database", f'"{url}"')).database == kept


def test_a_registry_that_is_not_there_or_altered_is_refused_when_asked_for(server_config):
    config = server_config()
    config.registry.write_bytes(config.registry.read_bytes().replace(b"Test", b"Fest", 1))
    with pytest.raises(RegistryRefused, match="signature"):
        config.load_registry()
    config.registry.unlink()
    with pytest.raises(RegistryRefused, match="not there"):
        config.load_registry()
    assert isinstance(config.registry, Path)


def test_the_days_of_grace_are_none_unless_said(file, server_config):
    assert server_config().registry_grace_days == 0
    assert read_server_config(with_line(file, "registry_grace_days", 14)).registry_grace_days == 14
    for wrong in ("-1", "91", '"14"', "true", "1.5"):
        refused(with_line(file, "registry_grace_days", wrong), "registry_grace_days")


def test_the_grace_reaches_the_registry(file, registry, root_key):
    ended = replace(registry, issued=today() - timedelta(days=9), expires=today() - timedelta(days=3))
    config = read_server_config(with_line(file, "registry_grace_days", 3))
    config.registry.write_bytes(sign_registry(ended, root_key.file))
    assert config.load_registry() == RegistryFile.of(config).current() == ended
    config = read_server_config(with_line(file, "registry_grace_days", 2))
    for look in (config.load_registry, RegistryFile.of(config).current):
        with pytest.raises(RegistryRefused):
            look()
