"""Decisions → rows. Pure. Each row's values stand in the order of its table's columns; tests hold
the two together.

A digest follows on one that only the transaction knows. It stands last in its row and is put there
by ``chained``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from actors.machine import code_calls
from actors.machine.code import trouble
from actors.machine.command import Command
from actors.machine.decision import Decision, Record
from actors.machine.goods import GoodsMove
from actors.machine.ids import MachineId, SessionId
from actors.machine.incident import Incident
from actors.machine.ledger import Account
from actors.machine.state import Alarm, MachineState, Refund, Session, Trade, Vend, phase
from actors.ports import Change
from storage import codec
from storage.books import chain
from storage.database.prepared import Row
from storage.machines.offer_uses import UseToCount
from storage.tables.transfers import kept

DAY_MS = 86_400_000
"""Balances are kept for each day of UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """Under which partition and epoch a machine's rows are written."""

    partition: int
    epoch: int


@dataclass(slots=True)
class BatchRows:
    """The rows of a batch, by table. Records and states are keyed: the last form within the batch
    is the one to write.
    """

    journal: list[Row] = field(default_factory=list)
    contents: list[str] = field(default_factory=list)
    """Of each row of the journal, what its digest is made of (``storage.books.chain``)."""
    transfers: list[Row] = field(default_factory=list)
    moved: dict[tuple[MachineId, int, Account], list[int]] = field(default_factory=dict)
    """What the transfers debit and credit, by machine, day and account."""
    goods: list[Row] = field(default_factory=list)
    currencies: dict[MachineId, str] = field(default_factory=dict)
    states: dict[MachineId, Row] = field(default_factory=dict)
    sessions: dict[str, Row] = field(default_factory=dict)
    vends: dict[str, Row] = field(default_factory=dict)
    trades: dict[str, Row] = field(default_factory=dict)
    refunds: dict[str, Row] = field(default_factory=dict)
    alarms: dict[str, Row] = field(default_factory=dict)
    incidents: dict[str, Row] = field(default_factory=dict)
    commands: dict[str, Row] = field(default_factory=dict)
    taken: list[Row] = field(default_factory=list)
    uses: list[UseToCount] = field(default_factory=list)
    recovered: list[MachineId] = field(default_factory=list)

    def balances(self) -> list[Row]:
        """Return what is to be added to the balances."""
        return [
            (machine_id, day, account.value, debit_minor, credit_minor, self.currencies[machine_id])
            for (machine_id, day, account), (debit_minor, credit_minor) in self.moved.items()
        ]


def batch_rows(changes: Sequence[Change], owned: dict[MachineId, Owned]) -> BatchRows:
    """Return all rows that these changes write."""
    rows = BatchRows()
    last: dict[MachineId, Change] = {}
    for change in changes:
        if change.inbox_id is not None:
            rows.taken.append((change.now_ms, change.decision.state.version, change.inbox_id))
        if change.recovers:
            rows.recovered.append(change.machine_id)
        if change.decision.changed:
            _add(rows, change, owned[change.machine_id])
            last[change.machine_id] = change
    for machine_id, change in last.items():
        rows.states[machine_id] = _state_row(change, owned[machine_id])
    return rows


def chained(rows: BatchRows, saved: Mapping[MachineId, str]) -> tuple[list[Row], list[Row]]:
    """Return the rows of the journal and of the states with their digests; ``saved``: each
    machine's newest digest, if it has one.
    """
    heads = dict(saved)
    lines: list[Row] = []
    for line, content in zip(rows.journal, rows.contents, strict=True):
        machine_id: MachineId = line[0]
        head = heads[machine_id] = chain.digest(heads.get(machine_id, ""), content)
        lines.append((*line, head))
    return lines, [(*row, heads[machine_id]) for machine_id, row in rows.states.items()]


def is_active(state: MachineState) -> bool:
    """Tell whether something is open that the owner must see to even if nothing ever arrives again;
    a stream that is up may be gone.
    """
    return bool(
        state.link.online or state.session or state.refunds or state.doubts or state.commands
    ) or not code_calls.rests(state.code)


