"""The catalogue: what is sold, whatever machine it is in.

Flows in: what a product is to be, one or a whole file of them. Flows out: products as they are
kept, or OfficeRefused. Each change makes a new revision, which is the product's etag. A product is
archived and never deleted. Pages go along an index and cost the same at any depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, exists, func, or_, select

from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.office import deeds, product_rows
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    DeedPlan,
    Detail,
    EtagOutdated,
    NotPossible,
    NotThere,
)
from storage.office.product_content import (
    NAMES_MAX,
    ProductChange,
    ProductContent,
    difference,
)
from storage.office.product_rows import ProductView
from storage.tables import planogram_columns, product_names, products

PRODUCTS_MAX = 50_000
"""A catalogue holds this many, archived ones among them."""
ADOPTED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsWanted:
    """Which products a list shows; empty asks for all, but for the archived ones, which
    ``archived`` asks for. ``text`` is part of the code or of a name, whatever its case (on SQLite,
    of the letters A to Z).
    """

    text: str = ""
    category: str = ""
    barcode: str = ""
    archived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one line of a file wants of one product."""

    product: str
    change: ProductChange


@dataclass(frozen=True, slots=True, kw_only=True)
class WishOutcome:
    """What a wish comes to: ``before`` is None if the product is new; ``said`` is what differs,
    empty if nothing does.
    """

    before: ProductView | None
    after: ProductView
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """The codes that were made of the texts of planograms, those texts that cannot be one, and
    whether there are others.
    """

    made: tuple[str, ...]
    not_made: tuple[str, ...]
    more: bool


