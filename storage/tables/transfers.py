"""The ledger: what is kept of each transfer, and how it is read.

``kept_transfers`` holds what does not follow from the rest; it is only added to. ``transfers`` is
the view of it in which everything is said, and which everybody reads. A transfer's kind tells its
two accounts, and its cause names its trade and what its accounts are of
(``actors.machine.ledger``); so those columns are NULL. What does not follow, as in books that
somebody has changed, stands in them: any transfer at all is read as it was entered.

A transfer has no foreign key: it is written with a line of the journal, whose key holds for it;
partition and epoch stand there.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    event,
)

from actors.machine.ledger import SIDES, Account, TransferKind
from storage.append_only import refuse_changes
from storage.tables.base import metadata

NUMBERS: dict[str, int] = {
    "TOP_UP": 1,
    "RESERVE": 2,
    "RETURN": 3,
    "SETTLE": 4,
    "GOODWILL": 5,
    "REFUND_ASKED": 6,
    "REFUND_CONFIRMED": 7,
    "REFUND_GIVEN_UP": 8,
    "WRITE_OFF": 9,
}
"""The number of each kind, for ever."""

kept_transfers = Table(
    "kept_transfers",
    metadata,
    # Whose, and which of a decision's movements: found with its line of the journal.
    Column("machine_id", String(32), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    # Where in the cause the trade's number begins, from 1, and how long it is.
    Column("trade_from", SmallInteger),
    Column("trade_length", SmallInteger),
    Column("cause", String(200), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("trade_id", String(64)),
    Column("debit_account", String(32)),
    Column("debit_reference", String(128)),
    Column("credit_account", String(32)),
    Column("credit_reference", String(128)),
    # A cause is entered once, whatever happens: the last line of defence against paying or being
    # paid twice.
    UniqueConstraint("cause", "kind"),
    CheckConstraint("amount_minor > 0", name="moves_money"),
)
refuse_changes(kept_transfers, but_archived=True)

transfers = Table(
    "transfers",
    MetaData(),  # of views: nobody makes a table of it
    Column("machine_id", String(32), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("cause", String(200), nullable=False),
    Column("debit_account", String(32), nullable=False),
    Column("debit_reference", String(128), nullable=False),
    Column("credit_account", String(32), nullable=False),
    Column("credit_reference", String(128), nullable=False),
    Column("trade_id", String(64), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    UniqueConstraint("cause", "kind"),
)

_SIDES = {kind.value: sides for kind, sides in SIDES.items()}
"""By the text of the kind, which every row is asked for."""
_TRADE = "substr(cause, trade_from, trade_length)"
_OF = {
    Account.CUSTOMER_FUNDS: f"COALESCE(trade_id, {_TRADE})",
    # What stands before the stroke; abs, because PostgreSQL knows no length below 0.
    Account.RESERVED: "substr(cause, 1, abs(trade_from - 2))",
    Account.REFUND_DUE: "cause",
}
"""What an account of this kind is of. The others are of nothing."""


def kept(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the row of ``kept_transfers`` of a row of ``transfers``. Raises KeyError for a kind
    that has no number.
    """
    machine_id, version, line, at_ms, kind, cause = row[:6]
    trade_id, amount_minor, currency = row[10:]
    place = cause.rfind(trade_id)
    named = place >= 0
    debit, credit = _SIDES[kind]
    return (
        machine_id,
        version,
        line,
        at_ms,
        amount_minor,
        NUMBERS[kind],
        place + 1 if named else None,
        len(trade_id) if named else None,
        cause,
        currency,
        None if named else trade_id,
        None if row[6] == debit else row[6],
        None if row[7] == _of(debit, cause, trade_id, place) else row[7],
        None if row[8] == credit else row[8],
        None if row[9] == _of(credit, cause, trade_id, place) else row[9],
    )


def _of(account: Account, cause: str, trade_id: str, place: int) -> str | None:
    if account is Account.CUSTOMER_FUNDS:
        return trade_id
    if account is Account.RESERVED:
        return cause[: abs(place - 1)] if place >= 0 else None
    return cause if account is Account.REFUND_DUE else ""


def _by_kind(told: dict[str, str]) -> str:
    """Return what to say of each kind, put together where it is the same."""
    same: dict[str, list[int]] = {}
    for kind, said in told.items():
        same.setdefault(said, []).append(NUMBERS[kind])
    some = (
        f"WHEN kind IN ({', '.join(map(str, numbers))}) THEN {said}"
        for said, numbers in same.items()
    )
    return f"CASE {' '.join(some)} END"


def _view() -> str:
    sides = {"debit": 0, "credit": 1}
    accounts = {
        f"{side}_account": _by_kind(
            {kind: f"'{SIDES[TransferKind(kind)][of]}'" for kind in NUMBERS}
        )
        for side, of in sides.items()
    }
    references = {
        f"{side}_reference": _by_kind(
            {kind: _OF.get(SIDES[TransferKind(kind)][of], "''") for kind in NUMBERS}
        )
        for side, of in sides.items()
    }
    follows = {**accounts, **references, "trade_id": _TRADE}
    said = {
        "kind": _by_kind({kind: f"'{kind}'" for kind in NUMBERS}),
        **{name: f"COALESCE({name}, {what})" for name, what in follows.items()},
    }
    columns = ", ".join(
        f"{said[name]} AS {name}" if name in said else name
        for name in transfers.columns.keys()  # noqa: SIM118 - its own iteration is of columns
    )
    return f"CREATE VIEW transfers AS SELECT {columns} FROM kept_transfers"  # noqa: S608 - our own words


VIEW = _view()
event.listen(kept_transfers, "after_create", DDL(VIEW))  # type: ignore[no-untyped-call]
event.listen(kept_transfers, "before_drop", DDL("DROP VIEW IF EXISTS transfers"))  # type: ignore[no-untyped-call]


def as_read(table: Table) -> Table:
    """Return the table or view in which what a table keeps is read."""
    return transfers if table is kept_transfers else table
