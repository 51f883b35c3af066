"""People who move goods: they load columns out of a van, count them while customers buy, and take
moves back, and click twice.

Flows in: a world. Flows out: requests through its gateways, some of which are lost or whose answers
are. At rest each of them has ended, once: as it was answered, and as often as it was clicked.
"""

import asyncio
import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import grpc

from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.idempotence import Requests
from gateway.office.reversal_calls import ReversalCalls
from gateway.office.v1 import goods_service_pb2 as wire
from tests.simulation.processes import Died

if TYPE_CHECKING:
    from tests.simulation.backend import GatewayProcess
    from tests.simulation.world import World

VAN = "VAN:7"
BOXES = 40
_UNKNOWN = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED}
)
FITS = 10
"""So many fit into each column at first."""
_REMOVED = (
    "SELECT version, product, quantity FROM goods_moves WHERE kind = 'UNLOADED' "
    "AND from_place = ? AND to_place LIKE 'REMOVED:%'"
)
_FROM_NOWHERE = (
    "SELECT moves.version, moves.product FROM goods_moves AS moves JOIN vends ON vend_id = cause "
    "WHERE moves.kind = 'SOLD' AND from_place = 'FOUND' AND vends.machine_id = ? "
    'AND vends."column" = ? UNION ALL '
    "SELECT moves.version, moves.product FROM goods_moves AS moves "
    "JOIN machine_commands AS tests ON command_id = cause "
    "WHERE moves.kind = 'TESTED' AND from_place = 'FOUND' AND tests.machine_id = ? "
    'AND tests."column" = ?'
)
_PLANNED = (
    "SELECT version, json_extract(body, '$[1]') FROM journal WHERE kind = 'ConfigurationChanged' "
    "AND machine_id = ? AND json_extract(body, '$[1]') IS NOT NULL"
)
Request = (
    wire.TransferGoodsRequest
    | wire.LoadColumnRequest
    | wire.CountColumnRequest
    | wire.ReverseMoveRequest
)


@dataclass(slots=True, kw_only=True)
class Wish:
    """What somebody asked for. ``said``: the answer, or why it was refused; None: nobody knows."""

    request: Request
    said: object | str | None = None
    believed: int = 0
    """Of a count: what our books had at the version that it names."""
    forgotten: bool = False
    """A backup was put back that may not know of it: it is done once or not at all."""


