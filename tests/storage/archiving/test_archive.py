"""Months leave the database and stay provable, whatever happens on the way."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from actors.machine.events import (
    Disconnected,
    FrameReceived,
    RefundSucceeded,
    TimePassed,
    TopUpPaid,
    TradeFinished,
    VendFailed,
)
from actors.machine.ids import Currency, MachineId, StreamId, TradeId, VendId
from actors.machine.ledger import TransferKind
from actors.machine.state import FailureCause
from actors.machine.values import replace as replace_value
from actors.ports import StoreError
from storage.archiving import archive, dropping, files
from storage.archiving.archive import Order, dry_run, month_ms, run
from storage.archiving.exporting import Plan
from storage.archiving.files import ArchiveRefused
from storage.auditing.starts import start_of
from storage.database.engine import Database, StorageConfig
from storage.database.reader import T, Work
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.fleet.sold import SoldVends
from storage.machines.inbox import Inbox
from storage.machines.rows import DAY_MS
from storage.office.audit_data import AuditData
from storage.reconciliation.runs import NewRun, Reconciliation
from storage.tables import (
    journal,
    reconciliation_differences,
    reconciliation_runs,
    starts,
    trades,
    transfers,
)
from tests.storage.archiving.books import (
    FEBRUARY_MS,
    FIFTH,
    NOW_MS,
    SIXTH,
    archived,
    audited,
    buys,
    counted,
    is_sound,
    months,
    order,
)
from tests.storage.auditing.books import MACHINES, damage, pays
from tests.storage.notifications import other, received
from tests.storage.owner import START_MS, Owner, new_machine, refund_of


async def test_a_month_goes_and_nothing_is_lost(books: Database, tmp_path: Path) -> None:
    """What is over is in the files and not in the database; what is open keeps its lines and all
    behind them; money, records and every audit are as before.
    """
    queries, folder = Queries(books), tmp_path / "archive"
    before = await audited(books)
    assert before.clean
    trades = await queries.trades(limit=100)
    rows = await counted(books)
    assert ["2026-01", "2026-02"] == await archived(books, folder)
    assert [("2026-01", "DROPPED"), ("2026-02", "DROPPED")] == await months(books)
    after = await counted(books)
    assert all(after[name] < 2 * rows[name] / 3 for name in rows), (rows, after)
    await is_sound(books, folder)
    assert before.balances == (await audited(books)).balances
    assert trades == await queries.trades(limit=100)
    begun = await _starts(books)
    # VM-1's refund is open since its third session, VM-2's session since its first.
    first = await _first_lines(books)
    assert begun["VM-1"] + 1 == first["VM-1"]
    # The newest line of all stays for its position.
    assert {"VM-1", "VM-2", FIFTH} == set(first)
    story = await queries.timeline("VM-1-s3")
    assert "TopUpPaid" in story[0].event


async def test_audit_data_of_machines_is_as_before(books: Database, tmp_path: Path) -> None:
    """It is made of rows that stay, and proved against balances that stay."""
    data = AuditData(books)
    before = [await data.read(machine_id) for machine_id in MACHINES]
    assert any(one.total.paid.number for one in before)
    await archived(books, tmp_path / "archive")
    assert before == [await data.read(machine_id) for machine_id in MACHINES]


@pytest.mark.slow_on_postgres
async def test_books_go_on_behind_an_archive(books: Database, tmp_path: Path) -> None:
    """Machines sell after a month was archived as before it, and the next month goes too."""
    folder = tmp_path / "archive"
    assert ["2026-01"] == await archived(books, folder, "2026-02")
    await is_sound(books, folder)
    owner = await _owner(books)
    await buys(books, owner, FIFTH, 6)
    await is_sound(books, folder)
    assert ["2026-02"] == await archived(books, folder)
    await is_sound(books, folder)
    assert [] == await archived(books, folder)
    await buys(books, owner, FIFTH, 7)
    await is_sound(books, folder)


async def test_a_sale_over_the_border_stays_whole_until_it_is_over(
    books: Database, tmp_path: Path
) -> None:
    """Its transfers are in January's files and stay in the database, until February goes."""
    folder = tmp_path / "archive"
    wanted = select(transfers.c.kind).where(transfers.c.trade_id == "VM-5-t2")

    async def kinds() -> list[str]:
        found = await books.read(lambda connection: connection.scalars(wanted).all())
        return sorted(found)

    whole = await kinds()
    assert 5 == len(whole)
    await archived(books, folder, "2026-02")
    assert whole == await kinds()
    await archived(books, folder)
    assert [] == await kinds()


