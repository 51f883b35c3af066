"""What administrators and operators do to codes: another name, another notify token, another code,
another domain.

Flows in: the world's faults. Flows out: changes of the registry, and hosts that start with other
settings; and what Alipay has otherwise than it is wanted.
"""

import asyncio
from random import Random
from typing import TYPE_CHECKING

from actors.machine.ids import MachineId, store_id_of
from alipay_client.simulator.model import Code
from storage.fleet.changes import MachineChange
from tests.simulation.backend import MERCHANT

if TYPE_CHECKING:
    from tests.simulation.world import World

WANTED = """SELECT m.machine_id, m.store_name, m.notify_token, m.store_id, m.enabled,
    s.code_trouble FROM machines m JOIN machine_states s ON s.machine_id = m.machine_id"""

GIVEN_UP = """SELECT DISTINCT machine_id FROM machine_alarms
    WHERE kind = 'CODE_LEFT' AND detail LIKE '%shows no code of it%'"""


async def change(world: "World", rng: Random) -> None:
    """One of these happens; after another name, or together with it, some machines are disabled
    while Alipay is at it.
    """
    what = rng.choice(("name", "name", "token", "token", "code", "domain"))
    if what == "domain":
        _move(world, rng)
        return
    machine_id = MachineId(rng.choice(sorted(world.machines)))
    made = (
        MachineChange(store_name=f"Lobby {rng.randrange(1_000)}")
        if what == "name"
        else _rotation(machine_id, rng, new_code=what == "code")
    )
    if made.store_id is not None:
        world.stores.setdefault(machine_id, {_first(machine_id)}).add(made.store_id)
    await world.registry.change(
        machine_id, made, actor="office", action="configure", now_ms=world.clock.now_ms()
    )
    world.note(f"another {what} of {machine_id}: {made}")
    if what == "name" and rng.random() < 0.5:
        await asyncio.sleep(rng.random() * 40)
        await world.registry.change(
            machine_id,
            MachineChange(enabled=False),
            actor="office",
            action="configure",
            now_ms=world.clock.now_ms(),
        )
        world.note(f"an administrator disables {machine_id}")


def _first(machine_id: str) -> str:
    """The store that a machine is given when it is registered."""
    return store_id_of(MachineId(machine_id)) or machine_id


def _rotation(machine_id: MachineId, rng: Random, *, new_code: bool) -> MachineChange:
    """What ``Registry.rotation`` returns, drawn from the seed."""
    named = machine_id.replace("-", "_")
    store_id = f"{named}_{rng.getrandbits(40):010x}" if new_code else None
    return MachineChange(notify_token=f"{rng.getrandbits(128):032x}", store_id=store_id)


def _move(world: "World", rng: Random) -> None:
    """The operator has another domain, and starts the hosts again; the old one leads here still."""
    world.domain = f"https://pay{rng.randrange(100)}.example"
    world.note(f"Alipay is to reach us at {world.domain}")
    for slot in world.slots:
        if slot.present is not None:
            slot.present.process.kill()


def unfinished(world: "World") -> str:
    """Return what Alipay has otherwise than it is wanted, empty if nothing: of each machine one
    code can be paid, none if it is disabled, and it says what registry and settings want. What
    Alipay refused is a person's, and of a store for which it said three times that there is no
    code, a person was told, and nothing more is asked.
    """
    given_up = {machine_id for (machine_id,) in world.disk.rows(GIVEN_UP)}
    for machine_id, name, token, store_id, enabled, trouble in world.disk.rows(WANTED):
        there = [
            code
            for store in sorted(world.stores.get(machine_id, {_first(machine_id)}))
            for code in world.provider.book.codes_of(MERCHANT.secondary_merchant_id, store)
        ]
        if trouble or not there or machine_id in given_up:
            continue
        payable = [code for code in there if code.status == "ACTIVE"]
        said = [_said(code) for code in payable]
        url = f"{world.domain}/alipay/notify/{token}"
        wanted = [(store_id or machine_id, name, url)] if enabled else []
        if said != wanted:
            return f"of {machine_id} can be paid {said}, and {wanted} is wanted"
    return ""


def _said(code: Code) -> tuple[str, str, str]:
    return code.store_id, code.store_name, code.notify_url
