"""How many items a column really has for the next customer, and whether it works. Pure leaves.

Nobody else changes a stock: here each change is entered as a move of goods (``goods``) too.
"""

from collections.abc import Sequence
from typing import Any, assert_never

from actors.machine import alarms, events, goods, locking
from actors.machine.command import Command, CommandKind, CommandStatus
from actors.machine.draft import Draft
from actors.machine.goods import GOODS_ACTS_KEPT, GoodsAct, GoodsKind, GoodsMove
from actors.machine.policy import Policy
from actors.machine.state import (
    AlarmKind,
    Column,
    Failing,
    FailureCause,
    MachineState,
    Vend,
    column_named,
    open_vends,
)
from actors.machine.values import replace

ITS_OWN_FAULT = frozenset(
    {
        FailureCause.JAMMED,
        FailureCause.EMPTY,
        FailureCause.NOTHING_DROPPED,
        FailureCause.UNKNOWN,
        FailureCause.CONTRADICTED,
        FailureCause.INDETERMINATE,
    }
)
"""Causes that say that the column itself does not work. INDETERMINATE: its motor was on when the
power failed; a column with which that happens again and again may give its goods away.
"""


_RETIRED = "the machine was retired, and takes no goods"


def available(state: MachineState, column: Column) -> int:
    """Return the items that a customer can have: no open vend has a claim on them, and the column
    works and may sell.
    """
    if blocked(state, column.column) or locking.locked(state, column.column):
        return 0
    left = column.stock
    for vend in open_vends(state):
        left -= vend.column == column.column
    return left


def too_many_doubts(state: MachineState, policy: Policy) -> bool:
    """Tell whether so many vends are in doubt that no other one may begin."""
    return len(state.doubts) >= policy.doubts_max


def can_sell(state: MachineState, policy: Policy) -> bool:
    """Tell whether a customer who stands there with money could buy anything now."""
    ready = state.link.online and state.link.reader_enabled and state.configuration.enabled
    if not ready or too_many_doubts(state, policy):
        return False
    for column in state.columns:
        if available(state, column) > 0:
            return True
    return False


def blocked(state: MachineState, name: str) -> bool:
    """Tell whether the column failed so often that it sells nothing until somebody has seen to
    it.
    """
    for one in state.failing:
        if one.blocked and one.column == name:
            return True
    return False


def failed(draft: Draft, name: str, cause: FailureCause) -> None:
    """A vend of the column failed. After so many in a row it sells nothing, and a person is told:
    each more would take a customer's money for nothing.
    """
    _nothing_sold(draft, name, cause)
    if cause not in ITS_OWN_FAULT or column_named(draft.state, name) is None:
        return
    known = next((one for one in draft.state.failing if one.column == name), None)
    in_row = 1 if known is None else known.in_row + 1
    most = draft.policy.column_failures_max
    now = Failing(column=name, in_row=in_row, blocked=in_row >= most)
    draft.update(failing=(*(one for one in draft.state.failing if one.column != name), now))
    if now.blocked and (known is None or not known.blocked):
        alarms.ring(
            draft,
            AlarmKind.COLUMN_FAILS,
            f"column {name} failed {in_row} times in a row, at last by {cause}: it sells nothing "
            "until it is counted, its door was opened and closed, it sells for cash, or a "
            "test vend drops an item",
            subject=name,
        )


def _nothing_sold(draft: Draft, name: str, cause: FailureCause) -> None:
    """A vend of the machine ended without goods. After so many in a row a person is told, and after
    as many more again: what is no column's fault blocks none, and would be told by nobody.
    """
    if cause is FailureCause.REVIEWED:  # by a person, who knows
        return
    in_row = draft.state.failed_in_row + 1
    most = draft.policy.machine_failures_max
    draft.update(failed_in_row=in_row if in_row < most else 0)
    if in_row >= most:
        alarms.ring(
            draft,
            AlarmKind.MACHINE_FAILS,
            f"{in_row} vends in a row ended without goods, at last one of column {name} by "
            f"{cause}: the machine goes on selling",
        )


def works(draft: Draft, name: str) -> None:
    """The column delivered what we approved, or somebody has seen to it."""
    if draft.state.failed_in_row:
        draft.update(failed_in_row=0)
    sold_for_cash(draft, name)


