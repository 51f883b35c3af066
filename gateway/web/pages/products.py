"""Products: what sells, and the catalogue."""

import asyncio
from collections.abc import Mapping

from gateway.office.v1 import product_service_pb2, sales_service_pb2
from gateway.web import sales
from gateway.web.tables import Table, moment, money
from gateway.web.view import ConsolePage, Looking
from storage.insight import days

PAGE = 100
_FIRST = ("en", "zh-Hant", "zh-Hans")


def _name(names: Mapping[str, str]) -> str:
    """Return the name for people here: the English one, or the first there is."""
    return next((names[one] for one in (*_FIRST, *sorted(names)) if one in names), "")


async def products(looking: Looking) -> ConsolePage:
    """Return the page."""
    words = {name: looking.word(name) for name in ("text", "category", "archived")}
    today = days.as_number(looking.local().date())
    answer, told = await asyncio.gather(
        looking.ask(
            product_service_pb2.ListProductsRequest(
                page_size=PAGE,
                page_token=looking.token("page"),
                text=words["text"],
                category=words["category"],
                show_archived=bool(words["archived"]),
            )
        ),
        looking.attempt(sales.last_days(today, sales_service_pb2.SALES_BY_PRODUCT)),
    )
    sold = sales.by_product(told)
    table = Table(
        name="products",
        title="Products",
        heads=("Code", "Name", "Category", "Barcode", "Keeps, days", "Unit cost", "Archived"),
        rows=[
            (
                one.code,
                _name(one.names),
                one.category,
                one.barcode,
                one.shelf_life_days or None,
                money(one.unit_cost),
                moment(one.archived_at),
            )
            for one in answer.products
        ],
        empty="The catalogue has none like that; AdoptProducts makes them of what planograms have.",
    )
    return ConsolePage(
        title="Products",
        template="products.html",
        tables=(sold, table),
        values={
            "words": words,
            "charts": sales.best(told),
            "margins": sales.margins(told),
            "sales_complete": sales.complete(told),
        },
        more={"products": {**words, "page": answer.next_page_token}}
        if answer.next_page_token
        else {},
    )
