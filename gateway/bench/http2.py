"""The least of HTTP/2 that a machine's one stream needs: fixed blocks of bytes out, messages in.
Pure.

Flows in: bytes as they came from the network, in pieces of any size. Flows out: the gRPC messages
of stream 1, and what HTTP/2 wants to be answered. A load client must cost less than what it
measures: nothing is compressed, no window is counted (ours is opened as wide as it goes, and a
machine never has more under way than the server's first window holds), headers are not read.
"""

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_FRAME_HEAD, _MESSAGE_HEAD = 9, 5
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_WINDOW_MAX = 2**31 - 1
_WINDOW_FIRST = 65_535
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE = 2, 4  # numbers of settings, RFC 9113 6.5.2
STREAM = 1
"""A client's first stream; a machine needs no second one."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return one frame (RFC 9113 4.1)."""
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def literal(name: bytes, value: bytes) -> bytes:
    """Return one header that leaves no trace in the other side's table (RFC 7541 6.2.2), both texts
    as they are. ValueError: one of them has 127 bytes or more.
    """
    if max(len(name), len(value)) >= 127:
        raise ValueError(f"too long for a length of one byte: {name!r}: {value!r}")
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


def header_block(path: str, authority: str) -> bytes:
    """Return the headers of a gRPC call."""
    headers = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    )
    return b"".join(literal(name.encode(), value.encode()) for name, value in headers)


def opening(path: str, authority: str) -> bytes:
    """Return all that a client says before its first message: preface, settings, windows, the call
    of ``path``.
    """
    settings = b"".join(
        number.to_bytes(2, "big") + value.to_bytes(4, "big")
        for number, value in ((_ENABLE_PUSH, 0), (_INITIAL_WINDOW_SIZE, _WINDOW_MAX))
    )
    return (
        _PREFACE
        + frame(_SETTINGS, 0, 0, settings)
        + frame(_WINDOW_UPDATE, 0, 0, (_WINDOW_MAX - _WINDOW_FIRST).to_bytes(4, "big"))
        + frame(_HEADERS, _END_HEADERS, STREAM, header_block(path, authority))
    )


_STREAM_BYTES = STREAM.to_bytes(4, "big")


def message(payload: bytes) -> bytes:
    """Return one gRPC message, in one frame of the stream."""
    length = len(payload)
    return (
        (length + _MESSAGE_HEAD).to_bytes(3, "big")
        + b"\x00\x00"  # DATA, and the stream goes on
        + _STREAM_BYTES
        + b"\x00"  # not compressed
        + length.to_bytes(4, "big")
        + payload
    )


class FrameReader:
    """Reads one connection. After each ``feed`` look at ``owed`` and ``ended``."""

    __slots__ = ("_messages", "_rest", "ended", "owed")

    def __init__(self) -> None:
        self.owed = b""
        """What must be written to keep the connection: answers to settings and pings."""
        self.ended = ""
        """How the stream or the connection was ended by the server; empty while it is open."""
        self._rest = b""
        self._messages = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes in and return the messages that they complete, in order."""
        if self._rest:
            data = self._rest + data
        at, end, found = 0, len(data), []
        while end - at >= _FRAME_HEAD:
            length = int.from_bytes(data[at : at + 3], "big")
            after = at + _FRAME_HEAD + length
            if after > end:
                break
            payload = data[at + _FRAME_HEAD : after]
            if data[at + 3] == _DATA:
                found += self._data(payload)
            else:
                self._other(data[at + 3], data[at + 4], payload)
            at = after
        self._rest = data[at:]
        return found

    def _data(self, payload: bytes) -> list[bytes]:
        """Take messages out of the stream's bytes: a frame may hold a part of one, or several."""
        if self._messages:
            payload = self._messages + payload
        at, end, found = 0, len(payload), []
        while end - at >= _MESSAGE_HEAD:
            after = at + _MESSAGE_HEAD + int.from_bytes(payload[at + 1 : at + 5], "big")
            if after > end:
                break
            found.append(payload[at + _MESSAGE_HEAD : after])
            at = after
        self._messages = payload[at:]
        return found

    def _other(self, kind: int, flags: int, payload: bytes) -> None:
        if self.ended:
            return  # a status is followed by a reset, which tells less
        if kind == _SETTINGS and not flags & _ACK:
            self.owed += frame(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self.owed += frame(_PING, _ACK, 0, payload)
        elif kind == _RST_STREAM:
            self.ended = f"reset with {int.from_bytes(payload[:4], 'big')}"
        elif kind == _GOAWAY:
            self.ended = f"sent away with {int.from_bytes(payload[4:8], 'big')}"
        elif kind == _HEADERS and flags & _END_STREAM:
            self.ended = "ended with a status"
