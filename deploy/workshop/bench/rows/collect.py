"""`collect`: a thousand small envelopes and a large one, from the collection onto the stick, beside curl.

curl fetches the same bytes from the same server over one connection, each request signed beforehand, onto the same
disk. It asks for no list and makes nothing durable.
"""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from deploy.run.servers import PROJECT
from deploy.workshop.bench.figures import Figure, in_turn, ratio
from deploy.workshop.bench.filling import add_envelopes
from deploy.workshop.bench.signed import Courier, path_of
from deploy.workshop.bench.stage import Stage, fresh_stage

_SMALL, _SMALL_BYTES = 1000, 16_384
_LARGE_BYTES = 1000**3
_TIMES = 5


def run(servers: Stage) -> Iterator[Figure]:
    """Pace of a whole collection, of curl's."""
    with fresh_stage(servers, "collect") as waiting:
        add_envelopes(waiting, [_SMALL_BYTES] * _SMALL + [_LARGE_BYTES])
        ours, curl = in_turn(_TIMES, lambda: _collect(waiting), lambda: _curl(waiting))
        yield ratio(
            "collect",
            f"{_SMALL:,} small envelopes and one of 1 GB onto the stick, of curl's pace",
            ours,
            curl,
            0.80,
            at_most=False,
        )


def _collect(servers: Stage) -> float:
    stick = servers.scratch / "stick"
    stick.mkdir()
    command = [sys.executable, "-m", "deploy", "courier", "collect", "--again", "--data", str(servers.data)]
    started = perf_counter()
    subprocess.run([*command, "--to", str(stick)], cwd=PROJECT, check=True, capture_output=True)
    took = perf_counter() - started
    shutil.rmtree(stick)
    return took


def _curl(servers: Stage) -> float:
    folder = servers.scratch / "curl"
    folder.mkdir()
    courier = Courier(servers)
    config = folder / "requests"
    config.write_text("next\n".join(_request(courier, path_of(one), folder) for one in courier.list_all()))
    courier.close()
    started = perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--config", str(config)], check=True)
    took = perf_counter() - started
    shutil.rmtree(folder)
    return took


def _request(courier: Courier, path: str, folder: Path) -> str:
    headers = "".join(
        f'header = "{name}: {value.replace(chr(34), chr(92) + chr(34))}"\n'
        for name, value in courier.headers_for(path).items()
    )
    output = folder / secrets.token_hex(8)
    return f'url = "{courier.base}{path}"\noutput = "{output}"\nfail\nsilent\n{headers}'
