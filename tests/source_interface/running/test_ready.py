"""What a message is sealed to is in memory alone: no file is made because somebody comes, and none can be exchanged."""

import subprocess
import threading
from contextlib import suppress

import pytest

from common.gpg.runner import gpg_environment, private_home

pytestmark = pytest.mark.slow


def files_of(server):
    """All files of the server but the database's."""
    files = (file for folder in (server.data, server.folder) for file in folder.rglob("*") if file.is_file())
    return {file for file in files if not file.name.startswith("candour.sqlite")}


def test_no_file_of_a_recipient_is_made_because_somebody_reports(fresh_server):
    before = files_of(fresh_server)
    assert len(fresh_server.reporter().report("It happened at the yard.")) == 7
    [blob] = files_of(fresh_server) - before
    assert blob == fresh_server.blobs()[0]
    assert not [file for file in before if file.suffix in (".gpg", ".asc")]


def test_whoever_writes_in_the_run_folder_changes_nobody_a_message_is_sealed_to(
    fresh_server, unit_keys, other_unit_keys, opened
):
    """All that is there is exchanged again and again, and what gpg looks for in its home is put there."""
    run, theirs = fresh_server.data / "run", other_unit_keys.folder / "certificate.asc"
    home = private_home(run / "gnupg")
    (home / "gpg.conf").write_text(f"hidden-recipient-file {theirs}\nhidden-encrypt-to other\n")
    (home / "trustedkeys.gpg").write_bytes(theirs.read_bytes())
    planted, over = theirs.read_bytes(), threading.Event()

    def exchange():
        while not over.is_set():
            for file in list(run.rglob("*")):
                if file.suffix in (".gpg", ".asc", ".kbx") and file.is_file():
                    with suppress(OSError):
                        (run / "new").write_bytes(planted)
                        (run / "new").replace(file)
            over.wait(0.0005)

    thief = threading.Thread(target=exchange)
    thief.start()
    try:
        fresh_server.reporter().report("It happened at the yard.")
    finally:
        over.set()
        thief.join()
    [blob] = fresh_server.blobs()
    report, _ = opened(blob, unit_keys)
    assert report.text == "It happened at the yard."
    command = ["gpg", "--homedir", unit_keys.folder / "gnupg", "--batch", "--list-packets", blob]
    shown = subprocess.run(command, capture_output=True, check=True, env=gpg_environment()).stdout
    assert shown.count(b":pubkey enc packet:") == 1, "to nobody else besides"
