"""How many items a column really has for the next customer. Pure leaves."""

from dataclasses import replace

from actors.machine.draft import Draft
from actors.machine.state import Column, MachineState, column_named


def available(state: MachineState, column: Column) -> int:
    """Return the items that no open vend has a claim on."""
    open_vends = list(state.doubts)
    if state.session is not None and state.session.vend is not None:
        open_vends.append(state.session.vend)
    return column.stock - sum(vend.column == column.column for vend in open_vends)


def can_sell(state: MachineState) -> bool:
    """Tell whether a customer who stands there with money could buy anything now."""
    ready = state.link.online and state.link.reader_enabled and state.configuration.enabled
    return ready and any(available(state, column) > 0 for column in state.columns)


def take_one(draft: Draft, name: str) -> None:
    """An item left the column."""
    column = column_named(draft.state, name)
    if column is None:
        draft.note(f"column {name} is no longer in the planogram")
    elif column.stock == 0:
        draft.note(f"an item left column {name}, which was believed empty")
    else:
        _put(draft, replace(column, stock=column.stock - 1))


def set_stock(draft: Draft, name: str, stock: int) -> None:
    """Somebody knows how many items are in the column."""
    column = column_named(draft.state, name)
    if column is None:
        draft.note(f"column {name} is not in the planogram")
    elif not 0 <= stock <= column.capacity:
        draft.note(f"column {name} holds 0 to {column.capacity} items, not {stock}")
    else:
        _put(draft, replace(column, stock=stock))


def _put(draft: Draft, column: Column) -> None:
    draft.update(
        columns=tuple(
            column if other.column == column.column else other for other in draft.state.columns
        )
    )
