"""How many items a column really has for the next customer, and whether it works. Pure leaves."""

from actors.machine import alarms
from actors.machine.draft import Draft
from actors.machine.state import (
    AlarmKind,
    Column,
    Failing,
    FailureCause,
    MachineState,
    column_named,
    open_vends,
)
from actors.machine.values import replace

ITS_OWN_FAULT = frozenset(
    {
        FailureCause.JAMMED,
        FailureCause.EMPTY,
        FailureCause.NOTHING_DROPPED,
        FailureCause.UNKNOWN,
        FailureCause.CONTRADICTED,
    }
)
"""Causes that say that the column itself does not work."""


def available(state: MachineState, column: Column) -> int:
    """Return the items that a customer can have: no open vend has a claim on them, and the column
    works.
    """
    if blocked(state, column.column):
        return 0
    return column.stock - sum(vend.column == column.column for vend in open_vends(state))


def can_sell(state: MachineState) -> bool:
    """Tell whether a customer who stands there with money could buy anything now."""
    ready = state.link.online and state.link.reader_enabled and state.configuration.enabled
    return ready and any(available(state, column) > 0 for column in state.columns)


def blocked(state: MachineState, name: str) -> bool:
    """Tell whether the column failed so often that it sells nothing until somebody has seen to
    it.
    """
    return any(one.blocked for one in state.failing if one.column == name)


def failed(draft: Draft, name: str, cause: FailureCause) -> None:
    """A vend of the column failed. After so many in a row it sells nothing, and a person is told:
    each more would take a customer's money for nothing.
    """
    if cause not in ITS_OWN_FAULT or column_named(draft.state, name) is None:
        return
    known = next((one for one in draft.state.failing if one.column == name), None)
    in_row = 1 if known is None else known.in_row + 1
    most = draft.policy.column_failures_max
    now = Failing(column=name, in_row=in_row, blocked=in_row >= most)
    draft.update(failing=(*(one for one in draft.state.failing if one.column != name), now))
    if now.blocked and (known is None or not known.blocked):
        alarms.ring(
            draft,
            AlarmKind.COLUMN_FAILS,
            f"column {name} failed {in_row} times in a row, at last by {cause}: it sells nothing "
            "until it is counted, its door was opened and closed, or it sells for cash",
            subject=name,
        )


def works(draft: Draft, name: str) -> None:
    """The column delivered, or somebody has seen to it."""
    if any(one.column == name for one in draft.state.failing):
        draft.update(failing=tuple(one for one in draft.state.failing if one.column != name))


def seen_to(draft: Draft) -> None:
    """Somebody was at the machine: all of its columns are tried again."""
    if draft.state.failing:
        draft.update(failing=())


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


def count(draft: Draft, name: str, stock: int) -> None:
    """Somebody counted or refilled the column, and has seen it."""
    works(draft, name)
    set_stock(draft, name, stock)


def _put(draft: Draft, column: Column) -> None:
    draft.update(
        columns=tuple(
            column if other.column == column.column else other for other in draft.state.columns
        )
    )
