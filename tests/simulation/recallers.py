"""People who recall lots and release them again, and the gateways that lock columns for it.

Flows in: a world in which goods are loaded by lots. Flows out: recalls, and looks through whichever
gateway lives, some of which die over it. B22: from the moment on at which a machine's actor has the
revision of a lock, nothing is sold out of the column until the lock is gone.
"""

import json
from random import Random
from typing import TYPE_CHECKING

from actors.ports import StoreError
from storage.office.deeds import Deed, OfficeRefused
from storage.office.recalls import NewRecall
from tests.simulation.processes import Died

if TYPE_CHECKING:
    from tests.simulation.world import World

LOTS = ("L1", "L2")
_LOCKED = (
    "SELECT l.recall_id, l.revision FROM column_locks l JOIN machine_states s "
    "ON s.machine_id = l.machine_id JOIN vends v ON v.machine_id = l.machine_id "
    'AND v."column" = l."column" WHERE v.vend_id = ? AND s.revision >= l.revision'
)


async def somebody(world: "World", rng: Random) -> None:
    """Somebody recalls a lot, or has it sold again; then a gateway looks."""
    gateway = world.some_gateway(rng)
    if gateway is None:
        return
    open_ones = world.disk.rows(
        "SELECT recall_id FROM recalls WHERE released_at_ms IS NULL ORDER BY recall_id"
    )
    recalls, now_ms = gateway.office.recalls, gateway.clock.now_ms()
    if open_ones and rng.random() < 0.4:
        deed = Deed(actor="ann", action="ReleaseRecall", now_ms=now_ms)
        wish = recalls.release(rng.choice(open_ones)[0], deed, reason="tested")
    else:
        wanted = NewRecall(product="cola", lot=rng.choice(LOTS), reason="glass")
        deed = Deed(actor="ann", action="RecallLot", now_ms=now_ms)
        wish = recalls.begin(f"r{rng.getrandbits(64):016x}", wanted, deed)
    try:
        recall = await gateway.process.ask(wish)
    except (Died, StoreError, OfficeRefused) as error:
        world.note(f"no recall is changed, or nobody knows: {error}")
    else:
        world.note(f"recall {recall.recall_id} of {recall.what}, released: {recall.released}")
    await look(world, rng)


async def look(world: "World", rng: Random) -> None:
    """Some gateway looks at the recall that is due, as each does in the product by itself."""
    gateway = world.some_gateway(rng)
    if gateway is None:
        return
    try:
        await gateway.process.ask(gateway.office.recalling.once())
    except (Died, StoreError) as error:
        world.note(f"a look at recalls was cut off: {error}")


def sells_nothing_locked(world: "World", vend_id: str) -> None:
    """B22, of a vend that is approved by this very COMMIT."""
    for recall_id, revision in world.disk.rows(_LOCKED, vend_id):
        world.checker.broken(
            "what is recalled is not sold",
            f"vend {vend_id} is approved, though revision {revision} locks it for {recall_id}",
        )


def locks_are_known(world: "World") -> None:
    """At rest each actor obeys just what the locks of its machine say."""
    for machine_id, locked, body in world.disk.rows(
        "SELECT m.machine_id, m.locked, json_extract(s.body, '$.configuration.locked') "
        "FROM machines m JOIN machine_states s ON s.machine_id = m.machine_id"
    ):
        wanted = [
            row[0]
            for row in world.disk.rows(
                'SELECT DISTINCT "column" FROM column_locks WHERE machine_id = ? ORDER BY 1',
                machine_id,
            )
        ]
        told, obeyed = json.loads(locked or "[]"), json.loads(body or "[]")
        if not wanted == told == obeyed:
            world.checker.broken(
                "locks are obeyed", f"{machine_id}: locks {wanted}, row {told}, actor {obeyed}"
            )
