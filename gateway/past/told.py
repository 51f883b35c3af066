"""What was lived, and what the product found in it, beside what was put in. Pure.

Flows in: figures and answers of the office. Flows out: sentences for people, and JSON.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class HotFound:
    """A district that is HOT now: how sure that is, and the last day of the first fortnight in
    which it was, as 20260131. ``turned_day``: when its customers became more; 0: they did not.
    """

    name: str
    above_percent: int
    since_day: int
    turned_day: int
    factor: float

    @property
    def sentence(self) -> str:
        """What there is to say of it."""
        since = f"HOT since {day(self.since_day)}, {self.above_percent} % sure"
        truth = (
            f"its customers became {self.factor:g} times as many on {day(self.turned_day)}"
            if self.turned_day
            else "its machines happen to stand well"
        )
        return f"{self.name} is {since}. The truth: {truth}."


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTold:
    """The whole of it. ``lost`` customers found what they wanted and did not get it: none should.
    ``trial`` is what the office says of the experiment.
    """

    weeks: int
    machines: int
    sales: int
    went_away: int
    lost: int
    seconds: float
    first_day: int
    hot: Sequence[HotFound]
    trial: str
    lift_permille: int
    low_permille: int
    high_permille: int
    true_lift_permille: int

    @property
    def holds(self) -> bool:
        """Whether the interval that was told holds the truth."""
        return self.low_permille <= self.true_lift_permille <= self.high_permille

    @property
    def sentences(self) -> Sequence[str]:
        """All of it, for people."""
        within = "within" if self.holds else "not within, as in one of twenty"
        return (
            (
                f"Lived {self.weeks} weeks of {self.machines} machines, from "
                f"{day(self.first_day)} until now: {self.sales} sales, in {self.seconds:.0f} s."
            ),
            *(one.sentence for one in self.hot),
            *(() if self.hot else ("No district is HOT.",)),
            f"Cheaper drinks were tried: {self.trial}",
            (
                f"The truth: {self.true_lift_permille / 10:.1f} % more came, which is {within} "
                "that interval."
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {**asdict(self), "sentences": list(self.sentences)}


def day(number: int) -> str:
    """Return a day (20260131) as people write it."""
    return f"{number // 10_000}-{number // 100 % 100:02}-{number % 100:02}"
