"""Rows → views. Pure."""

from typing import Any

from sqlalchemy import Row

from actors.machine.ids import Currency, MachineId
from actors.machine.state import Column, MachineState, phase
from storage import codec
from storage.fleet.views import (
    EventView,
    HaltView,
    MachineView,
    RefundView,
    SessionView,
    TradeView,
    VendView,
)
from storage.machines.loading import configuration_of, state_of


def machine_view(row: Row[Any], planogram: tuple[Column, ...]) -> MachineView:
    """Return a machine: the registry's word on how it is to work, the actor's on how it is
    (nothing, if its state cannot be read).
    """
    try:
        state = state_of(row)
    except codec.CodecError:
        # Its host has halted it, which must be seen here: ours is to show the rest.
        state = MachineState(machine_id=MachineId(row.machine_id), currency=Currency(row.currency))
    configuration = configuration_of(row)
    return MachineView(
        machine_id=row.machine_id,
        store_name=row.store_name,
        currency=row.currency,
        country_code=row.country_code,
        address=row.address,
        enabled=configuration.enabled,
        mode=configuration.mode.value,
        overrides=configuration.overrides,
        planogram_version=configuration.planogram_version,
        columns=_columns(state, configuration.planogram_version, planogram),
        code_status=state.code.status.value,
        qr_payload=state.code.qr_payload,
        qr_image_url=state.code.image_url,
        code_error=state.code.error,
        phase=phase(state).value,
        online=state.link.online,
        connection_changed_at_ms=state.link.changed_at_ms or None,
        firmware=state.link.firmware,
        session_id="" if state.session is None else state.session.session_id,
        funds_minor=0 if state.session is None else _funds_minor(state, state.session.session_id),
        open_refund_count=len(state.refunds),
        last_fault=state.link.last_fault,
        host=row.owner,
        partition=row.partition,
        registered_at_ms=row.registered_at_ms,
        revision=row.revision,
        retired_at_ms=row.retired_at_ms,
        halt=halt_view(row),
    )


def _funds_minor(state: MachineState, session_id: str) -> int:
    return sum(trade.funds_minor for trade in state.trades if trade.session_id == session_id)


def _columns(
    state: MachineState, planogram_version: int, planogram: tuple[Column, ...]
) -> tuple[Column, ...]:
    """Return the actor's columns, whose stock is alive; while it has not heard of the newest
    planogram, the registry's.
    """
    return (
        state.columns if state.configuration.planogram_version == planogram_version else planogram
    )


def session_view(row: Row[Any]) -> SessionView:
    """Return one row of ``sessions``."""
    return SessionView(
        position=f"{row.started_at_ms}:{row.session_id}",
        session_id=row.session_id,
        machine_id=row.machine_id,
        status=row.status,
        mode=row.mode,
        end_reason=row.end_reason,
        currency=row.currency,
        paid_minor=row.paid_minor,
        sold_minor=row.sold_minor,
        refunded_minor=row.refunded_minor,
        started_at_ms=row.started_at_ms,
        ended_at_ms=row.ended_at_ms,
    )


def vend_view(row: Row[Any]) -> VendView:
    """Return one row of ``vends``."""
    return VendView(
        position=f"{row.requested_at_ms}:{row.vend_id}",
        vend_id=row.vend_id,
        machine_id=row.machine_id,
        session_id=row.session_id,
        request_id=row.request_id,
        column=row.column,
        product=row.product,
        price_minor=row.price_minor,
        currency=row.currency,
        status=row.status,
        reason=row.reason,
        requested_at_ms=row.requested_at_ms,
        ended_at_ms=row.ended_at_ms,
    )


def trade_view(row: Row[Any]) -> TradeView:
    """Return one row of ``trades``."""
    return TradeView(
        position=f"{row.received_at_ms}:{row.trade_id}",
        trade_id=row.trade_id,
        partner_trans_id=row.partner_trans_id,
        machine_id=row.machine_id,
        session_id=row.session_id or "",
        status=row.status,
        currency=row.currency,
        paid_minor=row.paid_minor,
        sold_minor=row.sold_minor,
        refunded_minor=row.refunded_minor,
        written_off_minor=row.written_off_minor,
        held_minor=row.held_minor,
        received_at_ms=row.received_at_ms,
        closed_at_ms=row.closed_at_ms,
    )


def refund_view(row: Row[Any]) -> RefundView:
    """Return one row of ``refunds``."""
    return RefundView(
        position=f"{row.due_at_ms}:{row.refund_id}",
        refund_id=row.refund_id,
        trade_id=row.trade_id,
        machine_id=row.machine_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
        cause=row.cause,
        status=row.status,
        last_error=row.error,
        attempt_count=row.attempts,
        due_at_ms=row.due_at_ms,
        next_attempt_at_ms=row.next_attempt_at_ms,
        ended_at_ms=row.ended_at_ms,
        proposed_by=row.proposed_by or "",
        proposed_reason=row.proposed_reason or "",
        proposed_at_ms=row.proposed_at_ms,
    )


def event_view(row: Row[Any]) -> EventView:
    """Return one row of ``journal``; the text is the event, then what was decided."""
    decided = [*codec.decode_lines(row.effects), *codec.decode_lines(row.notes)]
    return EventView(
        position=row.id,
        at_ms=row.at_ms,
        machine_id=row.machine_id,
        kind=row.kind,
        text=" | ".join([row.event, "; ".join(decided)] if decided else [row.event]),
    )


def halt_view(row: Row[Any]) -> HaltView | None:
    """Return the halt of a row that was joined with ``machine_halts``, or None if there is none."""
    if row.halted_at_ms is None:
        return None
    return HaltView(halted_at_ms=row.halted_at_ms, fact=row.fact, error=row.error)
