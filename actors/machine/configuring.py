"""What administrators decide, and the machine's code at Alipay, which follows."""

from dataclasses import replace

from actors.machine import commands, events, vending
from actors.machine.effects import ChangeCodeStatus, CreateCode, ProviderCall
from actors.machine.state import QR_PAYLOAD_BYTES_MAX, Code, CodeStatus, Column, column_named
from actors.machine.turn import Turn


def change(turn: Turn, event: events.ConfigurationChanged) -> None:
    """The registry holds another configuration."""
    before, after = turn.state.configuration, event.configuration
    if after.revision <= before.revision:
        turn.note(f"configuration {after.revision} is not newer than {before.revision}")
        return
    turn.update(configuration=after)
    if event.columns is not None and after.planogram_version != before.planogram_version:
        turn.update(columns=tuple(_with_stock(turn, column) for column in event.columns))
        turn.tell(commands.planogram(turn.state))
    code = turn.state.code
    wanted = CodeStatus.ACTIVE if after.enabled else CodeStatus.STOPPED
    if code.status is CodeStatus.REFUSED:
        # Somebody changed something: perhaps it goes better now.
        code = Code(
            status=CodeStatus.STOPPED if code.qr_payload else CodeStatus.PENDING,
            qr_payload=code.qr_payload,
            image_url=code.image_url,
        )
    turn.update(code=replace(code, wanted=wanted))
    if (before.enabled, before.mode) != (after.enabled, after.mode):
        turn.tell(commands.service(turn.state))
    if not after.enabled:
        vending.out_of_service(turn)


def _with_stock(turn: Turn, column: Column) -> Column:
    """A column that goes on keeps its own count; another product starts with the count that came
    with it.
    """
    old = column_named(turn.state, column.column)
    stock = old.stock if old is not None and old.product == column.product else column.stock
    return replace(column, stock=min(stock, column.capacity))


# --- the code ---


def code_settled(code: Code) -> bool:
    """Tell whether the code is what it should be, or never will be."""
    return code.status is CodeStatus.REFUSED or code.status is code.wanted


def code_order(code: Code) -> ProviderCall:
    """Return the call that brings the code nearer to what is wanted."""
    if code.status is CodeStatus.PENDING:
        return CreateCode()
    return ChangeCodeStatus(qr_payload=code.qr_payload, status=code.wanted)


def code_under_way(code: Code) -> bool:
    """Tell whether a call about the code was ordered and has not been answered."""
    return code.attempts > 0 and code.next_attempt_at_ms is None and not code_settled(code)


def drive_code(turn: Turn) -> None:
    """At the end of a turn: order the next call about the code, if one is due."""
    code = turn.state.code
    if turn.state.configuration.revision == 0 or code_settled(code) or code_under_way(code):
        return
    if code.next_attempt_at_ms is not None and code.next_attempt_at_ms > turn.now_ms:
        return
    turn.update(code=replace(code, attempts=code.attempts + 1, next_attempt_at_ms=None))
    turn.call(code_order(code))


def code_created(turn: Turn, event: events.CodeCreated) -> None:
    """Alipay gave the machine its code."""
    code = turn.state.code
    if code.status is not CodeStatus.PENDING:
        turn.note("the machine has its code already")
        return
    size = len(event.qr_payload.encode())
    if size > QR_PAYLOAD_BYTES_MAX:
        # What Alipay said is in the journal. No machine has room for it, and a code cut short would
        # be another code.
        error = f"Alipay's code has {size} bytes: a machine has room for {QR_PAYLOAD_BYTES_MAX}"
        turn.note(error)
        turn.update(
            code=replace(
                code, status=CodeStatus.REFUSED, error=error, attempts=0, next_attempt_at_ms=None
            )
        )
        return
    turn.update(
        code=replace(
            code,
            status=CodeStatus.ACTIVE,
            qr_payload=event.qr_payload,
            image_url=event.image_url,
            error="",
            attempts=0,
            next_attempt_at_ms=None,
        )
    )
    turn.tell(commands.service(turn.state))


def code_changed(turn: Turn, event: events.CodeStatusChanged) -> None:
    """Alipay stopped or restarted the code."""
    turn.update(
        code=replace(
            turn.state.code, status=event.status, error="", attempts=0, next_attempt_at_ms=None
        )
    )
    turn.tell(commands.service(turn.state))


def code_failed(turn: Turn, event: events.CodeFailed) -> None:
    """A call about the code failed."""
    code = turn.state.code
    if not code_under_way(code):
        turn.note(f"a call about the code failed that nobody waits for: {event.detail}")
    elif event.final:
        turn.update(
            code=replace(
                code,
                status=CodeStatus.REFUSED,
                error=event.detail,
                attempts=0,
                next_attempt_at_ms=None,
            )
        )
    else:
        waits = turn.policy.code_retry_ms
        at_ms = turn.now_ms + waits[min(code.attempts, len(waits)) - 1]
        turn.update(code=replace(code, error=event.detail, next_attempt_at_ms=at_ms))
