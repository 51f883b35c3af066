"""ReverseMove: a move of goods that was a mistake goes back, once. At the office's places that is
one more move; in a column it is an act of its machine's actor, as in
``gateway.office.goods_calls``. The two halves of a load go back one after the other.
"""

import dataclasses
from dataclasses import dataclass

from actors.machine.events import GoodsMoved
from actors.machine.goods import GoodsKind, loading_place
from gateway.fleet.act import Act
from gateway.office.errors import deed_of, in_words, refused
from gateway.office.goods_calls import GoodsCalls, back_again
from gateway.office.goods_fields import GoodsFields
from gateway.office.v1 import goods_service_pb2 as wire
from storage.office.goods import Errand, GoodsMoveView, move_reversed
from storage.office.reversals import Reversals, ReversalView, errand_back


@dataclass(frozen=True, kw_only=True)
class ReversalCalls(GoodsCalls):
    """The calls on goods, and taking one of them back."""

    reversals: Reversals

    async def reverse(
        self, request: wire.ReverseMoveRequest, act: Act
    ) -> tuple[GoodsMoveView, str]:
        """ReverseMove. Return the move, and the place where the goods are behind it: of a load the
        one out of which it was loaded.
        """
        fields = GoodsFields()
        if request.move_id < 1:
            fields.wrong("move_id", "must be above 0: the id of a move")
        fields.reason(request.reason, needed=True).done()
        found = await self._found(request.move_id)
        if not found.column:
            with in_words():
                if found.by is not None and not act.resumed:
                    raise move_reversed(request.move_id)
                back = errand_back(found.move, request.reason)
                await self.goods.carry(back, deed_of(act, "ReverseMove", self.clock))
        elif found.by is None:
            await self._by_actor(found, request.reason, act)
        elif not act.resumed and found.brought is None:
            raise refused(move_reversed(request.move_id))
        if act.validate_only:
            return _would_be(found.move, request.reason, act), found.home
        return await self._the_rest(request, act)

    async def _found(self, move_id: int) -> ReversalView:
        with in_words():
            return await self.reversals.find(move_id)

    async def _by_actor(self, found: ReversalView, reason: str, act: Act) -> None:
        """Let the column's machine take the move back."""
        event = _event(found, reason, act)
        back = None
        await self._to_begin(found.move.machine_id, event, act, common=True)
        if found.waits:
            there = Errand(
                cause=found.cause,
                from_place=found.move.to_place,
                to_place=loading_place(found.cause),
                lines=errand_back(found.move, reason).lines,
                visit=found.move.visit,
                reason=reason,
                machine_id=found.move.machine_id,
                common=True,
            )
            with in_words():
                await self.goods.carry(there, deed_of(act, "ReverseMove", self.clock))
            back = back_again(there)
        if act.validate_only:
            return
        if not found.waits:
            said = (
                f"goods move {found.move.id}, {found.move.quantity} {found.move.product} from "
                f"{found.move.from_place} to {found.move.to_place}: {reason}"
            )
            await self._audited(act, "ReverseMove", found.move.machine_id, said)
        await self._done(found.move.machine_id, event, act, back, "ReverseMove")

    async def _the_rest(
        self, request: wire.ReverseMoveRequest, act: Act
    ) -> tuple[GoodsMoveView, str]:
        """Bring home what came out of a column, and return the move that took it out and where the
        goods are. Raises CallRefused if it was somebody else's.
        """
        found = await self._found(request.move_id)
        if found.by is None:
            raise AssertionError(f"goods move {request.move_id} was taken back by nothing")
        if found.brought is not None:
            back = dataclasses.replace(
                errand_back(found.brought, request.reason, found.move.machine_id), common=True
            )
            with in_words():
                await self.goods.carry(back, deed_of(act, "ReverseMove", self.clock))
        home = found.home
        if found.column and not found.into:
            (line,) = errand_back(found.move, request.reason).lines
            home = await self._followed(
                found.by.cause, home, line, found.move.machine_id, act, "ReverseMove"
            )
        if found.by.actor != act.actor:
            raise refused(move_reversed(request.move_id))
        return found.by, home


def _event(found: ReversalView, reason: str, act: Act) -> GoodsMoved:
    move = found.move
    place = move.to_place if found.into else move.from_place
    return GoodsMoved(
        kind=GoodsKind.REVERSED,
        cause=found.cause,
        version=0,
        column=found.column,
        product=move.product,
        quantity=move.quantity,
        into=found.into,
        place=loading_place(found.cause) if found.waits else place,
        lot=move.lot,
        visit=move.visit,
        actor=act.actor,
        reason=reason,
        reverses=move.id,
    )


def _would_be(move: GoodsMoveView, reason: str, act: Act) -> GoodsMoveView:
    return dataclasses.replace(
        move,
        id=0,
        at_ms=0,
        kind=GoodsKind.REVERSED.value,
        cause="",
        from_place=move.to_place,
        to_place=move.from_place,
        actor=act.actor,
        reason=reason,
        reverses=move.id,
    )
