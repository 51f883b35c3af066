"""The command line of one machine: commands on stdin, its screen on stdout.

``python -m gateway.simulator.client --gateway 127.0.0.1:7443 --machine VM-0001 --state-dir DIR``
"""

import argparse
import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Sequence

from gateway.simulator.arguments import log_to_stderr, machine_arguments, token_of
from gateway.simulator.console import sit
from gateway.simulator.identity import EnrolledAt
from gateway.simulator.line import read_tls
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig
from gateway.simulator.phone import Phone


async def stdin_lines() -> AsyncIterator[str]:
    """Yield the lines of stdin; a thread reads them, because stdin may be a terminal, a pipe or a
    file.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed while we waited for a line
            for text in sys.stdin:
                loop.call_soon_threadsafe(queue.put_nowait, text)
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (text := await queue.get()) is not None:
        yield text


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m gateway.simulator.client``."""
    parser = argparse.ArgumentParser(
        description="The reference machine on the desk: commands on stdin, its screen on stdout."
    )
    machine_arguments(parser)
    parser.add_argument("--machine", default="VM-0001", help="the machine's id, as registered")
    parser.add_argument("--motor-ms", type=int, default=1_000, help="how long a motor turns")
    parser.add_argument(
        "--alipay",
        default="http://127.0.0.1:8188",
        help="URL of the pretend Alipay, whose page shows this machine's screen",
    )
    parser.add_argument(
        "--screen-port",
        type=int,
        default=8_190,
        help="where the page of its screen is served to this computer",
    )
    options = parser.parse_args(arguments)
    log_to_stderr()
    config = ClientConfig(
        gateway=options.gateway,
        identity=Identity(machine_id=options.machine),
        state_dir=options.state_dir,
        tls=read_tls(options.machine, ca=options.ca, cert=options.cert, key=options.key),
        enrolment=(
            EnrolledAt(address=options.enrol, token=token_of(options.machine, options.token_file))
            if options.enrol
            else None
        ),
        motor_ms=options.motor_ms,
        screen_port=options.screen_port,
    )

    def write(text: str) -> None:
        print(text, flush=True)

    async def run() -> None:
        async with Phone(options.alipay) as phone:
            await sit(config, stdin_lines(), write, seed=options.seed, phone=phone)

    page = f"http://127.0.0.1:{options.screen_port}/"
    write(f"commands on stdin; 'help' lists them; the screen's page: {page}")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


if __name__ == "__main__":
    main()
