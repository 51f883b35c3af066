"""A price list as a file: what its lines add, all of them or none, and what a file of it says.

Flows in: what each line of a file wants. Flows out: what each comes to, or all that storage has
against them. A line that says what is in force at its moment anyway adds nothing, also where that
moment is past, so that a file which was written from a list can be taken again at any time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Select,
    String,
    and_,
    case,
    column,
    insert,
    or_,
    select,
    tuple_,
    values,
)

from storage.database.engine import Database
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, LinesRefused
from storage.office.prices import (
    NewPrice,
    PriceListView,
    PriceView,
    check_open,
    difference,
    followed,
    list_for,
    now_of,
    parsed,
    price_of,
    price_view,
    row_of,
    written,
)
from storage.office.prices import next_of as next_list
from storage.tables import prices, products

LINES_AT_ONCE = 500
"""As many lines are looked up with one statement, which has three values for each."""
PAST = "from: is past, and no price is set for the past: leave it empty for now"
UNKNOWN = "product: is not in the catalogue, or archived: CreateProduct or RestoreProduct first"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    """What a line of a file wants: a price from a moment on, None: from now on."""

    price: NewPrice
    from_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOutcome:
    """What a line comes to: ``before`` is the price in force at its moment otherwise, None if there
    is none; ``said`` is what differs, empty if nothing does; ``problem`` why it cannot be done,
    which only a rehearsal returns.
    """

    before: PriceView | None
    after: PriceView
    said: str = ""
    problem: str = ""


Imported = tuple[PriceListView, Sequence[PriceOutcome]]


class PriceFiles:
    """The price lists of an installation as files. Every method raises StoreError when the database
    does not answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(
        self, price_list: str, lines: Sequence[PriceLine], deed: Deed, *, etag: str = ""
    ) -> Imported:
        """Add the prices of a file, in which each product, currency and moment is once: all of them
        or none. Returns an outcome for each line, in their order. Raises NotThere, EtagOutdated,
        NotPossible (PRICE_LIST_ARCHIVED), LinesRefused or RequestInProgress.
        """

        def plan(connection: Connection) -> DeedPlan[Imported]:
            there = list_for(connection, price_list, etag=etag, lock=deed.locks)
            check_open(there)
            made = _outcomes(connection, there, lines, deed)
            problems = [(place, one.problem) for place, one in enumerate(made) if one.problem]
            if problems and not deed.only_check:
                raise LinesRefused(problems)
            added = [one for one in made if one.said and not one.problem]
            if not added:
                return DeedPlan(result=(there, made))
            after = next_list(there, deed.now_ms)
            return DeedPlan(
                result=(after, made),
                writes=(
                    (written(after), ()),
                    (insert(prices), [row_of(one.after) for one in added]),
                ),
                details=tuple(Detail(said=one.said) for one in added),
            )

        def again(connection: Connection) -> Imported:
            there = list_for(connection, price_list, etag="", lock=False)
            return there, _outcomes(connection, there, lines, deed)

        return await deeds.do(self._db, deed, plan, again)

    async def page(
        self, price_list: str, *, now_ms: int, position: str = "", limit: int
    ) -> list[PriceView]:
        """Return the first ``limit`` prices behind ``position``, the ``place`` of the last one
        before, that are in force or to come. Raises NotThere or InvalidPosition.
        """
        wanted = file_page(price_list, now_ms=now_ms, after=parsed(position), limit=limit)

        def work(connection: Connection) -> list[PriceView]:
            list_for(connection, price_list, etag="", lock=False)
            return [price_view(row) for row in connection.execute(wanted)]

        return await self._db.read(work)


def file_page(
    price_list: str, *, now_ms: int, after: tuple[str, str, int, int] | None, limit: int
) -> Select[Any]:
    """Return the query of ``PriceFiles.page``: a price that is taken away is part of a file only
    where that is to come.
    """
    c = prices.c
    order = (c.product, c.currency, c.from_ms, c.id)
    rows = select(prices).where(
        c.price_list == price_list,
        or_(c.from_ms > now_ms, c.price_minor.is_not(None)),
        ~followed(case((c.from_ms > now_ms, c.from_ms), else_=now_ms)),
    )
    if after is not None:
        rows = rows.where(tuple_(*order) > tuple_(*after))
    return rows.order_by(*order).limit(limit)


