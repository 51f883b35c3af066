"""What people say of an experiment, and what came of one, as values and as the texts that are kept
of them. Pure.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from storage.office.selectors import Selector


class Channel(StrEnum):
    """What is tried: another playlist on screens, other prices, or an offer to payers."""

    PLAYLIST = "PLAYLIST"
    PRICE = "PRICE"
    OFFER = "OFFER"


class Design(StrEnum):
    """PAIRED: of two machines one is treated for the whole time. SWITCHBACK: each machine is
    treated on half of its days. PAYERS: those whom an offer does not hold out are treated.
    """

    PAIRED = "PAIRED"
    SWITCHBACK = "SWITCHBACK"
    PAYERS = "PAYERS"


class Measure(StrEnum):
    """What is counted: items, or their money in one currency."""

    UNITS = "UNITS"
    SALES = "SALES"


class Arm(StrEnum):
    """In which arm a machine is. SWITCHES: on some of its days in the one, on others in the
    other.
    """

    TREATMENT = "TREATMENT"
    CONTROL = "CONTROL"
    SWITCHES = "SWITCHES"


class State(StrEnum):
    """CREATED: nothing is tried yet. RUNNING: until the end day is over and its sales are told.
    STOPPED: early, and so without a result. ENDED: with one, or with why there is none.
    """

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    ENDED = "ENDED"


class LeftOut(StrEnum):
    """Why a machine is not in an experiment."""

    NO_HISTORY = "NO_HISTORY"
    NO_SCREEN = "NO_SCREEN"
    NO_SUCH_PRODUCT = "NO_SUCH_PRODUCT"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    IN_ANOTHER = "IN_ANOTHER"
    WITHOUT_PAIR = "WITHOUT_PAIR"


class Excluded(StrEnum):
    """Why a machine that is in an experiment does not count in its result, by the rules that were
    fixed beforehand.
    """

    NOT_ACKNOWLEDGED = "NOT_ACKNOWLEDGED"
    COULD_NOT_SELL = "COULD_NOT_SELL"
    PARTNER_EXCLUDED = "PARTNER_EXCLUDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedPrice:
    """What a product costs where it is tried."""

    product: str
    price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What somebody wants to know. Machines of ``selector``; with a ``tag`` those of them at which
    its members buy. With an ``offer`` both are empty: it says itself whose it is. ``days`` count,
    beside ``pre_days`` before the start. ``sought_permille``: the smallest lift that is worth
    knowing. ``acknowledged_within_h``: a machine that has not what its arm has so many hours after
    its day began does not count; 0 with an offer. ``forced``: why it is tried although less than
    that cannot be seen.
    """

    hypothesis: str
    channel: Channel
    design: Design
    measure: Measure
    currency: str
    selector: Selector
    tag: str
    days: int
    pre_days: int
    sought_permille: int
    acknowledged_within_h: int
    playlist: str = ""
    control_playlist: str = ""
    prices: tuple[TriedPrice, ...] = ()
    forced: str = ""
    offer: str = ""

    def tried(self) -> Mapping[str, int]:
        """Return the tried prices by product."""
        return {one.product: one.price_minor for one in self.prices}


def kept(content: Content) -> str:
    """Return it as one text, the same for the same content, and as it ever was without an offer."""
    said = asdict(content)
    return _text(said if content.offer else {k: v for k, v in said.items() if k != "offer"})


def read(text: str) -> Content:
    """Return the content of a text."""
    said = json.loads(text)
    selector = said.pop("selector")
    selector["machine_ids"] = tuple(selector["machine_ids"])
    prices = tuple(TriedPrice(**one) for one in said.pop("prices"))
    return Content(
        channel=Channel(said.pop("channel")),
        design=Design(said.pop("design")),
        measure=Measure(said.pop("measure")),
        selector=Selector(**selector),
        prices=prices,
        **said,
    )


_OF_PAYERS = frozenset({"treated_payers", "control_payers", "erased_payers", "used_up"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it. Shares are in thousandths: ``lift_permille`` 82 is 8.2 % more; None: too
    little was left to say anything. ``cost_minor``: what customers paid less, because of tried
    prices, or what the offer took off. ``excluded``: which machines do not count, and why.

    Of an experiment with payers, who are told through the gate (None: too few are told of): how
    many of ``treated_payers`` and ``control_payers`` count, how many were ``erased_payers`` since
    the start; and whether no use was left of the offer's budget.
    """

    lift_permille: int | None
    low_permille: int
    high_permille: int
    p_permille: int
    blocks: int
    significant: bool
    cost_minor: int
    cost_currency: str
    excluded: Mapping[str, str]
    treated_payers: int | None = None
    control_payers: int | None = None
    erased_payers: int | None = None
    used_up: bool = False

    def kept(self) -> str:
        """Return it as one text; what only payers have, and is not there, a program of before need
        not know.
        """
        said = {name: of for name, of in asdict(self).items() if name not in _OF_PAYERS or of}
        return _text(said)


def result_of(text: str) -> Result | None:
    """Return the result of a text; None if it is empty."""
    return Result(**json.loads(text)) if text else None


def _text(said: Mapping[str, object]) -> str:
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
