"""`upload`: one large file through the form to a durable, acknowledged report, beside bare gpg on the same bytes."""

import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from deploy.workshop.bench.browser import Browser
from deploy.workshop.bench.figures import Figure, Series, in_turn, plain, ratio
from deploy.workshop.bench.filling import write_random
from deploy.workshop.bench.gpg import Gpg
from deploy.workshop.bench.stage import Stage

GB = 1000**3
_BLOCK = 1 << 20
_TIMES = 5
_LOOK_EVERY = 0.05  # seconds between two looks at the servers' memory


def run(stage: Stage) -> Iterator[Figure]:
    """Throughput, processor time and memory of 1 GB, and memory of 4 GB."""
    source = stage.scratch / "gigabyte"
    write_random(source, GB)
    gpg = Gpg(stage.scratch, stage.certificate)
    ours_cpu: list[float] = []
    bare_cpu: list[float] = []

    def ours() -> float:
        browser = Browser(stage.source)
        browser.begin()
        before, started = stage.cpu_seconds(), perf_counter()
        browser.send_file("/report", 1, GB, _read(source))
        took = perf_counter() - started
        ours_cpu.append(stage.cpu_seconds() - before)
        _withdraw(browser)
        return took

    def bare() -> float:
        before = _children_cpu()
        took = gpg.seal(source, "upload")
        bare_cpu.append(_children_cpu() - before)
        return took

    through_the_form, bare_gpg = in_turn(_TIMES, ours, bare)
    yield ratio(
        "upload", "throughput of 1 GB, of bare gpg's", through_the_form, bare_gpg, 0.75, at_most=False
    )
    cpu = Series(tuple(ours_cpu[1:])), Series(tuple(bare_cpu[1:]))
    yield ratio("upload", "processor time of 1 GB, of bare gpg's", *cpu, 1.6, at_most=True)
    for size, words in ((GB, "1 GB"), (4 * GB, "4 GB")):
        peak = _peak_memory(stage, source, size)
        yield plain("upload", f"extra memory of all processes while {words} arrive", [peak / 1e6], "MB", 40)
    source.unlink()


def _withdraw(browser: Browser) -> None:
    """Take the message back, so that the disk does not fill up."""
    browser.read_token("/conversation")
    browser.post("/withdraw", {"slot": "1", "confirm": "1"})
    browser.close()


def _peak_memory(stage: Stage, source: Path, size: int) -> float:
    """Bytes that the servers and their gpg take at most during an upload, beyond what they took before it."""
    done = threading.Event()
    seen: list[int] = []
    browser = Browser(stage.source)
    browser.begin()  # the derivation's memory comes and goes before we look
    before = stage.memory_bytes()

    def look() -> None:
        while not done.wait(_LOOK_EVERY):
            seen.append(stage.memory_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        browser.send_file("/report", 1, size, _again(source, size))
    finally:
        done.set()
        looking.join()
    _withdraw(browser)
    return max(seen) - before


def _again(source: Path, size: int) -> Iterator[bytes]:
    """`size` bytes out of a file that may be shorter."""
    while size > 0:
        for chunk in _read(source):
            yield chunk[:size]
            size -= len(chunk)
            if size <= 0:
                return


def _read(source: Path) -> Iterator[bytes]:
    with source.open("rb", buffering=0) as file:
        while chunk := file.read(_BLOCK):
            yield chunk


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
