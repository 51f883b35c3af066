"""What is asked of the fields of requests about offers."""

import re
from typing import Self

from actors.machine.offer import WHOLE
from actors.machine.policy import AMOUNT_MINOR_MAX
from gateway.office.fields import CATEGORY_LENGTH_MAX, NAME_LENGTH_MAX
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import offer_pb2 as wire
from gateway.v1 import money_pb2
from storage.offers.content import OfferContent

LASTS_MS_MAX = 366 * 86_400_000
USES_MAX = 1_000
HOLDOUT_MAX = 90
_PROPOSAL = re.compile(r"[A-Za-z0-9-]{1,32}")
_CODE = re.compile(r"[A-Za-z0-9._-]{1,40}")


class OfferFields(PlaceFields):
    """Collects what is wrong with the fields of one request about offers."""

    def offer(self, value: str) -> Self:
        """Check an offer's code."""
        if not _CODE.fullmatch(value):
            self.wrong("code", "must be 1 to 40 letters, digits, '.', '_' and '-'")
        return self

    def proposal(self, value: str) -> Self:
        """Check the name of what waits for a second person."""
        if not _PROPOSAL.fullmatch(value):
            self.wrong("proposal", "must be as ListOfferProposals names it")
        return self

    def offer_content(self, given: wire.OfferContent, now_ms: int, *, kept: bool) -> OfferContent:
        """Return what is given; what is wrong with it is noted. ``kept``: it was asked for before,
        when its end was to come.
        """
        self.offer_name("content.name", given.name)
        self.tag(given.tag, field="content.tag", needed=False)
        if given.product:
            self.product(given.product, field="content.product")
        self.line("content.category", given.category, most=CATEGORY_LENGTH_MAX)
        if given.product and given.category:
            self.wrong("content.category", "must be empty: a product is named")
        discount_minor, currency = self._discount(given)
        begins_at_ms = self._time("begins_at", given) or now_ms
        ends_at_ms = self._time("ends_at", given)
        self.lasts("content.ends_at", begins_at_ms, ends_at_ms)
        if begins_at_ms < ends_at_ms <= now_ms and not kept:
            self.wrong("content.ends_at", "must be a moment to come")
        if not 0 <= given.holdout_percent <= HOLDOUT_MAX:
            self.wrong("content.holdout_percent", f"must be 0 to {HOLDOUT_MAX}")
        return OfferContent(
            name=given.name,
            selector=self.selector(given.selector, field="content.selector"),
            tag=given.tag,
            product=given.product,
            category=given.category,
            currency=currency,
            discount_minor=discount_minor,
            basis_points=given.basis_points,
            begins_at_ms=begins_at_ms,
            ends_at_ms=ends_at_ms,
            budget_minor=self.budget("content.budget", given.budget, currency),
            uses_per_payer=self.uses("content.uses_per_payer", given.uses_per_payer or 1),
            holdout_percent=given.holdout_percent,
        )

    def offer_name(self, field: str, value: str, *, needed: bool = True) -> Self:
        """Check what people call it."""
        return self.line(field, value, least=int(needed), most=NAME_LENGTH_MAX)

    def lasts(self, field: str, begins_at_ms: int, ends_at_ms: int) -> Self:
        """Check for how long it is to last."""
        if not begins_at_ms < ends_at_ms <= begins_at_ms + LASTS_MS_MAX:
            self.wrong(field, "must be behind begins_at, by 366 days at most")
        return self

    def budget(self, field: str, given: money_pb2.Money, currency: str) -> int:
        """Return a budget; ``currency`` is the one that it must be in, '' if that is not known."""
        if not 0 < given.minor <= AMOUNT_MINOR_MAX * USES_MAX:
            self.wrong(f"{field}.minor", f"must be 1 to {AMOUNT_MINOR_MAX * USES_MAX} minor units")
        if currency and given.currency != currency:
            self.wrong(f"{field}.currency", f"must be the offer's, {currency}")
        return given.minor

    def uses(self, field: str, given: int) -> int:
        """Return how often a payer may use it."""
        if not 1 <= given <= USES_MAX:
            self.wrong(field, f"must be 1 to {USES_MAX}")
        return given

    def _discount(self, given: wire.OfferContent) -> tuple[int, str]:
        if given.HasField("discount") is bool(given.basis_points):
            self.wrong("content.discount", "must be there, or basis_points instead")
            return 0, ""
        if given.basis_points:
            if not 1 <= given.basis_points <= WHOLE:
                self.wrong("content.basis_points", f"must be 1 to {WHOLE}")
            self.currency(given.currency, field="content.currency")
            return 0, given.currency
        if not 1 <= given.discount.minor <= AMOUNT_MINOR_MAX:
            self.wrong("content.discount.minor", f"must be 1 to {AMOUNT_MINOR_MAX} minor units")
        self.currency(given.discount.currency, field="content.discount.currency")
        if given.currency not in {"", given.discount.currency}:
            self.wrong("content.currency", "must be empty, or the discount's")
        return given.discount.minor, given.discount.currency

    def _time(self, name: str, given: wire.OfferContent) -> int:
        if not given.HasField(name):  # type: ignore[arg-type]  # of these fields
            return 0
        return self.time_ms(f"content.{name}", getattr(given, name))
