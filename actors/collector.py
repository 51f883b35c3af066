"""How seldom a process looks for garbage: hardly ever while it loads, and seldom while it serves.

What is loaded at the start stays to the end, and what a sale makes is freed as soon as nobody holds
it: neither needs Python's collector of cycles. With its own thresholds it runs several times a
batch, a sixth of what the core and the host's shell cost (docs/performance.md), and now and then
over all that was ever loaded, which every customer of that moment waits for.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 50, 100)
"""So many more objects than there were, and so many passes over the younger ones, before a pass."""
_WHILE_LOADING = (1_000_000, 50, 100)


def loading() -> None:
    """Look at nothing while a program is loaded, which makes some 300,000 objects and no garbage:
    with Python's own thresholds the collector takes a sixth of that time. A command goes on like
    this; a process that serves has ``seldom``.
    """
    gc.set_threshold(*_WHILE_LOADING)


@contextmanager
def seldom() -> Iterator[None]:
    """Leave alone what is there already, and look for cycles among the rest seldom; afterwards as
    before. Where something was left alone before, it all goes on to be.
    """
    before, left_alone = gc.get_threshold(), gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not left_alone:
            gc.unfreeze()
