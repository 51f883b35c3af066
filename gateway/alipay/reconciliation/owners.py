"""Whose payment a line of the file is. Pure.

Flows in: a payment that we do not know, and the machines whose names stand in the file. Flows out:
the machine, or why it cannot be told. A wrong guess would return one customer's money out of
another's trade, so anything that does not fit leaves it to a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.machine.ids import MachineId
from alipay_client.files import SHOP_CODE, FileRow
from storage.reconciliation.our_books import NamedMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The machine, or None and why not."""

    machine_id: MachineId | None = None
    doubt: str = ""


def owner_of(
    row: FileRow, machines: Sequence[NamedMachine], *, merchant_name: str, payment_minor_max: int
) -> Owner:
    """Return the one machine whose id, store id at Alipay or store name is the line's
    ``Operator_name`` and to which the rest of the line fits.
    """
    if row.order_scene.lower() != SHOP_CODE.lower():
        return Owner(doubt=f"its Order_scene is {row.order_scene!r} and not {SHOP_CODE}")
    if row.merchant_name and row.merchant_name != merchant_name:
        return Owner(doubt=f"it was paid to {row.merchant_name!r} and not to {merchant_name!r}")
    if not row.operator_name:
        return Owner(doubt="the file names no store")
    if not row.partner_id:
        return Owner(
            doubt="the file names no Partner_transaction_id, without which nothing can be returned"
        )
    named = [
        machine
        for machine in machines
        if row.operator_name in {machine.machine_id, machine.store_id, machine.store_name}
    ]
    if len(named) != 1:
        return Owner(
            doubt=(
                f"{len(named) or 'no'} machines have {row.operator_name!r} as their id or store "
                "name"
            )
        )
    (machine,) = named
    if row.currency != machine.currency:
        return Owner(
            doubt=(
                f"{machine.machine_id} sells in {machine.currency} and the file names no price in "
                "it"
            )
        )
    if not 0 < row.amount_minor <= payment_minor_max:
        return Owner(doubt="its amount is no payment's")
    return Owner(machine_id=machine.machine_id)
