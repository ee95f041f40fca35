"""When something fails, the log learns where and nothing else."""

import re


def test_an_unexpected_failure_logs_its_class_and_place_and_no_value(world, north, caplog):
    north.learn_mark()
    world.config.inbox.rmdir()
    answer = north.ask("POST", "/v1/posts", world.new_reply().document)
    assert answer.status_code == 500
    assert list(answer.json()) == ["error"]
    (record,) = [record for record in caplog.records if record.name == "candour.collection"]
    assert re.fullmatch(r"FileNotFoundError at [\w./]+:\d+", record.getMessage())
    assert record.exc_info is None
    assert not any("inbox" in record.getMessage() for record in caplog.records)


def test_a_request_leaves_no_line_behind(world, north, caplog, capfd):
    envelope = world.put("north", b"x" * 16384)
    north.ask("GET", "/v1/envelopes")
    north.ask("GET", f"/v1/envelopes/{envelope}")
    north.ask("GET", "/v1/envelopes/unknown")
    written = capfd.readouterr()
    assert not caplog.records
    assert written.out + written.err == ""
