# ruff: noqa: N802, D102, ARG002 - the names, the contracts and the arguments are those of
# tag_service.proto
"""TagService: rules of tags, how many have them, and what is held about one payer who asks."""

from gateway.fleet import pages
from gateway.fleet.answering import Context, Parts, answered
from gateway.fleet.errors import not_found
from gateway.fleet.views import timestamp
from gateway.office.errors import in_words
from gateway.office.experiment_views import arm_of
from gateway.office.fields import OfficeFields
from gateway.office.tag_calls import TagCalls
from gateway.office.v1 import tag_service_pb2 as wire
from gateway.office.v1 import tag_service_pb2_grpc
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.fleet.erasures import UnknownTrade
from storage.fleet.positions import InvalidPosition
from storage.insight.payer import PayerBooks
from storage.insight.tag_sales import TagSales
from storage.insight.tag_sums import first_day
from storage.insight.tags import TagRunView, Tags, TagVersion, TagView


class TagService(tag_service_pb2_grpc.TagServiceServicer):
    """One method for each call."""

    def __init__(self, parts: Parts, tags: Tags, payers: PayerBooks) -> None:
        self.parts = parts
        self._tags = tags
        self._payers = payers
        self._calls = TagCalls(tags=tags, clock=parts.acts.clock)

    @answered
    async def CreateTag(
        self, request: wire.CreateTagRequest, context: Context
    ) -> wire.CreateTagResponse:
        def answer(made: TagVersion) -> wire.CreateTagResponse:
            return wire.CreateTagResponse(tag=_tag(TagView(newest=made, run=None)))

        return await self.parts.change(
            request, context, self._calls.create, answer, wire.CreateTagResponse
        )

    @answered
    async def UpdateTag(
        self, request: wire.UpdateTagRequest, context: Context
    ) -> wire.UpdateTagResponse:
        def answer(made: TagVersion) -> wire.UpdateTagResponse:
            return wire.UpdateTagResponse(tag=_tag(TagView(newest=made, run=None)))

        return await self.parts.change(
            request, context, self._calls.update, answer, wire.UpdateTagResponse
        )

    @answered
    async def RetireTag(
        self, request: wire.RetireTagRequest, context: Context
    ) -> wire.RetireTagResponse:
        def answer(made: TagVersion) -> wire.RetireTagResponse:
            return wire.RetireTagResponse(tag=_tag(TagView(newest=made, run=None)))

        return await self.parts.change(
            request, context, self._calls.retire, answer, wire.RetireTagResponse
        )

    @answered
    async def ListTags(
        self, request: wire.ListTagsRequest, context: Context
    ) -> wire.ListTagsResponse:
        asked = OfficeFields().done_page(request, "tags")
        rows = await self._tags.page(after=asked.position, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: row.newest.tag)
        return wire.ListTagsResponse(
            tags=map(_tag, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def GetTag(self, request: wire.GetTagRequest, context: Context) -> wire.GetTagResponse:
        with in_words():
            versions = await self._tags.versions(request.tag)
        ended_at_ms = versions[0].ended_at_ms
        return wire.GetTagResponse(
            tag=request.tag,
            versions=map(_version, versions),
            retired_at=None if ended_at_ms is None else timestamp(ended_at_ms),
        )

    @answered
    async def ListTagRuns(
        self, request: wire.ListTagRunsRequest, context: Context
    ) -> wire.ListTagRunsResponse:
        asked = OfficeFields().done_page(request, "tag runs", request.tag)
        with in_words():
            await self._tags.versions(request.tag)
        before = None
        if asked.position:
            if not asked.position.isdecimal():
                raise InvalidPosition("The page token is none of ours: start again without one.")
            before = int(asked.position)
        rows = await self._tags.runs(request.tag, before=before, limit=asked.rows)
        page = pages.page(rows, asked, lambda row: str(row.id))
        return wire.ListTagRunsResponse(
            runs=map(_run, page.rows), next_page_token=page.next_page_token
        )

    @answered
    async def GetTagMembers(
        self, request: wire.GetTagMembersRequest, context: Context
    ) -> wire.GetTagMembersResponse:
        OfficeFields().some_id("tag", request.tag).done()
        with in_words():
            members = await self._tags.members(request.tag)
        cells = members.by_district
        return wire.GetTagMembersResponse(
            cells=[
                wire.TagCell(district=plain(district), payers=number)
                for district, number in sorted(cells.told.items())
            ],
            others=cells.others,
            whole=cells.whole,
            run=_run(members.run),
        )

    @answered
    async def GetTagSales(
        self, request: wire.GetTagSalesRequest, context: Context
    ) -> wire.GetTagSalesResponse:
        OfficeFields().some_id("tag", request.tag).done()
        with in_words():
            bought = await self._tags.bought(request.tag)
        return wire.GetTagSalesResponse(
            sales=map(_sales, bought.by_currency),
            first_day=first_day(bought.last_d),
            last_day=bought.last_d,
            run=_run(bought.run),
        )

    @answered
    async def GetPayer(
        self, request: wire.GetPayerRequest, context: Context
    ) -> wire.GetPayerResponse:
        OfficeFields().some_id("trade_id", request.trade_id).done()
        try:
            held = await self._payers.held(request.trade_id)
        except UnknownTrade:
            raise not_found("trade", request.trade_id) from None
        return wire.GetPayerResponse(
            known=held.known,
            first_seen_at=timestamp(held.first_seen_ms) if held.known else None,
            last_seen_at=timestamp(held.last_seen_ms) if held.known else None,
            payments=held.payments,
            bought=[
                wire.PayerBought(
                    units=one.units,
                    sales=money_pb2.Money(currency=one.currency, minor=one.sales_minor),
                    first_day=one.first_d,
                    last_day=one.last_d,
                    machines=one.machines,
                )
                for one in held.bought
            ],
            tags=[
                wire.PayerTag(
                    tag=one.tag,
                    version=one.version,
                    since_day=one.since_d,
                    until_day=one.until_d or 0,
                )
                for one in held.tags
            ],
            experiments=[
                wire.PayerExperiment(
                    experiment=one.experiment,
                    arm=arm_of(one.arm),  # type: ignore[arg-type]  # of this very enum
                    spent_before=money_pb2.Money(currency=one.currency, minor=one.before_minor),
                )
                for one in held.experiments
            ],
            vouchers=[
                wire.PayerVouchers(
                    template=plain(one.template),
                    redeemed=one.redeemed,
                    given_back=one.given_back,
                    vouchers=money_pb2.Money(currency=one.currency, minor=one.voucher_minor),
                )
                for one in held.vouchers
            ],
        )


def _sales(of: TagSales) -> wire.TagSales:
    told = of.sales_minor
    money = None if told is None else money_pb2.Money(currency=of.currency, minor=told)
    return wire.TagSales(currency=of.currency, payers=of.payers, units=of.units, sales=money)


def _tag(of: TagView) -> wire.Tag:
    ended_at_ms = of.newest.ended_at_ms
    return wire.Tag(
        tag=of.newest.tag,
        newest=_version(of.newest),
        run=None if of.run is None else _run(of.run),
        retired_at=None if ended_at_ms is None else timestamp(ended_at_ms),
    )


def _version(of: TagVersion) -> wire.TagVersion:
    return wire.TagVersion(
        version=of.version,
        rule=wire.TagRule(
            rule=of.content.rule,
            purchases_min=of.content.purchases_min,
            currency=of.content.currency,
        ),
        author=plain(of.author),
        reason=plain(of.reason),
        created_at=timestamp(of.created_at_ms),
    )


def _run(of: TagRunView) -> wire.TagRun:
    return wire.TagRun(
        version=of.version,
        day=of.d,
        position=of.position,
        at=timestamp(of.at_ms),
        members=of.members,
        joined=of.joined,
        departed=of.departed,
        error=plain(of.error),
    )
