"""`candour up --onion` whole, on the private network: from the start of the command to its end."""

import re

import requests
from stem.control import Controller

from deploy.onions.descriptor import Seen, fetch
from tests.deploy.onions.conftest import SOCKS
from tests.deploy.test_cli import candour
from tests.deploy.workshop.test_up import PORTS, running


def name_of(onion: str) -> str:
    return onion.removeprefix("http://").removesuffix(".onion")


def is_hosted(controller: Controller, onion: str) -> bool:
    return controller.msg(f"GETINFO hs/service/desc/id/{name_of(onion)}").is_ok()


def test_up_leads_there_by_onions_that_end_with_it(tor_network, tmp_path):
    tor = tor_network.join("at-home", [SOCKS])
    data = tmp_path / "data"
    proxy = f"socks5h://127.0.0.1:{tor.socks_port}"
    words = ("up", "--onion", "--tor-control", str(tor.control_socket), "--data", str(data), *PORTS)
    with tor.controller() as controller:
        with running(*words) as (process, printed):
            (onion,) = re.findall(r"http://[a-z2-7]{56}\.onion", printed)
            page = requests.get(onion, proxies={"http": proxy}, timeout=60)
            assert page.status_code == 200
            assert "<title>Candour<" in page.text
            assert "too old" not in printed
            assert "does not tell its circuits apart" in printed

            settings = (data / "courier/courier.toml").read_text()
            (collection,) = re.findall(
                r'^collection = "(http://[a-z2-7]{56}\.onion)"$', settings, re.MULTILINE
            )
            assert all(is_hosted(controller, address) for address in (onion, collection))
            assert fetch(controller, name_of(onion)) == Seen(readable=True, proof_of_work=True)
            assert fetch(controller, name_of(collection)) == Seen(readable=False, proof_of_work=False)
            assert f'socks = "{proxy}"' in settings
            done = candour("courier", "round", "--data", str(data))
            assert done.returncode == 0, done.stderr
            assert "No new envelope is listed." in done.stdout

            process.terminate()
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        assert not any(is_hosted(controller, address) for address in (onion, collection))
        assert "CLIENT x25519" not in str(controller.msg("ONION_CLIENT_AUTH_VIEW"))
    tor.stop()


def test_without_a_tor_it_says_where_it_looked(tmp_path):
    refused = candour(
        "up", "--onion", "--tor-control", str(tmp_path / "none"), "--data", str(tmp_path), *PORTS
    )
    assert refused.returncode == 1
    assert f"No tor can be reached at {tmp_path / 'none'}" in refused.stderr
    assert "Traceback" not in refused.stderr
