"""People who order reboots, test vends, reports and locks of machines, and click twice.

Flows in: a world. Flows out: requests through its gateways, some of which are lost or whose answers
are. C-xii: a status changes only by what a machine did; nobody is restarted in front of a customer;
what a test vend dropped is TEST.
"""

import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.idempotence import Requests
from gateway.office.command_calls import CommandCalls
from gateway.office.v1 import command_pb2
from gateway.office.v1 import command_service_pb2 as wire
from tests.simulation.processes import Died

if TYPE_CHECKING:
    from tests.simulation.backend import GatewayProcess
    from tests.simulation.world import World

COLUMN_KINDS = (
    command_pb2.COMMAND_KIND_TEST_VEND,
    command_pb2.COMMAND_KIND_TEST_VEND,
    command_pb2.COMMAND_KIND_LOCK_COLUMN,
    command_pb2.COMMAND_KIND_UNLOCK_COLUMN,
    command_pb2.COMMAND_KIND_UNLOCK_COLUMN,
)
KINDS = (
    *COLUMN_KINDS,
    command_pb2.COMMAND_KIND_REBOOT,
    command_pb2.COMMAND_KIND_REBOOT,
    command_pb2.COMMAND_KIND_REPORT,
    command_pb2.COMMAND_KIND_SHOW_IDENTITY,
)


class Orderers:
    """All that was ordered in a world, and what the machines did of it."""

    def __init__(self) -> None:
        self.asked = 0
        self.tests: dict[str, tuple[str, str]] = {}
        """Test vend whose motor turned: machine and column."""
        self.restarted: set[str] = set()
        """Commands for which a machine restarted."""
        self.applied: set[str] = set()
        """Commands of which a machine said that they are done."""

    async def somebody(self, world: "World", rng: Random) -> None:
        """Somebody orders one thing, or takes one back."""
        gateway = world.some_gateway(rng)
        if gateway is None:
            return
        waiting = world.disk.rows(
            "SELECT command_id FROM machine_commands WHERE status IN ('QUEUED', 'SENT') "
            "ORDER BY command_id"
        )
        if waiting and rng.random() < 0.1:
            request: wire.OrderCommandRequest | wire.CancelCommandRequest = (
                wire.CancelCommandRequest(command_id=rng.choice(waiting)[0])
            )
        else:
            self.asked += 1
            machine_id = rng.choice(sorted(world.machines))
            columns = sorted(world.stock(machine_id)) or ["A1"]
            kind = rng.choice(KINDS)
            request = wire.OrderCommandRequest(
                machine_id=machine_id,
                kind=kind,
                column=rng.choice(columns) if kind in COLUMN_KINDS else "",
                valid_for_s=rng.choice((0, 5, 60)),
                request_id=f"o{self.asked}",
            )
        for _ in range(rng.choice((1, 1, 2))):
            try:
                done = await gateway.process.ask(_asked(gateway, request))
            except (CallRefused, Died, StoreError) as error:
                world.note(f"nothing is ordered, or nobody knows: {error}")
            else:
                world.note(f"ordered: {done}")

    def motor_turns(self, world: "World", machine_id: str, column: str, cause: str) -> bool:
        """Take note of a motor that turns; return whether a test vend turns it."""
        rows = world.disk.rows("SELECT kind FROM machine_commands WHERE command_id = ?", cause)
        if rows != [("TEST_VEND",)] and cause not in world.lost.commands:
            return False
        self.tests[cause] = (machine_id, column)
        turns = world.machines[machine_id].shelf.turns[cause]
        if turns > 1 and machine_id not in world.flash_lost:
            world.checker.broken("a command is obeyed once", f"{machine_id} tests {cause} again")
        return True

    def unsaid(self, world: "World") -> Counter[tuple[str, str]]:
        """Return how many items fell by test vends of which our stock does not know, by machine and
        column.
        """
        known = dict(world.disk.rows("SELECT command_id, dropped FROM machine_commands"))
        fell: Counter[tuple[str, str]] = Counter()
        for command_id, place in self.tests.items():
            drops = world.machines[place[0]].shelf.drops[command_id]
            fell[place] += max(0, drops - known.get(command_id, 0))
        return fell


async def _asked(
    gateway: "GatewayProcess", request: wire.OrderCommandRequest | wire.CancelCommandRequest
) -> object:
    acts, office = gateway.acts, gateway.office
    calls = CommandCalls(
        registry=acts.registry,
        queries=acts.queries,
        answers=acts.answers,
        store=acts.store,
        commands=acts.commands,
        clock=acts.clock,
        ordered=office.commands,
        new_id=lambda: "unnamed",
    )

    async def do(act: Act) -> wire.GetCommandRequest:
        made = await (
            calls.order(request, act)
            if isinstance(request, wire.OrderCommandRequest)
            else calls.cancel(request, act)
        )
        return wire.GetCommandRequest(command_id=made.command_id)

    act = Act(actor="ann", within_s=30.0)
    once = Requests(answers=acts.answers, clock=acts.clock)
    return await once.once(request, wire.GetCommandRequest, act, do)


def statuses_are_what_machines_did(world: "World") -> None:
    """C-xii: APPLIED is what a machine did and said; what was not sent was neither done nor
    answered; and nothing is open any more.
    """
    orderers = world.orderers
    for command_id, machine_id, kind, status, dropped in world.disk.rows(
        "SELECT command_id, machine_id, kind, status, dropped FROM machine_commands"
    ):
        what = f"{kind} {command_id} of {machine_id} is {status}"
        turned = command_id in orderers.tests
        did = command_id in orderers.applied
        if kind == "REBOOT":
            did = did and command_id in orderers.restarted
        elif kind == "TEST_VEND":
            did = did and turned
        if status == "APPLIED" and not did:
            world.checker.broken("a status has its evidence", f"{what}, which it did not do")
        if status == "CANCELLED" and (turned or command_id in orderers.restarted):
            world.checker.broken("a status has its evidence", f"{what}, and was done")
        if status in {"QUEUED", "SENT"}:
            world.checker.broken("rest within bounds", what)
        drops = world.machines[machine_id].shelf.drops[command_id]
        if dropped and not drops:
            world.checker.broken("goods", f"{what} and dropped an item, and none fell")


def nobody_is_restarted_before_a_customer(world: "World") -> None:
    """C-xii: a reboot, or a test vend, is not sent while a session is open."""
    if world.clocks_jump:
        return  # then our own times mean nothing
    told = world.disk.rows(
        "SELECT machine_id, at_ms, effects FROM journal WHERE effects LIKE '%SendCommand%'"
    )
    for machine_id, at_ms, effects in told:
        sent = [
            order[1]
            for order in json.loads(effects)
            if order[0] == "SendCommand" and order[2] in {"REBOOT", "TEST_VEND"}
        ]
        within = world.disk.rows(
            "SELECT session_id FROM sessions WHERE machine_id = ? AND started_at_ms < ? "
            "AND (ended_at_ms IS NULL OR ended_at_ms > ?)",
            machine_id,
            at_ms,
            at_ms,
        )
        if sent and within:
            world.checker.broken(
                "nobody is restarted before a customer", f"{sent} were sent within {within}"
            )
