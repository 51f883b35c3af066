"""Goods: each move stands on a decision, each delivered vend has taken its one item, and what is at
each place is what the moves add up to.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    Subquery,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import union_all as union

from actors.machine.command import CommandKind
from actors.machine.goods import COLUMN, SOLD, TEST, GoodsKind, column_place
from actors.machine.ids import MachineId
from actors.machine.invariants import WRITTEN_OFF
from actors.machine.state import VendStatus
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, is_here, made_once, total
from storage.tables import (
    goods_arrivals,
    goods_balances,
    goods_moves,
    journal,
    machine_commands,
    vends,
)

move = goods_moves.c
OF_VENDS = (GoodsKind.SOLD.value, GoodsKind.VEND_WRITTEN_OFF.value)


def goods_stand_on_decisions(books: Books) -> Iterator[int | Finding]:
    """Every move of a machine's goods belongs to a line of the journal: the event that moved them,
    at the same time.
    """
    line = journal.c
    of_machines = (move.machine_id != "", move.version.is_not(None))
    yield books.count(goods_moves, *of_machines)
    decided = and_(line.machine_id == move.machine_id, line.version == move.version)
    without = (
        select(goods_moves, line.id.label("line_id"))
        .select_from(goods_moves.outerjoin(journal, decided))
        .where(
            *of_machines,
            or_(line.id.is_(None), line.at_ms != move.at_ms),
            is_here(move.machine_id, move.version),
        )
        .order_by(move.id)
    )
    for row in books.odd_ones(without):
        there = "no line" if row.line_id is None else "a line with another time"
        yield Finding(
            sentence=f"{row.kind} {row.cause} of {row.quantity} {row.product} has {there} in the "
            f"journal (machine {row.machine_id}, version {row.version})",
            machine_id=row.machine_id,
        )


def delivered_vends_took_one_item(books: Books) -> Iterator[int | Finding]:
    """Every vend that was delivered took one item of its product, and no other vend took any."""
    yield books.count(vends, _DELIVERED)
    without, taken = _not_one_item()
    for row in books.odd_ones(without):
        took = (
            "nothing" if row.quantity is None else f"{row.quantity} {row.moved} to {row.to_place}"
        )
        yield Finding(
            sentence=f"vend {row.vend_id} of machine {row.machine_id} was delivered, and took "
            f"{took} for one {row.product}",
            machine_id=row.machine_id,
            vend_id=row.vend_id,
        )
    for row in books.odd_ones(taken):
        yield Finding(
            sentence=f"{row.kind} took {row.quantity} {row.product} for vend {row.cause} of "
            f"machine {row.machine_id}, which is {row.status or 'not there'}",
            machine_id=row.machine_id,
        )


_DELIVERED = vends.c.status == VendStatus.SUCCEEDED.value


@made_once
def _not_one_item() -> tuple[Select[Any], Select[Any]]:
    """Return what finds vends that were delivered without their one item, and items that were
    taken for no such vend.
    """
    vend = vends.c
    kind = case((vend.reason == WRITTEN_OFF, OF_VENDS[1]), else_=OF_VENDS[0])
    its_own = and_(move.cause == vend.vend_id, move.kind == kind)
    without = (
        select(vends, move.quantity, move.product.label("moved"), move.to_place)
        .select_from(vends.outerjoin(goods_moves, its_own))
        .where(
            _DELIVERED,
            or_(
                move.id.is_(None),
                move.quantity != 1,
                move.product != vend.product,
                move.machine_id != vend.machine_id,
                move.to_place != SOLD,
            ),
        )
        .order_by(vend.vend_id)
    )
    taken = (
        select(goods_moves, vend.status)
        .select_from(goods_moves.outerjoin(vends, vend.vend_id == move.cause))
        .where(
            move.kind.in_(OF_VENDS),
            or_(vend.vend_id.is_(None), ~_DELIVERED, move.kind != kind),
            or_(move.version.is_(None), is_here(move.machine_id, move.version)),
        )
        .order_by(move.id)
    )
    return without, taken


def test_vends_took_what_they_dropped(books: Books) -> Iterator[int | Finding]:
    """Every test vend that dropped an item took one to TEST, and no other command took any."""
    command = machine_commands.c
    is_test = command.kind == CommandKind.TEST_VEND.value
    yield books.count(machine_commands, is_test)
    its_own = and_(move.kind == GoodsKind.TESTED.value, move.cause == command.command_id)
    right = and_(move.quantity == 1, move.machine_id == command.machine_id, move.to_place == TEST)
    wrong = (
        select(machine_commands, move.quantity, move.to_place)
        .select_from(machine_commands.outerjoin(goods_moves, its_own))
        .where(
            or_(
                and_(command.dropped, or_(move.id.is_(None), ~right)),
                and_(~command.dropped, move.id.is_not(None)),
                and_(command.dropped, ~is_test),
            )
        )
        .order_by(command.command_id)
    )
    for row in books.odd_ones(wrong):
        took = "nothing" if row.quantity is None else f"{row.quantity} to {row.to_place}"
        did = "dropped an item" if row.dropped else "dropped none"
        yield Finding(
            sentence=f"{row.kind} {row.command_id} of machine {row.machine_id} {did}, and took "
            f"{took}",
            machine_id=row.machine_id,
        )


def goods_are_where_they_went(books: Books) -> Iterator[int | Finding]:
    """At every place there is what its moves add up to, product by product and lot by lot."""
    yield books.count(goods_balances)
    yield books.count(goods_arrivals)
    for wrong in _misplaced():
        for row in books.odd_ones(wrong):
            lot = f" of lot {row.lot}" if row.lot else ""
            yield Finding(
                sentence=f"{row.place} is said to hold {row.said} {row.product}{lot}; its moves "
                f"say {row.moved}"
            )


_OF_GOODS = ("place", "product", "lot")


@made_once
def _misplaced() -> tuple[Select[Any], ...]:
    """Return what finds places that hold something else than their moves add up to, and moves to
    or from a place that is said to hold nothing.
    """
    moved = _moved()
    kept = (select(*of.c[*_OF_GOODS, "quantity"]) for of in (goods_balances, goods_arrivals))
    said = _added_up(union(*kept)).subquery("said")
    numbers = [func.coalesce(of.c.quantity, 0) for of in (said, moved)]
    differs = numbers[0] != numbers[1]
    return tuple(
        select(
            *(one.c[name] for name in _OF_GOODS),
            numbers[0].label("said"),
            numbers[1].label("moved"),
        )
        .select_from(
            one.outerjoin(other, and_(*(one.c[name] == other.c[name] for name in _OF_GOODS)))
        )
        .where(wrong)
        .order_by(*(one.c[name] for name in _OF_GOODS))
        for one, other, wrong in (
            (said, moved, differs),
            (moved, said, and_(said.c.place.is_(None), differs)),
        )
    )


def _moved() -> Subquery:
    def side(place: ColumnElement[str], quantity: ColumnElement[int]) -> Select[Any]:
        in_column = place.startswith(f"{COLUMN}:", autoescape=True)
        lot = case((in_column, literal("", String)), else_=move.lot)
        return select(
            place.label("place"), move.product, lot.label("lot"), quantity.label("quantity")
        ).where(place.contains(":", autoescape=True))

    sides = union(side(move.to_place, move.quantity), side(move.from_place, -move.quantity))
    return _added_up(sides).subquery("moved")


def _added_up(quantities: CompoundSelect[Any]) -> Select[Any]:
    """Return how many there are of each of the goods of some rows."""
    all_of = quantities.subquery("all_of")
    key = [all_of.c[name] for name in _OF_GOODS]
    return select(*key, total(all_of.c.quantity).label("quantity")).group_by(*key)


def stock_is_what_is_in_the_column(books: Books) -> Iterator[int | Finding]:
    """Every machine's state believes as many items in each column as the moves of goods left
    there.
    """
    kept = goods_balances.c
    in_columns = kept.place.startswith(f"{COLUMN}:", autoescape=True)
    for span in books.spans:
        wanted = select(*kept["machine_id", "place", "product", "quantity"]).where(
            span.holds(kept.machine_id), in_columns, kept.quantity != 0
        )
        left: dict[tuple[str, str, str], int] = {
            (row.machine_id, row.place, row.product): row.quantity
            for row in books.connection.execute(wanted)
        }
        unreadable = set()
        for row, state in books.states(span):
            if state is None:
                unreadable.add(row.machine_id)
                continue
            for column in state.columns:
                place = column_place(MachineId(row.machine_id), column.column)
                there = left.pop((row.machine_id, place, column.product), 0)
                yield 1
                if there != column.stock:
                    yield _stock_finding(row.machine_id, place, column.product, column.stock, there)
        for (machine_id, place, product), there in left.items():
            if machine_id not in unreadable:
                yield _stock_finding(machine_id, place, product, 0, there)


def _stock_finding(machine_id: str, place: str, product: str, believed: int, there: int) -> Finding:
    return Finding(
        sentence=f"{place} holds {believed} {product} by the machine's state, and {there} by the "
        "moves of goods",
        machine_id=machine_id,
    )
