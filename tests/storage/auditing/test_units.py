"""What belongs together in the books, and what its transfers are named after."""

from dataclasses import dataclass
from typing import Any, cast

from storage.auditing.units import Units, pieces
from storage.tables import refunds, trades, vends


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row, as far as units ask it."""

    session_id: str | None = None
    trade_id: str = ""
    vend_id: str = ""
    refund_id: str = ""


def units(*rows: tuple[Any, Record]) -> Units:
    """Note these."""
    noted = Units()
    for table, row in rows:
        noted.note(table, cast("Any", row))
    return noted


def test_a_session_s_transfers_are_of_each_vend_from_each_trade() -> None:
    """And of nobody else's."""
    found = units(
        (trades, Record(session_id="s1", trade_id="t1")),
        (trades, Record(session_id="s1", trade_id="t2")),
        (vends, Record(session_id="s1", vend_id="v1")),
        (vends, Record(session_id="s2", vend_id="v2")),
        (refunds, Record(trade_id="t1", refund_id="t1R1")),
    )
    assert {"s1", "s2"} == found.sessions
    assert {"t1", "t2", "v1", "v2", "v1/t1", "v1/t2", "t1R1"} == found.causes()


def test_a_trade_without_a_session_stands_alone() -> None:
    """Late money, which goes back."""
    found = units((trades, Record(trade_id="t1")), (refunds, Record(refund_id="t1R1")))
    assert {"t1", "t1R1"} == found.causes()


def test_units_without_others_are_the_rest() -> None:
    """Of sessions, trades and vends."""
    both = units(
        (trades, Record(session_id="s1", trade_id="t1")),
        (vends, Record(session_id="s2", vend_id="v2")),
    )
    rest = both.without(units((trades, Record(session_id="s1", trade_id="t1"))))
    assert ({"s2"}, set(), {"v2"}) == (rest.sessions, rest.trades, rest.vends)


def test_a_statement_names_a_bounded_number() -> None:
    """In order, all of them."""
    values = [f"{number:04}" for number in range(1_201)]
    assert [500, 500, 201] == [len(some) for some in pieces(values)]
    assert values == [one for some in pieces(set(values)) for one in some]
