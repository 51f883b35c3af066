"""The draft of one decision while it is being made.

Flows in: the state before, the time and the policy. The leaves (``paying``, ``vending``,
``refunding``, ``connecting``, ``configuring``) change the draft; ``decide`` turns it into a
:class:`Decision`. The draft never outlives the call, so that from outside ``decide`` is a pure
function.
"""

from typing import Any

from actors.machine.command import Command
from actors.machine.decision import Decision, Record
from actors.machine.effects import CloseStream, Effect, MachineCommand, ProviderCall
from actors.machine.goods import GoodsMove
from actors.machine.ids import RefundId, TradeId
from actors.machine.incident import Incident
from actors.machine.ledger import Transfer
from actors.machine.offer import OfferUse
from actors.machine.policy import Policy
from actors.machine.state import (
    CLOSED_TRADES_KEPT,
    SETTLED_VENDS_KEPT,
    Alarm,
    MachineState,
    Refund,
    Session,
    Trade,
    Vend,
    VendStatus,
)
from actors.machine.values import replace

_DENIED = VendStatus.DENIED


class Draft:
    """One decision in the making."""

    __slots__ = (
        "_records",
        "before",
        "effects",
        "goods",
        "notes",
        "now_ms",
        "policy",
        "state",
        "transfers",
        "uses",
    )

    def __init__(self, state: MachineState, now_ms: int, policy: Policy) -> None:
        self.before = state
        self.state = state
        self.now_ms = now_ms
        self.policy = policy
        self.effects: list[Effect] = []
        self.transfers: list[Transfer] = []
        self.goods: list[GoodsMove] = []
        self.uses: list[OfferUse] = []
        self.notes: list[str] = []
        self._records: dict[tuple[type, str], Record] = {}

    # --- orders and words ---

    def tell(self, command: MachineCommand) -> None:
        """Order a command, if the machine has a stream; what it misses is sent when it connects."""
        if self.state.link.online:
            self.effects.append(command)

    def call(self, order: ProviderCall | CloseStream) -> None:
        """Order a call to Alipay or the end of a stream."""
        self.effects.append(order)

    def move(self, *transfers: Transfer) -> None:
        """Enter money movements into the ledger."""
        self.transfers.extend(transfers)

    def carry(self, *moves: GoodsMove) -> None:
        """Enter moves of goods; only ``stock`` does, which changes the columns with them."""
        self.goods.extend(moves)

    def use(self, use: OfferUse) -> None:
        """Let a use of an offer be counted; only ``offering`` does, as the vends say."""
        self.uses.append(use)

    def note(self, text: str) -> None:
        """Write down what was left undone, and why."""
        self.notes.append(text)

    # --- state ---

    def update(self, **changes: Any) -> None:
        """Change plain fields of the state. What happens at each sale replaces the state itself:
        to hand the names on costs four times the replacement.
        """
        self.state = replace(self.state, **changes)

    def _record(self, record: Record, key: str) -> None:
        self._records[type(record), key] = record

    @property
    def session(self) -> Session:
        """The open session; calling this without one is a defect."""
        assert self.state.session is not None
        return self.state.session

    def put_session(self, session: Session) -> None:
        """Keep the session, or let it go if it has ended."""
        self._record(session, session.session_id)
        kept = None if session.ended_at_ms is not None else session
        self.state = replace(self.state, session=kept)

    def record_alarm(self, alarm: Alarm) -> None:
        """Let the alarm's row be written."""
        self._record(alarm, alarm.alarm_id)

    def record_incident(self, incident: Incident) -> None:
        """Let the incident's row be written."""
        self._record(incident, incident.incident_id)

    def record_command(self, command: Command) -> None:
        """Let the command's row be written."""
        self._record(command, command.command_id)

    def record_vend(self, vend: Vend) -> None:
        """Let the vend's row be written; the caller decides where the state keeps the vend."""
        self._record(vend, vend.vend_id)

    def settled(self, vend: Vend) -> None:
        """Remember a vend that is over, for results that are repeated or come too late.

        Denied ones have a memory of their own: no result of theirs is to come, and whoever presses
        buttons must not make us forget a vend whose goods may still turn up.
        """
        self.record_vend(vend)
        vend_id, denied = vend.vend_id, vend.status is _DENIED
        others = [other for other in self.state.settled_vends if other.vend_id != vend_id]
        alike = [other for other in others if (other.status is _DENIED) is denied]
        if len(alike) >= SETTLED_VENDS_KEPT:
            others.remove(alike[0])
        self.state = replace(self.state, settled_vends=(*others, vend))

    def trade(self, trade_id: TradeId) -> Trade:
        """Return an open trade; asking for another is a defect."""
        for trade in self.state.trades:
            if trade.trade_id == trade_id:
                return trade
        raise AssertionError(f"trade {trade_id} is not open")

    def put_trade(self, trade: Trade) -> None:
        """Keep the trade, in its place or as the newest."""
        trade_id, known = trade.trade_id, False
        self._record(trade, trade_id)
        kept = list(self.state.trades)
        for place, other in enumerate(kept):
            if other.trade_id == trade_id:
                kept[place], known = trade, True
        if not known:
            kept.append(trade)
        self.state = replace(self.state, trades=tuple(kept))

    def reopen_trade(self, trade: Trade) -> None:
        """Keep a trade whose money moves again, although it may have been closed."""
        closed = tuple(one for one in self.state.closed_trades if one != trade.trade_id)
        self.update(closed_trades=closed)
        self.put_trade(trade)

    def refund(self, refund_id: RefundId) -> Refund | None:
        """Return an open refund, or None."""
        return next(
            (refund for refund in self.state.refunds if refund.refund_id == refund_id), None
        )

    def put_refund(self, refund: Refund) -> None:
        """Keep the refund, in its place or as the newest, or let it go if it is done."""
        self._record(refund, refund.refund_id)
        known = any(other.refund_id == refund.refund_id for other in self.state.refunds)
        kept = tuple(
            refund if other.refund_id == refund.refund_id else other for other in self.state.refunds
        )
        everyone = kept if known else (*kept, refund)
        self.update(refunds=tuple(other for other in everyone if other.ended_at_ms is None))

    # --- the end of the turn ---

    def close_trades(self) -> None:
        """Let go of trades from which nothing can move any more."""
        refunds = self.state.refunds
        due = {refund.trade_id for refund in refunds} if refunds else ()
        for trade in self.state.trades:
            if trade.funds_minor or trade.reserved_minor or trade.trade_id in due:
                continue
            self._record(replace(trade, closed_at_ms=self.now_ms), trade.trade_id)
            self.update(
                trades=tuple(
                    other for other in self.state.trades if other.trade_id != trade.trade_id
                ),
                closed_trades=(*self.state.closed_trades, trade.trade_id)[-CLOSED_TRADES_KEPT:],
            )

    def decision(self) -> Decision:
        """Return the finished decision."""
        changed = bool(
            self._records
            or self.effects
            or self.notes
            or self.transfers
            or self.goods
            or self.uses
            or self.state != self.before
        )
        if changed:
            self.state = replace(self.state, version=self.before.version + 1)
        return Decision(
            state=self.state,
            changed=changed,
            effects=tuple(self.effects),
            transfers=tuple(self.transfers),
            goods=tuple(self.goods),
            records=tuple([one for one in self._records.values() if not self._is_known(one)]),
            notes=tuple(self.notes),
            uses=tuple(self.uses),
        )

    def _is_known(self, record: Record) -> bool:
        """Return whether all that is told of a session or trade stands in its row already: most
        things that happen to them change only what the state remembers.
        """
        before = self.before
        if isinstance(record, Session):
            session = before.session
            return (
                session is not None
                and session.session_id == record.session_id
                and session.payer_id == record.payer_id
                and session.ended_at_ms == record.ended_at_ms
            )
        if isinstance(record, Trade):
            for trade in before.trades:
                if trade.trade_id == record.trade_id and _tell_the_same(trade, record):
                    return True
        return False


def _tell_the_same(one: Trade, other: Trade) -> bool:
    """Return whether nothing differs of what changes in a trade's row."""
    return (
        one.sold_minor == other.sold_minor
        and one.refunded_minor == other.refunded_minor
        and one.written_off_minor == other.written_off_minor
        and one.funds_minor + one.reserved_minor == other.funds_minor + other.reserved_minor
        and one.session_id == other.session_id
        and one.closed_at_ms == other.closed_at_ms
    )
