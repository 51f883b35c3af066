"""What the follower reads to count for how long machines could sell (``storage.insight.exposure``),
and what it keeps of each machine to go on counting.

A machine of which nothing is kept yet is counted from its first line on. If that is not its first
one (an older program followed the lines before, or they were archived), what was so by then is
taken from what the books still have of it, and what they do not have from the registry of now.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    func,
    or_,
    select,
)

from actors.machine.connecting import DISABLED, RETIRED
from actors.machine.effects import CloseStream
from actors.machine.goods import column_place
from actors.machine.ids import MachineId
from storage import codec
from storage.auditing.reading import total
from storage.codec import Ordered
from storage.database import dialects, prepared
from storage.database.prepared import Prepared
from storage.insight.exposure import (
    KINDS,
    Change,
    Counted,
    LineTold,
    Ready,
    Stocked,
    after,
    counted_on,
    up_to,
)
from storage.insight.local_time import HOUR_MS
from storage.insight.places import Stood, read_stays
from storage.insight.rollups import Sums
from storage.tables import (
    goods_moves,
    journal,
    machine_exposures,
    planogram_columns,
    starts,
)

MACHINES_AT_ONCE = 200
HOURS_AT_ONCE = 48
"""Who was silent for years is counted on by so many hours at a time."""
MOVES_AT_ONCE = 100
LINES_LOOKED_BACK = 100
IN_ONE_QUESTION = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Of the machines of some lines: up to where each is counted, and what changed behind that, in
    order.
    """

    known: Mapping[str, Counted] = field(default_factory=dict)
    changes: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    stays: Mapping[str, Sequence[Stood]] = field(default_factory=dict)

    def counted(self, sums: Sums) -> list[Counted]:
        """Add their time to ``sums``; return what is to be kept of them. Pure."""
        return [
            counted_on(sums, self.known[machine_id], changes, self.stays.get(machine_id, ()))
            for machine_id, changes in self.changes.items()
        ]


_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)


def _here(query: Select[Any]) -> Select[Any]:
    return query.outerjoin(starts, starts.c.machine_id == journal.c.machine_id).where(
        or_(starts.c.version.is_(None), starts.c.version < journal.c.version)
    )


_OUT_OF_SERVICE = {DISABLED, RETIRED}
_BEHIND = (journal.c.id > bindparam("after"), journal.c.id <= bindparam("upto"))
_SPANS = _here(
    select(
        journal.c.machine_id,
        func.min(journal.c.version).label("first"),
        func.max(journal.c.version).label("last"),
    )
    .where(*_BEHIND)
    .group_by(journal.c.machine_id)
)
_TOLD = select(*journal.c["machine_id", "version", "at_ms", "kind", "effects", "body"])
_CLOSES = cast(journal.c.effects, Text).contains(CloseStream.__name__)
_LINES = _here(_TOLD.where(*_BEHIND, or_(journal.c.kind.in_(KINDS), _CLOSES))).order_by(
    journal.c.id
)
_KEPT = select(machine_exposures).where(machine_exposures.c.machine_id.in_(_ASKED))
_MOVE = goods_moves.c
_MOVED = _MOVE["id", "machine_id", "version", "at_ms", "quantity", "from_place", "to_place"]
_NEXT = goods_moves.alias("next")
_BOUND = (
    select(_NEXT.c.id)
    .where(
        _NEXT.c.machine_id == machine_exposures.c.machine_id,
        _NEXT.c.id > machine_exposures.c.move_id,
    )
    .order_by(_NEXT.c.id)
    .limit(1)
    .offset(MOVES_AT_ONCE)
    .scalar_subquery()
)
_SPAN = _SPANS.subquery("span")
# The next moves of the lines' machines in one question, so many of each and no more; who is far
# behind leaves those of later lines where they are.
_MOVES = (
    select(*_MOVED)
    .select_from(
        _SPAN.join(machine_exposures, machine_exposures.c.machine_id == _SPAN.c.machine_id).join(
            goods_moves,
            and_(
                _MOVE.machine_id == machine_exposures.c.machine_id,
                _MOVE.id > machine_exposures.c.move_id,
                _MOVE.id < func.coalesce(_BOUND, 1 << 62),
                or_(_MOVE.version.is_(None), _MOVE.version <= _SPAN.c.last),
            ),
        )
    )
    .order_by(_MOVE.id)
)
_MOVES_OF_ONE = (
    select(*_MOVED)
    .where(_MOVE.machine_id == bindparam("machine"), _MOVE.id > bindparam("after"))
    .order_by(_MOVE.id)
    .limit(MOVES_AT_ONCE)
)


