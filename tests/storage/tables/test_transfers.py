"""A transfer of the ledger is written once, and is read as it was entered, however little is kept
of it.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, insert, select, text

from actors.machine import ledger
from actors.machine.ids import RefundId, TradeId, VendId
from actors.machine.ledger import SIDES, Transfer, TransferKind
from actors.machine.state import Reservation
from storage.database.engine import Database
from storage.tables import kept_transfers, transfers
from storage.tables.transfers import NUMBERS, VIEW, kept
from tests.storage.tables.refused import refused, taken

TOP_UP = {
    "machine_id": "VM-1",
    "version": 1,
    "line": 0,
    "at_ms": 1,
    "kind": "TOP_UP",
    "cause": "t1",
    "debit_account": "RECEIVABLE",
    "debit_reference": "",
    "credit_account": "CUSTOMER_FUNDS",
    "credit_reference": "t1",
    "trade_id": "t1",
    "amount_minor": 10,
    "currency": "HKD",
}


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    values = kept([row[column.name] for column in transfers.columns])
    return dict(zip((column.name for column in kept_transfers.columns), values, strict=True))


@pytest.mark.slow_on_postgres
async def test_a_transfer_is_written_once(db: Database, subtests: pytest.Subtests) -> None:
    """Neither its cause nor its number may come again."""
    await taken(db, kept_transfers, _kept(TOP_UP))
    changes: dict[str, dict[str, Any]] = {
        "the cause again": {"line": 1},
        "the cause again elsewhere": {"machine_id": "VM-2", "credit_reference": "t2"},
        "the line again": {"kind": "SETTLE"},
    }
    for name, change in changes.items():
        with subtests.test(name):
            await refused(db, kept_transfers, _kept({**TOP_UP, **change}))


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("amount_minor", [0, -1])
async def test_a_transfer_moves_something(db: Database, amount_minor: int) -> None:
    """From the account that is debited to the one that is credited, never the other way."""
    await refused(db, kept_transfers, _kept({**TOP_UP, "amount_minor": amount_minor}))


def _read(connection: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    connection.execute(insert(kept_transfers), [_kept(row) for row in rows])
    found = connection.execute(select(transfers).order_by(transfers.c.version)).all()
    return [dict(row._mapping) for row in found]


TRADE, VEND, REFUND = TradeId("2026050622"), VendId("VM-1-v1-0a"), RefundId("2026050622R1_5")
PART = Reservation(trade_id=TRADE, amount_minor=5)
ALL_KINDS: list[Transfer] = [
    ledger.top_up(TRADE, 5),
    *ledger.reserve(VEND, [PART]),
    *ledger.give_back(VEND, [PART]),
    *ledger.settle(VEND, [PART]),
    ledger.goodwill(VEND, TRADE, 5),
    ledger.refund_asked(REFUND, TRADE, 5),
    ledger.refund_confirmed(REFUND, TRADE, 5),
    ledger.refund_given_up(REFUND, TRADE, 5),
    ledger.write_off(VEND, 5),
]


def _row(transfer: Transfer, version: int) -> dict[str, Any]:
    said = {name: getattr(transfer, name) for name in Transfer.__struct_fields__}
    return {**TOP_UP, **{name: _plain(value) for name, value in said.items()}, "version": version}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


async def test_every_kind_of_transfer_is_read_as_it_was_entered(db: Database) -> None:
    """And nothing is kept of it that follows from its kind and its cause."""
    rows = [_row(transfer, version) for version, transfer in enumerate(ALL_KINDS)]
    assert set(TransferKind) == {row["kind"] for row in rows} == set(NUMBERS)
    assert rows == await db.write(lambda connection: _read(connection, rows))
    again = {name for row in rows for name, value in _kept(row).items() if value is not None}
    assert {"trade_id", "debit_account", "credit_reference"}.isdisjoint(again)


@pytest.mark.slow_on_postgres
async def test_any_transfer_is_read_as_it_was_entered(db: Database) -> None:
    """One that contradicts itself, too: the audit must see what somebody has entered."""
    odd: list[dict[str, Any]] = [
        {"kind": kind, "cause": f"{cause}{number}", **change}
        for number, (kind, change) in enumerate(
            (kind, change)
            for kind in NUMBERS
            for change in (
                {"trade_id": "elsewhere"},
                {"trade_id": ""},
                {"debit_account": "SALES", "credit_account": "RESERVED"},
                {"debit_reference": "x", "credit_reference": "/"},
            )
        )
        for cause in ("t1/t1/", "é~t1", "/t1")
    ]
    rows = [{**TOP_UP, **change, "version": version} for version, change in enumerate(odd)]
    assert rows == await db.write(lambda connection: _read(connection, rows))


WORDS = st.text(alphabet="aé/~1", max_size=4)


@settings(max_examples=300, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(sorted(NUMBERS)),
            "debit_account": st.sampled_from(sorted({debit for debit, _ in SIDES.values()})),
            "credit_account": st.sampled_from(sorted({credit for _, credit in SIDES.values()})),
            **dict.fromkeys(("cause", "trade_id", "debit_reference", "credit_reference"), WORDS),
        }
    )
)
def test_whatever_is_said_of_a_transfer_is_read(said: dict[str, Any]) -> None:
    """Its view and what is kept of it are each other's way back."""
    row = {**TOP_UP, **{name: _plain(value) for name, value in said.items()}}
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        names = ", ".join(column.name for column in kept_transfers.columns)
        connection.execute(text(f"CREATE TABLE kept_transfers ({names})"))
        connection.execute(text(VIEW))
        assert [row] == _read(connection, [row])
    engine.dispose()


async def test_the_migrations_make_this_view(db: Database) -> None:
    """Word for word, so that what schema 0007 says of a transfer is what the program says."""
    if db.dialect.name != "sqlite":
        pytest.skip("PostgreSQL keeps a view in words of its own")
    wanted = text("SELECT sql FROM sqlite_master WHERE name = 'transfers'")
    assert VIEW == await db.read(lambda connection: connection.scalar(wanted))
