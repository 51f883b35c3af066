"""The changing calls about offers: each request is checked whole, then made as a deed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words
from gateway.office.offer_fields import OfferFields
from gateway.office.v1 import offer_service_pb2 as wire
from storage.offers.content import OfferState, OfferView
from storage.offers.offers import OfferChange, Offers
from storage.office.meant import Meaning, MeantMachines


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOffer:
    """An offer, and how many machines it means now; None: it is over, or not all that it says of
    machines is understood here.
    """

    view: OfferView
    machines: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCalls:
    """One method for each call. ``new_key`` makes what draws who is held out, and what names a
    proposal.
    """

    offers: Offers
    clock: Clock
    new_key: Callable[[], str]
    counting: MeantMachines

    async def told(self, views: Sequence[OfferView]) -> list[ToldOffer]:
        """Return the offers, each with how many machines it means now."""
        now_ms = self.clock.now_ms()
        live = [
            one
            for one in views
            if one.state(now_ms) is not OfferState.ENDED and not one.not_understood
        ]
        meanings = [
            Meaning(selector=one.content.selector, currency=one.content.currency) for one in live
        ]
        counts = await self.counting.counts(meanings, now_ms)
        of = {one.offer: count.machines for one, count in zip(live, counts, strict=True)}
        return [ToldOffer(view=one, machines=of.get(one.offer)) for one in views]

    async def _told(self, view: OfferView) -> ToldOffer:
        (told,) = await self.told([view])
        return told

    async def create(self, request: wire.CreateOfferRequest, act: Act) -> ToldOffer:
        """CreateOffer."""
        deed = deed_of(act, "CreateOffer", self.clock)
        fields = OfferFields().offer(request.code)
        content = fields.offer_content(request.content, deed.now_ms, kept=act.kept)
        fields.done()
        with in_words():
            view = await self.offers.create(
                request.code,
                content,
                deed,
                holdout_key=self.new_key(),
                begins_now=not request.content.HasField("begins_at"),
                proposal=self.new_key(),
            )
        return await self._told(view)

    async def update(self, request: wire.UpdateOfferRequest, act: Act) -> ToldOffer:
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
            view = await self.offers.change(
                request.code, wanted, deed, etag=request.etag, proposal=self.new_key()
            )
        return await self._told(view)

    async def end(self, request: wire.EndOfferRequest, act: Act) -> ToldOffer:
        """EndOffer."""
        fields = OfferFields().offer(request.code)
        fields.etag(request.etag).reason(request.reason, needed=True).done()
        with in_words():
            view = await self.offers.end(
                request.code,
                deed_of(act, "EndOffer", self.clock),
                etag=request.etag,
                why=request.reason,
            )
        return await self._told(view)

    async def confirm(self, request: wire.ConfirmOfferRequest, act: Act) -> ToldOffer:
        """ConfirmOffer."""
        OfferFields().offer(request.code).proposal(request.proposal).done()
        with in_words():
            view = await self.offers.confirm(
                request.code,
                request.proposal,
                deed_of(act, "ConfirmOffer", self.clock),
                holdout_key=self.new_key(),
            )
        return await self._told(view)

    async def decline(self, request: wire.DeclineOfferRequest, act: Act) -> None:
        """DeclineOffer."""
        fields = OfferFields().offer(request.code).proposal(request.proposal)
        fields.reason(request.reason, needed=True).done()
        with in_words():
            await self.offers.decline(
                request.code,
                request.proposal,
                deed_of(act, "DeclineOffer", self.clock),
                why=request.reason,
            )
