"""What there is in the past: districts, sites, a machine at each, what they sell, what is tried,
and the truth that only customers know. Pure.

Flows in: a seed and a size. Flows out: ``PastPlan``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from gateway.demo.stage import PRODUCTS, machine_names
from gateway.office.v1 import place_pb2

ZONE = "Asia/Hong_Kong"
WEEKS = 10
MACHINES = 24
PRE_DAYS = 14
TRIED_DAYS = 28
ACKNOWLEDGED_WITHIN_H = 6
"""A machine shows its price at once; that it does, it says with its next heartbeat."""
TRIAL = "cheaper-drinks"
SOUGHT_PERMILLE = 300
TRUE_LIFT = 0.35
"""So many more customers come where the tried prices are shown."""
HOT_FACTOR = 2.5
"""So much more is sold in the hot district from its turn on."""
VISITS_A_DAY = 2.0
"""At a usual machine on a usual day, without what is tried."""
MACHINES_MIN = 8
"""Of fewer neither districts nor a trial say anything."""
FORCED = "a small past sees large lifts alone, and the demo tries it all the same"
SPREAD = 0.15
"""How much machines differ, as the deviation of a logarithm."""
TRIED_MINOR = {"Cola": 700, "Oolong tea": 550}
COSTS_MINOR = {"Cola": 320, "Oolong tea": 260, "Water": 150, "Crisps": 520, "Chocolate": 430}
CATEGORIES = {"Cola": "drinks", "Oolong tea": "drinks", "Water": "drinks", "Crisps": "snacks",
              "Chocolate": "snacks"}  # fmt: skip
TASTE = {"Cola": 5, "Oolong tea": 4, "Water": 3, "Crisps": 2, "Chocolate": 2}
"""What customers want, as shares."""


class PastFailed(Exception):
    """There is no past, or it came out wrong; the sentence says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """A district and its middle, in millionths of a degree."""

    code: str
    name: str
    latitude_e6: int
    longitude_e6: int


DISTRICTS = (
    District(code="central", name="Central", latitude_e6=22_281_900, longitude_e6=114_158_000),
    District(code="kwun-tong", name="Kwun Tong", latitude_e6=22_313_300, longitude_e6=114_225_800),
    District(code="mong-kok", name="Mong Kok", latitude_e6=22_319_300, longitude_e6=114_169_400),
    District(code="sha-tin", name="Sha Tin", latitude_e6=22_382_000, longitude_e6=114_188_000),
    District(code="tsuen-wan", name="Tsuen Wan", latitude_e6=22_371_300, longitude_e6=114_114_200),
    District(code="wan-chai", name="Wan Chai", latitude_e6=22_279_700, longitude_e6=114_171_700),
)
HOT = "kwun-tong"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteKind:
    """A type of site: how much of a day's sales comes in each hour from ``first_h`` on, and what a
    Saturday and a Sunday are beside a weekday.
    """

    word: str
    number: "place_pb2.SiteType.ValueType"
    first_h: int
    hours: Sequence[int]
    weekend: tuple[float, float]


KINDS = (
    SiteKind(word="Office tower", number=place_pb2.SITE_TYPE_OFFICE, first_h=7,
         hours=(1, 3, 4, 4, 5, 9, 8, 5, 6, 5, 4, 3, 1), weekend=(0.45, 0.25)),
    SiteKind(word="MTR exit", number=place_pb2.SITE_TYPE_STATION, first_h=6,
         hours=(3, 7, 8, 4, 3, 3, 4, 4, 3, 3, 4, 6, 8, 7, 4, 3, 2), weekend=(0.9, 0.75)),
    SiteKind(word="Estate lobby", number=place_pb2.SITE_TYPE_RESIDENTIAL, first_h=7,
         hours=(3, 4, 2, 2, 2, 3, 3, 3, 3, 4, 5, 7, 8, 8, 6, 4), weekend=(1.3, 1.35)),
    SiteKind(word="Sports hall", number=place_pb2.SITE_TYPE_LEISURE, first_h=9,
         hours=(2, 3, 4, 4, 4, 4, 5, 6, 6, 7, 7, 5, 2), weekend=(1.6, 1.5)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPlace:
    """A machine and where it stands. ``factor``: how much it sells beside a usual one."""

    machine_id: str
    site: str
    name: str
    district: District
    kind: SiteKind
    latitude_e6: int
    longitude_e6: int
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPlan:
    """``trial_day`` is the day, counted from 0, on which a person creates the experiment, which
    begins on the next; ``hot_day`` the first of the hot district; from ``tags_day`` on there are
    tags, which are evaluated each day.
    """

    seed: int
    weeks: int
    places: Sequence[PastPlace]
    hot_day: int
    trial_day: int
    tags_day: int
    trial_days: int = TRIED_DAYS
    pre_days: int = PRE_DAYS
    sought_permille: int = SOUGHT_PERMILLE
    forced_reason: str = ""
    lift: float = TRUE_LIFT
    hot_factor: float = HOT_FACTOR
    visits_a_day: float = VISITS_A_DAY

    @property
    def days(self) -> int:
        """How many whole days are lived before today."""
        return 7 * self.weeks


def planned(*, seed: int, weeks: int = WEEKS, machines: int = MACHINES) -> PastPlan:
    """Return the plan. The trial ends some days before today, so that its answer is there. Raises
    PastFailed if that cannot be.
    """
    trial_days = TRIED_DAYS if weeks >= WEEKS else 14  # a switchback has whole fortnights
    least = (PRE_DAYS + trial_days + 7 + 6) // 7
    if weeks < least or machines < MACHINES_MIN:
        raise PastFailed(
            f"a past has at least {least} weeks, for the time before a trial, the trial and its "
            f"answer, and {MACHINES_MIN} machines, for its districts"
        )
    districts = DISTRICTS[: machines // 2]
    rng = _random("places", seed)
    logs = [rng.gauss(0.0, SPREAD) for _ in range(machines)]
    return PastPlan(
        seed=seed,
        weeks=weeks,
        places=[
            _place(number, machine_id, math.exp(logs[number]), districts, rng)
            for number, machine_id in enumerate(machine_names(machines))
        ],
        hot_day=7 * weeks // 2,
        trial_day=7 * weeks - trial_days - 5,
        tags_day=7 * weeks - 14,
        trial_days=trial_days,
        forced_reason="" if weeks >= WEEKS and machines >= MACHINES else FORCED,
    )


def usual_prices() -> Mapping[str, tuple[str, int]]:
    """Return the column of each product and its usual price."""
    return {product: (column, price) for column, product, price in PRODUCTS}


def _place(
    number: int, machine_id: str, factor: float, districts: Sequence[District], rng: Random
) -> PastPlace:
    row, column = divmod(number, len(districts))
    district, kind = districts[column], KINDS[row % len(KINDS)]
    return PastPlace(
        machine_id=machine_id,
        site=f"{district.code}-{1 + row}",
        name=f"{kind.word}, {district.name}",
        district=district,
        kind=kind,
        latitude_e6=district.latitude_e6 + rng.randrange(-15_000, 15_000),
        longitude_e6=district.longitude_e6 + rng.randrange(-15_000, 15_000),
        factor=factor,
    )


def _random(what: str, seed: int) -> Random:
    return Random(f"past {what} {seed}")  # noqa: S311 - anybody may live it again
