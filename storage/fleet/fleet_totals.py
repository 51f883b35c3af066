"""The totals of the whole fleet at a line of the journal: so the fleet's money is one row and what
the lines behind it moved, however many machines and days there are.

Flows in: a connection. Flows out: totals, and whether a new row is saved. ``position`` is a line up
to which every line was there for good when the row was made (``storage.fleet.horizon``), so that
none turns up before it later. ``vendgate archive`` takes transfers away whose sums stay in the
balances: with a month that is archived the row is void, and is made again from the balances, unless
the archive itself saw that nothing went from behind the position.
"""

from dataclasses import dataclass, field

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select, update

from storage.database import dialects
from storage.fleet.balances import Sums, Totals
from storage.tables import archives, fleet_totals, journal, starts, transfers

_C = fleet_totals.c
_ARCHIVED = select(func.max(archives.c.month))
_NEWEST = select(func.coalesce(func.max(journal.c.id), 0))
# Compared by the database: somebody may have written into it what is no number.
_HAS_IT = (_C.position <= _NEWEST.scalar_subquery()).label("has_it")
_BEHIND = (_NEWEST.scalar_subquery() - _C.position).label("behind")
_ROW = select(_C.position, _C.archived, _C.totals, _HAS_IT, _BEHIND)
_ID = 1
Key = tuple[int, str]
"""The position of a row and its month: whoever replaces it names what they saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What all transfers up to the line ``position`` add up to, made when ``archived`` was the
    newest month of the archive.
    """

    position: int
    archived: str
    totals: Totals

    @property
    def key(self) -> Key:
        """What whoever replaces it names."""
        return self.position, self.archived


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalsStanding:
    """How it stands in one moment. ``key``: of the row that is there, if there is one; ``saved``:
    what it says, None if that does not hold any more, cannot be read or is of a line that is not
    there yet. ``archived``: the newest month that is archived, '' if none is. ``behind``: by how
    much the journal's newest position is above that of ``saved``, which is no part of how the row
    stands.
    """

    key: Key | None
    saved: Saved | None
    archived: str
    behind: int = field(default=0, compare=False)


def read_standing(connection: Connection) -> TotalsStanding:
    """Return how it stands."""
    archived = connection.scalar(_ARCHIVED) or ""
    row = connection.execute(_ROW).one_or_none()
    if row is None:
        return TotalsStanding(key=None, saved=None, archived=archived)
    key = (row.position, row.archived)
    holds = row.has_it and row.archived == archived
    totals = _decoded(row.totals) if holds else None
    if totals is None:
        return TotalsStanding(key=key, saved=None, archived=archived)
    saved = Saved(position=row.position, archived=archived, totals=totals)
    return TotalsStanding(key=key, saved=saved, archived=archived, behind=row.behind)


def read_fleet(connection: Connection, *, behind_max: int | None = None) -> Totals | None:
    """Return what the whole fleet's transfers add up to by now; None if no totals are saved that
    hold, or if they are more than ``behind_max`` lines behind the journal.
    """
    standing = read_standing(connection)
    saved = standing.saved
    if saved is None or (behind_max is not None and standing.behind > behind_max):
        return None
    return saved.totals + moved_behind(connection, saved.position)


def newest(connection: Connection) -> int:
    """Return the newest position of the journal that is seen; 0 if there is none."""
    return connection.scalar(_NEWEST) or 0


def moved_behind(connection: Connection, position: int) -> Totals:
    """Return what the lines behind a position moved."""
    return read_moved(connection, journal.c.id > position)


def read_moved(connection: Connection, *where: ColumnElement[bool]) -> Totals:
    """Return what the transfers of these lines of the journal add up to. It costs what there are
    such lines; the condition is to bound their ids.
    """
    line, moved = journal.c, transfers.c
    # Joined with nothing it is no column that an index holds: the lines are looked up first, and
    # each line's transfers by it.
    ours = journal.join(
        transfers,
        (moved.machine_id == line.machine_id + "") & (moved.version == line.version),
    )
    # PostgreSQL sums 64-bit integers to a decimal number; it is an integer here.
    amount = cast(func.sum(moved.amount_minor), BigInteger)
    sides = (moved.currency, moved.debit_account, moved.credit_account)
    wanted = select(*sides, amount).select_from(ours).where(*where).group_by(*sides)
    sums: dict[str, Sums] = {}
    for currency, debited, credited, minor in connection.execute(wanted):
        of = sums.setdefault(currency, {})
        debit, credit = of.get(debited, (0, 0))
        of[debited] = (debit + minor, credit)
        debit, credit = of.get(credited, (0, 0))
        of[credited] = (debit, credit + minor)
    return Totals(sums)


def save(connection: Connection, *, seen: Key | None, now: Saved) -> bool:
    """Save ``now`` in place of the row that was ``seen``, None: of no row. Return whether it is
    saved: it is not if somebody else has saved meanwhile, nor if the journal ends before it, as
    in a database that took over without its last lines.
    """
    if newest(connection) < now.position:
        return False
    values = {
        "position": now.position,
        "archived": now.archived,
        "totals": msgspec.json.encode(now.totals).decode(),
    }
    if seen is None:
        insert = dialects.insert_or_ignore(connection.dialect.name, fleet_totals, ["id"])
        return connection.execute(insert.values(id=_ID, **values)).rowcount == 1
    same = (_C.position == seen[0], _C.archived == seen[1])
    return connection.execute(update(fleet_totals).where(*same).values(values)).rowcount == 1


def carry_over(connection: Connection, month: str) -> None:
    """Let the totals hold with a month that is archived in this transaction, once it is written
    where the books begin now: unless a line goes that is behind their position.
    """
    newest_before = connection.scalar(_ARCHIVED.where(archives.c.month < month)) or ""
    goes = (
        select(journal.c.id)
        .join(starts, starts.c.machine_id == journal.c.machine_id)
        .where(journal.c.id > _C.position, journal.c.version <= starts.c.version)
        .correlate(fleet_totals)
        .exists()
    )
    connection.execute(
        update(fleet_totals).where(_C.archived == newest_before, ~goes).values(archived=month)
    )


def _decoded(totals: str) -> Totals | None:
    try:
        return msgspec.json.decode(totals, type=Totals)
    except msgspec.DecodeError:
        return None
