"""The catalogue: what is sold, whatever machine it is in.

Flows in: what a product is to be. Flows out: the product as it is kept, or OfficeRefused. Each
change makes a new revision, which is the product's etag.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from storage.database.engine import Database
from storage.office import deeds
from storage.office.deeds import AlreadyThere, Deed, DeedPlan, Detail, NotThere
from storage.tables import product_names, products

PLAIN = (
    "category",
    "tax_class",
    "barcode",
    "shelf_life_days",
    "unit_cost_minor",
    "unit_cost_currency",
    "image_sha256",
)
"""What administrators set of a product and its row has a column for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductContent:
    """What administrators set of a product. ``names`` are by language; ``unit_cost_minor`` is in
    minor units of ``unit_cost_currency``, None and empty if nobody said; ``shelf_life_days`` is 0
    then.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    category: str = ""
    tax_class: str = ""
    barcode: str = ""
    shelf_life_days: int = 0
    unit_cost_minor: int | None = None
    unit_cost_currency: str = ""
    image_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    """A product as it is kept. ``archived_at_ms`` is None while it may be sold."""

    product: str
    content: ProductContent
    revision: int
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None


class Products:
    """The catalogue of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, product: str, content: ProductContent, deed: Deed) -> ProductView:
        """Take a product in. Again with the same content: what is there. Raises AlreadyThere."""

        def plan(connection: Connection) -> DeedPlan[ProductView]:
            if (there := view_of(connection, product)) is not None:
                if said := difference(there.content, content):
                    raise AlreadyThere("product", product, said)
                return DeedPlan(result=there)
            made = ProductView(
                product=product,
                content=content,
                revision=1,
                created_at_ms=deed.now_ms,
                updated_at_ms=deed.now_ms,
                archived_at_ms=None,
            )
            said = f"product {product}: {difference(ProductContent(), content) or 'made'}"
            return DeedPlan(result=made, writes=_inserted([made]), details=(Detail(said=said),))

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, product))

    async def get(self, product: str) -> ProductView:
        """Return a product. Raises NotThere."""
        return await self._db.read(lambda connection: _there(connection, product))


def difference(before: ProductContent, after: ProductContent) -> str:
    """Return what differs, each as ``field before -> after``; empty if nothing does."""
    said = []
    for language in sorted({*before.names, *after.names}):
        old, new = before.names.get(language), after.names.get(language)
        if old != new:
            said.append(f"name {language} {_word(old)} -> {_word(new)}")
    for name in PLAIN:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            said.append(f"{name} {_word(old)} -> {_word(new)}")
    return "; ".join(said)


def view_of(connection: Connection, product: str, *, lock: bool = False) -> ProductView | None:
    """Return a product, or None. With ``lock`` nobody else changes it before the transaction's
    end.
    """
    row = select(products).where(products.c.product == product)
    found = connection.execute(row.with_for_update() if lock else row).one_or_none()
    return None if found is None else next(iter(views_of(connection, [found])))


def views_of(connection: Connection, rows: Sequence[Row[Any]]) -> list[ProductView]:
    """Return the products of these rows, in their order."""
    c = product_names.c
    wanted = select(product_names).where(c.product.in_([row.product for row in rows]))
    names: dict[str, dict[str, str]] = {}
    for one in connection.execute(wanted.order_by(c.product, c.language)):
        names.setdefault(one.product, {})[one.language] = one.name
    return [
        ProductView(
            product=row.product,
            content=ProductContent(
                names=names.get(row.product, {}), **{name: getattr(row, name) for name in PLAIN}
            ),
            revision=row.revision,
            created_at_ms=row.created_at_ms,
            updated_at_ms=row.updated_at_ms,
            archived_at_ms=row.archived_at_ms,
        )
        for row in rows
    ]


def _there(connection: Connection, product: str) -> ProductView:
    found = view_of(connection, product)
    if found is None:
        raise NotThere("product", product)
    return found


def _inserted(made: Sequence[ProductView]) -> tuple[tuple[Any, Sequence[dict[str, Any]]], ...]:
    names = [
        {"product": one.product, "language": language, "name": name}
        for one in made
        for language, name in one.content.names.items()
    ]
    rows = (insert(products), [_row(one) for one in made])
    return (rows, (insert(product_names), names)) if names else (rows,)


def _row(view: ProductView) -> dict[str, Any]:
    return {
        "product": view.product,
        "revision": view.revision,
        "created_at_ms": view.created_at_ms,
        "updated_at_ms": view.updated_at_ms,
        "archived_at_ms": view.archived_at_ms,
        **{name: getattr(view.content, name) for name in PLAIN},
    }


def _word(value: object) -> str:
    return "none" if value in {None, ""} else repr(value)
