"""The information page on the clear net: leads to the onion, asks for nothing, and is made whole or not at all."""

import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from stem.descriptor.hidden_service import HiddenServiceDescriptorV3

from common import phrases
from deploy.cli import candour

VOID = {"meta", "link", "br", "path", "input", "img"}
HARMLESS = {
    "html",
    "head",
    "body",
    "title",
    "header",
    "main",
    "footer",
    "section",
    "div",
    "a",
    "p",
    "h1",
    "h2",
    "h3",
}
HARMLESS |= {
    "ul",
    "ol",
    "li",
    "pre",
    "code",
    "strong",
    "span",
    "figure",
    "figcaption",
    "svg",
    "g",
    "path",
    "link",
    "meta",
}
HOST = HiddenServiceDescriptorV3.address_from_identity_key(
    Ed25519PrivateKey.from_private_bytes(b"o" * 32).public_key().public_bytes_raw()
)


class Strict(HTMLParser):
    """Refuses what is not closed, not nested, or named twice."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self._ids: set[str | None] = set()
        assert source.lstrip().startswith("<!DOCTYPE html>")
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if "id" in attributes:
            assert attributes["id"] not in self._ids
            self._ids.add(attributes["id"])
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def make(tmp_path, registry_bytes, root_key):
    """`candour deploy site`: its result, and the folder it was to make."""
    (tmp_path / "registry.json").write_bytes(registry_bytes)
    (tmp_path / "root.pub").write_text(root_key.public.hex())

    def run(
        onion=HOST, registry=tmp_path / "registry.json", root=tmp_path / "root.pub", to=tmp_path / "site"
    ):
        options = ["--onion", onion, "--to", to, "--registry", registry, "--registry-root", root]
        return CliRunner().invoke(candour, ["deploy", "site", *map(str, options)]), to

    return run


@pytest.fixture
def made(make):
    result, folder = make()
    assert result.exit_code == 0, result.output
    return folder


def test_the_pages_are_strict_html_without_script_form_or_anything_from_elsewhere(made):
    pages = sorted((made / "page").glob("*.html"))
    assert [page.name for page in pages] == ["404.html", "index.html"]
    for page in pages:
        parsed = Strict(page.read_text("utf-8"))
        assert {tag for tag, _ in parsed.tags} <= HARMLESS
        for tag, attributes in parsed.tags:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (page, tag)
            for name in {"href", "src", "action", "srcset", "data", "xlink:href", "poster"} & set(attributes):
                assert attributes[name] in {"/", "/candour.css", "#main", "data:,"}, (page, tag)


def test_it_warns_first_and_tells_the_address_the_fingerprints_and_who_else_can_help(made, registry):
    page = Strict((made / "page" / "index.html").read_text("utf-8"))
    words = " ".join(page.words.split())
    assert words.index("can be seen") < words.index("Close this page now") < words.index("Tell what you know")
    assert HOST in words
    for unit in registry.units:
        assert f"{unit.name} " in words
        assert phrases.grouped(unit.fingerprint) in page.words
    for said in (
        "Tor Browser",
        "torproject.org",
        "Safest",
        "999",
        "116 123",
        "Not the police",
        "not a complaint",
    ):
        assert said in words
    assert ("meta", {"http-equiv": "onion-location", "content": f"http://{HOST}/"}) in page.tags


def test_the_web_servers_side_sends_to_the_onion_forbids_the_rest_and_logs_nothing(made):
    for name, quiet in (("nginx.conf", "access_log off;"), ("apache.conf", "CustomLog /dev/null common")):
        snippet = (made / name).read_text("utf-8")
        assert f'Onion-Location "http://{HOST}/"' in snippet
        assert "Content-Security-Policy \"default-src 'none'; style-src 'self'; form-action 'none'" in snippet
        assert quiet in snippet
        assert "&" not in snippet, "nothing is escaped for HTML"


def test_a_web_server_of_another_user_can_read_all_of_it(made):
    for path in [made, *made.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def modules(svg):
    """The QR code's dark modules, drawn from the SVG's line as a browser draws it: rows of 0 and 1, without margin."""
    [line] = re.findall(r'stroke="#000" d="([^"]+)"', svg)
    x = y = 0.0
    dark = set()
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", line):
        at = [float(number) for number in re.findall(r"-?[\d.]+", numbers)]
        if command == "h":
            dark |= {(int(x) + step, int(y)) for step in range(int(at[0]))}
            x += at[0]
        else:
            x, y = (at[0], at[1]) if command == "M" else (x + at[0], y + at[1])
    size = max(x for x, _ in dark) - min(x for x, _ in dark) + 1
    margin = min(x for x, _ in dark)
    return [[int((x + margin, y + margin) in dark) for x in range(size)] for y in range(size)]


MASKS = [
    lambda i, j: (i + j) % 2,
    lambda i, _: i % 2,
    lambda _, j: j % 3,
    lambda i, j: (i + j) % 3,
    lambda i, j: (i // 2 + j // 3) % 2,
    lambda i, j: i * j % 2 + i * j % 3,
    lambda i, j: (i * j % 2 + i * j % 3) % 2,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2,
]


def read_qr(rows):
    """The text of a QR code of version 5, level M, in byte mode; no error is put right (ISO/IEC 18004, section 12)."""
    size, blocks, each = 37, 2, 43
    assert len(rows) == size
    form = int("".join(str(rows[8][column]) for column in (0, 1, 2, 3, 4)), 2) ^ 0b10101
    assert form >> 3 == 0b00, "level M"
    masked = MASKS[form & 0b111]

    def is_data(i, j):
        corner = (i < 9 and (j < 9 or j > size - 9)) or (i > size - 9 and j < 9)
        return not (corner or i == 6 or j == 6 or (27 < i < 33 and 27 < j < 33))

    bits = ""
    up = True
    for right in [*range(size - 1, 6, -2), 5, 3, 1]:
        for i in range(size - 1, -1, -1) if up else range(size):
            for j in (right, right - 1):
                if is_data(i, j):
                    bits += str(rows[i][j] ^ (masked(i, j) == 0))
        up = not up
    words = [int(bits[at : at + 8], 2) for at in range(0, blocks * each * 8, 8)]
    data = "".join(f"{word:08b}" for block in range(blocks) for word in words[block::blocks])
    assert data[:4] == "0100", "bytes"
    length = int(data[4:12], 2)
    return bytes(int(data[at : at + 8], 2) for at in range(12, 12 + 8 * length, 8)).decode("ascii")


def test_the_qr_code_reads_as_the_address(made):
    assert read_qr(modules((made / "page" / "index.html").read_text("utf-8"))) == f"http://{HOST}/"


@pytest.mark.parametrize(
    "onion",
    [
        "",
        "example.org",
        "expyuzz4wqqyqhjn.onion",
        HOST[:-7],
        "x" + HOST,
        HOST.replace(".onion", ".com"),
        "a.b/" + HOST,
    ],
)
def test_what_is_no_onion_address_is_refused_and_says_where_the_right_one_stands(make, onion):
    result, folder = make(onion)
    assert result.exit_code == 1
    assert "no onion address" in result.output
    assert "hostname" in result.output
    assert not folder.exists()


def test_one_wrong_character_anywhere_in_an_address_is_noticed(make):
    for place in (0, 7, 20, 51, 52, 54, 55):
        wrong = HOST[:place] + ("a" if HOST[place] != "a" else "b") + HOST[place + 1 :]
        result, folder = make(wrong)
        assert "wrong character" in result.output, place
        assert not folder.exists()


def test_an_address_may_be_given_as_a_browser_shows_it(make):
    result, folder = make(f"HTTP://{HOST.upper()}/")
    assert result.exit_code == 0, result.output
    assert HOST in (folder / "page" / "index.html").read_text("utf-8")


def test_an_unsigned_registry_is_refused(make, tmp_path, registry_bytes):
    altered = tmp_path / "altered.json"
    altered.write_bytes(registry_bytes.replace(b"Test Police", b"Best Police"))
    other = tmp_path / "other.pub"
    other.write_text(bytes(32).hex())
    for changed in ({"registry": altered}, {"root": other}, {"registry": tmp_path / "none"}):
        result, folder = make(**changed)
        assert result.exit_code == 1
        assert "The registry is refused" in result.output
        assert not folder.exists()


def test_without_files_named_the_registry_is_that_of_the_data_folder(server_config, tmp_path, unit_keys):
    data = tmp_path / "var"
    data.mkdir()
    options = ["deploy", "site", "--onion", HOST, "--to", str(tmp_path / "site"), "--data", str(data)]
    missing = CliRunner().invoke(candour, options)
    assert missing.exit_code == 1
    assert "--registry-root" in missing.output
    server_config().registry.parent.rename(data / "server")
    done = CliRunner().invoke(candour, options)
    assert done.exit_code == 0, done.output
    assert (
        phrases.grouped(unit_keys.unit.fingerprint) in (tmp_path / "site" / "page" / "index.html").read_text()
    )
    half = CliRunner().invoke(candour, [*options, "--registry", "x"])
    assert half.exit_code == 2
    assert "name both" in half.output


def test_it_is_made_whole_or_not_at_all_and_never_over_something_else(make, tmp_path):
    there = tmp_path / "there"
    there.mkdir()
    (there / "precious").touch()
    result, _ = make(to=there)
    assert "something in" in result.output
    assert [file.name for file in there.iterdir()] == ["precious"]

    (tmp_path / "site.new" / "page").mkdir(parents=True)  # what a run left that was killed midway
    (tmp_path / "site.new" / "old").touch()
    result, folder = make()
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in folder.iterdir()) == ["apache.conf", "nginx.conf", "page"]
    assert not (tmp_path / "site.new").exists()

    result, folder = make(to=there / "precious" / "site")  # a file stands where a folder must be
    assert result.exit_code == 1
    assert "could not be written" in result.output
