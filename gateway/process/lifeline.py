"""A lifeline: this process ends when the program that started it is gone, however that ended.

The other program keeps the writing end of a pipe and gives the reading end as standard input. The
kernel closes a dead program's files, even after ``kill -9``, on Linux and on macOS alike; the end
of the file is then a SIGTERM to ourselves, so that all ends in order.
"""

import os
import signal
import sys
import threading
import time

HURRY_AFTER_S = 10.0
KILL_AFTER_S = 10.0


def hold() -> None:
    """Watch standard input from a thread of its own, whatever the main thread is busy with."""
    threading.Thread(
        target=_watch, args=(sys.stdin.fileno(),), name="lifeline", daemon=True
    ).start()


def _watch(descriptor: int) -> None:
    try:
        while os.read(descriptor, 4_096):
            pass  # what is written there means nothing
    except OSError:
        pass  # a file that cannot be read holds nobody
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(HURRY_AFTER_S)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(KILL_AFTER_S)
    # Whoever leads a group was given it for itself: what it started, such as Ray's processes, goes
    # too.
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