def session_of(decision: Decision) -> SessionId | None:
    """Return the session whose story the decision belongs to."""
    for record in decision.records:
        match record:
            case Session() | Vend() | Trade() if record.session_id is not None:
                return record.session_id
            case _:
                pass
    for record in decision.records:
        if isinstance(record, Refund):
            # Its trade is still open; what goes back belongs to the trade's own session, not to
            # whoever stands there now.
            return next(
                (
                    trade.session_id
                    for trade in decision.state.trades
                    if trade.trade_id == record.trade_id
                ),
                None,
            )
    return None if decision.state.session is None else decision.state.session.session_id


def _add(rows: BatchRows, change: Change, owned: Owned) -> None:
    decision, event = change.decision, change.event
    state = decision.state
    line = (
        change.machine_id,
        state.version,
        owned.partition,
        owned.epoch,
        change.now_ms,
        codec.event_kind(event),
        session_of(decision),
        codec.encode_orders(decision.effects),
        codec.encode_lines(decision.notes),
        codec.encode_body(event),
    )
    transfers = _transfers(change)
    rows.journal.append(line)
    rows.contents.append(chain.line_content(line, transfers))
    rows.transfers += map(kept, transfers)
    if transfers:
        _add_up(rows, change)
    if decision.goods:
        rows.goods += [_goods_row(change, move) for move in decision.goods]
    for record in decision.records:
        _add_record(rows, record, change.machine_id, state.currency)
    for use in decision.uses:
        rows.uses.append(UseToCount(machine_id=change.machine_id, at_ms=change.now_ms, use=use))


def _transfers(change: Change) -> list[Row]:
    state = change.decision.state
    return [
        (
            change.machine_id,
            state.version,
            line,
            change.now_ms,
            transfer.kind.value,
            transfer.cause,
            transfer.debit_account.value,
            transfer.debit_reference,
            transfer.credit_account.value,
            transfer.credit_reference,
            transfer.trade_id,
            transfer.amount_minor,
            state.currency,
        )
        for line, transfer in enumerate(change.decision.transfers)
    ]


def _goods_row(change: Change, move: GoodsMove) -> Row:
    return (
        change.now_ms,
        move.kind.value,
        move.cause,
        move.product,
        move.quantity,
        move.from_place,
        move.to_place,
        change.machine_id,
        change.decision.state.version,
        move.lot,
        _plain(move.visit),
        move.reverses,
        move.happened_at_ms,
        _plain(move.actor),
        _plain(move.reason),
    )


def _add_up(rows: BatchRows, change: Change) -> None:
    machine_id, day = change.machine_id, change.now_ms // DAY_MS
    rows.currencies[machine_id] = change.decision.state.currency
    for transfer in change.decision.transfers:
        debit = rows.moved.setdefault((machine_id, day, transfer.debit_account), [0, 0])
        debit[0] += transfer.amount_minor
        credit = rows.moved.setdefault((machine_id, day, transfer.credit_account), [0, 0])
        credit[1] += transfer.amount_minor


def _add_record(rows: BatchRows, record: Record, machine_id: MachineId, currency: str) -> None:
    match record:
        case Session():
            rows.sessions[record.session_id] = session_row(record, machine_id, currency)
        case Vend():
            rows.vends[record.vend_id] = vend_row(record, machine_id, currency)
        case Trade():
            rows.trades[record.trade_id] = trade_row(record, machine_id, currency)
        case Refund():
            rows.refunds[record.refund_id] = refund_row(record, machine_id, currency)
        case Alarm():
            rows.alarms[record.alarm_id] = alarm_row(record, machine_id)
        case Incident():
            rows.incidents[record.incident_id] = incident_row(record, machine_id)
        case Command():
            rows.commands[record.command_id] = command_row(record, machine_id)
        case _:
            assert_never(record)