def sold_for_cash(draft: Draft, name: str) -> None:
    """The column delivered, which says nothing of whether the machine does what we approve."""
    failing = draft.state.failing
    if failing and any(one.column == name for one in failing):
        draft.update(failing=tuple(one for one in draft.state.failing if one.column != name))


def seen_to(draft: Draft) -> None:
    """Somebody was at the machine: all of its columns are tried again."""
    if draft.state.failing or draft.state.failed_in_row:
        draft.update(failing=(), failed_in_row=0)


def take_one(draft: Draft, name: str, kind: GoodsKind, vend: Vend | None = None) -> None:
    """An item left the column: that of ``vend``, or one for cash."""
    if vend is not None:
        _take(draft, name, vend.product, kind, goods.SOLD, vend.vend_id)
        return
    column = column_named(draft.state, name)
    _take(draft, name, "" if column is None else column.product, kind, goods.SOLD)


def take_tested(
    draft: Draft, name: str, product: str, cause: str, *, counted: bool = False
) -> None:
    """An item left the column by a test vend, which ``cause`` names. ``counted``: somebody has
    counted the column since, and missed the item then.
    """
    _take(draft, name, product, GoodsKind.TESTED, goods.TEST, cause, missed=counted)


def _take(
    draft: Draft,
    name: str,
    product: str,
    kind: GoodsKind,
    end: str,
    cause: str = "",
    *,
    missed: bool = False,
) -> None:
    """An item of the product left the column for its ``end``. Without a ``cause`` nobody knows what
    it was, if the column is gone. ``missed``: a count has taken it from the books already.
    """
    column = column_named(draft.state, name)
    if column is None:
        draft.note(f"column {name} is no longer in the planogram")
    elif column.product != product:
        draft.note(f"an item left column {name}, which holds {column.product} by now")
    else:
        if column.stock == 0 or missed:
            said = "was counted since" if missed else "was believed empty"
            draft.note(f"an item left column {name}, which {said}")
            _carry(draft, GoodsKind.COUNTED, column, 1, goods.FOUND)
        else:
            _put(draft, replace(column, stock=column.stock - 1))
        _carry(draft, kind, column, -1, end, cause=cause)
        return
    if cause:
        draft.carry(
            GoodsMove(
                kind=kind,
                cause=cause,
                column=name,
                product=product,
                quantity=1,
                from_place=goods.FOUND,
                to_place=end,
            )
        )


def found_empty(draft: Draft, name: str, product: str) -> None:
    """The machine says that nothing of the product is in the column."""
    column = column_named(draft.state, name)
    if column is not None and column.product == product:
        _set(draft, column, 0)
        _counted(draft, name)


def by_person(
    draft: Draft, event: events.StockCounted | events.GoodsMoved | events.GoodsCounted
) -> None:
    """Somebody was at a column, or corrects what the books say of it."""
    match event:
        case events.StockCounted():
            _count(draft, event)
        case events.GoodsMoved():
            _handle(draft, event)
        case events.GoodsCounted():
            _recount(draft, event)
        case _:
            assert_never(event)


def _count(draft: Draft, event: events.StockCounted) -> None:
    """Somebody counted or refilled the column, and has seen it. Told again, behind a sale, the
    count would bring back what was sold.
    """
    if event.cause and _was_told(draft, event.cause):
        return
    works(draft, event.column)
    column, done = column_named(draft.state, event.column), False
    if column is None:
        draft.note(f"column {event.column} is not in the planogram")
    elif not 0 <= event.stock <= column.capacity:
        draft.note(f"column {event.column} holds 0 to {column.capacity} items, not {event.stock}")
    else:
        _set(draft, column, event.stock, actor=event.actor)
        _counted(draft, event.column)
        done = True
    if event.cause:
        _remember(draft, event.cause, done=done)


