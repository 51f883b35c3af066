"""Price lists: what products cost, and from when on.

Flows in: new prices. Flows out: the price in force at a moment, which is one look-up. Prices are
added and never changed: what was in force at any moment can be told for ever. Nothing here reaches
a machine; what it must obey stands in its planogram.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from storage.books.audit_rows import actor_of
from storage.database.engine import Database
from storage.fleet import positions
from storage.fleet.changes import etag_of
from storage.office import deeds, known
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    DeedPlan,
    Detail,
    EtagOutdated,
    NotPossible,
    NotThere,
)
from storage.tables import price_lists, prices, products

PRICE_LISTS_MAX = 1_000
CLOCKS_DIFFER_MS = 60_000
"""The clocks of two gateways differ by no more than this, or one of them is wrong."""
_UNKNOWN_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceListView:
    """A price list as it is kept."""

    price_list: str
    name: str
    revision: int
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceView:
    """What a product costs in one list from ``from_ms`` on, in minor units; None: the list has no
    price of it then. ``row`` is 0 for a price that was not read.
    """

    row: int
    price_list: str
    product: str
    currency: str
    from_ms: int
    price_minor: int | None
    set_at_ms: int
    set_by: str

    @property
    def place(self) -> str:
        """Its place in the list of all prices."""
        return f"{self.from_ms}:{self.row}:{self.currency}:{self.product}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """What a price is to be; ``price_minor`` None takes it away."""

    product: str
    currency: str
    price_minor: int | None


class Prices:
    """The price lists of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, price_list: str, name: str, deed: Deed) -> PriceListView:
        """Make an empty list. Again with the same name: what is there. Raises AlreadyThere or
        NotPossible (TOO_MANY_PRICE_LISTS).
        """

        def plan(connection: Connection) -> DeedPlan[PriceListView]:
            there = _list_of(connection, price_list, lock=deed.locks)
            if there is not None:
                if there.name != name:
                    said = f"name {there.name!r} -> {name!r}"
                    raise AlreadyThere("price_list", price_list, said)
                return DeedPlan(result=there)
            count = connection.scalar(select(func.count()).select_from(price_lists)) or 0
            if count >= PRICE_LISTS_MAX:
                raise NotPossible(
                    "TOO_MANY_PRICE_LISTS",
                    f"there are {count} price lists, archived ones among them, which is the most",
                )
            made = PriceListView(
                price_list=price_list,
                name=name,
                revision=1,
                created_at_ms=deed.now_ms,
                updated_at_ms=deed.now_ms,
                archived_at_ms=None,
            )
            row = {column.key: getattr(made, column.key) for column in price_lists.c}
            said = f"price list {price_list}: made, name {name!r}"
            return DeedPlan(
                result=made, writes=((insert(price_lists), [row]),), details=(Detail(said=said),)
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: _list(connection, price_list)
        )

    async def archive(
        self, price_list: str, deed: Deed, *, archived: bool, etag: str = "", why: str = ""
    ) -> PriceListView:
        """Let the list take no prices any more, or again. Raises NotThere or EtagOutdated."""

        def plan(connection: Connection) -> DeedPlan[PriceListView]:
            there = list_for(connection, price_list, etag=etag, lock=deed.locks)
            if archived is (there.archived_at_ms is not None):
                return DeedPlan(result=there)
            after = next_of(there, deed.now_ms)
            after = replace(after, archived_at_ms=deed.now_ms if archived else None)
            said = f"price list {price_list}: archived {_word(not archived)} -> {_word(archived)}"
            return DeedPlan(
                result=after,
                writes=((written(after), ()),),
                details=(Detail(said=f"{said}; {why}" if why else said),),
            )

        return await deeds.do(
            self._db, deed, plan, lambda connection: _list(connection, price_list)
        )

    async def set_prices(
        self,
        price_list: str,
        wanted: Sequence[NewPrice],
        deed: Deed,
        *,
        from_ms: int | None = None,
        etag: str = "",
    ) -> tuple[PriceListView, list[PriceView]]:
        """Add prices, each product and currency once, from a moment that is not past, None: now;
        and return those that were added. What would be in force anyway is not added. Raises
        NotThere, EtagOutdated or NotPossible (PRICE_LIST_ARCHIVED, UNKNOWN_PRODUCTS).
        """

        def plan(connection: Connection) -> DeedPlan[tuple[PriceListView, list[PriceView]]]:
            there = list_for(connection, price_list, etag=etag, lock=deed.locks)
            check_open(there)
            begins_ms = now_of(there, deed.now_ms) if from_ms is None else from_ms
            check_products(connection, [one.product for one in wanted])
            before = [price_at(connection, price_list, one, begins_ms) for one in wanted]
            added = [
                (old, price_of(price_list, one, begins_ms, deed))
                for one, old in zip(wanted, before, strict=True)
                if (None if old is None else old.price_minor) != one.price_minor
            ]
            if not added:
                return DeedPlan(result=(there, []))
            after = next_of(there, deed.now_ms)
            new = [price for _, price in added]
            return DeedPlan(
                result=(after, new),
                writes=((written(after), ()), (insert(prices), [row_of(one) for one in new])),
                details=tuple(Detail(said=difference(old, one)) for old, one in added),
            )

        def again(connection: Connection) -> tuple[PriceListView, list[PriceView]]:
            there = _list(connection, price_list)
            begins_ms = now_of(there, deed.now_ms) if from_ms is None else from_ms
            found = [price_at(connection, price_list, one, begins_ms) for one in wanted]
            return there, [one for one in found if one is not None]

        return await deeds.do(self._db, deed, plan, again)

    async def get(self, price_list: str) -> PriceListView:
        """Return a list. Raises NotThere."""
        return await self._db.read(lambda connection: _list(connection, price_list))

    async def page(self, *, archived: bool, after: str = "", limit: int) -> list[PriceListView]:
        """Return the first ``limit`` lists behind the code ``after``, in the order of codes."""
        rows = select(price_lists).where(price_lists.c.price_list > after)
        if not archived:
            rows = rows.where(price_lists.c.archived_at_ms.is_(None))
        page = rows.order_by(price_lists.c.price_list).limit(limit)
        return await self._db.read(
            lambda connection: [_list_view(row) for row in connection.execute(page)]
        )

    async def price(self, price_list: str, product: str, currency: str, at_ms: int) -> PriceView:
        """Return the price in force at a moment. Raises NotThere."""
        asked = NewPrice(product=product, currency=currency, price_minor=None)

        def work(connection: Connection) -> PriceView:
            _list(connection, price_list)
            found = price_at(connection, price_list, asked, at_ms)
            if found is None or found.price_minor is None:
                raise NotThere("price", f"{product} in {currency}")
            return found

        return await self._db.read(work)

    async def prices(
        self,
        price_list: str,
        *,
        product: str = "",
        at_ms: int | None = None,
        position: str = "",
        limit: int,
    ) -> list[PriceView]:
        """Return the first ``limit`` prices behind ``position``, the ``place`` of the last one
        before, or those in force at ``at_ms``. Raises NotThere or InvalidPosition.
        """
        after = parsed(position)
        page = prices_page(price_list, product=product, at_ms=at_ms, after=after, limit=limit)

        def work(connection: Connection) -> list[PriceView]:
            _list(connection, price_list)
            found = [price_view(row) for row in connection.execute(page)]
            if not found:
                known.check(connection, known.Names(product=product))
            return found

        return await self._db.read(work)


