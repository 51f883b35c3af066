"""``vendgate drain``: what it says, and whom it asks."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from gateway.process.sections import Address
from gateway.serving.drain_command import HealthPort, NotDrained, address_of, watch


def told(streams: int, *, selling: int = 0, closed: int = 0, **more: Any) -> dict[str, Any]:
    """What a gateway answers."""
    return {
        "gateway_id": "g1",
        "done": False,
        "streams": streams,
        "selling": selling,
        "closed_selling": closed,
        **more,
    }


def watched(first: dict[str, Any], *then: dict[str, Any] | None) -> list[str]:
    """What is said while the gateway answers so; None: nobody answers."""
    lines: list[str] = []
    answers = iter(then)

    def ask() -> dict[str, Any]:
        answer = next(answers)
        if answer is None:
            raise ConnectionError
        return answer

    watch(first, ask, say=lines.append, sleep=lambda _: None)
    return lines


def test_it_says_who_is_left_until_nobody_is() -> None:
    """A line for each change, and none for none."""
    assert [
        "g1: 3 machines left, 1 in the middle of a vend",
        "g1: 1 machine left",
        "g1: drained; it takes no machine until it is started again",
    ] == watched(told(3, selling=1), told(3, selling=1), told(1), told(0, done=True))


def test_a_vend_that_did_not_end_is_told() -> None:
    """The drain is over; whoever asked for it knows that a customer may wait."""
    lost, drained = watched(told(0, closed=1, done=True))
    assert lost.startswith("g1: 1 machine did not end a vend in time and lost the stream")
    assert "g1: drained; it takes no machine until it is started again" == drained


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (None, "g1: it has ended"),
        (told(9) | {"gateway_id": "g2"}, "g1: it has ended, and g2 was started in its place"),
    ],
)
def test_a_gateway_that_ends_meanwhile_is_empty(then: dict[str, Any] | None, said: str) -> None:
    """Somebody stopped it, too."""
    assert ["g1: 2 machines left", said] == watched(told(2), then)


@contextmanager
def listening(status: int, content: bytes) -> Iterator[Address]:
    """Another program, which answers everybody alike."""

    class Alike(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Alike) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield Address(host="127.0.0.1", port=server.server_port)
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (404, b"Not Found", "knows no drain"),
        (200, b"[1]", "knows no drain"),
        (200, b"{}", "knows no drain"),
        (403, b'{"error": "Only who has"}', "Only who has"),
    ],
)
def test_who_answers_something_else_is_told(status: int, content: bytes, said: str) -> None:
    """As a sentence: another program, an older gateway, or one with other settings."""
    with listening(status, content) as address, pytest.raises(NotDrained, match=said):
        HealthPort(address).ask("GET")


def test_nobody_is_there() -> None:
    """Where it was looked for, and that nothing happened; a port that nobody knows is not tried."""
    with listening(200, b"") as address:
        pass
    with pytest.raises(ConnectionError, match=f"No gateway answers at 127.0.0.1:{address.port}"):
        HealthPort(Address(host="0.0.0.0", port=address.port)).ask("GET")
    with pytest.raises(NotDrained, match="say with --at"):
        HealthPort(Address(host="127.0.0.1", port=0))


def test_no_address_is_a_sentence() -> None:
    """Whoever mistypes it is told how one looks."""
    assert Address(host="10.0.0.7", port=8081) == address_of("10.0.0.7:8081")
    with pytest.raises(NotDrained, match=r"--at: 'nonsense' is not an address; write host:port"):
        address_of("nonsense")


def test_what_speaks_no_http_is_not_repeated() -> None:
    """The machines' port answers with bytes that no terminal should see; an end without a word is
    a gateway that ends.
    """
    for wrote, kind in ((b"\x00\x1b[2J\x00\n", NotDrained), (b"", ConnectionError)):
        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer(server: socket.socket = server, wrote: bytes = wrote) -> None:
                with server.accept()[0] as one:
                    one.recv(65_536)
                    one.sendall(wrote)

            answering = threading.Thread(target=answer)
            answering.start()
            with pytest.raises(kind) as raised:
                HealthPort(Address(host="127.0.0.1", port=server.getsockname()[1])).ask("GET")
            answering.join()
        assert str(raised.value).isprintable()
