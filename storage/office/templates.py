"""Planogram templates: what many machines have in their columns, and what it costs.

Flows in: templates. Flows out: templates, and the columns that a machine gets of one. Nothing here
reaches a machine; an application of a template does, machine by machine, as SetPlanogram would.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from actors.machine.state import Column
from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.office import deeds
from storage.office.deeds import (
    AlreadyThere,
    Deed,
    DeedPlan,
    Detail,
    EtagOutdated,
    NotPossible,
    NotThere,
)
from storage.office.prices import NewPrice, check_products, price_at
from storage.tables import planogram_templates, price_lists, products

TEMPLATES_MAX = 1_000
_MAY_REMOVE = "goods_may_be_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateColumn:
    """One column. ``price_minor`` None: the template's price list says what the product costs;
    ``par`` None: the machine's par stays.
    """

    column: str
    product: str
    price_minor: int | None
    capacity: int
    par: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateContent:
    """What people say of a template. ``currency`` is of its own prices, empty if it has none."""

    name: str
    price_list: str
    currency: str
    columns: tuple[TemplateColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """A template as it is kept, or as it was when an application of it began."""

    template: str
    content: TemplateContent
    revision: int
    created_at_ms: int
    updated_at_ms: int
    archived_at_ms: int | None

    def kept(self, *, goods_may_be_removed: bool = False) -> str:
        """Return it as a text that ``read`` makes a template of, with whether its application may
        remove goods.
        """
        said = {_MAY_REMOVE: True} if goods_may_be_removed else {}
        return json.dumps(asdict(self) | said, ensure_ascii=False, separators=(",", ":"))

    def listed(self) -> frozenset[str]:
        """Return the products whose prices the price list says."""
        return frozenset(one.product for one in self.content.columns if one.price_minor is None)


def read(text: str) -> TemplateView:
    """Return the template of a text."""
    values = json.loads(text)
    values.pop(_MAY_REMOVE, None)
    content = values.pop("content")
    columns = tuple(TemplateColumn(**one) for one in content.pop("columns"))
    return TemplateView(content=TemplateContent(columns=columns, **content), **values)


def may_remove(text: str) -> bool:
    """Return whether the application of this text may remove goods."""
    return bool(json.loads(text).get(_MAY_REMOVE, False))


class NoPlanogram(ValueError):
    """The template makes no planogram for a machine; the text says why."""


def columns_of(
    template: TemplateView, currency: str, prices: Mapping[str, int]
) -> tuple[Column, ...]:
    """Return the columns of a machine with this currency; ``prices`` are the price list's, by
    product. Raises NoPlanogram.
    """
    content = template.content
    if content.currency not in {"", currency}:
        raise NoPlanogram(f"sells in {currency}, and the template's prices are {content.currency}")
    if missing := sorted(template.listed().difference(prices)):
        raise NoPlanogram(
            f"price list {content.price_list} has no price in {currency} of {', '.join(missing)}"
        )
    return tuple(
        Column(
            column=one.column,
            product=one.product,
            price_minor=prices[one.product] if one.price_minor is None else one.price_minor,
            capacity=one.capacity,
            stock=0,
        )
        for one in content.columns
    )


class Templates:
    """The templates of an installation. Every method raises StoreError when the database does not
    answer; those with a deed raise RequestInProgress.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, template: str, content: TemplateContent, deed: Deed) -> TemplateView:
        """Make a template. Again with the same content: what is there. Raises AlreadyThere or
        NotPossible (TOO_MANY_TEMPLATES, UNKNOWN_PRODUCTS, PRICE_LIST_ARCHIVED), NotThere of the
        price list.
        """

        def plan(connection: Connection) -> DeedPlan[TemplateView]:
            there = _found(connection, template, lock=deed.locks)
            if there is not None:
                if there.content != content:
                    said = ", ".join(_differing(there.content, content))
                    raise AlreadyThere("planogram_template", template, said)
                return DeedPlan(result=there)
            count = connection.scalar(select(func.count()).select_from(planogram_templates)) or 0
            if count >= TEMPLATES_MAX:
                raise NotPossible(
                    "TOO_MANY_TEMPLATES",
                    f"there are {count} templates, archived ones among them, which is the most",
                )
            _check(connection, content)
            made = TemplateView(
                template=template,
                content=content,
                revision=1,
                created_at_ms=deed.now_ms,
                updated_at_ms=deed.now_ms,
                archived_at_ms=None,
            )
            said = f"planogram template {template}: made with {len(content.columns)} columns"
            return DeedPlan(
                result=made,
                writes=((insert(planogram_templates), [_row(made)]),),
                details=(Detail(said=said),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, template))

    async def update(
        self, template: str, content: TemplateContent, deed: Deed, *, etag: str = ""
    ) -> TemplateView:
        """Give a template this content; machines keep what they have until it is applied. Raises
        NotThere, EtagOutdated or NotPossible as ``create`` does, and TEMPLATE_ARCHIVED.
        """

        def plan(connection: Connection) -> DeedPlan[TemplateView]:
            there = _for(connection, template, etag=etag, lock=deed.locks)
            check_in_use(there)
            if there.content == content:
                return DeedPlan(result=there)
            _check(connection, content)
            after = replace(_next(there, deed.now_ms), content=content)
            differing = ", ".join(_differing(there.content, content))
            said = f"planogram template {template}: another {differing}"
            return DeedPlan(
                result=after, writes=((_written(after), ()),), details=(Detail(said=said),)
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, template))

    async def archive(
        self, template: str, deed: Deed, *, archived: bool, etag: str = "", why: str = ""
    ) -> TemplateView:
        """Let the template be applied no more, or again. Raises NotThere or EtagOutdated."""

        def plan(connection: Connection) -> DeedPlan[TemplateView]:
            there = _for(connection, template, etag=etag, lock=deed.locks)
            if archived is (there.archived_at_ms is not None):
                return DeedPlan(result=there)
            after = _next(there, deed.now_ms)
            after = replace(after, archived_at_ms=deed.now_ms if archived else None)
            said = f"planogram template {template}: {'archived' if archived else 'restored'}"
            return DeedPlan(
                result=after,
                writes=((_written(after), ()),),
                details=(Detail(said=f"{said}; {why}" if why else said),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: _there(connection, template))

    async def get(self, template: str) -> TemplateView:
        """Return a template. Raises NotThere."""
        return await self._db.read(lambda connection: _there(connection, template))

    async def page(self, *, archived: bool, after: str = "", limit: int) -> list[TemplateView]:
        """Return the first ``limit`` templates behind the code ``after``, in the order of codes."""
        c = planogram_templates.c
        rows = select(planogram_templates).where(c.template > after)
        if not archived:
            rows = rows.where(c.archived_at_ms.is_(None))
        page = rows.order_by(c.template).limit(limit)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(page)]
        )

    async def archived(self, template: TemplateView) -> frozenset[str]:
        """Return those of its products that are archived by now."""
        mine = [one.product for one in template.content.columns]
        wanted = select(products.c.product).where(
            products.c.product.in_(mine), products.c.archived_at_ms.is_not(None)
        )
        return await self._db.read(lambda connection: frozenset(connection.scalars(wanted)))

    async def prices(
        self, price_list: str, codes: Collection[str], currency: str, at_ms: int
    ) -> dict[str, int]:
        """Return what these products cost at a moment, those that have a price then."""

        def work(connection: Connection) -> dict[str, int]:
            found = {}
            for product in sorted(codes):
                asked = NewPrice(product=product, currency=currency, price_minor=None)
                price = price_at(connection, price_list, asked, at_ms)
                if price is not None and price.price_minor is not None:
                    found[product] = price.price_minor
            return found

        return await self._db.read(work)


