"""Who reads what the demo draws may go away."""

import os

from gateway.demo.terminal import Terminal


def test_a_reader_that_went_away_is_noted() -> None:
    """Nothing is raised and nothing more is written, whoever asks for it."""
    reads, writes = os.pipe()
    with os.fdopen(writes, "w", buffering=1) as file:
        terminal = Terminal(file=file)
        terminal.print("read")
        before = terminal.unread
        os.close(reads)
        terminal.print("not read")
        assert (False, True) == (before, terminal.unread)
        terminal.print("not even tried")
