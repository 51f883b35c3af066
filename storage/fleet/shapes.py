"""Rows → views, by the names of their fields. Pure.

A column that has the name of a view's field is that field; what is named otherwise, or made of more
than one column, is given beside it.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Row

from actors.machine import describe
from actors.machine.code import differing
from actors.machine.ids import Currency, MachineId
from actors.machine.state import Column, MachineState, phase
from actors.machine.stock import keep_counts
from storage import codec
from storage.fleet import positions
from storage.fleet.views import (
    AuditView,
    ClosingView,
    EventView,
    HaltView,
    MachineView,
    ReconciliationView,
    RefundView,
    SessionView,
    TradeView,
    VendView,
)
from storage.machines.loading import configuration_of, state_of

V = TypeVar("V")


def view_of(row: Row[Any], view: type[V], **more: object) -> V:
    """Return the view of a row. A text that the row does not have is empty; a word of an enum is
    that enum's.
    """
    columns = row._mapping  # noqa: SLF001 - public, and named so that no column can have its name
    return view(
        **{
            name: more[name] if name in more else _made(columns[name], kind)
            for name, kind in _fields(cast("Any", view)).items()
            if name in more or name in columns
        }
    )


@cache
def _fields(view: Any) -> Mapping[str, Any]:
    return {field.name: field.type for field in fields(view)}


def _made(value: object, kind: Any) -> object:
    if kind is str and value is None:
        return ""
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value


def machine_view(row: Row[Any], planogram: tuple[Column, ...]) -> MachineView:
    """Return a machine: the registry's word on how it is to work, the actor's on how it is
    (nothing, if its state cannot be read).
    """
    try:
        state = state_of(row, only_reads=True)
    except codec.CodecError:
        # Its host has halted it, which must be seen here: ours is to show the rest.
        state = MachineState(machine_id=MachineId(row.machine_id), currency=Currency(row.currency))
    configuration = configuration_of(row)
    return view_of(
        row,
        MachineView,
        overrides=configuration.overrides,
        columns=_columns(state, configuration.planogram_version, planogram),
        planogram_in_force=state.configuration.planogram_version,
        code_status=state.code.status.value,
        qr_payload=state.code.qr_payload,
        qr_image_url=state.code.image_url,
        code_error=state.code.error or state.code.saying.error,
        code_differs=tuple(part.value for part in differing(state.code)),
        phase=phase(state).value,
        online=state.link.online,
        connection_changed_at_ms=state.link.changed_at_ms or None,
        firmware=state.link.firmware,
        ordered_locks=state.ordered_locks or (),
        machine_version=state.version,
        session_id="" if state.session is None else state.session.session_id,
        funds_minor=0 if state.session is None else _funds_minor(state, state.session.session_id),
        open_refund_count=len(state.refunds),
        last_fault=state.link.last_fault,
        host=row.owner,
        halt=halt_view(row),
    )


def _funds_minor(state: MachineState, session_id: str) -> int:
    return sum(trade.funds_minor for trade in state.trades if trade.session_id == session_id)


def _columns(
    state: MachineState, planogram_version: int, planogram: tuple[Column, ...]
) -> tuple[Column, ...]:
    """Return the actor's columns, whose stock is alive, also while goods keep the newest planogram
    back, which somebody may take out. While it is not in force because the actor has not heard of
    it or a session is open, the registry's, with the counts that will be kept.
    """
    waiting = state.next_planogram
    if state.configuration.planogram_version == planogram_version or (
        waiting is not None and waiting.version == planogram_version and waiting.kept_back
    ):
        return state.columns
    return keep_counts(state.columns, planogram)


def session_view(row: Row[Any]) -> SessionView:
    """Return one row of ``sessions`` with its money."""
    return view_of(row, SessionView, position=positions.position(row.started_at_ms, row.session_id))


def vend_view(row: Row[Any]) -> VendView:
    """Return one row of ``vends``."""
    return view_of(
        row,
        VendView,
        position=positions.position(row.requested_at_ms, row.vend_id),
        list_price_minor=row.price_minor + row.discount_minor,
    )


def trade_view(row: Row[Any]) -> TradeView:
    """Return one row of ``trades``."""
    return view_of(row, TradeView, position=positions.position(row.received_at_ms, row.trade_id))


def refund_view(row: Row[Any]) -> RefundView:
    """Return one row of ``refunds``."""
    return view_of(
        row,
        RefundView,
        position=positions.position(row.due_at_ms, row.refund_id),
        last_error=row.error,
        attempt_count=row.attempts,
    )


def closing_view(row: Row[Any]) -> ClosingView:
    """Return one row of ``work_item_closings``."""
    return view_of(row, ClosingView)


def reconciliation(row: Row[Any]) -> ReconciliationView:
    """Return one row of ``lists.reconciliations``."""
    return view_of(row, ReconciliationView, position=row.id)


def event_view(row: Row[Any]) -> EventView:
    """Return one row of ``journal``; the text is the event, then what was decided."""
    event, decided = line_in_words(row)
    text = " | ".join([event, "; ".join(decided)] if decided else [event])
    return view_of(row, EventView, position=row.id, text=text)


def line_in_words(row: Row[Any]) -> tuple[str, tuple[str, ...]]:
    """Return one row of ``journal`` in words: what happened; what was ordered and noted. The words
    are made when somebody reads, and are not kept.
    """
    try:
        event = describe.event(codec.decode_body(row.kind, row.body))
        orders = codec.decode_orders(row.effects)
    except codec.CodecError:  # a newer program's; what it can still say is said
        event, orders = f"{row.kind} (this program cannot read it)", ()
    told = (describe.order(one.kind, one.fields.items()) for one in orders)
    return event, (*told, *codec.decode_lines(row.notes))


def audit_view(row: Row[Any]) -> AuditView:
    """Return one row of ``audit``."""
    return view_of(row, AuditView, position=row.id)


def halt_view(row: Row[Any]) -> HaltView | None:
    """Return the halt of a row that was joined with ``machine_halts``, or None if there is none."""
    return None if row.halted_at_ms is None else view_of(row, HaltView)