class Products:
    """The catalogue of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, product: str, content: ProductContent, deed: Deed) -> ProductView:
        """Take a product in. Again with the same content: what is there. Raises AlreadyThere or
        NotPossible (CATALOGUE_FULL).
        """

        def plan(connection: Connection) -> DeedPlan[ProductView]:
            there = product_rows.one(connection, product, lock=deed.locks)
            if there is not None:
                if said := difference(there.content, content):
                    raise AlreadyThere("product", product, said)
                return DeedPlan(result=there)
            made = _new(product, content, deed.now_ms)
            return _plan(
                connection, [WishOutcome(before=None, after=made, said=_first(content))], made
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, product))

    async def change(
        self, product: str, change: ProductChange, deed: Deed, *, etag: str = "", why: str = ""
    ) -> ProductView:
        """Change a product. Raises NotThere or EtagOutdated."""

        def plan(connection: Connection) -> DeedPlan[ProductView]:
            there = _there(connection, product, lock=deed.locks)
            if etag and etag != etag_of(there.revision):
                raise EtagOutdated("product", product, etag_of(there.revision))
            outcome = _changed(there, change, deed.now_ms)
            if why and outcome.said:
                outcome = replace(outcome, said=f"{outcome.said}; {why}")
            return _plan(connection, [outcome], outcome.after)

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, product))

    async def change_all(self, wishes: Sequence[Wish], deed: Deed) -> Sequence[WishOutcome]:
        """Make and change products, each named once: all of them or none. A wish for one that is
        not there makes it. Raises NotPossible (CATALOGUE_FULL).
        """

        def outcomes(connection: Connection, *, lock: bool) -> list[WishOutcome]:
            there = product_rows.several(connection, [one.product for one in wishes], lock=lock)
            return [_wished(there.get(one.product), one, deed.now_ms) for one in wishes]

        def plan(connection: Connection) -> DeedPlan[Sequence[WishOutcome]]:
            made = outcomes(connection, lock=deed.locks)
            return _plan(connection, made, made)

        return await deeds.do(
            self._db, deed, plan, lambda connection: outcomes(connection, lock=False)
        )

    async def adopt(self, deed: Deed) -> Adopted:
        """Make products of texts that planograms have for one and the catalogue does not know.
        Raises NotPossible (CATALOGUE_FULL).
        """
        # Apart from the transaction that writes: it goes through all planograms.
        found = await self._db.read(
            lambda connection: list(connection.scalars(_UNKNOWN_TEXTS.limit(ADOPTED_MAX + 1)))
        )
        texts = found[:ADOPTED_MAX]
        not_made = tuple(text for text in texts if not _can_be_a_code(text))
        more = len(found) > ADOPTED_MAX

        def plan(connection: Connection) -> DeedPlan[Adopted]:
            there = product_rows.several(connection, texts, lock=deed.locks)
            codes = [text for text in texts if text not in {*there, *not_made}]
            outcomes = [
                WishOutcome(
                    before=None, after=_new(code, ProductContent(), deed.now_ms), said="adopted"
                )
                for code in codes
            ]
            result = Adopted(made=tuple(codes), not_made=not_made, more=more)
            return _plan(connection, outcomes, result)

        # What was adopted the first time is among the others by now.
        again = Adopted(made=(), not_made=not_made, more=more)
        return await deeds.do(self._db, deed, plan, lambda _: again)

    async def get(self, product: str) -> ProductView:
        """Return a product. Raises NotThere."""
        return await self._db.read(lambda connection: _there(connection, product))

    async def page(
        self, wanted: ProductsWanted, *, after: str = "", limit: int
    ) -> list[ProductView]:
        """Return the first ``limit`` products behind the code ``after``, in the order of codes."""

        def work(connection: Connection) -> list[ProductView]:
            rows = connection.execute(products_page(wanted, after, limit)).all()
            return product_rows.views_of(connection, rows)

        return await self._db.read(work)


def products_page(wanted: ProductsWanted, after: str, limit: int) -> Select[Any]:
    """Return the query for the first ``limit`` products behind the code ``after``."""
    c = products.c
    rows = select(products).where(c.product > after)
    if wanted.category:
        rows = rows.where(c.category == wanted.category)
    if wanted.barcode:
        rows = rows.where(c.barcode == wanted.barcode)
    if wanted.text:
        named = exists().where(
            product_names.c.product == c.product,
            product_names.c.name.icontains(wanted.text, autoescape=True),
        )
        rows = rows.where(or_(c.product.icontains(wanted.text, autoescape=True), named))
    if not wanted.archived:
        rows = rows.where(c.archived_at_ms.is_(None))
    return rows.order_by(c.product).limit(limit)


_UNKNOWN_TEXTS = (
    select(planogram_columns.c.product)
    .where(
        planogram_columns.c.product != "",
        ~exists().where(products.c.product == planogram_columns.c.product),
    )
    .distinct()
    .order_by(planogram_columns.c.product)
)


def _can_be_a_code(text: str) -> bool:
    return text.isprintable() and text == text.strip()


def _there(connection: Connection, product: str, *, lock: bool = False) -> ProductView:
    found = product_rows.one(connection, product, lock=lock)
    if found is None:
        raise NotThere("product", product)
    return found


def _new(product: str, content: ProductContent, now_ms: int) -> ProductView:
    return ProductView(
        product=product,
        content=content,
        revision=1,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        archived_at_ms=None,
    )


def _bounded(product: str, content: ProductContent) -> ProductContent:
    if len(content.names) > NAMES_MAX:
        raise NotPossible(
            "TOO_MANY_NAMES",
            f"product {product} would have names in {len(content.names)} languages: it may have "
            f"{NAMES_MAX}; take others away",
            product=product,
        )
    return content


def _first(content: ProductContent) -> str:
    return difference(ProductContent(), content) or "made"


def _wished(there: ProductView | None, wish: Wish, now_ms: int) -> WishOutcome:
    if there is not None:
        return _changed(there, wish.change, now_ms)
    content = _bounded(wish.product, wish.change.of(ProductContent()))
    made = _new(wish.product, content, now_ms)
    said = _first(content)
    if wish.change.archived:
        made, said = replace(made, archived_at_ms=now_ms), f"{said}; archived no -> yes"
    return WishOutcome(before=None, after=made, said=said)


def _changed(there: ProductView, change: ProductChange, now_ms: int) -> WishOutcome:
    content = _bounded(there.product, change.of(there.content))
    said = [difference(there.content, content)]
    archived_at_ms = there.archived_at_ms
    if change.archived is True and archived_at_ms is None:
        archived_at_ms = now_ms
        said.append("archived no -> yes")
    elif change.archived is False and archived_at_ms is not None:
        archived_at_ms = None
        said.append("archived yes -> no")
    told = "; ".join(one for one in said if one)
    if not told:
        return WishOutcome(before=there, after=there, said="")
    after = replace(
        there,
        content=content,
        revision=there.revision + 1,
        updated_at_ms=now_ms,
        archived_at_ms=archived_at_ms,
    )
    return WishOutcome(before=there, after=after, said=told)


def _plan(
    connection: Connection, outcomes: Sequence[WishOutcome], result: deeds.Result
) -> DeedPlan[deeds.Result]:
    """Return what writes these outcomes. Raises NotPossible if the catalogue has no room."""
    made = [one.after for one in outcomes if one.before is None]
    if made:
        count = connection.scalar(select(func.count()).select_from(products)) or 0
        if count + len(made) > PRODUCTS_MAX:
            raise NotPossible(
                "CATALOGUE_FULL",
                f"the catalogue holds {PRODUCTS_MAX} products at most, archived ones among them, "
                f"and has {count}",
            )
    changed = [one.after for one in outcomes if one.before is not None and one.said]
    return DeedPlan(
        result=result,
        writes=(*product_rows.inserted(made), *product_rows.updated(changed)),
        details=tuple(
            Detail(said=f"product {one.after.product}: {one.said}") for one in outcomes if one.said
        ),
    )
