"""SIGTERM and SIGINT: the first one asks for an orderly stop, the next one for a quick one."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_HEARD = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_signals(stop: asyncio.Event, hurry: asyncio.Event) -> Iterator[Callable[[], None]]:
    """Listen while the block lasts. Yields a function that listens anew, for after a library put
    its own handler there (Ray does).

    Only the main thread can listen; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    loop = asyncio.get_running_loop()

    def heard() -> None:
        (hurry if stop.is_set() else stop).set()

    def listen() -> None:
        for number in _HEARD:
            loop.add_signal_handler(number, heard)

    before = {number: signal.getsignal(number) for number in _HEARD}
    listen()
    try:
        yield listen
    finally:
        for number in _HEARD:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
