"""The changing calls about offers: each request is checked whole, then made as a deed."""

from collections.abc import Callable
from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words
from gateway.office.offer_fields import OfferFields
from gateway.office.v1 import offer_service_pb2 as wire
from storage.offers.content import OfferView
from storage.offers.offers import OfferChange, Offers


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCalls:
    """One method for each call. ``new_key`` makes what draws who is held out."""

    offers: Offers
    clock: Clock
    new_key: Callable[[], str]

    async def create(self, request: wire.CreateOfferRequest, act: Act) -> OfferView:
        """CreateOffer."""
        deed = deed_of(act, "CreateOffer", self.clock)
        fields = OfferFields().offer(request.code)
        content = fields.offer_content(request.content, deed.now_ms, kept=act.kept)
        fields.done()
        with in_words():
            return await self.offers.create(
                request.code,
                content,
                deed,
                holdout_key=self.new_key(),
                begins_now=not request.content.HasField("begins_at"),
            )

    async def update(self, request: wire.UpdateOfferRequest, act: Act) -> OfferView:
        """UpdateOffer."""
        deed = deed_of(act, "UpdateOffer", self.clock)
        fields = OfferFields().offer(request.code)
        fields.etag(request.etag).done()
        with in_words():
            there = await self.offers.get(request.code)
        ends_at_ms = budget_minor = uses = None
        if request.HasField("ends_at"):
            ends_at_ms = fields.time_ms("ends_at", request.ends_at)
            if ends_at_ms <= deed.now_ms and not act.kept:
                fields.wrong("ends_at", "must be a moment to come: EndOffer ends it now")
            fields.lasts("ends_at", there.content.begins_at_ms, ends_at_ms)
        if request.HasField("budget"):
            budget_minor = fields.budget("budget", request.budget, there.content.currency)
        if request.uses_per_payer:
            uses = fields.uses("uses_per_payer", request.uses_per_payer)
        fields.offer_name("name", request.name, needed=False).done()
        wanted = OfferChange(
            name=request.name or None,
            ends_at_ms=ends_at_ms,
            budget_minor=budget_minor,
            uses_per_payer=uses,
        )
        with in_words():
            return await self.offers.change(request.code, wanted, deed, etag=request.etag)

    async def end(self, request: wire.EndOfferRequest, act: Act) -> OfferView:
        """EndOffer."""
        fields = OfferFields().offer(request.code)
        fields.etag(request.etag).reason(request.reason, needed=True).done()
        with in_words():
            return await self.offers.end(
                request.code,
                deed_of(act, "EndOffer", self.clock),
                etag=request.etag,
                why=request.reason,
            )
