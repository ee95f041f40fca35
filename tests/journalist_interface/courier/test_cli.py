"""The command line says what is wrong in a sentence, whichever options are given."""

import socket

import pytest
from click.testing import CliRunner

from journalist_interface.courier import cli
from journalist_interface.courier.retries import Patience


@pytest.mark.parametrize("words", [["round"], ["collect", "--to", "stick"], ["deliver", "--from", "stick"]])
def test_without_any_option_the_default_data_folder_is_looked_into(words, tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "_DEFAULT_DATA", tmp_path / "var")
    done = CliRunner().invoke(cli.courier, words)
    assert done.exit_code == 1
    assert str(tmp_path / "var" / "courier" / "courier.toml") in done.output


def test_a_round_while_nothing_is_up_says_what_to_start(courier, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as ended:
        courier.write_settings(f"http://127.0.0.1:{ended.getsockname()[1]}")
    monkeypatch.setattr(cli, "Patience", lambda: Patience(attempts=1))
    done = courier.run("round", "--data", tmp_path)
    assert done.exit_code == 1
    assert f"Start `./candour up --data {tmp_path}` in another terminal" in done.output
    assert "Run the command again" not in done.output


def test_a_relative_data_folder_is_meant_from_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.courier, ["round", "--data", "mine"])
    assert done.exit_code == 1
    assert str(tmp_path / "mine" / "courier" / "courier.toml") in done.output
