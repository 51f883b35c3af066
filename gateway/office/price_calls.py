"""The changing calls of PriceService: each request is checked whole, then done by the price lists.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the list and its new prices,
or CallRefused with every problem of the request. A price that was forgotten is no price of nothing:
it is refused.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from actors.machine.policy import AMOUNT_MINOR_MAX
from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office import price_csv
from gateway.office.errors import deed_of, import_refused, in_words
from gateway.office.fields import NAME_LENGTH_MAX, OfficeFields
from gateway.office.price_csv import AHEAD_MS_MAX, PriceFileLine
from gateway.office.v1 import price_service_pb2 as wire
from gateway.rpc.statuses import FieldProblem
from storage.office.deeds import LinesRefused, NotThere
from storage.office.price_files import PriceFiles, PriceOutcome
from storage.office.prices import NewPrice, PriceListView, Prices, PriceView

PRICES_MAX = 1_000
_TO_COME = "must be a moment to come, two years ahead at most; leave it out for now"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPrices:
    """The list, the lines of a file, and what each that can be read comes to, in their order."""

    price_list: PriceListView
    lines: Sequence[PriceFileLine]
    outcomes: Sequence[PriceOutcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    prices: Prices
    files: PriceFiles
    clock: Clock

    async def create(self, request: wire.CreatePriceListRequest, act: Act) -> PriceListView:
        """CreatePriceList."""
        fields = OfficeFields().product(request.price_list, field="price_list")
        fields.line("name", request.name, most=NAME_LENGTH_MAX).done()
        with in_words():
            return await self.prices.create(
                request.price_list, request.name, deed_of(act, "CreatePriceList", self.clock)
            )

    async def archive(self, request: wire.ArchivePriceListRequest, act: Act) -> PriceListView:
        """ArchivePriceList."""
        fields = OfficeFields().product(request.price_list, field="price_list")
        fields.etag(request.etag).reason(request.reason).done()
        with in_words():
            return await self.prices.archive(
                request.price_list,
                deed_of(act, "ArchivePriceList", self.clock),
                archived=True,
                etag=request.etag,
                why=request.reason,
            )

    async def restore(self, request: wire.RestorePriceListRequest, act: Act) -> PriceListView:
        """RestorePriceList."""
        OfficeFields().product(request.price_list, field="price_list").etag(request.etag).done()
        with in_words():
            return await self.prices.archive(
                request.price_list,
                deed_of(act, "RestorePriceList", self.clock),
                archived=False,
                etag=request.etag,
            )

    async def set_prices(
        self, request: wire.SetPricesRequest, act: Act
    ) -> tuple[PriceListView, list[PriceView]]:
        """SetPrices."""
        deed = deed_of(act, "SetPrices", self.clock)
        fields = OfficeFields().product(request.price_list, field="price_list").etag(request.etag)
        wanted = _wanted(fields, request)
        from_ms = None
        if request.HasField("from"):
            from_ms = fields.time_ms("from", getattr(request, "from"))
            to_come = deed.now_ms <= from_ms <= deed.now_ms + AHEAD_MS_MAX
            if not (to_come or act.kept):  # what was set when it was to come is told again
                fields.wrong("from", _TO_COME)
        fields.done()
        with in_words():
            return await self.prices.set_prices(
                request.price_list, wanted, deed, from_ms=from_ms, etag=request.etag
            )

    async def import_file(self, request: wire.ImportPricesRequest, act: Act) -> ImportedPrices:
        """ImportPrices. Only a rehearsal returns lines with problems."""
        deed = deed_of(act, "ImportPrices", self.clock)
        OfficeFields().product(request.price_list, field="price_list").etag(request.etag).done()
        # The loop has customers.
        lines = await asyncio.to_thread(price_csv.read, request.csv, now_ms=deed.now_ms)
        problems = [(line, problem) for line in lines for problem in line.problems]
        if problems:
            missing = [] if act.kept else await self._missing(request.price_list)
            if missing or not act.validate_only:
                said_of = [(line.number, said) for line, said in problems]
                raise import_refused(said_of, beside=missing)
        wanted = [(line.number, line.wish) for line in lines if line.wish is not None]
        wishes = [wish for _, wish in wanted]
        with in_words():
            try:
                view, outcomes = await self.files.take(
                    request.price_list, wishes, deed, etag=request.etag
                )
            except LinesRefused as refused:
                raise import_refused(
                    [(wanted[place][0], said) for place, said in refused.problems]
                ) from None
        return ImportedPrices(price_list=view, lines=lines, outcomes=outcomes)

    async def _missing(self, price_list: str) -> list[FieldProblem]:
        """Return that the list is not there, which is said beside what is wrong with its file."""
        try:
            await self.prices.get(price_list)
        except NotThere:
            said = f"there is no price list {price_list!r}: CreatePriceList makes it"
            return [FieldProblem(field="price_list", description=said)]
        return []


def _wanted(fields: OfficeFields, request: wire.SetPricesRequest) -> list[NewPrice]:
    if not 1 <= len(request.prices) <= PRICES_MAX:
        fields.wrong("prices", f"must be 1 to {PRICES_MAX}")
        return []
    wanted: dict[tuple[str, str], NewPrice] = {}
    for index, one in enumerate(request.prices):
        place = f"prices[{index}]"
        fields.product(one.product, field=f"{place}.product")
        fields.currency(one.currency, field=f"{place}.currency")
        if (one.product, one.currency) in wanted:
            fields.wrong(place, f"{one.product!r} in {one.currency} is there twice")
        if one.withdrawn is one.HasField("price_minor"):
            fields.wrong(f"{place}.price_minor", "must be there, unless withdrawn is set")
        elif not one.withdrawn and not 0 < one.price_minor <= AMOUNT_MINOR_MAX:
            fields.wrong(f"{place}.price_minor", f"must be 1 to {AMOUNT_MINOR_MAX}")
        wanted[one.product, one.currency] = NewPrice(
            product=one.product,
            currency=one.currency,
            price_minor=None if one.withdrawn else one.price_minor,
        )
    return list(wanted.values())
