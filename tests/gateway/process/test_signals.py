"""SIGTERM and SIGINT."""

import asyncio
import os
import signal

from gateway.process.signals import stop_signals
from tests.support.edge import until


async def test_the_first_stops_and_the_next_hurries() -> None:
    """Ctrl-C twice is understood; what listened before listens again afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    stop, hurry = asyncio.Event(), asyncio.Event()
    with stop_signals(stop, hurry):
        os.kill(os.getpid(), signal.SIGTERM)
        await until(stop.is_set)
        assert not hurry.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await until(hurry.is_set)
    assert before == signal.getsignal(signal.SIGTERM)


async def test_a_handler_that_was_replaced_comes_back() -> None:
    """A library may put its own there; ours is asked for again."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    with stop_signals(stop, hurry) as listen:
        signal.signal(signal.SIGTERM, lambda *_: None)
        listen()
        os.kill(os.getpid(), signal.SIGTERM)
        await until(stop.is_set)


async def test_another_thread_listens_to_nothing() -> None:
    """Only the main thread may; elsewhere the gateway runs without."""

    async def enter() -> None:
        with stop_signals(asyncio.Event(), asyncio.Event()) as listen:
            listen()

    await asyncio.to_thread(asyncio.run, enter())
