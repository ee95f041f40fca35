"""The demo's courier, as little of it as a bench needs: requests signed with its key, over one connection."""

import json
import tomllib
from http.client import HTTPConnection  # noqa: TID251  it speaks to the servers that the bench has started
from urllib.parse import urlsplit

import requests

from deploy import data_folder
from deploy.workshop.bench.browser import Surprise
from deploy.workshop.bench.stage import Stage
from journalist_interface.courier.identity import read_identity


class Courier:
    """Lists and downloads."""

    def __init__(self, servers: Stage) -> None:
        file = data_folder.courier_settings(servers.data)
        settings = tomllib.loads(file.read_text("utf-8"))
        self.base = servers.collection
        self._identity = read_identity(file.parent / settings["key"], settings["key_id"])
        self._connection = HTTPConnection(urlsplit(self.base).netloc, timeout=120)
        self._mark = ""
        self.list_page(1)  # learns the mark that the collection asks for after its start

    def list_page(self, most: int, after: str = "") -> list[str]:
        """The ids of a listing page."""
        body = self._get(f"/v1/envelopes?after={after}&most={most}")
        return [envelope["id"] for envelope in json.loads(body)["envelopes"]]

    def list_all(self) -> list[str]:
        """The ids of all that waits."""
        found: list[str] = []
        while page := self.list_page(1000, found[-1] if found else ""):
            found += page
        return found

    def download(self, identity: str) -> bytes:
        """An envelope's bytes."""
        return self._get(path_of(identity))

    def headers_for(self, path: str) -> dict[str, str]:
        """The headers of a signed GET, good once."""
        request = requests.Request("GET", self.base + path).prepare()
        self._identity.sign(request, self._mark)
        return {name: str(value) for name, value in request.headers.items()}

    def close(self) -> None:
        """Hang up; the next request connects anew."""
        self._connection.close()

    def _get(self, path: str) -> bytes:
        for _ in range(2):
            self._connection.request("GET", path, headers=self.headers_for(path))
            response = self._connection.getresponse()
            body = response.read()
            if response.status == 200:
                return body
            self._mark = json.loads(body).get("nonce", self._mark)
        raise Surprise(f"the collection answered {response.status}")


def path_of(identity: str) -> str:
    """Where an envelope is."""
    return f"/v1/envelopes/{identity}"
