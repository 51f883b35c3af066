"""Offers as the core hears of them, and what it says of their use. Values only.

An offer takes something off the price of what a known payer buys. Which offers a payer may use at a
machine is looked up where their payment is taken in, and stands in that event: the core never asks.
What it decides is counted against the offer's budget by the COMMIT that saves it, which may refuse.
"""

from msgspec import Struct

from actors.machine.ids import VendId

OFFERS_MAX = 20
"""A payment brings at most so many."""
WHOLE = 10_000
"""Basis points of the whole price."""


class Offered(Struct, frozen=True, kw_only=True, array_like=True):
    """An offer that a payer may use ``left`` times more until ``ends_at_ms``: so many minor units
    off, or so many ``basis_points`` of the price. ``products``: None is whatever the machine sells.
    ``rest_minor`` is what was left of its budget; None: nobody looked.
    """

    offer: str
    ends_at_ms: int
    left: int
    discount_minor: int = 0
    basis_points: int = 0
    products: tuple[str, ...] | None = None
    rest_minor: int | None = None


class OfferUse(Struct, frozen=True, kw_only=True):
    """A vend that was approved with an offer, or, ``returned``, was not delivered after all."""

    offer: str
    vend_id: VendId
    payer_id: str
    discount_minor: int
    returned: bool = False


class OfferRefused(Struct, frozen=True, kw_only=True):
    """The books did not count a use of an offer: it is used up, or over. Nothing of that use was
    saved. ``why`` in a word, for people.
    """

    offer: str
    why: str


def discount_minor(offered: Offered, price_minor: int) -> int:
    """Return what an offer takes off a price, rounded down; at least one minor unit is paid."""
    wanted = offered.discount_minor or price_minor * offered.basis_points // WHOLE
    return max(0, min(wanted, price_minor - 1))
