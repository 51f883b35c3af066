"""What an audit must know of the time before the line behind which it begins: of a machine, where
its books begin in this database (``starts``) or up to where they were proved (``seals``).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Row, Table, cast, func, literal, select, union_all

from actors.ports import StoreError
from storage.database import dialects
from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.tables import seals, starts, transfers

Sums = dict[str, dict[str, tuple[int, int]]]
"""By day, as text, and account: what was debited and what was credited."""
SEALS_AT_ONCE = 200
_COLUMNS = ("version", "digest", "at_ms", "from_day", "balances", "link")
_SEALED = ("machine_id", *_COLUMNS, "sealed_at_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Behind a machine's line ``version``, which has this digest. ``at_ms`` is the newest time of
    any line up to it, ``link`` the state of the stream there.

    ``balances``: what the days from ``from_day`` on say up to that line; no line behind it falls on
    a day before, unless a clock was set back by more than a day.
    """

    machine_id: str
    version: int
    digest: str
    at_ms: int
    from_day: int
    balances: Sums
    link: str

    def values(self) -> dict[str, Any]:
        """Return the row."""
        return {
            "machine_id": self.machine_id,
            "version": self.version,
            "digest": self.digest,
            "at_ms": self.at_ms,
            "from_day": self.from_day,
            "balances": msgspec.json.encode(self.balances).decode(),
            "link": self.link,
        }


def start_of(row: Row[Any]) -> Start:
    """Return what a row of ``starts`` or ``seals`` says. Raises StoreError if it is none."""
    try:
        balances = msgspec.json.decode(row.balances, type=Sums)
        msgspec.json.decode(row.link)
    except msgspec.DecodeError as error:
        raise StoreError(
            f"Where the books of machine {row.machine_id} begin was changed and cannot be read: "
            f"{error}."
        ) from error
    return Start(
        machine_id=row.machine_id,
        version=row.version,
        digest=row.digest,
        at_ms=row.at_ms,
        from_day=row.from_day,
        balances=balances,
        link=row.link,
    )


def first_day(at_ms: int) -> int:
    """Return the first day whose balances may still grow behind a line of this time: clocks of two
    hosts may differ around midnight.
    """
    return at_ms // DAY_MS - 1


def sums_up_to(
    connection: Connection, machine_id: str, version: int, from_day: int, before: Start | None
) -> Sums:
    """Return what a machine's transfers up to a line move on the days from ``from_day`` on;
    ``before``: where its books begin in this database, if not with its first line.
    """
    c = transfers.c
    day = c.at_ms // DAY_MS
    nothing = literal(0, BigInteger)
    behind = 0 if before is None else before.version
    ours = (
        c.machine_id == machine_id,
        c.version > behind,
        c.version <= version,
        c.at_ms >= from_day * DAY_MS,
    )
    sides = union_all(
        select(
            day.label("day"), c.debit_account.label("account"), c.amount_minor, nothing.label("of")
        ).where(*ours),
        select(day, c.credit_account, nothing, c.amount_minor).where(*ours),
    ).subquery()
    sums: Sums = {}
    if before is not None:
        sums = {told: dict(of) for told, of in before.balances.items() if int(told) >= from_day}
    total = [cast(func.sum(sides.c[name]), BigInteger) for name in ("amount_minor", "of")]
    wanted = select(sides.c.day, sides.c.account, *total).group_by(sides.c.day, sides.c.account)
    for found_day, account, debit, credit in connection.execute(wanted):
        of_day = sums.setdefault(str(found_day), {})
        earlier = of_day.get(account, (0, 0))
        of_day[account] = (earlier[0] + debit, earlier[1] + credit)
    return sums


def write_starts(connection: Connection, these: Iterable[Start]) -> None:
    """Let the books of these machines begin here from now on."""
    _write(connection, starts, [start.values() for start in these], _COLUMNS)


def write_seals(connection: Connection, these: Iterable[Start], *, now_ms: int) -> None:
    """Remember up to where an audit found these chains whole."""
    rows = [{**start.values(), "sealed_at_ms": now_ms} for start in these]
    for row in rows:
        row["row_sha256"] = _row_sha256([row[name] for name in _SEALED])
    _write(connection, seals, rows, (*_COLUMNS, "sealed_at_ms", "row_sha256"))


def changed_seals(connection: Connection) -> list[Row[Any]]:
    """Return the seals that are not as they were written."""
    wanted = select(*seals.c[*_SEALED, "row_sha256"]).order_by(seals.c.machine_id)
    rows = connection.execute(wanted)
    return [row for row in rows if row.row_sha256 != _row_sha256(list(row)[:-1])]


def _row_sha256(values: list[Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()


async def remember_seals(db: Database, these: Sequence[Start], *, now_ms: int) -> None:
    """Write the seals of an audit, a few at a time: machines sell meanwhile. Until the last ones
    are written some machines have older ones, which are as true.
    """
    for first in range(0, len(these), SEALS_AT_ONCE):
        some = these[first : first + SEALS_AT_ONCE]
        await db.write(partial(write_seals, these=some, now_ms=now_ms))


def _write(
    connection: Connection, table: Table, rows: list[dict[str, Any]], columns: tuple[str, ...]
) -> None:
    if rows:
        connection.execute(
            dialects.upsert(connection.dialect.name, table, "machine_id", columns), rows
        )
