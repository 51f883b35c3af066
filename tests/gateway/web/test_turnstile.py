"""Nobody takes the places of others."""

import pytest

from gateway.web.turnstile import TooMany, Turnstile


def test_each_has_their_own_places() -> None:
    """Who has taken all of theirs gets no further one until one is free; others do."""
    turnstile = Turnstile(1)
    with turnstile.place("ann"):
        assert turnstile.is_full("ann")
        with pytest.raises(TooMany), turnstile.place("ann"):
            pass
        with turnstile.place("bea"):
            assert turnstile.is_full("bea")
    assert not turnstile.is_full("ann")


def test_a_place_is_free_again_after_an_error() -> None:
    """And nobody is remembered who has none."""
    turnstile = Turnstile(1)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"), turnstile.place("ann"):
            raise ValueError("x")
    assert not turnstile._taken