class Killed(Exception):
    """The process ends here."""


class Mortal(Database):
    """A database whose process is killed before its n-th transaction that writes."""

    lives = 1_000_000

    async def write(self, work: Work[T], *, proves: bool = True) -> T:
        """Write, or die."""
        if self.lives == 0:
            raise Killed
        self.lives -= 1
        return await super().write(work, proves=proves)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 13])
async def test_a_kill_between_any_two_writes_loses_nothing(
    books_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """At each write of a run, or each thirteenth one: the audits are clean as it stands, and the
    next run goes on to the same end.
    """
    monkeypatch.setattr("storage.archiving.dropping.ROWS_AT_ONCE", 25)
    ends, lives, finished = set(), 0, False
    while not finished:
        path, folder = tmp_path / "killed.db", tmp_path / f"archive-{lives}"
        shutil.copy(books_file, path)
        mortal = await Mortal.open(StorageConfig(url=f"sqlite:///{path}"))
        mortal.lives = lives
        try:
            await archived(mortal, folder)
            finished = True
        except Killed:
            mortal.lives = 1_000_000
            if await months(mortal):
                assert () == (await audited(mortal)).sentences
            await archived(mortal, folder)
        ends.add(tuple((await counted(mortal)).values()))
        await is_sound(mortal, folder)
        await mortal.close()
        lives += step
    assert lives > 10
    assert 1 == len(ends)


@pytest.mark.slow_on_postgres
async def test_a_kill_between_files_and_database_loses_nothing(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the manifest stands, the month is written again; after it, it is taken as it is."""
    folder = tmp_path / "archive"

    def killed(*_: Any, **__: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(files.MonthWriter, "finish", killed)
        with pytest.raises(Killed):
            await archived(books, folder)
    assert not (folder / "2026-01" / "manifest.json").exists()
    with monkeypatch.context() as patched:
        patched.setattr(archive, "_begin_behind", killed)
        with pytest.raises(Killed):
            await archived(books, folder)
    written = (folder / "2026-01" / "manifest.json").read_bytes()
    assert ["2026-01", "2026-02"] == await archived(books, folder)
    assert written == (folder / "2026-01" / "manifest.json").read_bytes()
    await is_sound(books, folder)


@pytest.mark.slow_on_postgres
async def test_a_run_that_goes_on_waits_for_acts_too(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the wait of the run that was killed nobody knows how long it was."""
    waited: list[float] = []

    async def killed(span_s: float) -> None:
        raise Killed

    async def wait(span_s: float) -> None:
        waited.append(span_s)

    wanted = replace(order(tmp_path / "archive"), acts_end_s=30)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "sleep", killed)
        with pytest.raises(Killed):
            await run(books, wanted, lambda _: None)
    assert [("2026-01", "EXPORTED")] == await months(books)
    monkeypatch.setattr(asyncio, "sleep", wait)
    await run(books, wanted, lambda _: waited.append(0))
    assert 30 == waited[0]


@pytest.mark.slow_on_postgres
async def test_two_runs_do_not_write_one_folder(books: Database, tmp_path: Path) -> None:
    """The second one says so; what it left alone is there for the next."""
    folder = tmp_path / "archive"
    with files.alone_in(folder):
        await refused(books, order(folder), "Another run is archiving into .*: wait until")
    assert ["2026-01", "2026-02"] == await archived(books, folder)


@pytest.mark.slow_on_postgres
async def test_a_dry_run_tells_and_writes_nothing(books: Database, tmp_path: Path) -> None:
    """How much each month holds, and what keeps more of it here."""
    folder = tmp_path / "archive"
    rows = await counted(books)
    january, february = await dry_run(books, order(folder))
    assert ("2026-01", "2026-02") == (january.month, february.month)
    assert 0 < january.lines < february.lines < rows["journal"]
    assert "session VM-2-s1 is open" == february.held["VM-2"]
    assert "refund VM-1-t3R1_1000 is open" == february.held["VM-1"]
    assert rows == await counted(books)
    assert [] == await months(books)
    assert not folder.exists()
    await archived(books, folder)
    assert _planned(february) == await _gone(books, rows)


@pytest.mark.slow_on_postgres
async def test_a_dry_run_behind_an_archive_tells_what_goes(books: Database, tmp_path: Path) -> None:
    """With what was kept of the month before and goes with this one."""
    folder = tmp_path / "archive"
    january, _ = await dry_run(books, order(folder))
    rows = await counted(books)
    await archived(books, folder, "2026-02")
    assert _planned(january) == await _gone(books, rows)
    (february,) = await dry_run(books, order(folder))
    rows = await counted(books)
    await archived(books, folder)
    assert _planned(february) == await _gone(books, rows)


def _planned(plan: Plan) -> dict[str, int]:
    return {"journal": plan.lines, "transfers": plan.transfers, "inbox": plan.notifications}


async def _gone(db: Database, before: dict[str, int]) -> dict[str, int]:
    return {name: before[name] - count for name, count in (await counted(db)).items()}


async def refused(db: Database, wanted: Order, sentence: str) -> None:
    """Expect that nothing is archived, with this sentence."""
    rows = await counted(db)
    with pytest.raises(ArchiveRefused, match=sentence):
        await run(db, wanted, lambda _: None)
    assert rows == await counted(db)


@pytest.mark.slow_on_postgres
async def test_what_cannot_be_archived_is_a_sentence(books: Database, tmp_path: Path) -> None:
    """A month that is not over or none at all, and a folder that holds something else."""
    folder = tmp_path / "archive"
    await refused(books, order(folder, "2026-04"), "The month before 2026-04 is not over")
    await refused(books, order(folder, "soon"), "'soon' is no month: write it like 2026-03")
    one_day = replace(order(folder), now_ms=month_ms("2026-03") + 3_600_000)
    await refused(books, one_day, "is not over for a day yet")
    folder.mkdir()
    (folder / "holiday.jpg").touch()
    await refused(books, order(folder), "holds holiday.jpg, which is no month of an archive")
    (folder / "holiday.jpg").rename(folder / "2026-01")
    await refused(books, order(folder), "2026-01, which is no month of an archive")
    (folder / "2026-01").unlink()
    (folder / "2026-01").mkdir()
    (folder / "2026-01" / "holiday.jpg").touch()
    await refused(books, order(folder), "holds holiday.jpg, which no archive wrote")


@pytest.mark.slow_on_postgres
async def test_a_full_disk_is_a_sentence(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is dropped for what could not be written; with room again the run goes on."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "archive"
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        await refused(books, order(folder), "No space left on device. Nothing was dropped for it.")
    assert ["2026-01", "2026-02"] == await archived(books, folder)


async def test_books_with_findings_are_not_archived(sound_file: Path, tmp_path: Path) -> None:
    """What is wrong is looked into before its traces leave the database."""
    path = tmp_path / "spoilt.db"
    shutil.copy(sound_file, path)
    damage(path, "UPDATE trades SET sold_minor = 400, held_minor = 100 WHERE trade_id = 'VM-1-t1'")
    db = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
    await refused(
        db, order(tmp_path / "archive"), r"The audit does not pass \(trades_equal_the_ledger\)"
    )
    await db.close()


@pytest.mark.slow_on_postgres
async def test_a_day_that_is_not_reconciled_stays(books: Database, tmp_path: Path) -> None:
    """Neither one with an open difference, nor one with payments and without a file where files
    are read.
    """
    run_row = {
        "id": 1,
        "day": "2026-01-15",
        "file_sha256": "aa",
        "file_name": "daily.csv",
        "row_count": 1,
        "read_at_ms": 1,
        "totals": "[]",
        "day_was_over": True,
        "restored": False,
    }
    await books.write(lambda c: c.execute(insert(reconciliation_runs).values(run_row)))
    folder = tmp_path / "archive"
    assert [] == await archived(books, folder, "2026-01")
    difference = {
        "run_id": 1,
        "day": "2026-01-15",
        "kind": "MISSING",
        "subject": "t1",
        "status": "OPEN",
        "trade_id": "t1",
        "refund_id": "",
        "machine_id": "VM-1",
        "currency": "HKD",
        "found_at_ms": 1,
        "said": "",
        "cause": "",
        "advice": "",
    }
    await books.write(lambda c: c.execute(insert(reconciliation_differences).values(difference)))
    await refused(books, order(folder), "2026-01-15 is not reconciled")


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-01-20", -6), ("2026-01-20", 2), ("2026-01-20", 12), ("2026-03-01", -3)],
)
async def test_a_day_with_payments_and_without_a_file_stays(
    books: Database, tmp_path: Path, day: str, hours: int
) -> None:
    """At whatever hour of Alipay's day they came: from -8 to 16 of the day of UTC, also if that is
    the first one of the next month there.
    """
    run_row = {
        "id": 1,
        "day": "2026-01-15",
        "file_sha256": "aa",
        "file_name": "daily.csv",
        "row_count": 1,
        "read_at_ms": 1,
        "totals": "[]",
        "day_was_over": True,
        "restored": False,
    }
    at_ms = month_ms(day[:7]) + (int(day[8:]) - 1) * DAY_MS + hours * 3_600_000

    def write(connection: Connection) -> None:
        connection.execute(insert(reconciliation_runs).values(run_row))
        connection.execute(update(trades).values(received_at_ms=month_ms("2026-01")))
        moved = update(trades).values(received_at_ms=at_ms)
        connection.execute(moved.where(trades.c.trade_id == "VM-5-t1"))

    await books.write(write)
    await refused(books, order(tmp_path / "archive"), f"{day} is not reconciled")


@pytest.mark.slow_on_postgres
async def test_a_file_that_was_compared_before_its_day_was_over_is_none(
    books: Database, tmp_path: Path
) -> None:
    """Nobody has looked for what is missing at Alipay, until the same file is read again."""
    file = NewRun(
        day="2026-01-20",
        file_sha256="aa",
        file_name="daily.csv",
        row_count=1,
        totals=(),
        day_was_over=False,
    )
    at_ms = month_ms("2026-01") + 19 * DAY_MS
    await books.write(lambda c: c.execute(update(trades).values(received_at_ms=at_ms)))
    runs = Reconciliation(books)
    await runs.record(file, [], now_ms=at_ms)
    await refused(books, order(tmp_path / "archive"), "2026-01-20 is not reconciled")
    await runs.record(replace(file, day_was_over=True), [], now_ms=NOW_MS)
    await runs.record(file, [], now_ms=NOW_MS)  # by a computer whose clock is behind
    assert 2 == len(await dry_run(books, order(tmp_path / "archive")))


@pytest.mark.slow_on_postgres
async def test_another_folder_or_a_changed_month_is_refused(
    books: Database, tmp_path: Path
) -> None:
    """The months before stand where they stood, as they were."""
    folder = tmp_path / "archive"
    await archived(books, folder, "2026-02")
    await refused(books, order(tmp_path / "other"), "does not hold the months that were archived")
    manifest = folder / "2026-01" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"rows": ', b'"rows":  '))
    await refused(books, order(folder), "does not hold the months that were archived")


async def test_archived_lines_alone_may_be_deleted(books: Database, tmp_path: Path) -> None:
    """The database itself lets nothing else go."""
    await archived(books, tmp_path / "archive")
    with pytest.raises(StoreError, match="is append-only"):
        await books.write(
            lambda connection: connection.execute(
                journal.delete().where(journal.c.machine_id == "VM-2")
            )
        )


@pytest.mark.slow_on_postgres
async def test_a_payment_that_is_told_again_a_year_later_moves_nothing(
    books: Database, tmp_path: Path
) -> None:
    """Its notification is in the archive and its machine has forgotten it: the trade's row says
    that it was credited. With other money it is kept for a person.
    """
    await archived(books, tmp_path / "archive")
    rows, inbox = await counted(books), Inbox(books)
    again = replace(
        received("VM-3-t1", machine_id="VM-3"),
        event=TopUpPaid(
            trade_id=TradeId("VM-3-t1"),
            partner_trans_id="out-VM-3-t1",
            amount_minor=1_000,
            currency=Currency("JPY"),
            paid_at_ms=1,
        ),
    )
    stored = await inbox.put(again)
    assert ("DUPLICATE", 0) == (stored.verdict, stored.inbox_id)
    assert rows == await counted(books)
    assert await inbox.knows_payment("VM-3-t1")
    elsewhere = await inbox.put(received("VM-3-t1", machine_id="VM-2"))
    assert "CONFLICT" == elsewhere.verdict
    assert elsewhere == await inbox.put(received("VM-3-t1", machine_id="VM-2"))
    await is_sound(books, tmp_path / "archive")


@pytest.mark.slow_on_postgres
async def test_the_end_of_a_trade_a_year_later_writes_no_line(
    books: Database, tmp_path: Path
) -> None:
    """It is saved and taken, and changes nothing."""
    folder = tmp_path / "archive"
    await archived(books, folder)
    owner, rows = await _owner(books), await counted(books)
    finished = TradeFinished(trade_id=TradeId("VM-5-t1"), status="TRADE_FINISHED")
    stored = await Inbox(books).put(
        replace(other("finished:VM-5-t1", finished), machine_id=MachineId(FIFTH))
    )
    version = owner.states[FIFTH].version
    change = await owner.do(FIFTH, finished, inbox_id=stored.inbox_id)
    assert (version, False) == (change.decision.state.version, change.decision.changed)
    after = await counted(books)
    assert rows | {"inbox": rows["inbox"] + 1} == after
    assert [] == (await owner.store.untaken(owner.ownership, after=None, limit=5)).items
    await is_sound(books, folder)


async def test_no_position_is_given_out_again(books: Database, tmp_path: Path) -> None:
    """Even of a journal that is archived to its last line: a follower's token stays good."""
    queries = Queries(books)
    token = await queries.settled_position()
    await archived(books, tmp_path / "archive")
    assert token == await queries.settled_position()
    owner = await _owner(books)
    await buys(books, owner, FIFTH, 6)
    upto = await queries.settled_position()
    told = await queries.events_after(token, upto=upto, limit=10)
    assert [
        "TopUpPaid",
        "VendRequested",
        "VendSucceeded",
        "SessionCompleted",
        "RefundSucceeded",
    ] == [event.kind for event in told]
    assert token < told[0].position


@pytest.mark.slow_on_postgres
async def test_an_archived_vend_is_not_paid_back_by_its_machine(
    books: Database, tmp_path: Path
) -> None:
    """What paid for it is not here, and nobody is told that it was not sold."""
    before = await SoldVends(books).find(VendId("VM-5-v1"))
    await archived(books, tmp_path / "archive", "2026-02")
    after = await SoldVends(books).find(VendId("VM-5-v1"))
    fresh = await SoldVends(books).find(VendId("VM-5-v3"))
    assert before is not None
    assert after is not None
    assert fresh is not None
    assert (False, True, False) == (before.archived, after.archived, fresh.archived)
    assert fresh.parts


async def test_goods_that_turn_up_after_their_month_was_archived_are_written_off(
    sound: Database, tmp_path: Path
) -> None:
    """A machine that lost its power in January tells in March what fell: the books stay clean."""
    folder = tmp_path / "archive"
    await Registry(sound).register(new_machine(FIFTH), actor="test", now_ms=START_MS)
    owner = await Owner.claim(sound, FIFTH, holder="h7")
    owner.now_ms = START_MS + DAY_MS
    await owner.start(FIFTH)
    await pays(sound, owner, FIFTH, "VM-5-t1")
    _, wanted, delivered, *_ = owner.purchase(FIFTH, 1)
    await owner.do(FIFTH, wanted)
    await owner.do(FIFTH, Disconnected(stream_id=StreamId(f"g-{FIFTH}")))
    owner.now_ms += 700_000
    await owner.do(FIFTH, TimePassed())
    await owner.do(FIFTH, RefundSucceeded(refund_id=refund_of("VM-5-t1")))
    assert ["2026-01"] == await archived(sound, folder, "2026-02")
    await is_sound(sound, folder)
    owner.now_ms = NOW_MS - 1_000
    await owner.start(FIFTH)
    change = await owner.do(FIFTH, delivered)
    assert [TransferKind.WRITE_OFF] == [one.kind for one in change.decision.transfers]
    await is_sound(sound, folder)
    assert ["2026-02"] == await archived(sound, folder)
    await is_sound(sound, folder)


async def test_what_was_put_aside_stays_ended(books: Database, tmp_path: Path) -> None:
    """The payment that came after all is not forgotten: nobody is asked to pay it back again."""
    put_aside = replace(
        other("refused:bad_amount:t6:n1", None), trade_id="VM-5-t6", machine_id=MachineId(FIFTH)
    )
    await Inbox(books).put(put_aside)
    owner = await _owner(books)
    owner.now_ms = FEBRUARY_MS + 2 * DAY_MS
    await buys(books, owner, FIFTH, 6, 7)
    before = await Queries(books).work_items(now_ms=NOW_MS, limit=100)
    await archived(books, tmp_path / "archive")
    assert before == await Queries(books).work_items(now_ms=NOW_MS, limit=100)
    await is_sound(books, tmp_path / "archive")


@pytest.mark.slow_on_postgres
async def test_nothing_is_dropped_that_is_not_in_the_files(
    books: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if what kept a payment is forgotten by its machine between export and drop."""
    folder = tmp_path / "archive"
    await Registry(books).register(new_machine(SIXTH), actor="test", now_ms=START_MS)
    owner = await Owner.claim(books, SIXTH, holder="h8")
    owner.now_ms = FEBRUARY_MS - 1_000
    await owner.start(SIXTH)
    await pays(books, owner, SIXTH, "VM-6-t1")
    _, wanted, delivered, *_ = owner.purchase(SIXTH, 1)
    assert isinstance(delivered, FrameReceived)
    jam = VendFailed(vend_id=VendId("VM-6-v1"), cause=FailureCause.JAMMED)
    await owner.do(SIXTH, wanted)
    await owner.do(SIXTH, replace_value(delivered, fact=jam))
    owner._seq[SIXTH] = delivered.seq
    owner.now_ms += 700_000
    await owner.do(SIXTH, TimePassed())
    await owner.do(SIXTH, RefundSucceeded(refund_id=refund_of("VM-6-t1")))
    drop = dropping.drop

    async def sells_before(*args: Any, **named: Any) -> Any:
        if named["end_ms"] == month_ms("2026-03"):
            owner.now_ms = NOW_MS - 1_000
            await buys(books, owner, SIXTH, *range(2, 19))
            assert VendId("VM-6-v1") not in {
                vend.vend_id for vend in owner.states[SIXTH].settled_vends
            }
        return await drop(*args, **named)

    monkeypatch.setattr(archive, "drop", sells_before)
    await archived(books, folder, "2026-03")
    await is_sound(books, folder)


async def _owner(db: Database) -> Owner:
    owner = await Owner.claim(db, FIFTH, holder="h8")
    owner._seq[FIFTH] = owner.states[FIFTH].link.last_seq
    owner.refill(FIFTH)
    owner.now_ms = NOW_MS + 1_000
    return owner


async def _starts(db: Database) -> dict[str, int]:
    rows = await db.read(lambda connection: connection.execute(select(starts)).all())
    return {start.machine_id: start.version for start in map(start_of, rows)}


async def _first_lines(db: Database) -> dict[str, int]:
    wanted = select(journal.c.machine_id, journal.c.version).order_by(journal.c.version.desc())
    rows = await db.read(lambda connection: connection.execute(wanted).all())
    return {row.machine_id: row.version for row in rows}