def _recount(draft: Draft, event: events.GoodsCounted) -> None:
    """Somebody counted the column a while ago: what was there then and the books did not know, or
    the other way round, is so now too.
    """
    column = _to_act_on(draft, event)
    if column is None:
        return
    stock = column.stock + event.counted - event.believed
    if not 0 <= stock <= column.capacity:
        _refuse(
            draft,
            event.cause,
            f"with {event.counted} items instead of {event.believed} column {column.column} would "
            f"hold {stock} of {column.capacity} now",
        )
        return
    if stock > column.stock and draft.state.configuration.retired:
        _refuse(draft, event.cause, _RETIRED)
        return
    works(draft, column.column)
    _set(
        draft,
        column,
        stock,
        cause=event.cause,
        visit=event.visit,
        actor=event.actor,
        reason=event.reason,
    )
    _counted(draft, column.column)
    _remember(draft, event.cause)


def _counted(draft: Draft, name: str, *, counted: bool = True) -> None:
    """Somebody counted the column, or its machine found it empty, or it holds something else now:
    what a test vend dropped of which nobody has heard is missing already, and is not taken once
    more when its machine tells it. Unless the count was wrong, and is taken back.
    """
    ended = draft.state.ended_commands
    if any(_not_heard_of(one, name) for one in ended):
        draft.update(
            ended_commands=tuple(
                replace(one, counted=counted) if _not_heard_of(one, name) else one for one in ended
            )
        )


def _not_heard_of(command: Command, name: str) -> bool:
    return (
        command.kind is CommandKind.TEST_VEND
        and command.status is CommandStatus.EXPIRED
        and command.column == name
    )


def _handle(draft: Draft, event: events.GoodsMoved) -> None:
    """Somebody put goods into the column, or took some out."""
    column = _to_act_on(draft, event)
    if column is None:
        return
    if event.into and draft.state.configuration.retired:
        _refuse(draft, event.cause, _RETIRED)
        return
    change = event.quantity if event.into else -event.quantity
    if event.quantity <= 0 or not 0 <= column.stock + change <= column.capacity:
        _refuse(
            draft,
            event.cause,
            f"column {column.column} holds {column.stock} of {column.capacity}, so that "
            f"{change:+} does not fit; count it first",
        )
        return
    if event.kind is not GoodsKind.REVERSED:  # which is done on paper
        works(draft, column.column)
    elif event.place in {goods.FOUND, goods.LOST}:
        _counted(draft, column.column, counted=False)
    _put(draft, replace(column, stock=column.stock + change))
    _carry(
        draft,
        event.kind,
        column,
        change,
        event.place,
        cause=event.cause,
        lot=event.lot,
        visit=event.visit,
        actor=event.actor,
        reason=event.reason,
        reverses=event.reverses,
        happened_at_ms=event.happened_at_ms,
    )
    _remember(draft, event.cause)


def keep_counts(there: Sequence[Column], planned: Sequence[Column]) -> tuple[Column, ...]:
    """Return the planned columns; one that is there already, with the same product, keeps its
    count, as far as it fits.
    """
    counts = {(one.column, one.product): one.stock for one in there}
    return tuple(
        replace(one, stock=min(counts.get((one.column, one.product), one.stock), one.capacity))
        for one in planned
    )


