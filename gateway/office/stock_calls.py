"""What StockService asks of its requests, and its changing call."""

from dataclasses import dataclass

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words
from gateway.office.goods_fields import QUANTITY_MAX
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import stock_service_pb2 as wire
from storage.machines.rows import DAY_MS
from storage.office.pars import Check, Pars, ParsView

COLUMNS_MAX = 128
SALES_DAYS, SALES_DAYS_MAX = 28, 90
HOURS_MAX = 336
PERCENT, PERCENT_MAX = 50, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StockCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``.
    ``check`` may refuse a change in its transaction.
    """

    pars: Pars
    clock: Clock
    check: Check | None = None

    async def set_pars(self, request: wire.SetParsRequest, act: Act) -> ParsView:
        """SetPars."""
        fields = PlaceFields()
        fields.machine_id(request.machine_id).etag(request.etag)
        if not 1 <= len(request.pars) <= COLUMNS_MAX:
            fields.wrong("pars", f"must be 1 to {COLUMNS_MAX}")
        for number, one in enumerate(request.pars[: COLUMNS_MAX + 1]):
            fields.text(f"pars[{number}].column", one.column, least=1, most=16)
            if not one.HasField("par") or not 0 <= one.par <= QUANTITY_MAX:
                fields.wrong(f"pars[{number}].par", "must be there, 0 up to the capacity")
        wanted = {one.column: one.par for one in request.pars}
        if len(wanted) != len(request.pars):
            fields.wrong("pars", "must name each column once")
        fields.done()
        deed = deed_of(act, "SetPars", self.clock)
        with in_words():
            return await self.pars.set(
                request.machine_id, wanted, deed, etag=request.etag, check=self.check
            )


def since_ms(
    fields: PlaceFields, sales_days: int, now_ms: int, *, field: str = "sales_days"
) -> int:
    """Return since when sales, or what ``field`` is of, count."""
    if not 0 <= sales_days <= SALES_DAYS_MAX:
        fields.wrong(field, f"must be 1 to {SALES_DAYS_MAX}, or 0 for {SALES_DAYS}")
    return now_ms - (sales_days or SALES_DAYS) * DAY_MS


def percent(fields: PlaceFields, below_percent: int) -> int:
    """Return how much of a par is little."""
    if not 0 <= below_percent <= PERCENT_MAX:
        fields.wrong("below_percent", f"must be 1 to {PERCENT_MAX}, or 0 for {PERCENT}")
    return below_percent or PERCENT


def hours(fields: PlaceFields, field: str, value: int) -> int:
    """Return a number of hours."""
    if not 0 <= value <= HOURS_MAX:
        fields.wrong(field, f"must be 0 to {HOURS_MAX}")
    return value
