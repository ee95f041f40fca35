"""What a server makes ahead, so that nothing is made because somebody came."""

from datetime import timedelta

from common.days import today


def test_no_file_of_a_recipient_is_made_because_somebody_reports(fresh_server, wait_until):
    folder = fresh_server.data / "run" / "recipients"

    def made():
        return {file: file.stat().st_ctime_ns for file in folder.glob("*/*") if file.suffix == ".gpg"}

    days = [str(today() + timedelta(days=n)) for n in (0, 1)]
    wait_until(lambda: sorted(file.parent.name for file in made()) == sorted(days * 3), "the files")
    before = made()
    assert len(fresh_server.reporter().report("It happened at the yard.")) == 7
    assert made() == before
