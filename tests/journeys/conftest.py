"""The whole of Candour as a newcomer starts it, and the browser that its users have.

`candour` runs `./candour up` (its own command, in a process of its own); `firefox` is Firefox ESR, the engine under
Tor Browser, headless and with JavaScript off, as at the security level "Safest".
"""

import base64
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree, which
from typing import Any

import pytest
from marionette_driver import By, Wait
from marionette_driver.errors import NoSuchElementException
from marionette_driver.marionette import Marionette, WebElement

from deploy import data_folder

PROJECT = Path(__file__).resolve().parents[2]
SAFEST = {
    "javascript.enabled": False,
    "browser.cache.disk.enable": False,
    "network.proxy.no_proxies_on": "",
    "dom.securecontext.allowlist_onions": True,
    "browser.download.useDownloadDir": True,
}
_PRINTED = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d+(?:/enter/\S+)?")


@dataclass(frozen=True)
class Running:
    """`candour up` on a data folder, ready."""

    data: Path
    source: str
    desk_link: str
    _let_in: list[dict[str, Any]] = field(default_factory=list, repr=False)

    @property
    def desk(self) -> str:
        return self.desk_link.partition("/enter/")[0]

    def enter_desk(self, page: "Page") -> None:
        """Open the desk that `up` runs: by its link, which lets in once, then by the cookie that it gave."""
        if not self._let_in:
            page.go(self.desk_link)
            self._let_in.extend(page.marionette.get_cookies())
            return
        page.go(self.desk)  # a cookie is put in place from a page of its site
        for cookie in self._let_in:
            page.marionette.add_cookie(cookie)
        page.go(self.desk)

    @contextmanager
    def desk_of(self, *named: str) -> Iterator[str]:
        """`candour desk --unit ID`, or `--identity FOLDER`: the one-time link, while it runs."""
        command = [sys.executable, "-m", "deploy", "desk", *named, "--data", str(self.data)]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if "Ctrl-C" in line:
                    break
            try:
                yield _PRINTED.findall(printed)[0]
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 0

    def round(self) -> str:
        """`candour courier round`: everything waiting goes to the desk, answers come back."""
        done = subprocess.run(
            [sys.executable, "-m", "deploy", "courier", "round", "--data", str(self.data)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextmanager
def running(make: Callable[[Path], None] | None = None, limits: str = "") -> Iterator[Running]:
    """Start `candour up` in a fresh folder; stop it as Ctrl-C does.

    `make`: puts a demo there, with these `[limits]`; otherwise `up` makes one itself.
    """
    folder = Path(tempfile.mkdtemp(prefix="cj-"))
    data = folder / "var"
    try:
        if make is not None:
            make(data)
        if limits:
            with data_folder.server_settings(data).open("a") as settings:
                settings.write(f"[limits]\n{limits}\n")
        ports = ["--source-port", "0", "--collection-port", "0", "--desk-port", "0"]
        with subprocess.Popen(
            [sys.executable, "-m", "deploy", "up", "--data", str(data), *ports],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield _addresses(process, data)
            finally:
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 0
    finally:
        rmtree(folder)


def _addresses(process: subprocess.Popen[str], data: Path) -> Running:
    assert process.stdout is not None
    found: list[str] = []
    for line in process.stdout:
        found += _PRINTED.findall(line)
        if "Ctrl-C" in line:
            break
    assert len(found) == 2, f"candour up printed {found}"
    return Running(data=data, source=found[0], desk_link=found[1])


@pytest.fixture(scope="session")
def candour(copy_demo: Callable[[Path], None]) -> Iterator[Running]:
    """For reporters, each with a codename of their own; with limits so small that a test can pass them."""
    with running(copy_demo, "max_file_bytes = 1000000\nmax_report_bytes = 3000000\nmax_files = 3") as started:
        yield started


@pytest.fixture(scope="session")
def whole_candour() -> Iterator[Running]:
    """For whole rounds: each test carries to the desks all that it sends."""
    with running() as started:
        yield started


class Page:
    """A browser, spoken to as a person would: by what is written on the page."""

    def __init__(self, marionette: Marionette) -> None:
        self.marionette = marionette

    def go(self, address: str) -> None:
        self.marionette.navigate(address)

    @property
    def address(self) -> str:
        return str(self.marionette.get_url())

    @property
    def words(self) -> str:
        """All text that is shown."""
        return str(self.find("body").text)

    def find(self, css: str) -> WebElement:
        return self.marionette.find_element(By.CSS_SELECTOR, css)

    def text(self, css: str) -> str:
        """What stands in an element, to the character: marks of direction included."""
        return str(self.find(css).get_property("textContent"))

    def texts(self, css: str) -> list[str]:
        """The same for every element that fits."""
        return [str(element.get_property("textContent")) for element in self.all(css)]

    def all(self, css: str) -> list[WebElement]:
        return list(self.marionette.find_elements(By.CSS_SELECTOR, css))

    def has(self, css: str) -> bool:
        try:
            self.find(css)
        except NoSuchElementException:
            return False
        return True

    def press(self, label: str) -> None:
        """Press the button or follow the link with these words; waits for the next page."""
        fitting = [
            element
            for element in self.all("main button, main a, header button, header a, nav a")
            if element.text.strip().startswith(label) and element.is_displayed()
        ]
        assert fitting, f"there is nothing to press that says {label!r} on {self.address}: {self.words[:600]}"
        fitting[0].click()

    def type(self, css: str, text: str) -> None:
        field = self.find(css)
        field.clear()
        field.send_keys(text)

    def attach(self, css: str, *files: Path) -> None:
        for file in files:
            self.find(css).send_keys(str(file))

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        Wait(self.marionette, timeout=seconds).until(lambda _: condition())

    def resize(self, width: int, height: int) -> None:
        self.marionette.set_window_rect(width=width, height=height)

    def shot(self, file: Path) -> None:
        """The whole page as a PNG."""
        file.write_bytes(base64.b64decode(self.marionette.screenshot(full=True)))


def _free_port() -> int:
    """Not Marionette's own: another run may use it on this machine."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="session")
def _marionette(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marionette]:
    binary = which("firefox-esr") or which("firefox")
    if binary is None:
        pytest.fail("Firefox is not installed: `./candour test` installs it (Debian's firefox-esr).")
    logging.getLogger("mozversion").setLevel(logging.ERROR)
    os.environ.setdefault("MOZ_HEADLESS", "1")
    log = tmp_path_factory.mktemp("firefox") / "log"  # Marionette removes what is there: not /dev/null
    marionette = Marionette(
        bin=binary,
        headless=True,
        prefs=SAFEST,
        startup_timeout=120,
        gecko_log=str(log),
        port=_free_port(),
    )
    marionette.start_session()
    try:
        yield marionette
    finally:
        marionette.quit()
        marionette.cleanup()


@pytest.fixture
def firefox(_marionette: Marionette) -> Iterator[Page]:
    yield Page(_marionette)
    _marionette.delete_all_cookies()
    _marionette.navigate("about:blank")