def _outcomes(
    connection: Connection, there: PriceListView, lines: Sequence[PriceLine], deed: Deed
) -> list[PriceOutcome]:
    """Return what each line comes to, in their order."""
    price_list, begins_ms = there.price_list, now_of(there, deed.now_ms)
    wanted = [
        price_of(price_list, one.price, begins_ms if one.from_ms is None else one.from_ms, deed)
        for one in lines
    ]
    kept = _kept(connection, price_list, wanted)
    sold = _in_catalogue(connection, {one.product for one in wanted})
    before: dict[int, PriceView | None] = {}
    last: dict[tuple[str, str], PriceView] = {}
    for place in sorted(range(len(wanted)), key=lambda place: wanted[place].from_ms):
        one = wanted[place]
        in_file, in_list = last.get((one.product, one.currency)), kept.get(place)
        later = in_file is not None and (in_list is None or in_file.from_ms >= in_list.from_ms)
        before[place] = in_file if later else in_list
        if one.from_ms >= deed.now_ms:  # what is past adds nothing
            last[one.product, one.currency] = one
    return [
        _outcome(before[place], one, known=one.product in sold, now_ms=deed.now_ms)
        for place, one in enumerate(wanted)
    ]


def _outcome(
    before: PriceView | None, after: PriceView, *, known: bool, now_ms: int
) -> PriceOutcome:
    if (None if before is None else before.price_minor) == after.price_minor:
        return PriceOutcome(before=before, after=after)
    problem = PAST if after.from_ms < now_ms else "" if known else UNKNOWN
    said = difference(before, after)
    return PriceOutcome(before=before, after=after, said=said, problem=problem)


def _kept(
    connection: Connection, price_list: str, wanted: Sequence[PriceView]
) -> dict[int, PriceView]:
    """Return the price that is in force at the moment of each, by its place; none where the list
    never said anything.
    """
    found: dict[int, PriceView] = {}
    for part in _parts(range(len(wanted))):
        asked = [
            (place, wanted[place].product, wanted[place].currency, wanted[place].from_ms)
            for place in part
        ]
        rows = {row.place: row.found for row in connection.execute(_rows_of(price_list, asked))}
        ids = sorted({row for row in rows.values() if row is not None})
        views = {
            view.row: view
            for view in map(
                price_view, connection.execute(select(prices).where(prices.c.id.in_(ids)))
            )
        }
        found |= {place: views[row] for place, row in rows.items() if row is not None}
    return found


def _rows_of(price_list: str, asked: Sequence[tuple[int, str, str, int]]) -> Select[Any]:
    """Return the query for the ids of prices in force, one step along an index for each."""
    names = (
        column("place", Integer),
        column("product", String),
        column("currency", String),
        column("from_ms", BigInteger),
    )
    one = values(*names, name="asked").data(list(asked)).cte("asked")
    c = prices.c
    found = (
        select(c.id)
        .where(
            and_(
                c.price_list == price_list,
                c.product == one.c.product,
                c.currency == one.c.currency,
                c.from_ms <= one.c.from_ms,
            )
        )
        .order_by(c.from_ms.desc(), c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return select(one.c.place, found.label("found"))


def _in_catalogue(connection: Connection, codes: set[str]) -> set[str]:
    """Return those that the catalogue has and has not archived."""
    c = products.c
    known: set[str] = set()
    for part in _parts(sorted(codes)):
        rows = select(c.product).where(c.product.in_(part), c.archived_at_ms.is_(None))
        known.update(connection.scalars(rows))
    return known


def _parts(whole: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begins in range(0, len(whole), LINES_AT_ONCE):
        yield whole[begins : begins + LINES_AT_ONCE]