def read_exposed(connection: Connection, *, after_position: int, upto: int) -> Exposed:
    """Return what the lines behind a position, up to another, say of machines' time."""
    span = {"after": after_position, "upto": upto}
    spans = {row.machine_id: row for row in connection.execute(_SPANS, span).all()}
    if not spans:
        return Exposed()
    known = {
        row.machine_id: counted_of(row) for row in _of_machines(connection, _KEPT, sorted(spans))
    }
    changes: dict[str, list[Change]] = {}
    for row in connection.execute(_LINES, span).all():
        changes.setdefault(row.machine_id, []).append(_change(row))
    moves: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(_MOVES, span).all():
        moves.setdefault(row.machine_id, []).append(row)
    for machine_id, one in spans.items():
        if machine_id not in known:
            known[machine_id] = _seed(connection, one)
            moves[machine_id] = _more(connection, machine_id, known[machine_id].move_id)
    for machine_id, rows in moves.items():
        stocked, move_id = _stocked(connection, machine_id, rows, spans[machine_id].last)
        if not stocked:
            continue
        known[machine_id] = _at_move(known[machine_id], move_id)
        changes.setdefault(machine_id, []).extend(stocked)
    return Exposed(
        known=known,
        changes={
            machine_id: sorted(of, key=lambda one: one.version)
            for machine_id, of in changes.items()
        },
        stays=_stays(connection, list(changes)),
    )


def read_all_of(
    connection: Connection, machine_id: str, *, upto: int
) -> tuple[Counted | None, Sequence[Change], Sequence[Stood]]:
    """Return how a machine was before its first line, all that changed up to a position, and where
    it stood; None if it has no line.
    """
    ours = (journal.c.machine_id == machine_id, journal.c.id <= upto)
    first, last = connection.execute(
        select(func.min(journal.c.version), func.max(journal.c.version)).where(*ours)
    ).one()
    if first is None:
        return None, (), ()
    told = _TOLD.where(*ours, or_(journal.c.kind.in_(KINDS), _CLOSES))
    changes = [_change(row) for row in connection.execute(told.order_by(journal.c.version))]
    stocked, _ = _stocked(connection, machine_id, _more(connection, machine_id, 0), last)
    begins = Counted(
        machine_id=machine_id,
        version=first - 1,
        since_ms=(at_ms := _at_ms(connection, machine_id, first)),
        at_ms=at_ms,
        move_id=0,
        ready=Ready(),
    )
    stays = _stays(connection, [machine_id]).get(machine_id, ())
    return begins, sorted([*changes, *stocked], key=lambda one: one.version), stays


def read_silent(connection: Connection, *, until_ms: int) -> tuple[list[Counted], Exposed]:
    """Return some machines that are not counted up to ``until_ms``, those that were silent longest
    first, and where they stood.
    """
    rows = connection.execute(
        select(machine_exposures)
        .where(machine_exposures.c.at_ms < until_ms)
        .order_by(machine_exposures.c.at_ms)
        .limit(MACHINES_AT_ONCE)
    )
    known = [counted_of(row) for row in rows]
    return known, Exposed(stays=_stays(connection, [one.machine_id for one in known]))


