"""Two books are compared trade by trade; every way in which they can disagree has its sentence."""

from typing import Any

import pytest

from gateway.demo.books import OurTrade, differences

OURS = (
    OurTrade(trade_id="t1", currency="HKD", paid_minor=1_000, refunded_minor=400),
    OurTrade(trade_id="t2", currency="HKD", paid_minor=500, refunded_minor=0),
)


def a_book() -> dict[str, Any]:
    """A book that agrees with OURS."""
    return {
        "trades": [
            {
                "trade_no": "t1",
                "currency": "HKD",
                "paid_minor": 1_000,
                "refunded_minor": 400,
                "refunds": [{"refund_id": "t1R1", "amount_minor": 400}],
            },
            {
                "trade_no": "t2",
                "currency": "HKD",
                "paid_minor": 500,
                "refunded_minor": 0,
                "refunds": [],
            },
        ],
        "totals": {"HKD": {"paid_minor": 1_500, "refunded_minor": 400}},
    }


def test_equal_books_have_no_difference() -> None:
    """Same trades, same amounts, same total: nothing to say."""
    assert [] == list(differences(OURS, a_book(), {"HKD": 400}))


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (
            ("trades", 0, "paid_minor"),
            999,
            "trade t1: paid is 1000 in our ledger and 999 in Alipay's book",
        ),
        (
            ("trades", 0, "refunded_minor"),
            800,
            "trade t1: refunded is 400 in our ledger and 800 in Alipay's book",
        ),
        (
            ("trades", 1, "currency"),
            "USD",
            "trade t2: currency is HKD in our ledger and USD in Alipay's book",
        ),
        (("trades", 1, "trade_no"), "t3", "trade t2: Alipay does not know it"),
        (("trades", 1, "trade_no"), "t3", "trade t3: we do not know it"),
        (
            ("trades", 0, "refunds"),
            [{"refund_id": "t1R1"}, {"refund_id": "t1R1"}],
            "trade t1: a refund stands twice in Alipay's book",
        ),
        (
            ("totals", "HKD", "refunded_minor"),
            0,
            "HKD: 400 confirmed as refunded in our ledger, 0 in Alipay's book",
        ),
    ],
)
def test_each_difference_is_told(path: tuple[str | int, ...], value: object, sentence: str) -> None:
    """One changed figure gives one sentence that names it."""
    book = a_book()
    place: Any = book
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert sentence in differences(OURS, book, {"HKD": 400})
