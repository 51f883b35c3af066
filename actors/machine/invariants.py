"""What is always true of a state and of a decision. Checked after every decision, in production
too.

A broken invariant is a defect of ours: the host halts the machine, keeps its last saved state, and
a person looks at it. Nothing is put into words here for a truth that holds: that cost more than the
check. A column, and an id among the closed trades, are not looked at again by a decision that left
them as they were: what is loaded is checked as a whole once (``actors.host.runner``), and each
decision since then has checked what it changed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from actors.machine.command import (
    COMMANDS_MAX,
    ENDED_COMMANDS_KEPT,
    LOCKING,
    OPEN,
    Command,
    CommandKind,
    CommandStatus,
)
from actors.machine.decision import Decision
from actors.machine.goods import GoodsKind, column_place
from actors.machine.goods import is_sound as is_carried
from actors.machine.ids import TradeId
from actors.machine.ledger import Account, TransferKind, is_sound
from actors.machine.locking import locked
from actors.machine.offering import contradiction as contradicted_offer
from actors.machine.state import (
    Column,
    MachineState,
    Planogram,
    Refund,
    RefundStatus,
    Trade,
    Vend,
    VendStatus,
    open_vends,
)
from actors.machine.stock import without_place
from actors.machine.with_a_person import WITH_A_PERSON

RESERVING = {VendStatus.APPROVED, VendStatus.IN_DOUBT, VendStatus.IN_REVIEW}
_OUTLIVING = {VendStatus.IN_DOUBT, VendStatus.IN_REVIEW}
_AWAITING_PAYMENT, _SUCCEEDED = VendStatus.AWAITING_PAYMENT, VendStatus.SUCCEEDED
WRITTEN_OFF = "WRITTEN_OFF"
"""The reason of a vend whose goods came after its price had gone back."""


class InvariantBroken(Exception):
    """The message is the truth that does not hold."""


def check(state: MachineState) -> None:
    """Raise InvariantBroken if the state contradicts itself."""
    _check_changed(None, state, state.columns)


def _check_planogram(state: MachineState, waiting: Planogram) -> None:
    _check_columns(waiting.columns, counted=False)
    if state.session is None and not _goods_in_the_way(state, waiting):
        raise InvariantBroken(
            "a planogram waits for the end of a session, or for goods without a place in it"
        )


def _goods_in_the_way(state: MachineState, waiting: Planogram) -> bool:
    return (
        waiting.kept_back
        and not waiting.goods_may_be_removed
        and bool(without_place(state.columns, waiting.columns))
    )


def check_decision(before: MachineState, decision: Decision) -> None:
    """Raise InvariantBroken if the decision's state contradicts itself, or if that state, its
    ledger transfers and its records do not tell the same story. ``before`` was checked.
    """
    state = decision.state
    old, new = _differing(before.columns, state.columns)
    _check_changed(before, state, new)
    if not decision.changed:
        if state != before:
            raise InvariantBroken("a decision without change keeps the state")
        return
    if state.version != before.version + 1:
        raise InvariantBroken("each decision is one version")
    for transfer in decision.transfers:
        if not is_sound(transfer):
            raise InvariantBroken(f"{transfer} is a transfer of its kind")
    if len(decision.transfers) > 1 and len(
        {(one.kind, one.cause) for one in decision.transfers}
    ) != len(decision.transfers):
        raise InvariantBroken("a cause is entered once")
    _check_prices_stayed(before, state, old, new)
    _check_trades_moved(before, decision)
    _check_locks_held(before, state)
    _check_vends_moved(before, decision)
    _check_refunds_moved(before, decision)
    _check_goods_moved(before, decision, old, new)
    _check_tests_moved(decision)
    if broken := contradicted_offer(before, decision):
        raise InvariantBroken(broken)


def _check_changed(
    before: MachineState | None, state: MachineState, columns: Sequence[Column]
) -> None:
    """Check the state, but for what is as it was before; ``columns``: all that are not."""
    _check_vends(state)
    _check_trades(state, before)
    _check_refunds(state)
    _check_columns(columns)
    _check_commands(state)
    if state.next_planogram is not None:
        _check_planogram(state, state.next_planogram)


def _differing(
    before: Sequence[Column], after: Sequence[Column]
) -> tuple[Sequence[Column], Sequence[Column]]:
    """Return the columns of both that are not the same: most are, which is seen at a glance."""
    if before is after:
        return (), ()
    if len(before) != len(after):
        return before, after
    places = [place for place, one in enumerate(after) if one is not before[place]]
    return [before[place] for place in places], [after[place] for place in places]


def _check_prices_stayed(
    before: MachineState, state: MachineState, old: Sequence[Column], new: Sequence[Column]
) -> None:
    if (
        before.session is not None
        and state.session is not None
        and before.session.session_id == state.session.session_id
        and (
            before.configuration.planogram_version != state.configuration.planogram_version
            or _shown(old) != _shown(new)
        )
    ):
        raise InvariantBroken(f"no price changes within session {state.session.session_id}")


def _check_locks_held(before: MachineState, state: MachineState) -> None:
    vend = None if state.session is None else state.session.vend
    if vend is None or not locked(state, vend.column):
        return
    approved = {one.vend_id for one in open_vends(before) if one.status in RESERVING}
    if vend.vend_id in approved:
        return
    raise InvariantBroken(f"vend {vend.vend_id} of locked column {vend.column} is denied")


def _shown(columns: Sequence[Column]) -> list[tuple[str, str, int]]:
    """Return what customers see of the columns."""
    return [(one.column, one.product, one.price_minor) for one in columns]


def _check_columns(columns: Iterable[Column], *, counted: bool = True) -> None:
    for column in columns:
        if counted and not 0 <= column.stock <= column.capacity:
            raise InvariantBroken(
                f"column {column.column} holds {column.stock} of {column.capacity}"
            )
        if column.price_minor <= 0:
            raise InvariantBroken(f"column {column.column} has a price")


def _check_vends(state: MachineState) -> None:
    for vend in open_vends(state):
        reserved = 0
        for part in vend.reserved:
            reserved += part.amount_minor
            if part.amount_minor <= 0:
                raise InvariantBroken(f"vend {vend.vend_id} reserves nothing below one unit")
        if vend.status is _AWAITING_PAYMENT:
            if reserved:
                raise InvariantBroken(
                    f"vend {vend.vend_id} waits for its payment and reserves nothing"
                )
            continue
        if vend.status not in RESERVING:
            raise InvariantBroken(f"vend {vend.vend_id} is open, not {vend.status}")
        if reserved != vend.price_minor:
            raise InvariantBroken(
                f"vend {vend.vend_id} reserves {reserved} of its price {vend.price_minor}"
            )
    for vend in state.doubts:
        if vend.status not in _OUTLIVING:
            raise InvariantBroken("only vends in doubt or in review outlive their session")


def _check_commands(state: MachineState) -> None:
    if not (state.commands or state.ended_commands):
        return
    locking = sum(one.kind in LOCKING for one in state.commands)
    most = max(locking, len(state.commands) - locking)
    if most > COMMANDS_MAX or len(state.ended_commands) > ENDED_COMMANDS_KEPT:
        raise InvariantBroken("no more commands are remembered than there may be")
    tests = 0
    for command in state.commands:
        if command.status not in OPEN:
            raise InvariantBroken(f"command {command.command_id} is open, not {command.status}")
        tests += command.kind is CommandKind.TEST_VEND and command.status is CommandStatus.SENT
    if tests > 1:
        raise InvariantBroken("one test vend is out at a time")


def _check_trades(state: MachineState, before: MachineState | None) -> None:
    """``before``: which trades are closed is asked of those only that were not open in it."""
    reserved: dict[TradeId, int] = {}
    for vend in open_vends(state):
        for part in vend.reserved:
            reserved[part.trade_id] = reserved.get(part.trade_id, 0) + part.amount_minor
    trade_ids = {trade.trade_id for trade in state.trades}
    if not reserved.keys() <= trade_ids:
        raise InvariantBroken("reservations stand on open trades")
    if len(trade_ids) != len(state.trades):
        raise InvariantBroken("a trade is kept once")
    if _may_be_closed(trade_ids, state, before) and not trade_ids.isdisjoint(state.closed_trades):
        raise InvariantBroken("a trade is open or closed, not both")
    session_id = None if state.session is None else state.session.session_id
    for trade in state.trades:
        funds, held, sold = trade.funds_minor, trade.reserved_minor, trade.sold_minor
        refunded, written_off = trade.refunded_minor, trade.written_off_minor
        if funds < 0 or held < 0 or sold < 0 or refunded < 0 or written_off < 0:
            raise InvariantBroken(f"trade {trade.trade_id} owes nobody: {_PARTS(trade)}")
        if funds + held + sold + refunded + written_off != trade.paid_minor:
            raise InvariantBroken(f"trade {trade.trade_id} is the sum of its parts {_PARTS(trade)}")
        if reserved.get(trade.trade_id, 0) != trade.reserved_minor:
            raise InvariantBroken(f"trade {trade.trade_id} knows its reservations")
        if trade.funds_minor and not trade.session_id == session_id is not None:
            raise InvariantBroken(
                f"trade {trade.trade_id} has free funds only in its own open session"
            )


def _may_be_closed(
    open_now: set[TradeId], state: MachineState, before: MachineState | None
) -> bool:
    """Tell whether one was opened, or one closed, since ``before``."""
    if before is None or state.closed_trades is not before.closed_trades:
        return True
    return not open_now <= {trade.trade_id for trade in before.trades}


def _check_refunds(state: MachineState) -> None:
    if not state.refunds:
        return
    trades: dict[TradeId, Trade] = {trade.trade_id: trade for trade in state.trades}
    due: Counter[TradeId] = Counter()
    if len({refund.refund_id for refund in state.refunds}) != len(state.refunds):
        raise InvariantBroken("a refund is kept once")
    for refund in state.refunds:
        if broken := _contradiction(refund):
            raise InvariantBroken(broken)
        if refund.trade_id not in trades:
            raise InvariantBroken(f"refund {refund.refund_id} belongs to an open trade")
        due[refund.trade_id] += refund.amount_minor
    for trade_id, amount_minor in due.items():
        if amount_minor > trades[trade_id].refunded_minor:
            raise InvariantBroken(f"trade {trade_id} knows its refunds")


def _contradiction(refund: Refund) -> str:
    """Return what does not hold of an open refund by itself, '' if all does."""
    if refund.amount_minor <= 0:
        return f"refund {refund.refund_id} gives something back"
    if refund.status is RefundStatus.SUCCEEDED:
        return f"refund {refund.refund_id} is not done"
    persons = refund.status in WITH_A_PERSON
    if refund.proposal is not None and not persons:
        return f"refund {refund.refund_id} may be written off only if it is a person's"
    if refund.asked_by_person and not persons:
        return f"refund {refund.refund_id} is asked after for a person only while it is theirs"
    return ""


# --- the ledger and the change of the state ---

_RESERVED_FOR, _DUE = Account.RESERVED, Account.REFUND_DUE
_SETTLE, _WRITE_OFF = TransferKind.SETTLE, TransferKind.WRITE_OFF
_SOLD, _SOLD_LATE = GoodsKind.SOLD, GoodsKind.VEND_WRITTEN_OFF
_PARTS = attrgetter(
    "paid_minor",
    "funds_minor",
    "reserved_minor",
    "sold_minor",
    "refunded_minor",
    "written_off_minor",
)
"""What was paid, and where it is."""
_PAID, _FUNDS, _RESERVED, _SALES, _REFUNDED, _WRITTEN_OFF = range(6)
_MOVES: Mapping[TransferKind, tuple[int, int]] = {
    TransferKind.TOP_UP: (_PAID, _FUNDS),
    TransferKind.RESERVE: (_FUNDS, _RESERVED),
    TransferKind.RETURN: (_RESERVED, _FUNDS),
    TransferKind.SETTLE: (_RESERVED, _SALES),
    TransferKind.GOODWILL: (_SALES, _FUNDS),
    TransferKind.REFUND_ASKED: (_FUNDS, _REFUNDED),
    TransferKind.REFUND_GIVEN_UP: (_REFUNDED, _WRITTEN_OFF),
}
"""From which of these parts of its trade to which each kind moves money: CUSTOMER_FUNDS, RESERVED,
SALES, and what goes back or was given up. What is paid counts below zero, so that all sum to zero.
What is due back is the trade's until it is given up, also when it is done.
"""


def _check_trades_moved(before: MachineState, decision: Decision) -> None:
    """The ledger's movement of each trade's money, on every account, equals the state's.

    Of a trade that was closed and is opened again, the state before tells only that nothing was
    held; what was sold and returned of it before is known to SQL (``trades_equal_the_ledger``).
    """
    moved: dict[str, list[int]] = {}
    for transfer in decision.transfers:
        if (parts := _MOVES.get(transfer.kind)) is not None:
            change = moved.get(transfer.trade_id)
            if change is None:
                change = moved[transfer.trade_id] = [0, 0, 0, 0, 0, 0]
            change[parts[0]] -= transfer.amount_minor
            change[parts[1]] += transfer.amount_minor
    if not moved and before.trades is decision.state.trades:
        return
    old: dict[str, Trade] = {trade.trade_id: trade for trade in before.trades}
    new: dict[str, Trade] = {}
    for record in decision.records:
        if isinstance(record, Trade):
            new[record.trade_id] = record
    for trade in decision.state.trades:
        new[trade.trade_id] = trade
    for trade_id in {*old, *new, *moved}:
        _check_trade(old.get(trade_id), new.get(trade_id), moved.get(trade_id))


def _check_trade(was: Trade | None, now: Trade | None, moved: list[int] | None) -> None:
    if was is now and moved is None:
        return
    if now is None:
        raise InvariantBroken(f"trade {was and was.trade_id} is kept, or recorded as closed")
    if was is not None:
        change = [
            was.paid_minor - now.paid_minor,
            now.funds_minor - was.funds_minor,
            now.reserved_minor - was.reserved_minor,
            now.sold_minor - was.sold_minor,
            now.refunded_minor - was.refunded_minor,
            now.written_off_minor - was.written_off_minor,
        ]
    else:
        paid_minor, *parts = _PARTS(now)
        change = [-paid_minor, *parts]
    moved = moved or [0, 0, 0, 0, 0, 0]
    if was is None and moved[_PAID] == 0:
        change, moved = change[_FUNDS:_SALES], moved[_FUNDS:_SALES]
    if change != moved:
        raise InvariantBroken(
            f"the ledger moves {moved} of trade {now.trade_id}, the state {change}"
        )


def _reserved(state: MachineState) -> dict[str, int]:
    found: dict[str, int] = {}
    for vend in open_vends(state):
        for part in vend.reserved:
            found[vend.vend_id] = found.get(vend.vend_id, 0) + part.amount_minor
    return found


def _check_vends_moved(before: MachineState, decision: Decision) -> None:
    """What is reserved for each vend, which vends are sold, and which goods are written off, is so
    in the ledger too.
    """
    expected = _reserved(before)
    written_off: dict[str, int] = {}
    sold: set[str] = set()
    for transfer in decision.transfers:
        if transfer.credit_account is _RESERVED_FOR:
            vend_id, amount_minor = transfer.credit_reference, transfer.amount_minor
        elif transfer.debit_account is _RESERVED_FOR:
            vend_id, amount_minor = transfer.debit_reference, -transfer.amount_minor
            if transfer.kind is _SETTLE:
                sold.add(vend_id)
        else:
            if transfer.kind is _WRITE_OFF:
                written_off[transfer.cause] = transfer.amount_minor
            continue
        expected[vend_id] = expected.get(vend_id, 0) + amount_minor
        if not expected[vend_id]:
            del expected[vend_id]
    held = _reserved(decision.state)
    if held != expected:
        raise InvariantBroken(f"the ledger holds {expected} for vends, the state {held}")
    said: set[str] = set()
    late: dict[str, int] = {}
    for record in decision.records:
        if isinstance(record, Vend) and record.status is _SUCCEEDED:
            if record.reason == WRITTEN_OFF:
                late[record.vend_id] = record.price_minor
            else:
                said.add(record.vend_id)
    if sold != said:
        raise InvariantBroken(f"the ledger sells vends {sold}, their records {said}")
    if written_off != late:
        raise InvariantBroken(f"the ledger writes off {written_off} of goods, the vends {late}")
    if not said and not late and not decision.goods:
        return
    sold_items = [move.cause for move in decision.goods if move.kind is _SOLD]
    late_items = [move.cause for move in decision.goods if move.kind is _SOLD_LATE]
    if len(sold_items) != len(said) or set(sold_items) != said:
        raise InvariantBroken(f"one item each is {_SOLD} by the vends {sold_items}, not {said}")
    if len(late_items) != len(late) or set(late_items) != late.keys():
        raise InvariantBroken(f"one item each is {_SOLD_LATE} by {late_items}, not {late}")


def _check_goods_moved(
    before: MachineState, decision: Decision, old: Sequence[Column], new: Sequence[Column]
) -> None:
    """What goods moved into and out of each column is the change of its stock, product by
    product. ``old`` and ``new``: the columns that are not what they were.
    """
    if not decision.goods and not old and not new:
        return
    change: dict[tuple[str, str], int] = {}
    for columns, sign in ((old, -1), (new, 1)):
        for one in columns:
            key = (one.column, one.product)
            change[key] = change.get(key, 0) + sign * one.stock
    for move in decision.goods:
        if not is_carried(move):
            raise InvariantBroken(f"{move} carries something from one place to another")
        place = column_place(before.machine_id, move.column)
        key = (move.column, move.product)
        if move.to_place == place:
            change[key] = change.get(key, 0) - move.quantity
        elif move.from_place == place:
            change[key] = change.get(key, 0) + move.quantity
    if any(change.values()):
        left = {key: items for key, items in change.items() if items}
        raise InvariantBroken(f"stock changed by {left} beside the moves of goods")


def _check_tests_moved(decision: Decision) -> None:
    """An item of each test vend that dropped one left for it, and of no other command. What a
    person took out to be tested is moved beside them.
    """
    for command in decision.records:
        if isinstance(command, Command):
            moved = [move.cause for move in decision.goods if move.kind is GoodsKind.TESTED]
            if moved.count(command.command_id) != int(command.dropped):
                raise InvariantBroken(f"command {command.command_id} moved its item once, if any")


_LAST_OF = {
    RefundStatus.SUCCEEDED: TransferKind.REFUND_CONFIRMED,
    RefundStatus.WRITTEN_OFF: TransferKind.REFUND_GIVEN_UP,
}


def _check_refunds_moved(before: MachineState, decision: Decision) -> None:
    """What is due under each refund is due in the ledger too, and leaves it as the refund ends:
    back to the customer, or given up.
    """
    if not decision.transfers and before.refunds is decision.state.refunds:
        return
    asked: dict[str, int] = {}
    over: dict[str, tuple[TransferKind, int, str]] = {}
    for transfer in decision.transfers:
        if transfer.credit_account is _DUE:
            asked[transfer.credit_reference] = transfer.amount_minor
        elif transfer.debit_account is _DUE:
            over[transfer.debit_reference] = (
                transfer.kind,
                transfer.amount_minor,
                transfer.trade_id,
            )
    if not asked and not over and before.refunds is decision.state.refunds:
        return
    old: dict[str, int] = {one.refund_id: one.amount_minor for one in before.refunds}
    new: dict[str, int] = {one.refund_id: one.amount_minor for one in decision.state.refunds}
    for refund_id in old.keys() | new.keys() | asked.keys() | over.keys():
        change = new.get(refund_id, 0) - old.get(refund_id, 0)
        said = asked.get(refund_id, 0) - (over[refund_id][1] if refund_id in over else 0)
        if change != said:
            raise InvariantBroken(
                f"the ledger moves {said} due under refund {refund_id}, the state {change}"
            )
    ended = {
        record.refund_id: (_LAST_OF[record.status], record.amount_minor, record.trade_id)
        for record in decision.records
        if isinstance(record, Refund) and record.status in _LAST_OF
    }
    if over != ended:
        raise InvariantBroken(f"the ledger ends refunds by {over}, their records by {ended}")