def counted_further(
    sums: Sums, silent: Iterable[Counted], stays: Mapping[str, Sequence[Stood]], *, until_ms: int
) -> list[Counted]:
    """Count machines on to whom nothing happened, up to ``until_ms`` at most. Pure."""
    return [
        up_to(
            sums,
            one,
            min(until_ms, one.at_ms + HOURS_AT_ONCE * HOUR_MS),
            stays.get(one.machine_id, ()),
        )
        for one in silent
    ]


def rows_of(counted: Iterable[Counted]) -> list[prepared.Row]:
    """Return up to where these machines are counted, as ``save`` takes it. Pure."""
    return [_row(one) for one in counted]


def save(connection: Connection, rows: Sequence[prepared.Row]) -> None:
    """Keep up to where machines are counted."""
    _keeping(connection.dialect).run(connection, rows)


@lru_cache(maxsize=8)
def _keeping(dialect: Dialect) -> Prepared:
    changing = sorted(name for name in _NAMES if name != "machine_id")
    keeping = dialects.upsert(dialect.name, machine_exposures, "machine_id", changing)
    return Prepared(keeping, _NAMES, dialect)


def _of_machines(
    connection: Connection, wanted: Select[Any], machine_ids: Sequence[str]
) -> Iterator[Row[Any]]:
    for start in range(0, len(machine_ids), IN_ONE_QUESTION):
        some = machine_ids[start : start + IN_ONE_QUESTION]
        yield from connection.execute(wanted, {"asked": some}).all()


def _stays(connection: Connection, machine_ids: Sequence[str]) -> dict[str, Sequence[Stood]]:
    stays: dict[str, Sequence[Stood]] = {}
    for start in range(0, len(machine_ids), IN_ONE_QUESTION):
        stays |= read_stays(connection, machine_ids[start : start + IN_ONE_QUESTION])
    return stays


def _change(row: Row[Any]) -> Change:
    orders = codec.decode_orders(row.effects)
    told = LineTold(
        event=codec.decode_body(row.kind, row.body),
        ordered=frozenset(order.kind for order in orders),
        ended="".join(map(_ended, orders)),
    )
    return Change(version=row.version, at_ms=row.at_ms, what=told)


def _ended(order: Ordered) -> str:
    """Return the stream that a machine out of service loses by this."""
    is_end = order.kind == CloseStream.__name__ and order.fields["reason"] in _OUT_OF_SERVICE
    return str(order.fields["stream_id"]) if is_end else ""


def _more(connection: Connection, machine_id: str, after_id: int) -> list[Row[Any]]:
    asked = {"machine": machine_id, "after": after_id}
    return list(connection.execute(_MOVES_OF_ONE, asked))


def _stocked(
    connection: Connection, machine_id: str, rows: list[Row[Any]], last: int
) -> tuple[list[Change], int]:
    """Return what the moves of goods, up to a version, did to the machine's columns, and the last
    of them.
    """
    changes: list[Change] = []
    move_id = 0
    columns = column_place(MachineId(machine_id), "")
    while rows:
        for row in rows:
            if row.version is None:  # the office's own, which is about no column
                move_id = row.id
                continue
            if row.version > last:
                return changes, move_id
            move_id = row.id
            for place, sign in ((row.from_place, -1), (row.to_place, 1)):
                if place.startswith(columns):
                    what = Stocked(column=place[len(columns) :], items=sign * row.quantity)
                    changes.append(Change(version=row.version, at_ms=row.at_ms, what=what))
        rows = _more(connection, machine_id, move_id) if len(rows) >= MOVES_AT_ONCE else []
    return changes, move_id


def _at_move(known: Counted, move_id: int) -> Counted:
    return Counted(
        machine_id=known.machine_id,
        version=known.version,
        since_ms=known.since_ms,
        at_ms=known.at_ms,
        move_id=move_id,
        ready=known.ready,
    )


def _seed(connection: Connection, span: Row[Any]) -> Counted:
    """Return how a machine was before the first line of it that is counted."""
    ready, move_id = Ready(), 0
    if span.first > 1:
        ready, move_id = _looked_back(connection, span.machine_id, span.first)
    return Counted(
        machine_id=span.machine_id,
        version=span.first - 1,
        since_ms=(at_ms := _at_ms(connection, span.machine_id, span.first)),
        at_ms=at_ms,
        move_id=move_id,
        ready=ready,
    )


