"""What administrators do about machines and money, each act a command to the machine's actor.

Flows in: what our own SQL says waits for a person. Flows out: commands through a gateway, some of
which are lost or whose answers are.
"""

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING

from actors.link import AdminEvent, Reload
from actors.machine.events import RefundRetryAsked, RefundWrittenOff, VendSettled
from actors.machine.ids import MachineId, RefundId, VendId
from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.links.commands import HostUnavailable
from storage.fleet.changes import ChangeRefused, MachineChange
from tests.simulation.processes import Died

if TYPE_CHECKING:
    from tests.simulation.world import World

REFUSED = "SELECT refund_id, machine_id FROM refunds WHERE status = 'REFUSED' ORDER BY refund_id"
TRIED_AGAIN = "SELECT 1 FROM journal WHERE kind = 'RefundRetryAsked' AND body LIKE ?"


async def tell(world: "World", machine_id: str, event: AdminEvent | Reload) -> None:
    """Have the machine's actor do something; nobody may know whether it did."""
    gateway = world.some_gateway(world.rng(f"office/{machine_id}/{type(event).__name__}"))
    if gateway is None:
        return
    try:
        done = await gateway.process.ask(gateway.links.command(MachineId(machine_id), event))
    except (Died, HostUnavailable) as error:
        world.note(f"nobody knows what {machine_id} did about {event}: {error}")
    else:
        world.note(f"{machine_id} did {event}: {done}")


async def settle_reviewed(world: "World") -> None:
    """A person looks at the shelves and says how each vend in review ended."""
    for vend_id, machine_id in world.disk.rows(
        "SELECT vend_id, machine_id FROM vends WHERE status = 'IN_REVIEW'"
    ):
        delivered = world.machines[machine_id].shelf.drops[vend_id] > 0
        await tell(
            world,
            machine_id,
            VendSettled(
                vend_id=VendId(vend_id),
                delivered=delivered,
                actor="ann",
                reason="looked at the shelf",
            ),
        )


async def retry_refused(world: "World") -> None:
    """A person has each refund that Alipay refused tried again."""
    for refund_id, machine_id in world.disk.rows(REFUSED):
        await tell(
            world,
            machine_id,
            RefundRetryAsked(
                refund_id=RefundId(refund_id), actor="ann", reason="the contract is mended"
            ),
        )


async def settle_refused(world: "World") -> None:
    """Of what Alipay refused, one half is tried again, once: an hour may pass until it is refused
    for certain. What is left is given up, by one person or two.
    """
    for refund_id, machine_id in world.disk.rows(REFUSED):
        rng = Random(f"{world.seed}/office/{refund_id}/{world.loop.now_s}")
        if rng.random() < 0.5 and not world.disk.rows(TRIED_AGAIN, f'%"{refund_id}"%'):
            await tell(
                world,
                machine_id,
                RefundRetryAsked(refund_id=RefundId(refund_id), actor="ann", reason="again"),
            )
            continue
        for person in rng.choice((("ann",), ("ann", "ann"), ("ann", "bob"), ("bob", "ann", "bob"))):
            await tell(
                world,
                machine_id,
                RefundWrittenOff(
                    refund_id=RefundId(refund_id), actor=person, reason="paid in cash"
                ),
            )


async def give_back_sold(world: "World", rng: Random) -> None:
    """A person gives back the price of something sold, whether or not it was given back before;
    some click twice, through whichever gateways answer.
    """
    sold = world.disk.rows("SELECT vend_id FROM vends WHERE status = 'SUCCEEDED' ORDER BY vend_id")
    if sold:
        vend_id = rng.choice(sold)[0]
        await asyncio.gather(
            *(_give_back(world, vend_id, rng) for _ in range(rng.choice((1, 1, 2))))
        )


async def erase_payer(world: "World", rng: Random) -> None:
    """Somebody who paid a while ago, or stands before a machine now, asks to be forgotten."""
    trades = world.disk.rows(
        "SELECT trade_id, payer_id FROM trades ORDER BY received_at_ms DESC, trade_id LIMIT 3"
    )
    gateway = world.some_gateway(rng)
    if not trades or gateway is None:
        return
    trade_id, payer_id = rng.choice(trades)
    act = Act(actor="ann", within_s=30.0)
    try:
        done = await gateway.process.ask(gateway.acts.erase_payer(trade_id, "they asked", act))
    except (Died, CallRefused, StoreError) as error:
        world.note(f"the payer of {trade_id} is not erased, or nobody knows: {error}")
    else:
        world.note(f"the payer of {trade_id} is erased: {done}")
        world.erased.add(payer_id)


async def _give_back(world: "World", vend_id: str, rng: Random) -> None:
    gateway = world.some_gateway(rng)
    if gateway is None:
        return
    act = Act(actor="ann", within_s=30.0)
    try:
        done = await gateway.process.ask(gateway.acts.refund_vend(vend_id, "stale", act))
    except (Died, CallRefused, StoreError) as error:
        world.note(f"vend {vend_id} is not given back, or nobody knows: {error}")
    else:
        world.note(f"vend {vend_id} is given back: {done}")


GUARD = "doubt_review_above_minor"


class Wishes:
    """Who wanted which limit of which revision of a machine, by the administrators' own word."""

    def __init__(self) -> None:
        self._people: dict[tuple[str, int, int], set[str]] = {}

    def of(self, machine_id: str, revision: int, wanted: int) -> set[str]:
        """The people who wanted the same."""
        return self._people.setdefault((machine_id, revision, wanted), set())


async def wish_limit(world: "World", rng: Random) -> None:
    """One of two people wants a limit of a machine changed. B20: raised it is by both alone."""
    machine_id, person = rng.choice(sorted(world.machines)), rng.choice(("ann", "bob"))
    wanted = rng.choice((0, 200, 400, 900, 5_000))
    before, revision = _limit(world, machine_id)
    people = world.wishes.of(machine_id, revision, wanted)
    people.add(person)
    try:
        await world.registry.change(
            MachineId(machine_id),
            MachineChange(limits={GUARD: wanted}),
            actor=person,
            action="configure",
            now_ms=world.clock.now_ms(),
            person=person,
        )
    except ChangeRefused as refused:
        world.note(f"{person} does not get {wanted} for {machine_id}: {refused}")
    after, _ = _limit(world, machine_id)
    if after > before and len(people) < 2:
        world.checker.broken(
            "two people", f"{person} alone raised {GUARD} of {machine_id} from {before} to {after}"
        )


def _limit(world: "World", machine_id: str) -> tuple[int, int]:
    """What counts for the machine, and under which revision, as the tables have it."""
    ((overrides, revision),) = world.disk.rows(
        "SELECT overrides, revision FROM machines WHERE machine_id = ?", machine_id
    )
    own = json.loads(overrides).get(GUARD)
    fleet = world.policy.doubt_review_above_minor
    assert fleet is not None, "worlds with disputed limits have one"
    return fleet if own is None else own, revision
