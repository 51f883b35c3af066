"""Proves the lake: every file of the list is the one that was written; up to the lake's position
its facts are those of SQL, each once and the same in every column; and they add up to what the
ledger's SALES got up to that position, machine by machine and to the cent.

It reads only. Facts are read side by side in the order of their positions, so that no more than a
page of either is in memory.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select, tuple_

from storage.database.engine import Database
from storage.insight import lease, proving
from storage.insight.proving import Money
from storage.lake import lists, statements
from storage.lake.columns import ADDED, FACTS
from storage.lake.duck import Bounds, duck
from storage.lake.folder import LakeFolder, hash_of
from storage.lake.keeper import NAME, books_standing
from storage.lake.lists import LakeFile, Stream
from storage.tables import sale_facts, starts

FINDINGS_MAX = 100
_PAGE = 10_000
_NAMES = tuple(FACTS)
_AT = {name: place for place, name in enumerate(_NAMES)}
_F = sale_facts.c
_PAGE_OF_FACTS = (
    select(*(_F[name] for name in _NAMES))
    .where(
        tuple_(_F.position, _F.line) > tuple_(bindparam("position"), bindparam("line")),
        _F.position >= bindparam("position"),
        _F.position <= bindparam("upto"),
    )
    .order_by(_F.position, _F.line)
    .limit(_PAGE)
)
Fact = Sequence[Any]


@dataclass(slots=True, kw_only=True)
class LakeProof:
    """What was found at ``position``. ``sums`` is what the lake's facts add up to, by currency in
    minor units.
    """

    position: int
    files: int
    facts: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def found(self, sentence: str) -> None:
        """Note what is wrong, as long as there is not enough of it."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(sentence)


async def prove_lake(db: Database, folder: LakeFolder, *, bounds: Bounds) -> LakeProof:
    """Prove it. Raises StoreError; LakeError if files cannot be read, or if what is told of sales
    is being made again.
    """
    position, files, told_by, ledger = await db.read(_moment)
    proof = LakeProof(position=position, files=len(files))
    await asyncio.to_thread(_look_at, folder, files, proof)
    if not proof.findings:
        sums = await _compare(db, folder, files, proof, bounds)
        for (machine_id, currency), minor in sorted(ledger.items()):
            if (in_lake := sums.pop((machine_id, currency), 0)) != minor:
                proof.found(_not_the_ledger(machine_id, currency, minor, in_lake))
        for (machine_id, currency), in_lake in sorted(sums.items()):
            if in_lake:
                proof.found(_not_the_ledger(machine_id, currency, 0, in_lake))
    if (await db.read(_moment))[2] != told_by:
        proof.found("another process began to tell of sales meanwhile; verify once more")
    return proof


def _moment(connection: Connection) -> tuple[int, list[LakeFile], int, Money]:
    """Return position, files, who tells, and what the ledger has up to there."""
    position = lease.read_standing(connection, NAME).position
    return (
        position,
        lists.written(connection, Stream.SALES),
        books_standing(connection).epoch,
        proving.of_ledger(connection, position),
    )


def _not_the_ledger(machine_id: str, currency: str, minor: int, in_lake: int) -> str:
    return (
        f"machine {machine_id} has sold for {minor} {currency} minor units by the ledger, and for "
        f"{in_lake} by the lake"
    )


def _look_at(folder: LakeFolder, files: Sequence[LakeFile], proof: LakeProof) -> None:
    for one in files:
        there = folder.path(one.path)
        if not there.is_file():
            proof.found(f"{one.path} is not there")
        elif there.stat().st_size != one.bytes or hash_of(there) != one.sha256:
            proof.found(f"{one.path} is not as it was written")


async def _compare(
    db: Database, folder: LakeFolder, files: Sequence[LakeFile], proof: LakeProof, bounds: Bounds
) -> Money:
    """Compare fact by fact; return what those that are not archived add up to."""
    sums: Money = {}
    begun = await db.read(_starts)
    with duck(bounds) as engine:
        told = (
            engine.stream(
                f"SELECT {statements.columns(_NAMES)} "
                f"FROM {statements.files(folder.paths(one.path for one in files))} "
                'ORDER BY "position", line'
            )
            if files
            else iter(())
        )
        pages = _Ahead(told)
        place = (-1, 0)
        while True:
            page = await db.read(lambda connection, place=place: _page(connection, place, proof))  # type: ignore[misc]
            upto = _place(page[-1]) if len(page) == _PAGE else None
            await asyncio.to_thread(_side_by_side, page, pages, upto, proof, sums, begun)
            if upto is None:
                return sums
            place = upto


def _page(connection: Connection, place: tuple[int, int], proof: LakeProof) -> Sequence[Fact]:
    values = {"position": place[0], "line": place[1], "upto": proof.position}
    return connection.execute(_PAGE_OF_FACTS, values).all()


def _starts(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        select(starts.c.machine_id, starts.c.version).where(and_(starts.c.machine_id != ""))
    )
    return {row.machine_id: row.version for row in rows}


class _Ahead:
    """Rows, of which the next one can be looked at."""

    def __init__(self, rows: Iterator[Fact]) -> None:
        self._rows = rows
        self.next: Fact | None = next(rows, None)

    def take(self) -> Fact | None:
        """Return the next one, and go on."""
        taken, self.next = self.next, next(self._rows, None)
        return taken


def _place(fact: Fact) -> tuple[int, int]:
    return fact[_AT["position"]], fact[_AT["line"]]


def _side_by_side(
    page: Sequence[Fact],
    lake: _Ahead,
    upto: tuple[int, int] | None,
    proof: LakeProof,
    sums: Money,
    begun: dict[str, int],
) -> None:
    """Compare a page of facts with what the lake has up to the same place, or to its end."""
    facts = _Ahead(iter(page))
    last: tuple[int, int] | None = None
    while lake.next is not None or facts.next is not None:
        there = None if lake.next is None else _place(lake.next)
        if facts.next is None and upto is not None and (there is None or there > upto):
            return
        here = None if facts.next is None else _place(facts.next)
        if there is None or (here is not None and here < there):
            proof.found(f"{_called(facts.take())} is missing")
            continue
        one = lake.take()
        assert one is not None
        _count(one, proof, sums, begun)
        if there == last:
            proof.found(f"{_called(one)} stands there twice")
        elif here is None or there < here:
            proof.found(f"{_called(one)} is in no table")
        else:
            _same(facts.take(), one, proof)
        last = there


def _same(fact: Fact | None, one: Fact, proof: LakeProof) -> None:
    assert fact is not None
    for name, place in _AT.items():
        if fact[place] == one[place]:
            continue
        # An erased payer leaves the two at different times. What a program of before did not know
        # is known after all is made again, and its files stay.
        if name == "payer_id" and not (fact[place] and one[place]):
            continue
        if name not in ADDED or None not in (fact[place], one[place]):
            proof.found(f"{_called(one)} has another {name} than its fact")


def _called(fact: Fact | None) -> str:
    assert fact is not None
    return "fact {} {} {}".format(*(fact[_AT[name]] for name in ("machine_id", "version", "line")))


def _count(one: Fact, proof: LakeProof, sums: Money, begun: dict[str, int]) -> None:
    machine_id, currency = one[_AT["machine_id"]], one[_AT["currency"]]
    minor = one[_AT["sales_minor"]]
    proof.facts += 1
    proof.sums[currency] = proof.sums.get(currency, 0) + minor
    if one[_AT["version"]] > begun.get(machine_id, 0):
        sums[machine_id, currency] = sums.get((machine_id, currency), 0) + minor
