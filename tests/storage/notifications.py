"""Notifications as the ingress hands them to the inbox."""

from actors.machine.events import Event
from actors.machine.ids import MachineId
from storage.machines.inbox import Received
from tests.storage.owner import START_MS, paid


def received(
    trade_id: str,
    *,
    amount_minor: int = 1_000,
    payer_id: str = "payer-alice",
    machine_id: str = "VM-1",
) -> Received:
    """A payment notification."""
    return Received(
        cause=f"payment:{trade_id}",
        kind="PAID",
        machine_id=MachineId(machine_id),
        trade_id=trade_id,
        event=paid(trade_id, amount_minor, payer_id=payer_id),
        fields={"trade_no": trade_id, "total_fee": f"{amount_minor}"},
        told_sha256=f"{amount_minor:064}",
        received_at_ms=START_MS,
    )


def other(cause: str, event: Event | None) -> Received:
    """A notification that is no payment."""
    return Received(
        cause=cause,
        kind="OTHER",
        machine_id=MachineId("VM-1"),
        trade_id="t1",
        event=event,
        fields={},
        told_sha256="1" * 64,
        received_at_ms=START_MS,
    )
