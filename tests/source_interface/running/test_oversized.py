"""A form far above the limit gets its page, and the words in it, although a browser reads only when all is sent."""

import pytest
import socks

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
LIMIT = 16 * MIB  # what is left of a form of three times as much is more than the kernel holds


@pytest.fixture(scope="module", params=[False, True], ids=["loopback", "behind tor"])
def small(start_server, request):
    server = start_server(limits=f"max_report_bytes = {LIMIT}", behind_tor=request.param)
    yield server.reporter(1 if request.param else None)
    server.kill()


def in_chunks(body):
    pieces = (body[at : at + MIB] for at in range(0, len(body), MIB))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_form_of_three_times_the_limit_gets_a_page_with_its_words(small, framing, connection):
    small.start()
    path, body = small.message("Words not to be lost.", [("huge.bin", bytes(3 * LIMIT))])
    headers = {"Connection": connection}
    if framing == "chunks":
        body, headers = in_chunks(body), headers | {"Transfer_Encoding": "chunked"}
    answer = small.deliver(path, body, **headers)
    assert answer.status == 413
    assert "too large together: at most 16 MB fits" in answer.page.words
    assert answer.typed == "Words not to be lost."


@pytest.mark.tor
def test_over_tor_as_well(start_server, reporter_at, tor_network, short_folder):
    """tor ends a stream as soon as one side of it is shut down: the server shuts none before all has come."""
    server = start_server(limits=f"max_report_bytes = {4 * MIB}", behind_tor=True)
    onion = short_folder()
    onion.chmod(0o700)
    service = (f"HiddenServiceDir {onion}", f"HiddenServicePort 80 unix:{server.path}")
    host = tor_network.join("oversized-host", [*service, "HiddenServiceExportCircuitID haproxy"])
    client = tor_network.join("oversized-client", ["SocksPort auto"])

    def connect():
        connection = socks.socksocket()
        connection.set_proxy(socks.SOCKS5, "127.0.0.1", client.socks_port)
        connection.settimeout(120)
        connection.connect((address, 80))
        return connection

    try:
        address = (onion / "hostname").read_text().strip()
        host.wait_until_published(address)
        reporter = reporter_at(connect)
        reporter.start()
        answer = reporter.write("Words not to be lost.", [("huge.bin", bytes(12 * MIB))])
        assert answer.status == 413
        assert answer.typed == "Words not to be lost."
    finally:
        client.stop()
        host.stop()
        server.kill()
