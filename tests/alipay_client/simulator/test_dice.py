"""Chance from a seed."""

from alipay_client.simulator.dice import Dice


def test_same_seed_same_fate() -> None:
    """The n-th try of a key is fixed by the seed, whatever else was tried in between."""
    one, other = Dice(7), Dice(7)
    other.attempt("noise")
    assert [one.attempt("k").below("cut", 1000) for _ in range(20)] == [
        other.attempt("k").below("cut", 1000) for _ in range(20)
    ]
    assert [Dice(8).attempt("k").below("cut", 10**9)] != [Dice(7).attempt("k").below("cut", 10**9)]


def test_never_and_always() -> None:
    """A chance of 0 never hits and of 1 always; a half hits about half of the tries."""
    dice = Dice(1)
    attempts = [dice.attempt("k") for _ in range(400)]
    assert 0 == sum(attempt.hits("x", 0.0) for attempt in attempts)
    assert 400 == sum(attempt.hits("x", 1.0) for attempt in attempts)
    assert 150 < sum(attempt.hits("x", 0.5) for attempt in attempts) < 250


def test_memory_is_bounded() -> None:
    """The longest unused key is forgotten and begins at its first try again."""
    dice = Dice(1, keys_max=2)
    for key in "abc":
        dice.attempt(key)
    assert 0 == dice.attempt("a").number
    assert 1 == dice.attempt("c").number
