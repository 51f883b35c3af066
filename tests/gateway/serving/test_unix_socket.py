"""The administrators' socket."""

import os
import socket as sockets
from pathlib import Path

import grpc.aio
import pytest

from gateway.process.addresses import ListenRefused
from gateway.serving.unix_socket import Socket, bind


async def bound(path: Path, mode: int = 0o660) -> None:
    """Bind a server to the path."""
    server = grpc.aio.server()
    bind(server, Socket(path=path, mode=mode))
    await server.start()
    await server.stop(None)


async def test_a_socket_that_was_left_behind_is_taken_away(tmp_path: Path) -> None:
    """A gateway that was killed does not keep the next one from starting."""
    path = tmp_path / "admin.sock"
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(path))
    await bound(path)


async def test_a_socket_that_is_served_stays(tmp_path: Path) -> None:
    """A second gateway does not take the first one's callers."""
    path = tmp_path / "admin.sock"
    with sockets.socket(sockets.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(ListenRefused, match="another gateway serves it"):
            await bound(path)


async def test_a_socket_whose_gateway_is_too_busy_to_accept_stays(tmp_path: Path) -> None:
    """Only what refuses to be connected was left behind."""
    path = tmp_path / "admin.sock"
    with sockets.socket(sockets.AF_UNIX) as living, sockets.socket(sockets.AF_UNIX) as waiting:
        living.bind(str(path))
        living.listen(0)
        waiting.connect(str(path))
        with pytest.raises(ListenRefused, match="another gateway serves it"):
            await bound(path)
    assert path.exists()


async def test_a_path_is_taken_as_it_is_written(tmp_path: Path) -> None:
    """In gRPC's name of it "%20" would be a blank."""
    server = grpc.aio.server()
    bind(server, Socket(path=tmp_path / "a%20b.sock", mode=0o600))
    await server.start()
    assert ["a%20b.sock"] == os.listdir(tmp_path)  # noqa: PTH208 - names, and nothing else
    await server.stop(None)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("file", "something else is there"),
        ("x" * 108, "more than 107 bytes"),
        ("none/admin.sock", "cannot be made there"),
        ("file/admin.sock", "cannot be reached"),
    ],
)
async def test_a_place_where_none_can_be_is_refused(tmp_path: Path, name: str, why: str) -> None:
    """The sentence says what to change."""
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ListenRefused, match=f"^admin.socket_file is .*{why}"):
        await bound(tmp_path / name)
    assert "kept" == (tmp_path / "file").read_text()
