# ruff: noqa: N802, D102, ARG002 - the names, contracts and arguments of offer_service.proto
"""OfferService: what is taken off the price for customers whom Alipay names."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.office import offer_views as views
from gateway.office.errors import in_words
from gateway.office.offer_calls import OfferCalls, ToldOffer
from gateway.office.offer_fields import OfferFields
from gateway.office.sales import completeness
from gateway.office.v1 import offer_service_pb2 as wire
from gateway.office.v1 import offer_service_pb2_grpc


class OfferService(offer_service_pb2_grpc.OfferServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, calls: OfferCalls) -> None:
        self.parts = parts
        self._calls = calls

    @answered
    async def CreateOffer(
        self, request: wire.CreateOfferRequest, context: Context
    ) -> wire.CreateOfferResponse:
        def answer(made: ToldOffer) -> wire.CreateOfferResponse:
            return wire.CreateOfferResponse(
                offer=views.offer(made.view, self._now_ms(), made.machines)
            )

        return await self.parts.change(
            request, context, self._calls.create, answer, wire.CreateOfferResponse
        )

    @answered
    async def GetOffer(
        self, request: wire.GetOfferRequest, context: Context
    ) -> wire.GetOfferResponse:
        OfferFields().offer(request.code).done()
        with in_words():
            view, days, lag = await self._calls.offers.told(request.code)
        (one,) = await self._calls.told([view])
        return wire.GetOfferResponse(
            offer=views.offer(view, self._now_ms(), one.machines),
            days=[views.day(day, view.content.currency) for day in days],
            completeness=completeness(lag),
        )

    @answered
    async def ListOffers(
        self, request: wire.ListOffersRequest, context: Context
    ) -> wire.ListOffersResponse:
        over = request.over if request.HasField("over") else None
        asked = OfferFields().done_page(request, "offers", over)
        now_ms = self._now_ms()
        rows = await self._calls.offers.page(
            after=asked.position, limit=asked.rows, over=over, now_ms=now_ms
        )
        page = pages.page(rows, asked, lambda row: row.offer)
        return wire.ListOffersResponse(
            offers=[
                views.offer(one.view, now_ms, one.machines)
                for one in await self._calls.told(page.rows)
            ],
            next_page_token=page.next_page_token,
        )

    @answered
    async def UpdateOffer(
        self, request: wire.UpdateOfferRequest, context: Context
    ) -> wire.UpdateOfferResponse:
        def answer(made: ToldOffer) -> wire.UpdateOfferResponse:
            return wire.UpdateOfferResponse(
                offer=views.offer(made.view, self._now_ms(), made.machines)
            )

        return await self.parts.change(
            request, context, self._calls.update, answer, wire.UpdateOfferResponse
        )

    @answered
    async def EndOffer(
        self, request: wire.EndOfferRequest, context: Context
    ) -> wire.EndOfferResponse:
        def answer(made: ToldOffer) -> wire.EndOfferResponse:
            return wire.EndOfferResponse(
                offer=views.offer(made.view, self._now_ms(), made.machines)
            )

        return await self.parts.change(
            request, context, self._calls.end, answer, wire.EndOfferResponse
        )

    @answered
    async def ListOfferProposals(
        self, request: wire.ListOfferProposalsRequest, context: Context
    ) -> wire.ListOfferProposalsResponse:
        asked = OfferFields().done_page(request, "offer_proposals")
        rows = await self._calls.offers.waiting(
            self._now_ms(), after=asked.position, limit=asked.rows
        )
        page = pages.page(rows, asked, lambda row: row.offer)
        return wire.ListOfferProposalsResponse(
            proposals=map(views.proposal, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def ConfirmOffer(
        self, request: wire.ConfirmOfferRequest, context: Context
    ) -> wire.ConfirmOfferResponse:
        def answer(made: ToldOffer) -> wire.ConfirmOfferResponse:
            return wire.ConfirmOfferResponse(
                offer=views.offer(made.view, self._now_ms(), made.machines)
            )

        return await self.parts.change(
            request, context, self._calls.confirm, answer, wire.ConfirmOfferResponse
        )

    @answered
    async def DeclineOffer(
        self, request: wire.DeclineOfferRequest, context: Context
    ) -> wire.DeclineOfferResponse:
        return await self.parts.change(
            request,
            context,
            self._calls.decline,
            lambda _: wire.DeclineOfferResponse(),
            wire.DeclineOfferResponse,
        )

    def _now_ms(self) -> int:
        return self.parts.acts.clock.now_ms()
