"""SIGTERM, SIGINT, SIGQUIT and SIGHUP: the first one asks for an orderly stop, the next one for a
quick one.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType


def end_signals() -> Sequence[signal.Signals]:
    """Return the signals that end a program here. A SIGHUP that is ignored stays ignored: that is
    what ``nohup`` is for.
    """
    always = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
    return always if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*always, signal.SIGHUP)


class EarlySignals:
    """Whether an end was asked for while the program was still being loaded. ``follow`` an event
    that is to be set then.
    """

    def __init__(self) -> None:
        self.asked = False
        self._tell: Callable[[], object] | None = None

    def follow(self, stop: asyncio.Event) -> None:
        """Set the event, now or when a signal comes. To be called on the event's loop."""
        loop = asyncio.get_running_loop()
        self._tell = lambda: loop.call_soon_threadsafe(stop.set)
        if self.asked:
            stop.set()

    def heard(self, number: int, _frame: object) -> None:
        """A signal came; the second one ends the program as if nobody listened."""
        if self.asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        self.asked = True
        if self._tell is not None:
            self._tell()


class Interruption:
    """By which signal a command was told to end; None if by none."""

    def __init__(self) -> None:
        self.number: int | None = None

    def heard(self, number: int, frame: FrameType | None) -> None:
        """End what runs as Ctrl-C does, which asyncio turns into an orderly end too; the second
        one ends the program as if nobody listened.
        """
        if self.number is not None:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
            return
        self.number = number
        as_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(as_ctrl_c):  # ignored, as in the background; this signal is not
            raise KeyboardInterrupt
        as_ctrl_c(signal.SIGINT, frame)


@contextmanager
def interrupted_alike() -> Iterator[Interruption]:
    """Let each signal that ends a program end a command that listens to none as Ctrl-C does, with
    a KeyboardInterrupt. Main thread only; whoever listens later takes the signals over.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    asked = [number for number in end_signals() if number is not signal.SIGINT]
    before = {number: signal.signal(number, interruption.heard) for number in asked}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def early_signals() -> Iterator[EarlySignals]:
    """Listen before there is a loop: a program that takes seconds to load ends in order too.
    Whoever listens later (``stop_signals``) takes the signals over. Main thread only.
    """
    early = EarlySignals()
    if threading.current_thread() is not threading.main_thread():
        yield early
        return
    before = {number: signal.signal(number, early.heard) for number in end_signals()}
    try:
        yield early
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
