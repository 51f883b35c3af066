"""SIGTERM, SIGINT, SIGQUIT and SIGHUP: the first one asks for an orderly stop, the next one for a
quick one.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


def end_signals() -> Sequence[signal.Signals]:
    """Return the signals that end a program here. A SIGHUP that is ignored stays ignored: that is
    what ``nohup`` is for.
    """
    always = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    return always if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*always, signal.SIGHUP)


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
    before = {number: signal.getsignal(number) for number in end_signals()}

    def heard() -> None:
        (hurry if stop.is_set() else stop).set()

    def listen() -> None:
        for number in before:
            loop.add_signal_handler(number, heard)

    listen()
    try:
        yield listen
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
