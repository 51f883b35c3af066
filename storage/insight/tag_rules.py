"""What a tag's rule says: a small tree over features of a payer, read from JSON. Pure.

``{"all": [...]}``, ``{"any": [...]}``, ``{"not": {...}}``, or a comparison: ``{"feature":
"purchase_days_28", "at_least": 4}``, with ``at_least``, ``at_most`` or ``equals`` and a whole
number; ``of`` names the category of ``category_share_90``.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

NODES_MAX = 40
DEPTH_MAX = 6
VALUE_MAX = 10**12
CATEGORY_LENGTH_MAX = 64
CATEGORY_SHARE = "category_share_90"
BANDS = {
    "morning": (5, 11),
    "lunch": (11, 14),
    "afternoon": (14, 18),
    "evening": (18, 22),
    "night": (22, 5),
}
"""The bands of a day, by the hours at which each begins and ends."""
MONEY = (
    *("money_7", "money_28", "money_90", "money_per_visit_90"),
    *("basket_quintile_90", "money_quintile_365"),
)
"""Of these one currency counts."""
QUINTILES = {
    "basket_quintile_90": 90,
    "recency_quintile_365": 365,
    "frequency_quintile_365": 365,
    "money_quintile_365": 365,
}
"""Features that say in which fifth of all payers one is, by how many days they look at."""
FEATURES = (
    *("days_since_first", "days_since_last"),
    *("purchases_7", "purchases_28", "purchases_90", "purchases_365"),
    *("purchase_days_7", "purchase_days_28", "purchase_days_90"),
    *("purchase_days_29_56", "purchase_days_57_84", "purchase_days_85_112"),
    *("visits_90", *MONEY, "recency_quintile_365", "frequency_quintile_365"),
    *(f"share_{band}_90" for band in BANDS),
    CATEGORY_SHARE,
    *("machines_28", "districts_28", "workdays_28", "failures_90"),
)
COMPARISONS = ("at_least", "at_most", "equals")
Comparison = Literal["at_least", "at_most", "equals"]


class RuleWrong(ValueError):
    """A rule that cannot be read; the message says where and what to write."""


@dataclass(frozen=True, slots=True)
class Compare:
    """A feature beside a number."""

    feature: str
    comparison: Comparison
    value: int
    of: str = ""


@dataclass(frozen=True, slots=True)
class Every:
    """All of these hold."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these holds."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Never:
    """What must not hold."""

    part: "Node"


Node = Compare | Every | Some | Never


def read(text: str) -> Node:
    """Return the rule of a text. Raises RuleWrong."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:  # A number of 5,000 digits is no JSON to Python.
        raise RuleWrong(f"it is no JSON: {error}") from error
    node = _node(told, "rule", 1)
    if sum(1 for _ in nodes(node)) > NODES_MAX:
        raise RuleWrong(f"it has more than {NODES_MAX} parts: make two tags of it")
    return node


def nodes(node: Node) -> Iterator[Node]:
    """Yield the node and all below it."""
    yield node
    match node:
        case Every(parts) | Some(parts):
            for part in parts:
                yield from nodes(part)
        case Never(part):
            yield from nodes(part)
        case Compare():
            pass


def asks_for_money(node: Node) -> bool:
    """Tell whether money counts in a rule, and so its currency."""
    return any(isinstance(one, Compare) and one.feature in MONEY for one in nodes(node))


def written(node: Node) -> str:
    """Return the one text of a rule."""
    return json.dumps(_told(node), separators=(",", ":"), ensure_ascii=False)


def _told(node: Node) -> dict[str, Any]:
    match node:
        case Every(parts):
            return {"all": [_told(part) for part in parts]}
        case Some(parts):
            return {"any": [_told(part) for part in parts]}
        case Never(part):
            return {"not": _told(part)}
        case Compare(feature, comparison, value, of):
            return {"feature": feature, comparison: value, **({"of": of} if of else {})}


def _node(told: Any, where: str, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise RuleWrong(f"{where} lies deeper than {DEPTH_MAX} levels")
    if not isinstance(told, dict):
        raise RuleWrong(f'{where} must be an object, for example {{"all": [...]}}')
    if "feature" in told:
        return _compare(told, where)
    if len(told) != 1 or not told.keys() <= {"all", "any", "not"}:
        raise RuleWrong(f'{where} must be one of "all", "any", "not" and "feature"')
    ((word, below),) = told.items()
    if word == "not":
        return Never(_node(below, f"{where}.not", depth + 1))
    if not isinstance(below, list) or not below:
        raise RuleWrong(f"{where}.{word} must be a list with something in it")
    parts = tuple(
        _node(one, f"{where}.{word}[{number}]", depth + 1) for number, one in enumerate(below)
    )
    return Every(parts) if word == "all" else Some(parts)


def _can_be_kept(text: str) -> bool:
    """Tell whether a database takes a text: half of a pair of UTF-16 is JSON, and no letter."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _compare(told: dict[str, Any], where: str) -> Compare:
    feature, of = told["feature"], told.get("of", "")
    if feature not in FEATURES:
        raise RuleWrong(f"{where}.feature must be one of {', '.join(FEATURES)}")
    words = [word for word in COMPARISONS if word in told]
    if len(words) != 1 or not told.keys() <= {"feature", "of", *COMPARISONS}:
        raise RuleWrong(f"{where} must have one of {', '.join(COMPARISONS)}, and nothing unknown")
    value = told[words[0]]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= VALUE_MAX:
        raise RuleWrong(f"{where}.{words[0]} must be a whole number from 0 to {VALUE_MAX}")
    if not isinstance(of, str) or len(of) > CATEGORY_LENGTH_MAX or not _can_be_kept(of):
        raise RuleWrong(f"{where}.of must be a category of up to {CATEGORY_LENGTH_MAX} letters")
    if bool(of) != (feature == CATEGORY_SHARE):
        raise RuleWrong(f"{where}: {CATEGORY_SHARE} has a category in of, and nothing else has")
    return Compare(feature, cast("Comparison", words[0]), value, of)