class Shelvers:
    """All that was asked for in a world."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []

    def answered(self) -> set[str]:
        """Return the requests that our books know of, and will know of after a restore."""
        return {wish.request.request_id for wish in self.wishes if wish.said is not None}

    def forget_all_but(self, answered: set[str]) -> None:
        """A backup is put back that was taken when these had been answered."""
        for wish in self.wishes:
            wish.forgotten |= wish.request.request_id not in answered

    async def somebody(self, world: "World", rng: Random) -> None:
        """Somebody does one thing, and clicks once or twice."""
        wish = self._wish(world, rng)
        if wish is None:
            return
        self.wishes.append(wish)
        await asyncio.sleep(rng.choice((0, 0, 10, 60)) * rng.random())
        await asyncio.gather(*(self._ask(world, wish, rng) for _ in range(rng.choice((1, 1, 2)))))

    async def finish(self, world: "World") -> str:
        """Ask again for all of which nobody knows; return what is still so."""
        rng = world.rng(f"shelvers/{world.loop.now_s}")
        for wish in self.wishes:
            if wish.said is None:
                await self._ask(world, wish, rng)
        left = [wish.request.request_id for wish in self.wishes if wish.said is None]
        return f"nobody knows what became of {left}" if left else ""

    def _wish(self, world: "World", rng: Random) -> Wish | None:
        name = f"s{len(self.wishes)}"
        if not self.wishes:
            values: dict[str, Any] = {"from": "FOUND", "to": VAN, "request_id": name}
            lots = world.lots or ("",)
            values["goods"] = [
                wire.GoodsLine(product="cola", lot=lot, quantity=BOXES) for lot in lots
            ]
            return Wish(request=wire.TransferGoodsRequest(**values))
        machine_id = rng.choice(sorted(world.machines))
        stock = world.stock(machine_id)
        if not stock:
            return None
        column = rng.choice(sorted(stock))
        if column not in world.machines[machine_id].shelf.loaded:
            return None  # whoever puts the machine up loads it as the backend says by then
        about: dict[str, Any] = {
            "machine_id": machine_id,
            "column": column,
            "product": "cola",
            "request_id": name,
        }
        what = rng.random()
        if what < 0.5:
            more: dict[str, Any] = {"from": VAN, "quantity": rng.randint(1, 4)}
            if world.lots:
                more["lot"] = rng.choice(world.lots)
            return Wish(request=wire.LoadColumnRequest(**about, **more))
        if what < 0.75:
            ((version,),) = world.disk.rows(
                "SELECT version FROM machine_states WHERE machine_id = ?", machine_id
            )
            counted = max(0, stock[column] + rng.choice((-1, 0, 1)))
            count = wire.CountColumnRequest(**about, counted=counted, machine_version=version)
            return Wish(request=count, believed=stock[column])
        moves = world.disk.rows(
            "SELECT id FROM goods_moves WHERE kind IN ('LOADED', 'COUNTED') AND machine_id <> '' "
            "ORDER BY id DESC LIMIT 4"
        )
        if not moves:
            return None
        (move_id,) = rng.choice(moves)
        return Wish(
            request=wire.ReverseMoveRequest(move_id=move_id, reason="another", request_id=name)
        )

    async def _ask(self, world: "World", wish: Wish, rng: Random) -> None:
        gateway = world.some_gateway(rng)
        if gateway is None:
            return
        try:
            wish.said = await gateway.process.ask(_asked(gateway, wish.request))
        except CallRefused as error:
            world.note(f"{wish.request.request_id} is refused: {error}")
            if error.refusal.code not in _UNKNOWN and wish.said is None:
                wish.said = error.refusal.reason
        except (Died, StoreError) as error:
            world.note(f"nobody knows about {wish.request.request_id}: {error}")
        else:
            world.note(f"{wish.request.request_id} is done: {wish.said}")


async def _asked(gateway: "GatewayProcess", request: Request) -> object:
    acts, office = gateway.acts, gateway.office
    calls = ReversalCalls(
        registry=acts.registry,
        queries=acts.queries,
        answers=acts.answers,
        store=acts.store,
        commands=acts.commands,
        clock=acts.clock,
        goods=office.goods,
        reversals=office.reversals,
        locks=office.locks,
    )

    async def do(act: Act) -> wire.CountColumnResponse:
        match request:
            case wire.TransferGoodsRequest():
                await calls.transfer(request, act)
            case wire.LoadColumnRequest():
                await calls.load(request, act)
            case wire.CountColumnRequest():
                _, difference = await calls.count(request, act)
                return wire.CountColumnResponse(difference=difference)
            case wire.ReverseMoveRequest():
                await calls.reverse(request, act)
        return wire.CountColumnResponse()

    act = Act(actor="ann", within_s=30.0)
    once = Requests(answers=acts.answers, clock=acts.clock)
    return await once.once(request, wire.CountColumnResponse, act, do)


def goods_are_moved_as_was_said(world: "World") -> None:
    """What was answered is in the books, once; what was refused is not; nothing is on its way."""
    rows = world.disk.rows(
        "SELECT place FROM goods_balances WHERE place LIKE 'LOADING:%' AND quantity > 0"
    )
    if rows:
        world.checker.broken("goods", f"goods wait for nobody at {rows}")
    for wish in world.shelvers.wishes:
        request = wish.request
        if isinstance(request, wire.LoadColumnRequest):
            loaded = world.disk.rows(
                "SELECT loaded.quantity FROM goods_moves AS loaded JOIN goods_moves AS brought "
                "ON brought.to_place = loaded.from_place AND brought.kind = 'TRANSFERRED' "
                "WHERE loaded.kind = 'LOADED' AND brought.cause LIKE ?",
                f"%:{request.request_id}/0",
            )
            done = [(request.quantity,)]
            ends = [[], done] if wish.forgotten else [[] if isinstance(wish.said, str) else done]
            if loaded not in ends:
                world.checker.broken("goods", f"{request} was answered {wish.said}: {loaded}")
        elif isinstance(request, wire.CountColumnRequest) and not isinstance(wish.said, str):
            if wish.forgotten:
                continue
            assert isinstance(wish.said, wire.CountColumnResponse)
            if wish.said.difference != request.counted - wish.believed:
                world.checker.broken(
                    "goods", f"{request}, where {wish.believed} were known, was {wish.said}"
                )
        elif isinstance(request, wire.ReverseMoveRequest):
            times = world.disk.rows(
                "SELECT count(*) FROM goods_moves WHERE reverses = ?", request.move_id
            )
            asked = not isinstance(wish.said, str) and not wish.forgotten
            if times[0][0] > 1 or (times[0][0] == 0 and asked):
                world.checker.broken("goods", f"{request} was done {times} times")


def by_people(world: "World", machine_id: str, column: str) -> int:
    """Return how many more are in a column than were sold out of it, because of what people said
    or the books took for granted.
    """
    place = f"COLUMN:{machine_id}/{column}"
    ((change,),) = world.disk.rows(
        "SELECT coalesce(sum(CASE WHEN to_place = ? THEN quantity ELSE -quantity END), 0) "
        "FROM goods_moves WHERE ? IN (from_place, to_place) "
        "AND kind IN ('LOADED', 'COUNTED', 'REVERSED')",
        place,
        place,
    )
    assert isinstance(change, int)
    more: int = change
    removed = world.disk.rows(_REMOVED, place)
    fallen = world.disk.rows(_FROM_NOWHERE, machine_id, column, machine_id, column)
    if not removed and not fallen:
        return more
    planned: list[tuple[int, str, int]] = []
    for version, columns in world.disk.rows(_PLANNED, machine_id):
        fits = {name: (product, most) for name, product, _, most, *_ in json.loads(columns)}
        planned.append((version, *fits.get(column, ("", 0))))
    # What has no place in a new planogram leaves the books as removed; no other goods do.
    for moved_at, product, quantity in removed:
        if any(at <= moved_at and (of != product or most < FITS) for at, of, most in planned):
            more -= quantity
    # What fell before that comes from nowhere then; out of any other column the stock loses it.
    for fell_at, product in fallen:
        more += any(at <= fell_at and of != product for at, of, _ in planned)
    return more
