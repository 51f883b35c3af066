"""A machine that was told nothing shows its own face."""

from gateway.simulator.shows import NO_SHOWS


def test_nothing_is_shown() -> None:
    """No list, no file, and nothing to count."""
    assert NO_SHOWS.playlist() is None
    assert NO_SHOWS.file("a" * 64) is None
    assert NO_SHOWS.played([], None)
    assert not NO_SHOWS.played([{"item": 1}], None)