def in_force(price_list: str, product: str, currency: str, at_ms: int) -> Select[Any]:
    """Return the query for the price in force at a moment, which is one step along an index."""
    c = prices.c
    return (
        select(prices)
        .where(
            c.price_list == price_list,
            c.product == product,
            c.currency == currency,
            c.from_ms <= at_ms,
        )
        .order_by(c.from_ms.desc(), c.id.desc())
        .limit(1)
    )


def price_at(
    connection: Connection, price_list: str, wanted: NewPrice, at_ms: int
) -> PriceView | None:
    """Return what the list says of a product at a moment, None if it never said anything."""
    query = in_force(price_list, wanted.product, wanted.currency, at_ms)
    row = connection.execute(query).one_or_none()
    return None if row is None else price_view(row)


def prices_page(
    price_list: str,
    *,
    product: str = "",
    at_ms: int | None = None,
    after: tuple[str, str, int, int] | None = None,
    limit: int,
) -> Select[Any]:
    """Return the query of ``Prices.prices``."""
    c = prices.c
    order: tuple[ColumnElement[Any], ...] = (c.product, c.currency, c.from_ms, c.id)
    rows = select(prices).where(c.price_list == price_list)
    behind: tuple[Any, ...] | None = after
    if product:  # it is the same in all rows, and SQLite would sort by it all the same
        rows = rows.where(c.product == product)
        order, behind = order[1:], None if after is None else after[1:]
    if behind is not None:
        rows = rows.where(tuple_(*order) > tuple_(*behind))
    if at_ms is not None:
        rows = rows.where(c.from_ms <= at_ms, c.price_minor.is_not(None), ~followed(at_ms))
    return rows.order_by(*order).limit(limit)


