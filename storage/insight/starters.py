"""The tags to begin with, each with its exact rule (docs/admin.md, Tags). Whoever creates a tag of
one of these names without a rule gets this one.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """``rule`` as JSON has it."""

    said: str
    rule: dict[str, Any]
    purchases_min: int = 1


def _of_band(band: str) -> Starter:
    share = {"feature": f"share_{band}_90", "at_least": 60}
    return Starter(
        said=f"at least 60 % of at least 5 purchases in 90 days in the {band}",
        rule={"all": [{"feature": "purchases_90", "at_least": 5}, share]},
        purchases_min=5,
    )


def _fifth(of: str, least: int) -> dict[str, Any]:
    return {"feature": f"{of}_quintile_365", "at_least": least}


STARTERS = {
    "NEW": Starter(
        said="the first purchase was not more than 28 days ago",
        rule={"feature": "days_since_first", "at_most": 28},
    ),
    "REGULAR": Starter(
        said="purchases on at least 4 of 28 days",
        rule={"feature": "purchase_days_28", "at_least": 4},
        purchases_min=4,
    ),
    "LAPSED": Starter(
        said="was REGULAR in one of the three times of 28 days before, and bought nothing in 28",
        rule={
            "all": [
                {"feature": "purchases_28", "equals": 0},
                {
                    "any": [
                        {"feature": f"purchase_days_{span}", "at_least": 4}
                        for span in ("29_56", "57_84", "85_112")
                    ]
                },
            ]
        },
        purchases_min=4,
    ),
    "BIG_BASKET": Starter(
        said="in the top fifth by money for each visit, of those with at least 5 visits in 90 days",
        rule={"feature": "basket_quintile_90", "equals": 5},
        purchases_min=5,
    ),
    "CHAMPION": Starter(
        said="in the upper two fifths of a year by last day, by purchases and by money",
        rule={"all": [_fifth("recency", 4), _fifth("frequency", 4), _fifth("money", 4)]},
        purchases_min=4,
    ),
    "AT_RISK": Starter(
        said="in the upper two fifths of a year by purchases, in the lower two by last day",
        rule={
            "all": [
                {"feature": "recency_quintile_365", "at_most": 2},
                _fifth("frequency", 4),
            ]
        },
        purchases_min=4,
    ),
    "MORNING": _of_band("morning"),
    "LUNCH": _of_band("lunch"),
    "EVENING": _of_band("evening"),
    "NIGHT": _of_band("night"),
    "COMMUTER": Starter(
        said="purchases in at least 2 districts, and on at least 4 days from Monday to Friday, of "
        "28 days",
        rule={
            "all": [
                {"feature": "districts_28", "at_least": 2},
                {"feature": "workdays_28", "at_least": 4},
            ]
        },
        purchases_min=4,
    ),
    "REFUND_PRONE": Starter(
        said="at least 3 vends that failed in 90 days: our fault, offer an apology",
        rule={"feature": "failures_90", "at_least": 3},
    ),
}
