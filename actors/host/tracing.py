"""What a host tells of purchases, for their traces: what was decided, once it is saved.

Flows in: turns that a COMMIT has saved, and how long calls to Alipay took. Flows out: spans. They
are made of saved facts alone; if a host is killed between its COMMIT and its word, that span is
missing, and nothing else.
"""

from collections.abc import Iterable

import structlog

from actors.host.runner import Turn
from actors.machine.effects import ProviderCall, QueryRefund, SendRefund, subject
from actors.machine.events import FrameReceived
from actors.machine.ids import TradeId
from actors.machine.state import Refund, Session, Trade, Vend
from actors.ports import Clock
from actors.spans import Span, Tell

log = structlog.get_logger()

_CALLS_MAX = 10_000
"""Calls that ended and whose events are not saved yet. The oldest is forgotten, and its span."""


class Tracing:
    """Of one host."""

    def __init__(self, tell: Tell, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._took_ms: dict[object, int] = {}

    def called(self, call: ProviderCall, took_s: float) -> None:
        """A call to Alipay ended; its event is a turn soon."""
        if isinstance(call, SendRefund | QueryRefund):
            self._took_ms[subject(call)] = round(took_s * 1_000)
            if len(self._took_ms) > _CALLS_MAX:
                del self._took_ms[next(iter(self._took_ms))]

    def released(self, turns: Iterable[Turn]) -> None:
        """These turns are saved. Whatever goes wrong here, the host goes on."""
        try:
            self._tell_of(turns)
        except Exception:
            log.exception("a purchase cannot be told of")

    def _tell_of(self, turns: Iterable[Turn]) -> None:
        saved_ms = self._clock.now_ms()
        spans: list[Span] = []
        for turn in turns:
            call = turn.letter.call
            took_ms = None if call is None else self._took_ms.pop(subject(call), None)
            spans += spans_of(turn, saved_ms=saved_ms, took_ms=took_ms)
        if spans:
            self._tell(spans)


def spans_of(turn: Turn, *, saved_ms: int, took_ms: int | None) -> list[Span]:
    """Return what a saved turn tells: itself, from its decision (of a notification, from its being
    received) to its COMMIT, the call whose answer it is, and what has ended with it.
    """
    trace = _trace_of(turn)
    if not trace:
        return []
    event, state = turn.letter.event, turn.decision.state
    fact = event.fact if isinstance(event, FrameReceived) else event
    about = _about(turn)
    began_ms = turn.letter.received_at_ms or turn.now_ms
    found = [
        Span(
            trace=trace,
            key=f"{state.machine_id}/{state.version}",
            name=type(fact).__name__,
            began_ms=min(began_ms, saved_ms),
            ended_ms=saved_ms,
            parent=about.get("vend_id") or about.get("refund_id", ""),
            attributes={
                "machine_id": state.machine_id,
                **about,
                "orders": " ".join(type(effect).__name__ for effect in turn.decision.effects),
            },
        )
    ]
    if took_ms is not None and turn.letter.call is not None:
        found.append(
            Span(
                trace=trace,
                key=f"{state.machine_id}/{state.version}/call",
                name=f"Alipay: {type(turn.letter.call).__name__}",
                began_ms=turn.now_ms - took_ms,
                ended_ms=turn.now_ms,
                parent=about.get("refund_id", ""),
                attributes={**about, "answer": type(fact).__name__},
            )
        )
    return found + _ended(turn, trace)


def _ended(turn: Turn, trace: str) -> list[Span]:
    found: list[Span] = []
    state = turn.decision.state
    ours: dict[str, str | int] = {"machine_id": state.machine_id, "currency": state.currency}
    for record in turn.decision.records:
        key = ""
        match record:
            case Vend(ended_at_ms=int() as ended_ms, requested_at_ms=began_ms):
                key, name = record.vend_id, "vend"
                said: dict[str, str | int] = {
                    "vend_id": record.vend_id,
                    "column": record.column,
                    "price_minor": record.price_minor,
                    "status": record.status.value,
                    "reason": record.reason,
                }
            case Refund(ended_at_ms=int() as ended_ms, due_at_ms=began_ms):
                key, name = record.refund_id, "refund"
                said = {
                    "refund_id": record.refund_id,
                    "amount_minor": record.amount_minor,
                    "cause": record.cause.value,
                    "status": record.status.value,
                    "attempts": record.attempts,
                }
            case Session(ended_at_ms=int() as ended_ms, started_at_ms=began_ms):
                name = "session"
                said = {"session_id": record.session_id, "mode": record.mode.value}
            case Trade(session_id=None, closed_at_ms=int() as ended_ms, received_at_ms=began_ms):
                name = "payment without a session"
                said = {"trade_id": record.trade_id, "paid_minor": record.paid_minor}
            case _:
                continue
        found.append(
            Span(
                trace=trace,
                key=key,
                name=name,
                began_ms=began_ms,
                ended_ms=ended_ms,
                attributes={**ours, **said},
            )
        )
    return found


def _about(turn: Turn) -> dict[str, str]:
    """Return the ids of what has changed: one of each kind; more of one are of one purchase too."""
    found: dict[str, str] = {}
    for record in turn.decision.records:
        match record:
            case Vend():
                found["vend_id"] = record.vend_id
            case Trade():
                found["trade_id"] = record.trade_id
            case Refund():
                found["refund_id"] = record.refund_id
    return found


def _trace_of(turn: Turn) -> str:
    """Return the session of what has changed, or else the payment; empty if it is no purchase."""
    trades: dict[TradeId, Trade] = {}
    refunded = ""
    for record in turn.decision.records:
        match record:
            case Session() | Vend():
                return record.session_id
            case Trade():
                trades[record.trade_id] = record
            case Refund():
                refunded = refunded or record.trade_id
    before = turn.runner.saved
    for trade in (*turn.decision.state.trades, *(() if before is None else before.trades)):
        trades.setdefault(trade.trade_id, trade)
    about = refunded or next(
        (one.trade_id for one in turn.decision.records if isinstance(one, Trade)), ""
    )
    trade_of = trades.get(TradeId(about))
    return about if trade_of is None or trade_of.session_id is None else trade_of.session_id
