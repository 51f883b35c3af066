"""HTTP/2 pings, which gRPC keeps to itself: a relay before the examiner's server that reads the
heads of frames.

Flows in: a machine's TCP connections, in plaintext. Flows out: the same bytes to the server and
back, and a note of each ping. gRPC's servers count pings that come closer than ten seconds while
nothing was sent to the client, and end the connection (``too_many_pings``); so does the judge.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

PREFACE_BYTES = 24
HEAD_BYTES = 9
DATA, HEADERS, PING = 0, 1, 6
ACK = 1
CHUNK_BYTES = 65_536
NOTHING_BEFORE = "first"
END_WITHIN_S = 2.0
CONNECTIONS_MAX = 256
"""More at once are closed as they come."""


class FrameHeads:
    """Finds the heads of HTTP/2 frames in one direction of a connection. ``preface``: how many
    bytes come before the first.
    """

    def __init__(self, preface: int = 0) -> None:
        self._skip = preface
        self._head = b""

    def feed(self, content: bytes) -> list[tuple[int, int]]:
        """Return type and flags of each frame whose head is complete now."""
        found: list[tuple[int, int]] = []
        at = 0
        while at < len(content):
            if self._skip:
                step = min(self._skip, len(content) - at)
                self._skip -= step
                at += step
                continue
            step = min(HEAD_BYTES - len(self._head), len(content) - at)
            self._head += content[at : at + step]
            at += step
            if len(self._head) == HEAD_BYTES:
                found.append((self._head[3], self._head[4]))
                self._skip = int.from_bytes(self._head[:3], "big")
                self._head = b""
        return found


class PingWatch:
    """One connection. ``note`` hears of each ping: how many milliseconds after the one before, if
    nothing was sent to the machine between them, else ``NOTHING_BEFORE``.
    """

    def __init__(self, note: Callable[[str], None], now_ms: Callable[[], int]) -> None:
        self._note = note
        self._now_ms = now_ms
        self._up = FrameHeads(PREFACE_BYTES)
        self._down = FrameHeads()
        self._pinged_at_ms: int | None = None

    def from_machine(self, content: bytes) -> None:
        """The machine sent this."""
        for kind, flags in self._up.feed(content):
            if kind == PING and not flags & ACK:
                now_ms, before_ms = self._now_ms(), self._pinged_at_ms
                self._pinged_at_ms = now_ms
                self._note(NOTHING_BEFORE if before_ms is None else str(now_ms - before_ms))

    def to_machine(self, content: bytes) -> None:
        """The server sent this."""
        if any(kind in {DATA, HEADERS} for kind, _ in self._down.feed(content)):
            self._pinged_at_ms = None


@contextlib.asynccontextmanager
async def relayed(
    host: str, port: int, to_port: int, watch: Callable[[int], PingWatch]
) -> AsyncIterator[int]:
    """Listen on ``host`` and ``port`` (0: any) and hand each connection to ``to_port`` of this
    computer; yield the port. ``watch`` makes a watch for each connection, which the server knows by
    the port from which it is handed on. Raises OSError.
    """
    connections: set[asyncio.Task[None]] = set()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(connections) >= CONNECTIONS_MAX:
            writer.close()
            return
        connection = asyncio.create_task(_joined(reader, writer, to_port, watch))
        connections.add(connection)
        connection.add_done_callback(connections.discard)

    server = await asyncio.start_server(accepted, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        open_still = list(connections)
        if open_still:  # whoever was told of the end hangs up
            await asyncio.wait(open_still, timeout=END_WITHIN_S)
        for connection in open_still:
            connection.cancel()
        await asyncio.gather(*open_still, return_exceptions=True)


async def _joined(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    to_port: int,
    watching: Callable[[int], PingWatch],
) -> None:
    """Carry one connection until either side closes it, or the server cannot be reached."""
    writers = [writer]
    tasks: list[asyncio.Task[None]] = []
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", to_port)
        writers.append(there_writer)
        watch = watching(there_writer.get_extra_info("sockname")[1])
        tasks.append(asyncio.create_task(_copy(reader, there_writer, watch.from_machine)))
        tasks.append(asyncio.create_task(_copy(there_reader, writer, watch.to_machine)))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    except OSError:
        return
    finally:
        for one in writers:
            one.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, see: Callable[[bytes], None]
) -> None:
    with contextlib.suppress(OSError):
        while content := await reader.read(CHUNK_BYTES):
            see(content)
            writer.write(content)
            await writer.drain()
