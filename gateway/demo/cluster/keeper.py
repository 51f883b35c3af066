"""Keeps a program that knows no lifeline (PostgreSQL, HAProxy, Ray): it ends when whoever started
this process does, however that ends, and so does all that it has started.

Flows in: a command line, and where the program listens once it is ready. Flows out: one JSON line
with its process id then; its own status at its end. To be started as the leader of a session of its
own, as ``gateway.demo.children`` does.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.process import lifeline, offspring
from gateway.process.signals import stop_signals

PROGRAM = offspring.program("gateway.demo.cluster.keeper")
STOP_TIMEOUT_S = 6.0
"""Less than whoever started us waits."""
_LOOK_EVERY_S = 0.05


def arguments(
    command: Sequence[str],
    *,
    ready: str,
    stop: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    forget: Path | None = None,
) -> list[str]:
    """Return what follows ``PROGRAM`` to keep ``command``, which listens at ``ready``
    (host:port). ``stop`` asks it for an orderly end; ``user`` is whom to become; ``forget`` is a
    file that is removed before.
    """
    return [
        *("--ready", ready, "--stop", stop.name),
        *(("--user", user) if user else ()),
        *(("--forget", str(forget)) if forget else ()),
        "--",
        *command,
    ]


async def keep(options: argparse.Namespace) -> int:
    """Run the program to its end, or until somebody asks for it; return its status."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    with stop_signals(stop, hurry):
        process = await asyncio.create_subprocess_exec(
            *options.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr,
            user=options.user,
            cwd="/" if options.user else None,
        )
        gone = asyncio.create_task(process.wait())
        asked = asyncio.create_task(stop.wait())
        ready = asyncio.create_task(_listens(options.ready))
        await asyncio.wait([gone, asked, ready], return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            print(json.dumps({"pid": process.pid}), flush=True)
            await asyncio.wait([gone, asked], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not gone.done():
            process.send_signal(signal.Signals[options.stop])
            await asyncio.wait([gone], timeout=STOP_TIMEOUT_S)
        end_session()
        status = await gone
        asked.cancel()
    return 0 if stop.is_set() else abs(status) or 1


async def _listens(address: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(_LOOK_EVERY_S)
        else:
            writer.close()
            return


def end_session() -> None:
    """Kill whoever is of our session, but us. It was made for us, so nobody else is in it."""
    if os.getsid(0) != os.getpid():
        return
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        try:
            if pid != os.getpid() and os.getsid(pid) == os.getpid():
                os.kill(pid, signal.SIGKILL)
        except OSError:
            continue  # it has gone meanwhile


def main(given: Sequence[str] | None = None) -> None:
    """Keep the program that the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready", required=True)
    parser.add_argument("--stop", default="SIGTERM")
    parser.add_argument("--user")
    parser.add_argument("--forget", type=Path)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(given)
    lifeline.hold()
    if options.forget is not None:
        options.forget.unlink(missing_ok=True)
    sys.exit(asyncio.run(keep(options)))


if __name__ == "__main__":
    main()