def _at_ms(connection: Connection, machine_id: str, version: int) -> int:
    """Return the time of a line. Not the earliest of several: with what else is read at once the
    sums would depend on how the journal is cut.
    """
    line = (journal.c.machine_id == machine_id, journal.c.version == version)
    at_ms: int = connection.execute(select(journal.c.at_ms).where(*line)).scalar_one()
    return at_ms


def _looked_back(connection: Connection, machine_id: str, before: int) -> tuple[Ready, int]:
    ours = (journal.c.machine_id == machine_id, journal.c.version < before)
    kinds = [[one] for one in KINDS if one.startswith("Conf")]
    kinds.append([one for one in KINDS if not one.startswith("Conf")])
    lines: list[Row[Any]] = []
    for some in kinds:
        newest = _here(_TOLD.where(*ours, journal.c.kind.in_(some))).order_by(
            journal.c.version.desc()
        )
        lines += connection.execute(newest.limit(LINES_LOOKED_BACK)).all()
    moved = (_MOVE.machine_id == machine_id, _MOVE.version < before)
    stocks: dict[str, int] = {}
    columns = column_place(MachineId(machine_id), "")
    for place, sign in ((_MOVE.to_place, 1), (_MOVE.from_place, -1)):
        wanted = (
            select(place.label("place"), total(_MOVE.quantity).label("items"))
            .where(*moved, place.startswith(columns, autoescape=True))
            .group_by(place)
        )
        for row in connection.execute(wanted):
            name = row.place[len(columns) :]
            stocks[name] = stocks.get(name, 0) + sign * row.items
    planned = connection.scalars(
        select(planogram_columns.c.column).where(planogram_columns.c.machine_id == machine_id)
    )
    ready = Ready(
        planned=frozenset(planned),
        stocks={name: items for name, items in stocks.items() if items},
    )
    for row in sorted(lines, key=lambda one: one.version):
        ready = after(ready, _change(row).what)
    last = connection.scalar(select(func.max(_MOVE.id)).where(*moved))
    return ready, last or 0


def counted_of(row: Row[Any]) -> Counted:
    """Return what is kept of a machine."""
    kept = msgspec.json.decode(row.stocks)
    return Counted(
        machine_id=row.machine_id,
        version=row.version,
        since_ms=row.since_ms,
        at_ms=row.at_ms,
        move_id=row.move_id,
        ready=Ready(
            online=bool(row.online),
            reader_enabled=bool(row.reader_enabled),
            enabled=bool(row.enabled),
            retired=row.retired_at_ms is not None,
            stream_id=row.stream_id,
            boot_id=row.boot_id,
            reader_seq=row.reader_seq,
            revision=row.revision,
            locked=frozenset(msgspec.json.decode(row.locked)),
            planned=frozenset(msgspec.json.decode(row.planned)),
            stocks=kept,
        ),
    )


_NAMES = (
    *("machine_id", "at_ms", "version", "online", "reader_enabled", "enabled"),
    *("stream_id", "boot_id", "locked", "stocks", "since_ms", "move_id"),
    *("reader_seq", "revision", "retired_at_ms", "planned"),
)


def _row(of: Counted) -> prepared.Row:
    """Return the values in the order of ``_NAMES``."""
    ready = of.ready
    return (
        of.machine_id,
        of.at_ms,
        of.version,
        ready.online,
        ready.reader_enabled,
        ready.enabled,
        ready.stream_id,
        ready.boot_id,
        json.dumps(sorted(ready.locked)),
        json.dumps(dict(sorted(ready.stocks.items()))),
        of.since_ms,
        of.move_id,
        ready.reader_seq,
        ready.revision,
        of.since_ms if ready.retired else None,
        json.dumps(sorted(ready.planned)),
    )
