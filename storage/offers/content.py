"""What people say of an offer, how it is kept, and who is held out. Pure."""

import hmac
import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any

from sqlalchemy import Row

from storage.office.selectors import Selector


class OfferState(StrEnum):
    """Whether an offer takes something off now."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    USED_UP = "USED_UP"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferContent:
    """What somebody gives. ``tag``: whose, '' is every known payer's. One of ``discount_minor`` and
    ``basis_points`` is 0; one of ``product`` and ``category`` at most is given.
    """

    name: str
    selector: Selector
    tag: str
    product: str
    category: str
    currency: str
    discount_minor: int
    basis_points: int
    begins_at_ms: int
    ends_at_ms: int
    budget_minor: int
    uses_per_payer: int
    holdout_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """An offer as it is kept, and what is used of it. ``ended_at_ms``: when a person ended it.
    ``not_understood``: what a newer program says of its machines, in words; its selector is then
    one that holds none.
    """

    offer: str
    content: OfferContent
    revision: int
    created_at_ms: int
    updated_at_ms: int
    ended_at_ms: int | None
    spent_minor: int
    uses: int
    not_understood: str = ""

    def state(self, now_ms: int) -> OfferState:
        """Return whether it takes something off at a moment."""
        if self.ended_at_ms is not None or now_ms >= self.content.ends_at_ms:
            return OfferState.ENDED
        if now_ms < self.content.begins_at_ms:
            return OfferState.WAITING
        used_up = self.spent_minor >= self.content.budget_minor
        return OfferState.USED_UP if used_up else OfferState.RUNNING

    @property
    def leaves_no_use(self) -> bool:
        """Whether less is left of its budget than one use takes off; of a share of the price, than
        one did on the average (``storage.fleet.gauges`` asks the same).
        """
        left = self.content.budget_minor - self.spent_minor
        if self.content.discount_minor:
            return left < self.content.discount_minor
        return left < 1 or left * self.uses < self.spent_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDay:
    """What was sold with an offer on the local day ``d``, as it was made of the books."""

    d: int
    uses: int
    sales_minor: int
    discount_minor: int


def kept(content: OfferContent) -> dict[str, Any]:
    """Return the columns of a content."""
    said = asdict(content)
    selector = said.pop("selector")
    return {**said, "selector": json.dumps(selector, ensure_ascii=False, sort_keys=True)}


@lru_cache(maxsize=64)
def selector_of(text: str) -> Selector:
    """Return the selector of a row. Each payment asks it of all offers that are not over. Raises
    ValueError if a newer program wrote it: what it asks beyond, this one cannot tell.
    """
    said = json.loads(text)
    if unknown := said.keys() - Selector.__dataclass_fields__.keys():
        raise ValueError(f"a newer program wrote a selector with {', '.join(sorted(unknown))}")
    return Selector(**{**said, "machine_ids": tuple(said["machine_ids"])})


def view_of(row: Row[Any]) -> OfferView:
    """Return an offer of its row, with what is spent of it. One that a newer program made is told
    as far as it is understood: it can be looked at, given another budget and ended.
    """
    values = row._asdict()
    try:
        selector, not_understood = selector_of(values["selector"]), ""
    except ValueError as error:
        selector, not_understood = Selector(), str(error)
    values |= {"selector": selector, "not_understood": not_understood}
    content = OfferContent(**{name: values[name] for name in OfferContent.__dataclass_fields__})
    fields = [name for name in OfferView.__dataclass_fields__ if name != "content"]
    return OfferView(content=content, **{name: values[name] for name in fields})


def is_held_out(key: str, offer: str, payer_id: str, percent: int) -> bool:
    """Tell whether a payer is among those who are drawn to pay the price: the same for good, and
    without the key nobody can tell who.
    """
    told = hmac.new(key.encode(), f"{offer}\n{payer_id}".encode(), sha256).digest()
    return int.from_bytes(told[:8], "big") % 100 < percent
