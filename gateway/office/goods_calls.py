"""The changing calls of GoodsService: each request is checked whole, then done: by SQL alone at the
office's places, by the machine's actor in a column.

An act on a column bears a name that its request makes, so that it is done once however often it is
told (``actors.machine.stock``). What goes into a column waits at a place of its own meanwhile,
which nobody else can take it from: so the actor's COMMIT always finds it there. A refusal of the
actor's is for good, and only then the goods go back.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from actors.machine import goods as words
from actors.machine.events import GoodsCounted, GoodsMoved
from actors.machine.goods import GoodsKind, column_place, loading_place
from actors.machine.ids import MachineId
from actors.machine.values import replace
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act, Acts
from gateway.fleet.errors import CallRefused, not_possible
from gateway.office.errors import deed_of, in_words, refused
from gateway.office.goods_fields import ENDS, OUT_OF_COLUMN, QUANTITY_MAX, GoodsFields
from gateway.office.v1 import goods_service_pb2 as wire
from storage.office.balances import GoodsBalanceView
from storage.office.deeds import used_before
from storage.office.goods import (
    ActView,
    Errand,
    Goods,
    GoodsLine,
    kind_out_of_column,
)
from storage.office.locks import Locks
from storage.office.visit_rows import Part

TRIES = 5


@dataclass(frozen=True, kw_only=True)
class GoodsCalls(Acts):
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    goods: Goods
    locks: Locks

    async def receive(self, request: wire.ReceiveGoodsRequest, act: Act) -> list[GoodsBalanceView]:
        """ReceiveGoods."""
        fields = GoodsFields()
        fields.place("to", request.to)
        lines = [_received(fields, number, one) for number, one in enumerate(request.goods)]
        fields.lines(lines)
        fields.reason(request.reason).done()
        errand = Errand(
            cause=act.cause(type(request).__name__),
            from_place=words.SUPPLIER,
            to_place=request.to,
            lines=lines,
            reason=request.reason,
        )
        with in_words():
            return await self.goods.carry(errand, deed_of(act, "ReceiveGoods", self.clock))

    async def transfer(
        self, request: wire.TransferGoodsRequest, act: Act
    ) -> list[GoodsBalanceView]:
        """TransferGoods."""
        fields = GoodsFields()
        come_from: str = getattr(request, "from")  # a word of Python's own
        ends = () if come_from == words.FOUND else ENDS
        fields.place("from", come_from, words.FOUND, removed=True, visit=request.visit)
        fields.place("to", request.to, *ends, visit=request.visit)
        if come_from == request.to:
            fields.wrong("to", "must be another place than from")
        lines = goods_lines(request.goods)
        fields.lines(lines)
        fields.about(request.visit, request.reason)
        fields.gone(request.to, request.reason, begun=act.resumed)
        fields.done()
        errand = Errand(
            cause=act.cause(type(request).__name__),
            from_place=come_from,
            to_place=request.to,
            lines=lines,
            visit=request.visit,
            reason=request.reason,
        )
        with in_words():
            return await self.goods.carry(errand, deed_of(act, "TransferGoods", self.clock))

    async def waste(self, request: wire.WasteGoodsRequest, act: Act) -> list[GoodsBalanceView]:
        """WasteGoods."""
        come_from: str = getattr(request, "from")  # a word of Python's own
        fields = GoodsFields()
        fields.place("from", come_from, removed=True, visit=request.visit)
        lines = goods_lines(request.goods)
        fields.lines(lines)
        fields.about(request.visit, "")
        fields.reason(request.reason, needed=True).done()
        errand = Errand(
            cause=act.cause(type(request).__name__),
            from_place=come_from,
            to_place=words.EXPIRED if request.expired else words.WASTE,
            lines=lines,
            visit=request.visit,
            reason=request.reason,
        )
        with in_words():
            return await self.goods.carry(errand, deed_of(act, "WasteGoods", self.clock))

    async def load(self, request: wire.LoadColumnRequest, act: Act) -> GoodsBalanceView:
        """LoadColumn."""
        come_from: str = getattr(request, "from")  # a word of Python's own
        fields = _of_column(request)
        fields.place("from", come_from, visit=request.visit)
        if not request.request_id and not request.validate_only:
            fields.wrong("request_id", "must be given: the goods wait under its name")
        fields.done()
        cause = act.cause(type(request).__name__)
        event = _moved(request, act, GoodsKind.LOADED, cause, loading_place(cause), into=True)
        seen = await self._to_begin(request.machine_id, event, act)
        if not (seen.done or seen.refused or seen.waiting):
            with in_words():
                await self.locks.check_loading(
                    request.machine_id, request.product, request.lot, self.clock.now_ms()
                )
        there = Errand(
            # Who looks after what was cut off is told which request it was.
            cause=f"{cause}:{request.column}:{request.request_id}",
            from_place=come_from,
            to_place=loading_place(cause),
            lines=[GoodsLine(product=request.product, lot=request.lot, quantity=request.quantity)],
            visit=request.visit,
            reason=request.reason,
            machine_id=request.machine_id,
            # They wait since longer than answers are kept.
            common=seen.waiting > 0,
            column=request.column,
        )
        with in_words():
            await self.goods.carry(there, deed_of(act, "LoadColumn", self.clock))
        if act.validate_only:
            return _there(request.machine_id, seen, event, request.quantity)
        return await self._done(request.machine_id, event, act, back_again(there))

    async def unload(self, request: wire.UnloadColumnRequest, act: Act) -> GoodsBalanceView:
        """UnloadColumn."""
        fields = _of_column(request)
        fields.place("to", request.to, *OUT_OF_COLUMN, visit=request.visit)
        fields.gone(request.to, request.reason, begun=act.resumed)
        fields.done()
        await self._may_be_part(request, request.to, act)
        kind = kind_out_of_column(request.to)
        event = _moved(
            request, act, kind, act.cause(type(request).__name__), request.to, into=False
        )
        seen = await self._to_begin(request.machine_id, event, act)
        if act.validate_only:
            return _there(request.machine_id, seen, event, -request.quantity)
        said = (
            f"{request.quantity} {request.product} out of {request.machine_id}/{request.column} "
            f"to {request.to}"
        )
        await self._audited(act, "UnloadColumn", request.machine_id, said)
        done = await self._done(request.machine_id, event, act)
        line = GoodsLine(product=request.product, lot=request.lot, quantity=request.quantity)
        await self._followed(event.cause, request.to, line, request.machine_id, act, "UnloadColumn")
        return done

    async def count(
        self, request: wire.CountColumnRequest, act: Act
    ) -> tuple[GoodsBalanceView, int]:
        """CountColumn."""
        fields = GoodsFields()
        fields.of_column(request.machine_id, request.column)
        fields.product(request.product)
        if not request.HasField("counted") or not 0 <= request.counted <= QUANTITY_MAX:
            fields.wrong("counted", f"must be there, 0 to {QUANTITY_MAX}")
        if request.machine_version < 0:
            fields.wrong("machine_version", "must not be below 0")
        fields.about(request.visit, request.reason)
        fields.done()
        await self._may_be_part(request, words.LOST, act)
        machine = await self.machine(request.machine_id)
        # Of a call that comes again: the version at which it came first.
        first = act.claim.machine_version if act.claim is not None else 0
        with in_words():
            believed = await self.goods.believed(
                request.machine_id,
                request.column,
                request.product,
                request.machine_version or first,
            )
        event = GoodsCounted(
            cause=act.cause(type(request).__name__),
            version=0,
            column=request.column,
            product=request.product,
            counted=request.counted,
            believed=believed,
            visit=request.visit,
            actor=act.actor,
            reason=request.reason,
        )
        difference = request.counted - believed
        seen = _unused(await self._seen(request.machine_id, event), act)
        if not (seen.done or seen.refused):
            if difference > 0 and machine.retired_at_ms is not None:
                raise not_possible(
                    "MACHINE_RETIRED",
                    f"machine {request.machine_id} was retired, and its books take no more goods: "
                    "UnloadColumn fetches what they have, and TransferGoods from FOUND says where "
                    "the others are",
                    machine=request.machine_id,
                )
            _fits(request.machine_id, seen, event, difference)
        if act.validate_only:
            return _there(request.machine_id, seen, event, difference), difference
        said = (
            f"{request.counted} {request.product} in {request.machine_id}/{request.column}, "
            f"{believed} by our books"
        )
        await self._audited(act, "CountColumn", request.machine_id, said)
        return await self._done(request.machine_id, event, act), difference

    async def _may_be_part(
        self, request: wire.UnloadColumnRequest | wire.CountColumnRequest, to_place: str, act: Act
    ) -> None:
        """Raise CallRefused if this cannot be part of its visit, unless it was begun before."""
        column = column_place(MachineId(request.machine_id), request.column)
        if not act.resumed:
            part = Part(
                visit=request.visit,
                machine_id=request.machine_id,
                from_place=column,
                to_place=to_place,
            )
            with in_words():
                await self.goods.may_be(part)

    async def _followed(
        self, cause: str, place: str, line: GoodsLine, machine_id: str, act: Act, action: str
    ) -> str:
        """Return where goods are that came out of a column to ``place``: if that is a visit's which
        was closed while its machine decided, whoever closed it counted without them, and they
        follow into the van. A visit that is closed later has them counted.
        """
        kind, _, visit = place.partition(":")
        if kind != words.VISIT:
            return place
        errand = Errand(
            cause=f"{cause}/closed",
            from_place=place,
            to_place="",
            lines=[line],
            visit=visit,
            machine_id=machine_id,
        )
        deed = dataclasses.replace(deed_of(act, action, self.clock), claim=None)
        with in_words():
            return await self.goods.follow(errand, deed)

    async def _to_begin(
        self, machine_id: str, event: GoodsMoved, act: Act, *, common: bool = False
    ) -> ActView:
        """Return how far the act is, which may be that of several requests (``common``). Raises
        CallRefused for one that the actor would refuse now, so that nothing is begun.
        """
        machine = await self.machine(machine_id)
        seen = await self._seen(machine_id, event)
        if not common:
            seen = _unused(seen, act)
        if seen.done or seen.refused or seen.waiting:
            return seen
        if event.into and machine.retired_at_ms is not None:
            raise fleet_errors.retired(machine_id)
        _fits(machine_id, seen, event, event.quantity if event.into else -event.quantity)
        return seen

    async def _seen(self, machine_id: str, event: GoodsMoved | GoodsCounted) -> ActView:
        kind = event.kind if isinstance(event, GoodsMoved) else GoodsKind.COUNTED
        lot = event.lot if isinstance(event, GoodsMoved) else ""
        with in_words():
            return await self.goods.act(
                machine_id, event.column, kind, event.cause, event.product, lot
            )

    async def _done(
        self,
        machine_id: str,
        event: GoodsMoved | GoodsCounted,
        act: Act,
        back: Errand | None = None,
        action: str = "LoadColumn",
    ) -> GoodsBalanceView:
        """Tell the actor until it has decided, and return what is in the column. What it refused is
        taken ``back``, by a call of this name. Raises CallRefused.
        """
        notes: tuple[str, ...] = ()
        for _ in range(TRIES):
            seen = await self._seen(machine_id, event)
            if seen.done or seen.refused or (back is not None and seen.waiting == 0):
                break
            told = replace(event, version=seen.version)
            try:
                notes = await self._told(MachineId(machine_id), told, act, saved=False)
            except CallRefused as error:
                if back is None:
                    raise
                raise fleet_errors.goods_on_their_way(error) from None
        seen = await self._seen(machine_id, event)
        if seen.done:
            if isinstance(event, GoodsCounted) or event.into:
                await self.locks.look_again(event.product, self.clock.now_ms())
            return _there(machine_id, seen, event, 0)
        if not seen.refused and (back is None or seen.waiting):
            # It said neither: so much else was done that it may have forgotten. Nobody knows.
            away = fleet_errors.host_away(machine_id, saved=False, sent=True)
            raise away if back is None else fleet_errors.goods_on_their_way(away)
        if back is not None and seen.waiting:
            deed = dataclasses.replace(deed_of(act, action, self.clock), claim=None)
            with in_words():
                await self.goods.carry(back, deed)
        raise _column_refused(machine_id, event.column, _why(notes, event.cause))


def _fits(machine_id: str, seen: ActView, event: GoodsMoved | GoodsCounted, change: int) -> None:
    """Raise CallRefused for an act of which the machine's actor would say no by what is in the
    column now (``actors.machine.stock``).
    """
    column = seen.column
    if column is None:
        raise fleet_errors.not_found("column", f"{machine_id}/{event.column}")
    if column.product != event.product:
        why = f"it holds {column.product}, not {event.product}: SetPlanogram, if it shall hold that"
    elif 0 <= column.stock + change <= column.capacity:
        return
    elif isinstance(event, GoodsCounted):
        why = (
            f"it has room for {column.capacity} {column.product}, and with {event.counted} counted "
            f"it would hold {column.stock + change} by now: count again, or SetPlanogram if it "
            "has room for others"
        )
    else:
        far, room = f"{-change} are not in it", ""
        if change > 0:
            far, room = f"{change} more do not fit", ", or SetPlanogram if it has room for them"
        why = (
            f"it holds {column.stock} of {column.capacity} {column.product} by our books, and "
            f"{far}: CountColumn, if others are there{room}"
        )
    raise _column_refused(machine_id, event.column, why)


def _column_refused(machine_id: str, column: str, why: str) -> CallRefused:
    return not_possible(
        "COLUMN_REFUSED",
        f"column {column} of machine {machine_id}: {why}",
        machine=machine_id,
        column=column,
    )


def _why(notes: Iterable[str], cause: str) -> str:
    """Return why the machine's actor did not do what was asked, without the name of the act, which
    nobody outside knows.
    """
    said = [one.removeprefix(f"{cause} is not done: ") for one in notes]
    told = "; ".join(one for one in said if not one.startswith(cause))
    return (
        f"{told or 'its machine refused it before'}; nothing was moved: GetMachine shows what is "
        "in it, and the call needs another request_id"
    )


def goods_lines(lines: Iterable[wire.GoodsLine]) -> list[GoodsLine]:
    """Return what a request says of goods."""
    return [GoodsLine(product=one.product, lot=one.lot, quantity=one.quantity) for one in lines]


def back_again(there: Errand) -> Errand:
    """Return what brings back the goods that an actor refused."""
    return dataclasses.replace(
        there,
        cause=f"{there.cause}/back",
        from_place=there.to_place,
        to_place=there.from_place,
        reason="refused by the machine's actor",
    )


def _received(fields: GoodsFields, number: int, one: wire.ReceivedGoods) -> GoodsLine:
    at = f"goods[{number}]."
    if (one.expires_on or one.HasField("unit_cost")) and not one.lot:
        fields.wrong(f"{at}lot", "must be there: expires_on and unit_cost are a lot's")
    fields.day(f"{at}expires_on", one.expires_on)
    minor, currency = None, ""
    if one.HasField("unit_cost"):
        minor, currency = fields.money(one.unit_cost, field=f"{at}unit_cost")
    return GoodsLine(
        product=one.product,
        lot=one.lot,
        quantity=one.quantity,
        expires_on=one.expires_on,
        unit_cost_minor=minor,
        currency=currency,
    )


def _of_column(request: wire.LoadColumnRequest | wire.UnloadColumnRequest) -> GoodsFields:
    fields = GoodsFields()
    fields.of_column(request.machine_id, request.column)
    fields.item(request.product, request.lot, request.quantity)
    fields.about(request.visit, request.reason)
    return fields


def _moved(
    request: wire.LoadColumnRequest | wire.UnloadColumnRequest,
    act: Act,
    kind: GoodsKind,
    cause: str,
    place: str,
    *,
    into: bool,
) -> GoodsMoved:
    return GoodsMoved(
        kind=kind,
        cause=cause,
        version=0,
        column=request.column,
        product=request.product,
        quantity=request.quantity,
        into=into,
        place=place,
        lot=request.lot,
        visit=request.visit,
        actor=act.actor,
        reason=request.reason,
    )


def _unused(seen: ActView, act: Act) -> ActView:
    """Return it, unless it was done under the request's id long before the request first came."""
    claim, at = act.claim, seen.decided_at
    if claim is not None and at is not None and at <= claim.machine_version:
        raise refused(used_before(claim.asked.request_id))
    return seen


def _there(
    machine_id: str, seen: ActView, event: GoodsMoved | GoodsCounted, change: int
) -> GoodsBalanceView:
    """Return what is in the column, or would be."""
    return GoodsBalanceView(
        place=column_place(MachineId(machine_id), event.column),
        product=event.product,
        lot="",
        machine_id=machine_id,
        quantity=change + (0 if seen.column is None else seen.column.stock),
    )
