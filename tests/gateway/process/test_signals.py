"""Signals that ask for an end."""

import asyncio
import os
import signal

import pytest

from gateway.process.signals import stop_signals
from tests.support.patience import until


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
async def test_the_first_stops_and_the_next_hurries(first: signal.Signals) -> None:
    """Ctrl-C twice is understood, a closed terminal too; who listened before listens again."""
    before = signal.getsignal(first)
    stop, hurry = asyncio.Event(), asyncio.Event()
    with stop_signals(stop, hurry):
        os.kill(os.getpid(), first)
        await until(stop.is_set)
        assert not hurry.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await until(hurry.is_set)
    assert before == signal.getsignal(first)


async def test_nohup_is_obeyed() -> None:
    """A SIGHUP that whoever started us has switched off stays off."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop, hurry = asyncio.Event(), asyncio.Event()
    try:
        with stop_signals(stop, hurry) as listen:
            listen()
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            await until(stop.is_set)
            await asyncio.sleep(0)
            assert not hurry.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


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