def _state_row(change: Change, owned: Owned) -> Row:
    state = change.decision.state
    encoded = codec.encode_state(state)
    return (
        change.machine_id,
        owned.partition,
        owned.epoch,
        state.version,
        state.configuration.revision,
        is_active(state),
        phase(state).value,
        state.link.online,
        change.now_ms,
        state.code.differs_since_ms,
        trouble(state.code),
        state.link.planogram_version,
        encoded.format,
        encoded.body,
    )


def session_row(session: Session, machine_id: MachineId, currency: str) -> Row:
    """Return a row of ``sessions``."""
    return (
        session.session_id,
        machine_id,
        "OPEN" if session.ended_at_ms is None else "ENDED",
        session.mode.value,
        "" if session.end_reason is None else session.end_reason.value,
        currency,
        session.payer_id,
        session.started_at_ms,
        session.ended_at_ms,
    )


def vend_row(vend: Vend, machine_id: MachineId, currency: str) -> Row:
    """Return a row of ``vends``."""
    return (
        vend.vend_id,
        machine_id,
        vend.session_id,
        _plain(vend.request_id),
        vend.column,
        vend.product,
        vend.price_minor,
        currency,
        vend.status.value,
        _plain(vend.reason),
        vend.requested_at_ms,
        vend.ended_at_ms,
        _plain(vend.evidence),
        vend.discount_minor,
        vend.offer,
    )


def trade_row(trade: Trade, machine_id: MachineId, currency: str) -> Row:
    """Return a row of ``trades``."""
    return (
        trade.trade_id,
        machine_id,
        trade.session_id,
        trade.partner_trans_id,
        trade.payer_id,
        "OPEN" if trade.closed_at_ms is None else "CLOSED",
        currency,
        trade.paid_minor,
        trade.sold_minor,
        trade.refunded_minor,
        trade.written_off_minor,
        trade.funds_minor + trade.reserved_minor,
        trade.received_at_ms,
        trade.closed_at_ms,
    )


def refund_row(refund: Refund, machine_id: MachineId, currency: str) -> Row:
    """Return a row of ``refunds``."""
    proposal = refund.proposal
    return (
        refund.refund_id,
        machine_id,
        refund.trade_id,
        refund.partner_trans_id,
        refund.amount_minor,
        currency,
        refund.cause.value,
        refund.status.value,
        refund.attempts,
        refund.due_at_ms,
        refund.next_attempt_at_ms,
        refund.ended_at_ms,
        None if proposal is None else proposal.at_ms,
        None if proposal is None else _plain(proposal.actor),
        None if proposal is None else _plain(proposal.reason),
        _plain(refund.error),
    )


def alarm_row(alarm: Alarm, machine_id: MachineId) -> Row:
    """Return a row of ``machine_alarms``."""
    return (
        alarm.alarm_id,
        machine_id,
        alarm.kind.value,
        _plain(alarm.subject),
        alarm.times,
        alarm.since_at_ms,
        alarm.last_at_ms,
        _plain(alarm.detail),
    )


def incident_row(incident: Incident, machine_id: MachineId) -> Row:
    """Return a row of ``incidents``."""
    return (
        incident.incident_id,
        machine_id,
        incident.code,
        _plain(incident.column),
        _plain(incident.detail),
        incident.times,
        incident.opened_at_ms,
        incident.last_at_ms,
        incident.ended_at_ms,
        "" if incident.end is None else incident.end.value,
        _plain(incident.ended_by),
        _plain(incident.reason),
    )


def command_row(command: Command, machine_id: MachineId) -> Row:
    """Return a row of ``machine_commands``."""
    return (
        command.command_id,
        machine_id,
        command.kind.value,
        command.column,
        command.show_for_ms,
        command.status.value,
        _plain(command.ordered_by),
        command.ordered_at_ms,
        command.expires_at_ms,
        command.sent_at_ms,
        command.ended_at_ms,
        command.dropped,
        _plain(command.detail),
        _plain(command.evidence),
        codec.encode_report(command.report),
    )


def _plain(text: str) -> str:
    """Return the text without NUL, which a machine may send and PostgreSQL does not keep."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}") if "\x00" in text else text