def check_in_use(template: TemplateView) -> None:
    """Raise NotPossible (TEMPLATE_ARCHIVED) if it was archived."""
    if template.archived_at_ms is not None:
        raise NotPossible(
            "TEMPLATE_ARCHIVED",
            f"planogram template {template.template} was archived: RestorePlanogramTemplate",
            planogram_template=template.template,
        )


def _check(connection: Connection, content: TemplateContent) -> None:
    check_products(connection, [one.product for one in content.columns])
    if content.price_list:
        c = price_lists.c
        wanted = select(c.price_list, c.archived_at_ms).where(c.price_list == content.price_list)
        row = connection.execute(wanted).one_or_none()
        if row is None:
            raise NotThere("price_list", content.price_list)
        if row.archived_at_ms is not None:
            raise NotPossible(
                "PRICE_LIST_ARCHIVED",
                f"price list {content.price_list} was archived: RestorePriceList, or name another",
                price_list=content.price_list,
            )


def _differing(before: TemplateContent, after: TemplateContent) -> list[str]:
    names = ("name", "price_list", "currency", "columns")
    return [name for name in names if getattr(before, name) != getattr(after, name)]


def _found(connection: Connection, template: str, *, lock: bool) -> TemplateView | None:
    wanted = select(planogram_templates).where(planogram_templates.c.template == template)
    row = connection.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    return None if row is None else _view(row)


def _there(connection: Connection, template: str, *, lock: bool = False) -> TemplateView:
    found = _found(connection, template, lock=lock)
    if found is None:
        raise NotThere("planogram_template", template)
    return found


def _for(connection: Connection, template: str, *, etag: str, lock: bool) -> TemplateView:
    there = _there(connection, template, lock=lock)
    if etag and etag != etag_of(there.revision):
        raise EtagOutdated("planogram_template", template, etag_of(there.revision))
    return there


def _next(view: TemplateView, now_ms: int) -> TemplateView:
    return replace(view, revision=view.revision + 1, updated_at_ms=now_ms)


def _written(view: TemplateView) -> Any:
    mine = planogram_templates.c.template == view.template
    return update(planogram_templates).where(mine).values(_row(view))


def _row(view: TemplateView) -> dict[str, Any]:
    content = view.content
    return {
        "template": view.template,
        "revision": view.revision,
        "name": content.name,
        "price_list": content.price_list,
        "currency": content.currency,
        "created_at_ms": view.created_at_ms,
        "updated_at_ms": view.updated_at_ms,
        "archived_at_ms": view.archived_at_ms,
        "columns": json.dumps([asdict(one) for one in content.columns], ensure_ascii=False),
    }


def _view(row: Row[Any]) -> TemplateView:
    return TemplateView(
        template=row.template,
        content=TemplateContent(
            name=row.name,
            price_list=row.price_list,
            currency=row.currency,
            columns=tuple(TemplateColumn(**one) for one in json.loads(row.columns)),
        ),
        revision=row.revision,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
        archived_at_ms=row.archived_at_ms,
    )