def followed(at_ms: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Return whether another price takes a price's place by ``at_ms``."""
    one, other = prices.c, prices.alias("other").c
    later = or_(other.from_ms > one.from_ms, and_(other.from_ms == one.from_ms, other.id > one.id))
    return exists().where(
        other.price_list == one.price_list,
        other.product == one.product,
        other.currency == one.currency,
        other.from_ms <= at_ms,
        later,
    )


def parsed(position: str) -> tuple[str, str, int, int] | None:
    """Return the product, currency, moment and row of a place; raises InvalidPosition."""
    if not position:
        return None
    match position.split(":", 3):
        case [from_ms, row, currency, product]:
            return product, currency, positions.number(from_ms), positions.number(row)
        case _:
            raise positions.InvalidPosition("The page token is none of ours: start again without.")


def check_products(connection: Connection, codes: Sequence[str]) -> None:
    """Raise NotPossible unless the catalogue has all of them, and none of them archived."""
    known = select(products.c.product).where(
        products.c.product.in_(codes), products.c.archived_at_ms.is_(None)
    )
    missing = sorted(set(codes) - set(connection.scalars(known)))
    if missing:
        shown = ", ".join(map(repr, missing[:_UNKNOWN_SHOWN_MAX]))
        more = len(missing) - _UNKNOWN_SHOWN_MAX
        behind = f" and {more} more" if more > 0 else ""
        raise NotPossible(
            "UNKNOWN_PRODUCTS",
            f"the catalogue does not have {shown}{behind}, or has archived them: CreateProduct or "
            "RestoreProduct first",
            products=shown,
        )


def _list_of(connection: Connection, price_list: str, *, lock: bool) -> PriceListView | None:
    row = select(price_lists).where(price_lists.c.price_list == price_list)
    found = connection.execute(row.with_for_update() if lock else row).one_or_none()
    return None if found is None else _list_view(found)


def _list(connection: Connection, price_list: str, *, lock: bool = False) -> PriceListView:
    found = _list_of(connection, price_list, lock=lock)
    if found is None:
        raise NotThere("price_list", price_list)
    return found


def check_open(there: PriceListView) -> None:
    """Raise NotPossible (PRICE_LIST_ARCHIVED) for a list that takes no prices."""
    if there.archived_at_ms is not None:
        raise NotPossible(
            "PRICE_LIST_ARCHIVED",
            f"price list {there.price_list} was archived and takes no prices: RestorePriceList",
            price_list=there.price_list,
        )


def list_for(connection: Connection, price_list: str, *, etag: str, lock: bool) -> PriceListView:
    """Return a list that is to be changed. Raises NotThere or EtagOutdated."""
    there = _list(connection, price_list, lock=lock)
    if etag and etag != etag_of(there.revision):
        raise EtagOutdated("price_list", price_list, etag_of(there.revision))
    return there


def now_of(view: PriceListView, now_ms: int) -> int:
    """Return from when a price is in force that is to be so from now on: not before what another
    gateway has set from now on just before, whose clock is a little ahead. Whoever comes later has
    the last word.
    """
    ahead_ms = view.updated_at_ms - now_ms
    return view.updated_at_ms if 0 < ahead_ms <= CLOCKS_DIFFER_MS else now_ms


def next_of(view: PriceListView, now_ms: int) -> PriceListView:
    """Return the list with its next revision."""
    return replace(view, revision=view.revision + 1, updated_at_ms=now_of(view, now_ms))


def written(view: PriceListView) -> Any:
    """Return the statement that writes a list's change."""
    return (
        update(price_lists)
        .where(price_lists.c.price_list == view.price_list)
        .values(
            revision=view.revision,
            updated_at_ms=view.updated_at_ms,
            archived_at_ms=view.archived_at_ms,
        )
    )


def price_of(price_list: str, wanted: NewPrice, from_ms: int, deed: Deed) -> PriceView:
    """Return a price as the deed sets it."""
    return PriceView(
        row=0,
        price_list=price_list,
        product=wanted.product,
        currency=wanted.currency,
        from_ms=from_ms,
        price_minor=wanted.price_minor,
        set_at_ms=deed.now_ms,
        set_by=actor_of(deed.actor).name,
    )


def row_of(view: PriceView) -> dict[str, Any]:
    """Return a new price's row."""
    return {one.key: getattr(view, one.key) for one in prices.c if one.key != "id"}


def difference(before: PriceView | None, after: PriceView) -> str:
    """Return what a price changes, as the audit log says it."""
    old = None if before is None else before.price_minor
    return (
        f"price list {after.price_list}: {after.product} {after.currency} "
        f"{_amount(old)} -> {_amount(after.price_minor)} from {moment_text(after.from_ms)}"
    )


def moment_text(at_ms: int) -> str:
    """Return a moment of milliseconds in RFC 3339, as files of prices have it."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    said = at.isoformat(timespec="milliseconds" if at_ms % 1_000 else "seconds")
    return said.replace("+00:00", "Z")


def _amount(minor: int | None) -> str:
    return "none" if minor is None else str(minor)


def _word(value: bool) -> str:
    return "yes" if value else "no"


def _list_view(row: Row[Any]) -> PriceListView:
    return PriceListView(**row._asdict())


def price_view(row: Row[Any]) -> PriceView:
    """Return a price of its row."""
    values = row._asdict()
    return PriceView(row=values.pop("id"), **values)
