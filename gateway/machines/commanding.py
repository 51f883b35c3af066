"""From values to the wire: each command as the frame that a machine gets, the refusal of a frame,
and the call to move. Pure. What machines send: ``gateway.machines.translate``.
"""

from collections.abc import Sequence
from typing import assert_never

from actors.machine import effects
from actors.machine.command import CommandKind
from actors.machine.state import Column
from gateway.machines import bounds
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectResponse

UINT32_MAX = 2**32 - 1


def to_wire(
    command: effects.MachineCommand, *, limits: EdgeLimits, server_time_ms: int, machines: int = 1
) -> ConnectResponse:
    """Return the frame of a command, still without ``seq`` and ``ack``. Of ``limits`` a Welcome
    tells what the machine must keep where so many ``machines`` are connected.

    Raises Unsendable if the machine has no room for what the command says.
    """
    return bounds.fit(_response(command, limits, server_time_ms, machines))


def comeback_ms(limits: EdgeLimits, machines: int) -> int:
    """Return the range of the first delay of a machine whose gateway is lost with so many others
    connected: all of them come back within it, and not much faster than they can be welcomed.
    """
    spread_ms = machines * 1_000 // limits.reconnects_per_s
    return min(limits.reconnect_max_ms, max(limits.reconnect_initial_ms, spread_ms))


def _response(
    command: effects.MachineCommand, limits: EdgeLimits, server_time_ms: int, machines: int
) -> ConnectResponse:
    match command:
        case effects.ApproveVend():  # What is said most often stands first.
            return _approval(command)
        case effects.Welcome():
            return ConnectResponse(welcome=_welcome(command, limits, server_time_ms, machines))
        case effects.UpdatePlanogram():
            columns = _columns(command.columns)
            return ConnectResponse(
                planogram_update=wire.PlanogramUpdate(
                    planogram_version=command.planogram_version, columns=columns
                )
            )
        case effects.UpdateService():
            mode = wire.Mode.Value(f"MODE_{command.mode}")
            return ConnectResponse(
                service_update=wire.ServiceUpdate(
                    in_service=command.in_service, qr_payload=command.qr_payload, mode=mode
                )
            )
        case effects.BeginSession():
            begin = wire.BeginSession(
                session_id=command.session_id, funds_minor=command.funds_minor
            )
            begin.expires_in_ms = _span(command.expires_in_ms)
            return ConnectResponse(begin_session=begin)
        case effects.UpdateFunds():
            funds = wire.FundsUpdate(session_id=command.session_id, funds_minor=command.funds_minor)
            funds.expires_in_ms = _span(command.expires_in_ms)
            return ConnectResponse(funds_update=funds)
        case effects.ShowQr():
            show = wire.ShowQr(
                request_id=command.request_id,
                qr_payload=command.qr_payload,
                amount_minor=command.amount_minor,
            )
            show.expires_in_ms = _span(command.expires_in_ms)
            return ConnectResponse(show_qr=show)
        case effects.DenyVend():
            reason = wire.VendDeniedReason.Value(f"VEND_DENIED_REASON_{command.reason}")
            return ConnectResponse(
                vend_denied=wire.VendDenied(
                    request_id=command.request_id, reason=reason, funds_minor=command.funds_minor
                )
            )
        case effects.EndSession():
            end = wire.EndSession(session_id=command.session_id, refund_minor=command.refund_minor)
            end.reason = wire.EndSessionReason.Value(f"END_SESSION_REASON_{command.reason}")
            return ConnectResponse(end_session=end)
        case effects.SendCommand():
            return ConnectResponse(command=_command(command))
        case effects.RejectFrame():
            code = wire.ProtocolErrorCode.Value(f"PROTOCOL_ERROR_CODE_{command.code}")
            return protocol_error(
                code, seq=command.seq, expected_seq=command.expected_seq, detail=command.detail
            )
        case _:
            assert_never(command)


def _approval(command: effects.ApproveVend) -> ConnectResponse:
    response = ConnectResponse()
    approved = response.vend_approved  # Filled where it is: a message given to another is copied.
    approved.vend_id = command.vend_id
    approved.request_id = command.request_id
    approved.column = command.column
    approved.amount_minor = command.amount_minor
    approved.valid_for_ms = _span(command.valid_for_ms)
    approved.discount_minor = command.discount_minor or 0
    return response


def _command(order: effects.SendCommand) -> wire.Command:
    command = wire.Command(command_id=order.command_id, valid_for_ms=_span(order.valid_for_ms))
    match order.kind:
        case CommandKind.REBOOT:
            command.reboot.SetInParent()
        case CommandKind.TEST_VEND:
            command.test_vend.column = order.column
        case CommandKind.REPORT:
            command.report.SetInParent()
        case CommandKind.SHOW_IDENTITY:
            command.show_identity.for_ms = _span(order.show_for_ms)
        case CommandKind.LOCK_COLUMN | CommandKind.UNLOCK_COLUMN:
            command.lock_column.column = order.column
            command.lock_column.locked = order.kind is CommandKind.LOCK_COLUMN
        case _:
            assert_never(order.kind)
    return command


def protocol_error(
    code: "wire.ProtocolErrorCode.ValueType", *, seq: int, expected_seq: int, detail: str
) -> ConnectResponse:
    """Return the frame that tells the machine what was wrong with one of its frames; a
    ``detail`` beyond its bound is cut.
    """
    return bounds.fit(
        ConnectResponse(
            protocol_error=wire.ProtocolError(
                code=code, seq=seq, expected_seq=expected_seq, detail=detail
            )
        )
    )


def move_request(*, not_before_ms: int, not_after_ms: int) -> ConnectResponse:
    """Return the frame that asks the machine to open a new stream."""
    return ConnectResponse(
        move_request=wire.MoveRequest(
            not_before_ms=_span(not_before_ms), not_after_ms=_span(not_after_ms)
        )
    )


def _welcome(
    command: effects.Welcome, limits: EdgeLimits, server_time_ms: int, machines: int
) -> wire.Welcome:
    welcome = wire.Welcome(
        heartbeat_interval_ms=limits.heartbeat_interval_ms,
        reconnect=wire.ReconnectGuidance(
            initial_ms=comeback_ms(limits, machines), max_ms=limits.reconnect_max_ms
        ),
        planogram_version=command.planogram_version,
        last_seq=command.last_seq,
        currency=command.currency,
        qr_payload=command.qr_payload,
        mode=wire.Mode.Value(f"MODE_{command.mode}"),
        in_service=command.in_service,
        server_time_ms=server_time_ms,
        resume_token=command.resume_token,
    )
    if command.session_id is not None or command.vend_id is not None:
        welcome.session.session_id = command.session_id or ""
        welcome.session.funds_minor = command.funds_minor
        welcome.session.vend_id = command.vend_id or ""
    return welcome


def _columns(columns: Sequence[Column]) -> list[wire.PlanogramColumn]:
    return [
        wire.PlanogramColumn(
            column=each.column,
            product=each.product,
            price_minor=each.price_minor,
            stock=max(0, each.stock),
        )
        for each in columns
    ]


def _span(span_ms: int) -> int:
    """A span of time as uint32: one that is over is 0."""
    return min(max(0, span_ms), UINT32_MAX)
