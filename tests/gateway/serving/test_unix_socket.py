"""The administrators' socket."""

import asyncio
import fcntl
import os
import socket as sockets
import stat
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import grpc.aio
import pytest

from gateway.process.addresses import ListenRefused
from gateway.serving import unix_socket
from gateway.serving.unix_socket import Socket, bind
from tests.support.patience import HANGS_AFTER_S

GATEWAY = """
import asyncio, pathlib, sys
import grpc.aio
from gateway.process.addresses import ListenRefused
from gateway.serving.unix_socket import Socket, bind

async def main():
    server = grpc.aio.server()
    try:
        leave = bind(server, Socket(path=pathlib.Path(sys.argv[1]), mode=0o600))
    except ListenRefused as error:
        print("refused", error, flush=True)
        return
    await server.start()
    print("serves", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    leave()
    await server.stop(None)

print("there", flush=True)
sys.stdin.readline()
asyncio.run(main())
"""
"""Says when it is there, binds at a word, serves until the next, and stops in order."""


def _modes(folder: Path) -> dict[str, int]:
    """What is in the folder, and who may open it."""
    return {one.name: stat.S_IMODE(one.lstat().st_mode) for one in folder.iterdir()}


async def bound(path: Path, mode: int = 0o660) -> None:
    """Bind a server to the path."""
    server = grpc.aio.server()
    leave = bind(server, Socket(path=path, mode=mode))
    await server.start()
    assert {path.name: mode} == _modes(path.parent)
    leave()
    await server.stop(None)
    assert path.name not in _modes(path.parent)


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


async def _there(path: Path) -> Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GATEWAY, str(path)), stdin=PIPE, stdout=PIPE
    )
    assert "there" == await _heard(process)
    return process


async def _heard(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(HANGS_AFTER_S):
        return (await process.stdout.readline()).decode().partition(" ")[0].strip()


def _tell(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")


async def _ended(process: Process) -> None:
    async with asyncio.timeout(HANGS_AFTER_S):
        assert 0 == await process.wait()


def _is_served(path: Path) -> bool:
    with sockets.socket(sockets.AF_UNIX) as trying:
        return 0 == trying.connect_ex(str(path))


async def test_a_gateway_that_stops_leaves_another_ones_socket(tmp_path: Path) -> None:
    """Of two processes the first one's file was removed by somebody, and the second one made its
    own there: it is still served when the first one has ended.
    """
    path = tmp_path / "admin.sock"
    first, second = await _there(path), await _there(path)
    _tell(first)
    assert "serves" == await _heard(first)
    path.unlink()
    _tell(second)
    assert "serves" == await _heard(second)
    _tell(first)
    await _ended(first)
    assert _is_served(path)
    _tell(second)
    await _ended(second)
    assert {} == _modes(tmp_path)


async def test_of_several_that_start_at_once_one_serves(tmp_path: Path) -> None:
    """Where a gateway left its socket behind: the others are refused, and none takes another's."""
    path = tmp_path / "admin.sock"
    with sockets.socket(sockets.AF_UNIX) as dead:
        dead.bind(str(path))
    several = [await _there(path) for _ in range(4)]
    for one in several:
        _tell(one)
    heard = [await _heard(one) for one in several]
    assert ["refused"] * 3 + ["serves"] == sorted(heard)
    assert _is_served(path)
    for one, said in zip(several, heard, strict=True):
        if said == "serves":
            _tell(one)
        await _ended(one)
    assert {} == _modes(tmp_path)


async def test_nobody_waits_for_ever_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who starts is refused; who stops leaves its file to the next one, which takes it away."""
    monkeypatch.setattr(unix_socket, "LOCKED_MAX_S", 0.0)
    path = tmp_path / "admin.sock"
    server = grpc.aio.server()
    leave = bind(server, Socket(path=path, mode=0o600))
    await server.start()
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(ListenRefused, match="holds its folder locked"):
        await bound(tmp_path / "other.sock")
    leave()
    assert path.exists()
    os.close(held)
    await server.stop(None)
    await bound(path)


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
