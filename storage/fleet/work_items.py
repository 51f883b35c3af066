"""What waits for a person, as one list over eleven tables, oldest first; each of them is read
through an index and never further than a page.

An item is not a row of its own: it is there as long as what it is made of is as it is, and so can
neither be forgotten nor linger. What only a person can end for good, because nothing of ours
changes by it, is stepped over once somebody has closed it (``storage.fleet.closings``).
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Row,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
)

from actors.machine.events import RefundSucceeded, TopUpPaid
from actors.machine.state import AlarmKind, RefundStatus, VendStatus
from actors.ports import CodeStop
from storage import codec
from storage.fleet import (
    doubled_items,
    halted_money,
    loadings,
    positions,
    readout_items,
    tag_items,
)
from storage.fleet.item_branches import LIMIT, Branch, columns
from storage.fleet.views import WorkItemKind, WorkItemView
from storage.fleet.wrong_clocks import IS_THE_FIRST, in_words
from storage.item_ids import (
    ALARM_ITEM,
    CLOCK_ITEM,
    CODE_ITEM,
    DIFFERENCE_ITEM,
    INBOX_ITEM,
    LOADING_ITEM,
    MACHINE_ITEM,
    REFUND_ITEM,
    VEND_ITEM,
    not_closed,
)
from storage.machines.halts import CODE_IN_WORDS
from storage.machines.inbox import TOLD_AMOUNT_MINOR, TOLD_CURRENCY, told_in_words
from storage.reconciliation.runs import DifferenceStatus
from storage.tables import (
    IS_CONFLICT,
    IS_REFUSED,
    goods_balances,
    goods_moves,
    inbox,
    machine_alarms,
    machine_halts,
    machine_states,
    reconciliation_differences,
    refunds,
    vends,
    wrong_clocks,
)
from storage.tables.records import in_status

OVERDUE_AFTER_MS = 86_400_000
"""A refund that goes on by itself is shown to people after this."""
ACCEPTED_OVERDUE_AFTER_MS = 2 * OVERDUE_AFTER_MS
"""One that Alipay accepted after this: it does it in the batch of a night (docs/alipay.md 5.3)."""
_payment = inbox.alias("payment")
_ABOUT_A_PAYMENT = ("unconfirmed", "query_says_unpaid")
"""Repetitions of a payment that is booked may be put aside for these: Alipay was away when it was
asked, or the money went back since. They tell nothing new.
"""
_PAYMENT_CAME_AFTER_ALL = (
    exists()
    .where(
        _payment.c.cause == literal("payment:") + inbox.c.trade_id,
        _payment.c.machine_id == inbox.c.machine_id,
        or_(
            _payment.c.id > inbox.c.id,
            *(inbox.c.cause.startswith(f"refused:{why}:") for why in _ABOUT_A_PAYMENT),
        ),
    )
    .correlate(inbox)
)
"""Of what was put aside: a repetition fitted, or the daily file told of it, so that its money is in
our books. What came after the payment tells something else. One look at a key for each.
"""
_SLOW = [
    RefundStatus.UNKNOWN.value,
    RefundStatus.SHORT_OF_FUNDS.value,
    RefundStatus.DUE.value,
    RefundStatus.ACCEPTED.value,
]


_NOW = bindparam("now_ms", type_=BigInteger)
Asked = tuple[Select[Any], Mapping[str, object]]
"""A query and what it is asked with. To put a query of so many tables together takes longer than to
run it, so each is put together once.
"""


def page(*, machine_id: str, kinds: Collection[str], after: str, limit: int, now_ms: int) -> Asked:
    """Return the query for a page; ``kinds`` are words of WorkItemKind, none asks for all. Raises
    InvalidPosition.
    """
    given: dict[str, object] = {"now_ms": now_ms, "limit": limit}
    if machine_id:
        given["machine_id"] = machine_id
    if after:
        given["after_ms"], given["after_item"] = positions.parse(after)
    wanted = frozenset(kinds)
    return _page(wanted, of_machine=bool(machine_id), goes_on=bool(after)), given


@lru_cache(maxsize=32)
def _page(kinds: frozenset[str], *, of_machine: bool, goes_on: bool) -> Select[Any]:
    pages = [
        branch.page(of_machine=of_machine, goes_on=goes_on).subquery()
        for branch in _branches()
        if not kinds or branch.kind in kinds
    ]
    together = union_all(*(select(one) for one in pages)).subquery()
    first = select(together).order_by(together.c.since_at_ms, together.c.item_id)
    return first.limit(LIMIT)


def one(item_id: str, *, now_ms: int) -> Asked:
    """Return the query for the item of this name, if it waits."""
    return _one(), {"now_ms": now_ms, "item_id": item_id}


@cache
def _one() -> Select[Any]:
    name = bindparam("item_id", type_=String)
    named = (branch.items().where(branch.item_id == name).subquery() for branch in _branches())
    return select(union_all(*(select(each) for each in named)).subquery()).limit(1)


@cache
def gauges() -> Sequence[Select[*tuple[Any, ...]]]:
    """Return the queries for how many items of each kind there are, 0 too; each is asked with
    ``now_ms``.
    """
    return [branch.counted() for branch in _branches()]


def work_item_view(row: Row[Any]) -> WorkItemView:
    """Return one row of ``page``."""
    kind = WorkItemKind(row.kind)
    amount_minor, currency, refund_id, reason, advice = (
        row.amount_minor,
        row.currency,
        row.refund_id,
        row.reason,
        row.advice,
    )
    match kind:
        case WorkItemKind.PAYMENT_CONFLICT:
            told, _, _ = reason.removeprefix("conflict:").rpartition(":")
            reason = (
                f"{told} was told again with other content; the first telling counts, nothing was "
                "done on this one"
            )
            match codec.decode_event(row.told) if row.told else None:
                case TopUpPaid() as paid:
                    amount_minor, currency = paid.amount_minor, paid.currency
                case RefundSucceeded() as refunded:
                    refund_id = refunded.refund_id
                case _:
                    pass
        case WorkItemKind.NOTIFICATION_REFUSED:
            why = reason.split(":")[1]
            fields = codec.decode_fields(row.told)
            reason = (
                f"{why}: Alipay signed it and it does not fit; it was put aside, and nothing was "
                f"booked; it says {told_in_words(fields)}"
            )
            amount_minor, currency = (
                int(fields.get(TOLD_AMOUNT_MINOR, "0")),
                fields.get(TOLD_CURRENCY, currency),
            )
        case WorkItemKind.REFUND_REFUSED | WorkItemKind.REFUND_UNRESOLVED if row.proposed_by:
            reason = f"{reason}; {row.proposed_by} proposed to write it off: {row.proposed_reason}"
        case WorkItemKind.MACHINE_HALTED:
            waiting, _, code_stop = advice.partition(" ")
            advice = f"{waiting} payments wait for it, and {CODE_IN_WORDS[CodeStop(code_stop)]}"
        case WorkItemKind.CLOCK_WRONG:
            reason = in_words(int(reason))
        case WorkItemKind.LOADING_UNFINISHED:
            reason, advice = f"{reason}: {loadings.in_words(advice)}", ""
        case _:
            pass
    return WorkItemView(
        position=positions.position(row.since_at_ms, row.item_id),
        item_id=row.item_id,
        kind=kind,
        machine_id=row.machine_id,
        trade_id=row.trade_id,
        refund_id=refund_id,
        vend_id=row.vend_id,
        amount_minor=amount_minor,
        currency=currency or "",
        reason=": ".join(part for part in (row.status, reason) if part),
        since_at_ms=row.since_at_ms,
        advice=advice,
        proposed_by=row.proposed_by,
    )


@cache
def _branches() -> Sequence[Branch]:
    of_refund = {"trade_id": refunds.c.trade_id, "refund_id": refunds.c.refund_id}
    return [
        *(
            Branch(
                kind=kind,
                table=refunds,
                since=refunds.c.due_at_ms,
                item_id=REFUND_ITEM,
                where=(in_status(refunds, [status.value]),),
                columns=columns(
                    amount_minor=refunds.c.amount_minor,
                    reason=refunds.c.error,
                    proposed_by=func.coalesce(refunds.c.proposed_by, ""),
                    proposed_reason=func.coalesce(refunds.c.proposed_reason, ""),
                    **of_refund,
                ),
            )
            for kind, status in (
                (WorkItemKind.REFUND_REFUSED, RefundStatus.REFUSED),
                (WorkItemKind.REFUND_UNRESOLVED, RefundStatus.UNRESOLVED),
            )
        ),
        Branch(
            kind=WorkItemKind.REFUND_OVERDUE,
            table=refunds,
            since=refunds.c.due_at_ms,
            item_id=REFUND_ITEM,
            where=(
                in_status(refunds, _SLOW),
                or_(
                    and_(
                        refunds.c.status != RefundStatus.ACCEPTED.value,
                        refunds.c.due_at_ms < _NOW - OVERDUE_AFTER_MS,
                    ),
                    refunds.c.due_at_ms < _NOW - ACCEPTED_OVERDUE_AFTER_MS,
                ),
            ),
            columns=columns(
                amount_minor=refunds.c.amount_minor,
                status=refunds.c.status,
                reason=refunds.c.error,
                **of_refund,
            ),
        ),
        Branch(
            kind=WorkItemKind.VEND_IN_REVIEW,
            table=vends,
            since=vends.c.requested_at_ms,
            item_id=VEND_ITEM,
            where=(in_status(vends, [VendStatus.IN_REVIEW.value]),),
            columns=columns(
                vend_id=vends.c.vend_id,
                amount_minor=vends.c.price_minor,
                status=vends.c.reason,
                reason=vends.c.evidence,
            ),
        ),
        _of_inbox(WorkItemKind.PAYMENT_CONFLICT, IS_CONFLICT, inbox.c.event),
        _of_inbox(
            WorkItemKind.NOTIFICATION_REFUSED, IS_REFUSED, inbox.c.fields, ~_PAYMENT_CAME_AFTER_ALL
        ),
        _differences(),
        Branch(
            kind=WorkItemKind.MACHINE_HALTED,
            table=machine_halts,
            since=machine_halts.c.halted_at_ms,
            item_id=MACHINE_ITEM,
            where=(),
            columns=columns(
                amount_minor=halted_money.money(),
                status=machine_halts.c.fact,
                reason=machine_halts.c.error,
                advice=cast(halted_money.waiting(func.count()).scalar_subquery(), String)
                + literal(" ")
                + machine_halts.c.code_stop,
            ),
        ),
        Branch(
            kind=WorkItemKind.MACHINE_ALARM,
            table=machine_alarms,
            since=machine_alarms.c.since_at_ms,
            item_id=ALARM_ITEM,
            where=(not_closed(ALARM_ITEM),),
            columns=columns(
                amount_minor=literal(0),
                status=machine_alarms.c.kind,
                reason=_with_times(),
                vend_id=case(
                    (
                        machine_alarms.c.kind == AlarmKind.VEND_CONTRADICTED.value,
                        machine_alarms.c.subject,
                    ),
                    else_="",
                ),
            ),
        ),
        _wrong_clock(),
        Branch(
            kind=WorkItemKind.LOADING_UNFINISHED,
            table=goods_balances,
            since=goods_moves.c.at_ms,
            item_id=LOADING_ITEM,
            where=(
                *loadings.IS_UNFINISHED,
                goods_moves.c.at_ms < _NOW - loadings.UNFINISHED_AFTER_MS,
            ),
            machine_id=goods_moves.c.machine_id,
            columns=columns(
                amount_minor=literal(0), reason=loadings.SAID, advice=goods_moves.c.cause
            ),
        ),
        Branch(
            kind=WorkItemKind.CODE_REFUSED,
            table=machine_states,
            since=machine_states.c.code_differs_since_ms,
            item_id=CODE_ITEM,
            where=(
                machine_states.c.code_differs_since_ms.is_not(None),
                machine_states.c.code_trouble != "",
            ),
            columns=columns(amount_minor=literal(0), reason=machine_states.c.code_trouble),
        ),
        readout_items.branch(),
        doubled_items.branch(),
        tag_items.branch(),
    ]


def _wrong_clock() -> Branch:
    return Branch(
        kind=WorkItemKind.CLOCK_WRONG,
        table=wrong_clocks,
        since=wrong_clocks.c.since_at_ms,
        item_id=CLOCK_ITEM,
        where=(IS_THE_FIRST,),
        machine_id=literal(""),
        currency=literal(""),
        columns=columns(
            amount_minor=literal(0),
            status=wrong_clocks.c.teller,
            reason=cast(wrong_clocks.c.ahead_ms, String),
        ),
    )


def _of_inbox(
    kind: WorkItemKind,
    condition: str,
    told: ColumnElement[Any],
    *more: ColumnElement[bool],
) -> Branch:
    return Branch(
        kind=kind,
        table=inbox,
        since=inbox.c.received_at_ms,
        item_id=INBOX_ITEM,
        where=(text(condition), not_closed(INBOX_ITEM), *more),  # type: ignore[arg-type]  # word for word the condition of the index
        columns=columns(
            trade_id=inbox.c.trade_id, amount_minor=literal(0), reason=inbox.c.cause, told=told
        ),
    )


def _with_times() -> ColumnElement[str]:
    """What the alarm says, and how often it happened."""
    times = machine_alarms.c.times
    often = case((times > 1, cast(times, String) + literal(" times, at last: ")), else_="")
    return often + machine_alarms.c.detail


def _differences() -> Branch:
    """What differs from Alipay's daily file. What was passed on to a machine is its owner's, until
    a file says that it did not help.
    """
    of = reconciliation_differences.c
    both = and_(
        of.alipay_minor.is_not(None), of.ours_minor.is_not(None), of.alipay_minor != of.ours_minor
    )
    return Branch(
        kind=WorkItemKind.RECONCILIATION_DIFFERENCE,
        table=reconciliation_differences,
        since=of.found_at_ms,
        item_id=DIFFERENCE_ITEM,
        where=(of.status == DifferenceStatus.OPEN.value, not_closed(DIFFERENCE_ITEM)),
        currency=of.currency,
        columns=columns(
            trade_id=of.trade_id,
            refund_id=of.refund_id,
            # Where both sides know an amount, what waits is what lies between them.
            amount_minor=case(
                (both, func.abs(of.alipay_minor - of.ours_minor)),
                else_=func.coalesce(of.alipay_minor, of.ours_minor, 0),
            ),
            status=of.kind,
            reason=of.said,
            advice=of.advice,
        ),
    )
