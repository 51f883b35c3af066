"""Archived rows go a few at a time."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection

from storage.archiving import dropping
from storage.auditing.starts import Start, write_starts
from storage.database.engine import Database
from storage.database.reader import T, Work
from storage.fleet.balances import read_balances
from storage.fleet.fleet_balances import FleetBalances
from storage.fleet.fleet_totals import read_standing
from storage.fleet.totals_keeper import TotalsKeeper
from tests.storage.archiving.books import (
    FEBRUARY_MS,
    FIFTH,
    archived,
    audited,
    counted,
    goes_on,
    months,
)


def start_of_books(machine_id: str, version: int) -> Start:
    """Books that begin behind a line."""
    return Start(
        machine_id=machine_id,
        version=version,
        digest="",
        at_ms=FEBRUARY_MS,
        from_day=0,
        balances={},
        link="{}",
    )


@pytest.mark.slow_on_postgres
async def test_no_transaction_deletes_more_than_a_few_rows(
    sound: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much there is, the longest wait of a machine is that of one piece."""
    monkeypatch.setattr(dropping, "ROWS_AT_ONCE", 4)
    await goes_on(sound)
    begin = {FIFTH: start_of_books(FIFTH, 8)}
    await sound.write(lambda connection: write_starts(connection, begin.values()))
    before, pieces = await counted(sound), []
    write = sound.write

    async def counting(work: Callable[[Connection], int]) -> int:
        gone = await write(work)
        pieces.append(gone)
        return gone

    monkeypatch.setattr(sound, "write", counting)
    gone = await dropping.drop(sound, begin, end_ms=FEBRUARY_MS)
    after = await counted(sound)
    assert 8 == gone.lines == before["journal"] - after["journal"]
    assert gone.transfers == before["transfers"] - after["transfers"]
    assert gone.notifications == before["inbox"] - after["inbox"] == 1
    assert max(pieces) <= 4
    assert dropping.Dropped() == await dropping.drop(sound, begin, end_ms=FEBRUARY_MS)


async def test_notifications_for_people_stay(sound: Database) -> None:
    """A work item is named after the row: it must not become another's, nor nobody's."""
    await goes_on(sound)
    begin = {FIFTH: start_of_books(FIFTH, 8)}
    rows = await sound.read(
        lambda connection: connection.execute(dropping.notifications(after=0)).all()
    )
    (paid,) = [row for row in rows if row.cause == f"payment:{FIFTH}-t1"]
    assert dropping.is_over(paid, begin, needed=False)
    assert not dropping.is_over(paid, begin, needed=True)
    assert not dropping.is_over(paid, {}, needed=False)
    later = [row for row in rows if row.cause == f"payment:{FIFTH}-t3"]
    assert not dropping.is_over(later[0], begin, needed=False)
    for put_aside in ("refused:bad_amount:t9:n1", "conflict:payment:t9:aa"):
        row = paid._asdict() | {"cause": put_aside}
        assert not dropping.is_over(SimpleNamespace(**row), begin, needed=False)  # type: ignore[arg-type]


async def test_the_money_of_the_fleet_stays(
    sound: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Behind each transaction of an archive it is what all balances say. Totals that were last
    saved before what goes are void then; those that are behind it hold.
    """
    keeper, fleet = TotalsKeeper(db=sound, lines_behind=1), FleetBalances(sound)
    await keeper.once()
    await goes_on(sound)
    write, steps = sound.write, 0

    async def checked(work: Work[T], *, proves: bool = True) -> T:
        nonlocal steps
        done = await write(work, proves=proves)
        steps += 1
        money = await sound.read(lambda connection: read_balances(connection, ""))
        assert money == await fleet.read()
        return done

    monkeypatch.setattr(sound, "write", checked)
    for month, hold in (("2026-02", False), ("2026-03", True)):
        await archived(sound, tmp_path / "archive", before=month)
        standing = await sound.read(read_standing)
        assert standing.key is not None
        assert hold == (standing.saved is not None)
        await keeper.once()
    assert 2 == len(await months(sound))
    assert steps > 10
    audit = await audited(sound)
    assert () == audit.sentences
