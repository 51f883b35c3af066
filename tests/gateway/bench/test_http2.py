"""Fixed blocks of bytes that are HTTP/2, and messages out of whatever pieces the network makes."""

import pytest

from gateway.bench import http2


def response(*payloads: bytes) -> bytes:
    """Data of the stream, as a server sends it."""
    return b"".join(http2.message(payload) for payload in payloads)


def test_a_frame_has_its_length_kind_flags_and_stream_before_it() -> None:
    """RFC 9113 4.1: 24 bits of length, 8 of kind, 8 of flags, 32 with the stream's number."""
    assert b"\x00\x00\x03" + b"\x06" + b"\x01" + b"\x00\x00\x00\x05" + b"abc" == http2.frame(
        6, 1, 5, b"abc"
    )


def test_a_header_is_a_literal_without_indexing() -> None:
    """RFC 7541 6.2.2 with a new name: a zero, and both texts with their lengths, not coded."""
    assert b"\x00\x02te\x08trailers" == http2.literal(b"te", b"trailers")


def test_a_header_that_needs_a_longer_length_is_refused() -> None:
    """127 in seven bits means that more bytes of length follow (RFC 7541 5.1)."""
    assert 3 + 126 + 1 == len(http2.literal(b"n", b"v" * 126))
    with pytest.raises(ValueError, match="too long"):
        http2.literal(b"n", b"v" * 127)


def test_the_headers_are_those_of_a_grpc_call() -> None:
    """Pseudo-headers come first, and each stands there once."""
    block = http2.header_block("/a.B/C", "host:1")

    assert block.startswith(http2.literal(b":method", b"POST"))
    assert http2.literal(b":path", b"/a.B/C") in block
    assert http2.literal(b":authority", b"host:1") in block
    assert block.endswith(http2.literal(b"te", b"trailers"))


def test_the_windows_are_opened_as_wide_as_they_go() -> None:
    """Nobody counts what was received, so nothing may ever run out."""
    opening = http2.opening("/a.B/C", "host:1")

    assert opening.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"\x00\x04\x7f\xff\xff\xff" in opening
    assert http2.frame(8, 0, 0, (2**31 - 1 - 65_535).to_bytes(4, "big")) in opening


@pytest.mark.parametrize("size", [1, 2, 8, 9, 13, 14, 15, 1_000])
def test_messages_come_whole_in_pieces_of_any_size(size: int) -> None:
    """Nothing is lost or doubled, wherever the network cuts."""
    payloads = [b"first", b"", b"x" * 300, b"last"]
    sent = response(*payloads)
    reader = http2.FrameReader()

    found: list[bytes] = []
    for at in range(0, len(sent), size):
        found += reader.feed(sent[at : at + size])

    assert payloads == found
    assert "" == reader.ended


def test_a_message_may_be_cut_between_two_frames() -> None:
    """A server may split and join messages as it likes."""
    body = http2.message(b"abcdef")[9:] + http2.message(b"gh")[9:]
    reader = http2.FrameReader()

    assert [] == reader.feed(http2.frame(0, 0, 1, body[:7]))
    assert [b"abcdef", b"gh"] == reader.feed(http2.frame(0, 0, 1, body[7:]))


def test_settings_and_pings_are_answered_once() -> None:
    """And an answer is not answered."""
    reader = http2.FrameReader()

    reader.feed(http2.frame(4, 0, 0, b"") + http2.frame(4, 1, 0, b""))
    reader.feed(http2.frame(6, 0, 0, b"8 bytes.") + http2.frame(6, 1, 0, b"8 bytes."))

    assert http2.frame(4, 1, 0, b"") + http2.frame(6, 1, 0, b"8 bytes.") == reader.owed


@pytest.mark.parametrize(
    ("sent", "ended"),
    [
        (http2.frame(1, 4, 1, b"headers"), ""),
        (http2.frame(1, 5, 1, b"trailers"), "ended with a status"),
        (http2.frame(1, 5, 1, b"trailers") + http2.frame(3, 0, 1, bytes(4)), "ended with a status"),
        (http2.frame(3, 0, 1, (8).to_bytes(4, "big")), "reset with 8"),
        (http2.frame(7, 0, 0, bytes(4) + (11).to_bytes(4, "big")), "sent away with 11"),
    ],
    ids=["headers", "trailers", "trailers and reset", "reset", "goaway"],
)
def test_who_ended_the_stream_is_told(sent: bytes, ended: str) -> None:
    """The first headers end nothing; trailers, a reset and GOAWAY do. What comes first counts."""
    reader = http2.FrameReader()
    reader.feed(sent)
    assert ended == reader.ended
