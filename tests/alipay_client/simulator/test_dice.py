"""Chance from a seed."""

from alipay_client.simulator.dice import Dice


def test_same_seed_same_fate() -> None:
    """The n-th try of a key is fixed by the seed, whatever else was tried in between."""
    one, other = Dice(7), Dice(7)
    other.throw("noise")
    assert [one.throw("k").below("cut", 1000) for _ in range(20)] == [
        other.throw("k").below("cut", 1000) for _ in range(20)
    ]
    assert [Dice(8).throw("k").below("cut", 10**9)] != [Dice(7).throw("k").below("cut", 10**9)]


def test_never_and_always() -> None:
    """A chance of 0 never hits and of 1 always; a half hits about half of the tries."""
    dice = Dice(1)
    throws = [dice.throw("k") for _ in range(400)]
    assert sum(throw.hits("x", 0.0) for throw in throws) == 0
    assert sum(throw.hits("x", 1.0) for throw in throws) == 400
    assert 150 < sum(throw.hits("x", 0.5) for throw in throws) < 250


def test_memory_is_bounded() -> None:
    """The longest unused key is forgotten and begins anew."""
    dice = Dice(1, keys_max=2)
    for key in "abc":
        dice.throw(key)
    assert dice.throw("a").number == 0
    assert dice.throw("c").number == 1
