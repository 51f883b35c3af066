"""What administrators decide, and the machine's code at Alipay, which follows."""

from dataclasses import replace

from actors.machine import commands, events, vending
from actors.machine.draft import Draft
from actors.machine.effects import ChangeCodeStatus, CreateCode, ProviderCall
from actors.machine.state import QR_PAYLOAD_BYTES_MAX, Code, CodeStatus, Column, column_named


def change(draft: Draft, event: events.ConfigurationChanged) -> None:
    """The registry holds another configuration."""
    before, after = draft.state.configuration, event.configuration
    if after.revision <= before.revision:
        draft.note(f"configuration {after.revision} is not newer than {before.revision}")
        return
    draft.update(configuration=after)
    if event.columns is not None and after.planogram_version != before.planogram_version:
        columns = tuple(_with_stock(draft, column) for column in event.columns)
        kept = {
            column.column
            for column in columns
            if (old := column_named(draft.state, column.column)) is not None
            and old.product == column.product
        }
        failing = tuple(one for one in draft.state.failing if one.column in kept)
        draft.update(columns=columns, failing=failing)
        draft.tell(commands.planogram(draft.state))
    code = draft.state.code
    wanted = CodeStatus.ACTIVE if after.enabled else CodeStatus.STOPPED
    if code.status is CodeStatus.REFUSED:
        # The change may have removed the reason of the refusal.
        code = Code(
            status=CodeStatus.STOPPED if code.qr_payload else CodeStatus.PENDING,
            qr_payload=code.qr_payload,
            image_url=code.image_url,
        )
    draft.update(code=replace(code, wanted=wanted))
    if (before.enabled, before.mode) != (after.enabled, after.mode):
        draft.tell(commands.service(draft.state))
    if not after.enabled:
        vending.out_of_service(draft)


def _with_stock(draft: Draft, column: Column) -> Column:
    """Return the column with its stock: a column whose product stays keeps its own count."""
    old = column_named(draft.state, column.column)
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


def drive_code(draft: Draft) -> None:
    """At the end of a draft: order the next call about the code, if one is due."""
    code = draft.state.code
    if draft.state.configuration.revision == 0 or code_settled(code) or code_under_way(code):
        return
    if code.next_attempt_at_ms is not None and code.next_attempt_at_ms > draft.now_ms:
        return
    draft.update(
        code=replace(
            code,
            attempts=code.attempts + 1,
            next_attempt_at_ms=None,
            asked_revision=draft.state.configuration.revision,
        )
    )
    draft.call(code_order(code))


def code_created(draft: Draft, event: events.CodeCreated) -> None:
    """Alipay gave the machine its code."""
    code = draft.state.code
    if code.status is not CodeStatus.PENDING:
        draft.note("the machine has its code already")
        return
    size = len(event.qr_payload.encode())
    if size > QR_PAYLOAD_BYTES_MAX:
        # Alipay's answer is in the journal. No machine has room for the code, and a code cut short
        # would be another code.
        error = f"Alipay's code has {size} bytes: a machine has room for {QR_PAYLOAD_BYTES_MAX}"
        draft.note(error)
        draft.update(
            code=replace(
                code, status=CodeStatus.REFUSED, error=error, attempts=0, next_attempt_at_ms=None
            )
        )
        return
    draft.update(
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
    draft.tell(commands.service(draft.state))


def code_changed(draft: Draft, event: events.CodeStatusChanged) -> None:
    """Alipay stopped or restarted the code."""
    draft.update(
        code=replace(
            draft.state.code, status=event.status, error="", attempts=0, next_attempt_at_ms=None
        )
    )
    draft.tell(commands.service(draft.state))


def code_failed(draft: Draft, event: events.CodeFailed) -> None:
    """A call about the code failed."""
    code = draft.state.code
    if not code_under_way(code):
        draft.note(f"a call about the code failed that nobody waits for: {event.detail}")
    elif event.final and code.asked_revision < draft.state.configuration.revision:
        # Somebody changed something while Alipay was asked: what it refused is perhaps mended.
        draft.update(code=replace(code, error=event.detail, attempts=0, next_attempt_at_ms=None))
    elif event.final:
        draft.update(
            code=replace(
                code,
                status=CodeStatus.REFUSED,
                error=event.detail,
                attempts=0,
                next_attempt_at_ms=None,
            )
        )
    else:
        waits = draft.policy.code_retry_ms
        at_ms = draft.now_ms + waits[min(code.attempts, len(waits)) - 1]
        draft.update(code=replace(code, error=event.detail, next_attempt_at_ms=at_ms))
