"""Money: the ledger's sums, refunds that are not done, and what Alipay's file and the ledger
disagree about.
"""

from collections.abc import Iterable

from gateway.fleet.v1 import trade_pb2, trade_service_pb2, work_item_pb2, work_item_service_pb2
from gateway.web import waiting
from gateway.web.charts import Bar, bars
from gateway.web.tables import Amount, Table
from gateway.web.view import ConsolePage, Looking

PAGE = 100
READ = 14
SUMS = (
    ("money_in_minor", "paid in"),
    ("money_sold_minor", "sold"),
    ("money_refunded_minor", "refunded"),
    ("money_held_minor", "held for customers"),
    ("refunds_open_minor", "due back"),
    ("goods_written_off_minor", "goods written off"),
    ("refunds_written_off_minor", "refunds written off"),
)


async def money(looking: Looking) -> ConsolePage:
    """Return the page."""
    balances, refunds, items, read = await looking.all(
        trade_service_pb2.GetBalancesRequest(),
        trade_service_pb2.ListRefundsRequest(
            open=True, page_size=PAGE, page_token=looking.token("refunds")
        ),
        work_item_service_pb2.ListWorkItemsRequest(
            page_size=PAGE,
            page_token=looking.token("items"),
            kinds=[
                work_item_pb2.WORK_ITEM_KIND_RECONCILIATION_DIFFERENCE,
                work_item_pb2.WORK_ITEM_KIND_PAYMENT_CONFLICT,
                work_item_pb2.WORK_ITEM_KIND_NOTIFICATION_REFUSED,
            ],
        ),
        trade_service_pb2.ListReconciliationsRequest(
            page_size=READ, page_token=looking.token("read")
        ),
    )
    next_pages = {"refunds": refunds.next_page_token, "work-items": items.next_page_token}
    next_pages["reconciliations"] = read.next_page_token
    words = {"refunds": "refunds", "work-items": "items", "reconciliations": "read"}
    return ConsolePage(
        title="Money",
        template="money.html",
        tables=(
            _sums(balances.balances),
            waiting.refunds(refunds.refunds, now_ms=looking.now_ms),
            waiting.work_items(items.work_items, "Differences and refused notifications"),
            waiting.reconciliations(read.reconciliations, "Reconciliations"),
        ),
        values={
            "charts": {one.currency: _bars(one) for one in balances.balances},
            "unbalanced": [one.currency for one in balances.balances if not one.ledger_balanced],
        },
        more={name: {words[name]: token} for name, token in next_pages.items() if token},
    )


def _sums(of: Iterable[trade_pb2.Balance]) -> Table:
    return Table(
        name="ledger",
        title="The ledger",
        heads=("Currency", *(name.capitalize() for _, name in SUMS), "Balanced"),
        rows=[
            (
                one.currency,
                *(Amount(getattr(one, field), one.currency) for field, _ in SUMS),
                "yes" if one.ledger_balanced else "NO",
            )
            for one in of
        ],
        empty="No money has moved yet.",
    )


def _bars(of: trade_pb2.Balance) -> list[Bar]:
    return bars(
        [
            (name, getattr(of, field), str(Amount(getattr(of, field), of.currency)))
            for field, name in SUMS
        ]
    )
