"""A PostgreSQL for one run, as a process of its own, where its programs are installed: durable, as
in production, on loopback, and gone with its folder afterwards.

Flows in: a folder that PostgreSQL's user may enter. Flows out: one JSON line with the URL.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.demo.children import Children
from gateway.demo.postgres import OWNER, owner, programs
from gateway.process import lifeline
from gateway.process.signals import stop_signals

PROGRAM = (sys.executable, "-m", "gateway.bench.postgres")
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0


@asynccontextmanager
async def running(logs: Path) -> AsyncIterator[str]:
    """Start a PostgreSQL and yield its URL. Raises ChildFailed."""
    # Not in the run's own folder: that one is its user's alone, and PostgreSQL is another user.
    folder = Path(tempfile.mkdtemp(prefix="vendgate-bench-pg-"))
    started = Children(logs, program=PROGRAM)
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        child = await started.start("postgres", str(folder))
        yield child.ready["url"]
    finally:
        await started.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _serve(folder: Path, bin_dir: Path) -> None:
    user = owner()
    data = folder / "data"
    subprocess.run(  # noqa: ASYNC221, S603 - nothing else runs here yet; our own words
        [
            *(str(bin_dir / "initdb"), "--pgdata", str(data), "--username", "vendgate"),
            *("--auth", "trust", "--encoding", "UTF8"),
        ],
        cwd=folder,
        user=user,
        stdout=sys.stderr,
        check=True,
    )
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(folder),
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    stop = asyncio.Event()
    with stop_signals(stop, asyncio.Event()):
        server = await asyncio.create_subprocess_exec(
            str(bin_dir / "postgres"), "-D", str(data), *options, cwd=folder, user=user
        )
        try:
            url = f"postgresql://vendgate@127.0.0.1:{port}/postgres"
            await _answers(url)
            print(json.dumps({"url": url}), flush=True)
            await stop.wait()
        finally:
            server.terminate()
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await server.wait()


async def _answers(url: str) -> None:
    """Wait until it lets somebody in: its port is open before."""
    import asyncpg  # type: ignore[import-untyped]  # the product works without it

    async with asyncio.timeout(_START_TIMEOUT_S):
        while True:
            try:
                connection = await asyncpg.connect(url)
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return


def main() -> None:
    """Serve until SIGTERM. The one argument is the folder."""
    lifeline.hold()
    bin_dir = programs()
    assert bin_dir is not None, "whoever starts this has looked for the programs"
    folder = Path(sys.argv[1])
    try:
        asyncio.run(_serve(folder, bin_dir))
    finally:  # whoever made it may have been killed
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
