"""Chance from a seed. What befalls the n-th try of one key depends on the seed, the key and n, and
on nothing else.

So a run can be repeated whatever the order in which calls arrive, and switching one fault on does
not move the others.
"""

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

_SCALE = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Throw:
    """One try of one key; asked any number of times, it answers the same."""

    seed: int
    key: str
    number: int

    def below(self, kind: str, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        drawn = sha256(f"{self.seed}|{kind}|{self.key}|{self.number}".encode()).digest()
        return int.from_bytes(drawn[:8]) * limit // _SCALE

    def hits(self, kind: str, chance: float) -> bool:
        """True in ``chance`` of all cases; never at 0, always at 1."""
        return self.below(kind, _SCALE) < int(chance * _SCALE)


class Dice:
    """Counts the tries of each key; forgets the longest unused keys beyond ``keys_max``."""

    def __init__(self, seed: int, *, keys_max: int = 100_000) -> None:
        self._seed = seed
        self._keys_max = keys_max
        self._tries: OrderedDict[str, int] = OrderedDict()

    def throw(self, key: str) -> Throw:
        """The next try of ``key``."""
        number = self._tries.pop(key, 0)
        self._tries[key] = number + 1
        if len(self._tries) > self._keys_max:
            self._tries.popitem(last=False)
        return Throw(seed=self._seed, key=key, number=number)
