"""What customers were shown, held against what became of it: nobody pays another price than they
saw, and no price changes while they stand there with money in the machine.

Flows in: what the machines show, and an administrator who changes prices. Flows out: the first
truth that does not hold.
"""

from random import Random
from typing import TYPE_CHECKING

from actors.machine.ids import MachineId
from actors.machine.state import Column
from gateway.simulator.machine import Machine
from gateway.v1 import machine_service_pb2 as service_pb
from storage.fleet.changes import MachineChange

if TYPE_CHECKING:
    from tests.simulation.world import World

PRICES = (300, 350, 500, 550)
CHARGED = "the price charged is the price shown"


async def reprice(world: "World", rng: Random) -> None:
    """An administrator sets other prices."""
    machine_id = rng.choice(sorted(world.machines))
    rows = world.disk.rows(
        'SELECT "column", product, capacity, stock FROM planogram_columns WHERE machine_id = ? '
        "ORDER BY place",
        machine_id,
    )
    columns = tuple(
        Column(
            column=column,
            product=product,
            price_minor=rng.choice(PRICES),
            capacity=capacity,
            stock=stock,
        )
        for column, product, capacity, stock in rows
    )
    await world.registry.change(
        MachineId(machine_id),
        MachineChange(columns=columns, goods_may_be_removed=True),
        actor="office",
        action="SetPlanogram",
        now_ms=world.clock.now_ms(),
    )
    world.note(f"an administrator wants {machine_id} at {[one.price_minor for one in columns]}")


def frame_comes(world: "World", machine: Machine, frame: service_pb.ConnectResponse) -> None:
    """B21: while a session is open its machine is told no other planogram than the one with which
    it first heard of the session.
    """
    match frame.WhichOneof("payload"):
        case "welcome" if frame.welcome.session.session_id:
            told = frame.welcome.session.session_id, frame.welcome.planogram_version
            world.begun_at.setdefault(*told)
        case "begin_session":
            world.begun_at.setdefault(frame.begin_session.session_id, machine.planogram_version)
        case "planogram_update" if machine.session is not None:
            session_id = machine.session.session_id
            begun_at, version = (
                world.begun_at[session_id],
                frame.planogram_update.planogram_version,
            )
            if begun_at != version and _is_open(world, session_id):
                world.checker.broken(
                    CHARGED,
                    f"session {session_id} began with planogram {begun_at} and got {version}",
                )


def _is_open(world: "World", session_id: str) -> bool:
    """Its end may be saved and the word of it lost: the machine hears of it in its next Welcome."""
    sql = "SELECT 1 FROM sessions WHERE session_id = ? AND status <> 'ENDED'"
    return bool(world.disk.rows(sql, session_id))


def charged_as_shown(world: "World") -> None:
    """B21: a vend costs what its machine showed when the customer chose, delivered or not, less
    what an offer took off.
    """
    rows = world.disk.rows(
        "SELECT vend_id, request_id, price_minor + discount_minor FROM vends "
        "WHERE status <> 'DENIED'"
    )
    for vend_id, request_id, price_minor in rows:
        shown = world.shown.get(request_id, {price_minor})  # a second device shows us nothing
        if price_minor not in shown:
            world.checker.broken(
                CHARGED,
                f"vend {vend_id} costs {price_minor}, the customer was shown {sorted(shown)}",
            )