def without_place(there: Sequence[Column], planned: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of which goods have no place in the planned ones, because the product is
    another, fewer fit, or the column is gone; ``stock`` is how many.
    """
    kept = {(one.column, one.product): one.stock for one in keep_counts(there, planned)}
    return tuple(
        replace(old, stock=gone)
        for old in there
        if (gone := old.stock - kept.get((old.column, old.product), 0))
    )


def new_to(there: Sequence[Column], planned: Sequence[Column]) -> tuple[Column, ...]:
    """Return the planned columns that are not there with the same product."""
    had = {(one.column, one.product) for one in there}
    return tuple(one for one in planned if (one.column, one.product) not in had)


def leave_out(draft: Draft, waiting: Sequence[Column], planned: Sequence[Column]) -> None:
    """Another planogram takes the place of one that waits. What a person put into new columns of
    the latter, and has no place in the planned one, was in no column of the books: it is found, and
    removed.
    """
    there = draft.state.columns
    for gone in without_place(new_to(there, waiting), planned):
        draft.note(f"{gone.stock} {gone.product} of column {gone.column} have no place any more")
        draft.carry(
            GoodsMove(
                kind=GoodsKind.UNLOADED,
                cause=_cause(draft),
                column=gone.column,
                product=gone.product,
                quantity=gone.stock,
                from_place=goods.FOUND,
                to_place=goods.removed_place(draft.state.machine_id),
            )
        )


def plan(draft: Draft, planned: Sequence[Column]) -> None:
    """The planogram is another one. A column that keeps its product keeps its stock, as far as it
    fits; what is left of the others is removed from the machine, and what is in a new one is found.
    """
    there = draft.state.columns
    removed = goods.removed_place(draft.state.machine_id)
    for gone in without_place(there, planned):
        draft.note(f"{gone.stock} {gone.product} of column {gone.column} have no place any more")
        _carry(draft, GoodsKind.UNLOADED, gone, -gone.stock, removed)
    columns = keep_counts(there, planned)
    opened = new_to(there, columns)
    for column in opened:
        _counted(draft, column.column)
        if column.stock:
            _carry(draft, GoodsKind.OPENED, column, column.stock, goods.FOUND)
    new = {column.column for column in opened}
    stays = {column.column for column in columns} - new
    failing = tuple(one for one in draft.state.failing if one.column in stays)
    draft.update(columns=columns, failing=failing)


def _to_act_on(draft: Draft, event: events.GoodsMoved | events.GoodsCounted) -> Column | None:
    """Return the column that the act is about; None if it is not to be done, and note why."""
    acts = draft.state.goods_acts
    if _was_told(draft, event.cause):
        return None
    now = draft.before.version
    if event.version > now or (len(acts) >= GOODS_ACTS_KEPT and event.version < acts[0].version):
        # It may have been done since, and be forgotten again.
        draft.note(f"{event.cause} was read at version {event.version}, this is {now}: read again")
        return None
    column = column_named(draft.state, event.column)
    if column is None:
        _refuse(draft, event.cause, f"column {event.column} is not in the planogram")
    elif column.product != event.product:
        why = f"column {event.column} holds {column.product}, not {event.product}"
        _refuse(draft, event.cause, why)
    else:
        return column
    return None


def _was_told(draft: Draft, cause: str) -> bool:
    """Tell whether the act is one of the last ones, and note it."""
    known = next((act for act in draft.state.goods_acts if act.cause == cause), None)
    if known is not None:
        draft.note(f"{cause} was {'done' if known.done else 'refused'} before")
    return known is not None


def _refuse(draft: Draft, cause: str, why: str) -> None:
    """Say no, and say it again to whoever tells the act again: the goods may be elsewhere by
    then.
    """
    draft.note(f"{cause} is not done: {why}")
    _remember(draft, cause, done=False)


def _remember(draft: Draft, cause: str, *, done: bool = True) -> None:
    act = GoodsAct(cause=cause, version=draft.before.version + 1, done=done)
    draft.update(goods_acts=(*draft.state.goods_acts, act)[-GOODS_ACTS_KEPT:])


def _set(draft: Draft, column: Column, stock: int, **about: Any) -> None:
    """There are so many in the column, whatever the books said."""
    missing = column.stock - stock
    if missing:
        _put(draft, replace(column, stock=stock))
        other = goods.LOST if missing > 0 else goods.FOUND
        _carry(draft, GoodsKind.COUNTED, column, -missing, other, **about)


def _carry(
    draft: Draft,
    kind: GoodsKind,
    column: Column,
    change: int,
    other: str,
    *,
    cause: str = "",
    **about: Any,
) -> None:
    """Enter what came into the column (``change`` above zero) from another place, or left it for
    one.
    """
    own = goods.column_place(draft.state.machine_id, column.column)
    draft.carry(
        GoodsMove(
            kind=kind,
            cause=cause or _cause(draft),
            column=column.column,
            product=column.product,
            quantity=abs(change),
            from_place=other if change > 0 else own,
            to_place=own if change > 0 else other,
            **about,
        )
    )


def _cause(draft: Draft) -> str:
    """Return a cause for a move that nobody has named: its place in the machine's books."""
    version = draft.before.version + 1
    return f"{draft.state.machine_id}@{version}/{len(draft.goods)}"


def _put(draft: Draft, column: Column) -> None:
    columns = [column if other.column == column.column else other for other in draft.state.columns]
    draft.state = replace(draft.state, columns=tuple(columns))
