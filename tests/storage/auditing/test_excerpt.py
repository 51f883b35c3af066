"""An audit that begins behind the last seals: it sees what is behind them, as sharply as a whole
one, and costs what is behind them.
"""

import asyncio
import shutil
from pathlib import Path

import pytest

from actors.machine.events import RefundSucceeded, TopUpPaid, VendRefundAsked
from actors.machine.ids import RefundId, VendId
from storage.auditing import Audit, Scope, excerpt
from storage.auditing.starts import Start, write_seals, write_starts
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from storage.fleet.sold import SoldVends
from tests.storage.auditing import (
    test_inbox,
    test_journal,
    test_ledger,
    test_privacy,
    test_sealing,
    test_states,
    test_trades,
    test_vends,
)
from tests.storage.auditing.books import MACHINES, NOW_MS, broken, damage, pays
from tests.storage.auditing.damages import Damage
from tests.storage.owner import START_MS, Owner, new_machine
from tests.support.proven import path_of, prove_file, proved

SINCE = Scope(whole=False)
NOBODY = Start(
    machine_id="nobody", version=0, digest="", at_ms=-1, from_day=0, balances={}, link="{}"
)
"""A seal of no machine: an audit since then looks at an excerpt of everything."""
DAMAGES = (
    *test_inbox.DAMAGES,
    *test_journal.DAMAGES,
    *test_ledger.DAMAGES,
    *test_privacy.DAMAGES,
    *test_sealing.DAMAGES,
    *test_states.DAMAGES,
    *test_trades.DAMAGES,
    *test_vends.DAMAGES,
)


async def audited(url: str, scope: Scope = SINCE, *, seal: bool = False) -> Audit:
    """Audit a database, and write what was proved as its seals."""
    if not seal and (path := path_of(url)) is not None:
        return prove_file(path, now_ms=NOW_MS, scope=scope)
    db = await Database.open(StorageConfig(url=url))
    try:
        audit = await proved(db, now_ms=NOW_MS, scope=scope)
        if seal:
            await db.write(lambda connection: write_seals(connection, audit.proved, now_ms=NOW_MS))
        return audit
    finally:
        await db.close()


@pytest.fixture(scope="module")
def begun_file(sound_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound books that have a start, so that each audit looks at an excerpt of them."""
    path = Path(shutil.copy(sound_file, tmp_path_factory.mktemp("begun") / "vendgate.db"))

    async def begin() -> None:
        db = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await db.write(lambda connection: write_starts(connection, [NOBODY]))
        await db.close()

    asyncio.run(begin())
    return path


FIRST = frozenset({one.check: one for one in reversed(DAMAGES)}.values())
"""One of each check: in the suite an excerpt has to show these, in ``make soak`` all of them."""


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(one, id=one.check, marks=[] if one in FIRST else [pytest.mark.slow])
        for one in DAMAGES
    ],
)
async def test_an_excerpt_shows_every_damage(begun_file: Path, tmp_path: Path, one: Damage) -> None:
    """The checks see in an excerpt of everything what they see in the database, where each is held
    to the same by the tests of its own subject.
    """
    path = Path(shutil.copy(begun_file, tmp_path / "spoilt.db"))
    damage(path, one.sql)
    one.must_be_in(await audited(f"sqlite:///{path}", Scope()))


async def _goes_on(db: Database) -> Owner:
    """A machine that was not there before sells, another sells more, and one customer's old
    purchase is paid back.
    """
    await Registry(db).register(new_machine("VM-5"), actor="test", now_ms=START_MS)
    owner = await Owner.claim(db, *MACHINES, "VM-5", holder="h3")
    owner.now_ms = NOW_MS
    await owner.start("VM-5")
    for machine_id, number in (("VM-5", 1), ("VM-5", 2)):
        first, *rest = owner.purchase(machine_id, number)
        assert isinstance(first, TopUpPaid)
        await pays(db, owner, machine_id, first.trade_id)
        for event in rest:
            await owner.do(machine_id, event)
    sold = await SoldVends(db).find(VendId("VM-1-v1"))
    assert sold is not None
    wanted = VendRefundAsked(
        vend_id=VendId("VM-1-v1"),
        version=sold.version,
        parts=sold.parts,
        actor="eve",
        reason="stale crisps",
    )
    decision = (await owner.do("VM-1", wanted)).decision
    assert "eve refunded vend VM-1-v1: stale crisps" in decision.notes
    return owner


@pytest.fixture(scope="module")
def gone_on_file(sound_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound books that were sealed and have gone on since."""
    path = Path(shutil.copy(sound_file, tmp_path_factory.mktemp("gone_on") / "vendgate.db"))

    async def seal_and_go_on() -> None:
        await audited(f"sqlite:///{path}", seal=True)
        db = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await _goes_on(db)
        await db.close()
        assert (await audited(f"sqlite:///{path}")).clean

    asyncio.run(seal_and_go_on())
    return path


@pytest.mark.slow_on_postgres
async def test_behind_the_seals_sound_books_are_clean(sound: Database, sound_url: str) -> None:
    """With open sessions and refunds at the seals, an old vend that is paid back behind them, and a
    machine that is new; it looks at less than a whole audit does.
    """
    assert None is (await audited(sound_url)).since_ms
    assert (await audited(sound_url, seal=True)).clean
    assert () == (await audited(sound_url)).sentences
    await _goes_on(sound)
    since, whole = await audited(sound_url), await audited(sound_url, Scope())
    assert NOW_MS == since.since_ms
    assert () == since.sentences
    assert () == whole.sentences
    counted = {check.name: check.looked_at for check in since.checks}
    looked_at = {check.name: check.looked_at for check in whole.checks}
    # All moves of goods there ever were are added up in whole audits only.
    assert {
        "goods_are_where_they_went",
        "offers_are_used_by_their_vends",
    } == looked_at.keys() - counted.keys()
    for name in looked_at.keys() & counted.keys():
        assert counted[name] <= looked_at[name]
    assert 3 + 2 * 5 + 1 == counted["journals_are_as_written"]
    assert whole.balances == since.balances
    assert whole.proved == since.proved


@pytest.mark.slow_on_postgres
async def test_seals_follow_on_seals(sound: Database, sound_url: str) -> None:
    """What is proved behind seals is where the next audit begins; and it is what a whole audit
    would say.
    """
    await audited(sound_url, seal=True)
    owner = await _goes_on(sound)
    await audited(sound_url, seal=True)
    await owner.do("VM-1", RefundSucceeded(refund_id=RefundId("VM-1-t1R2_500")))
    since, whole = await audited(sound_url), await audited(sound_url, Scope())
    assert () == since.sentences
    assert whole.proved == since.proved


@pytest.mark.parametrize(
    ("sql", "check"),
    [
        (
            "UPDATE transfers SET amount_minor = 400 WHERE kind = 'SETTLE' AND machine_id = 'VM-5'",
            "trades_equal_the_ledger",
        ),
        (
            "UPDATE trades SET sold_minor = 300, refunded_minor = 700 WHERE trade_id = 'VM-1-t1'",
            "trades_equal_the_ledger",
        ),
        ("DELETE FROM journal WHERE machine_id = 'VM-5' AND version = 8", "the_journal_is_whole"),
        (
            "DELETE FROM journal WHERE version > 12 AND machine_id = 'VM-1'",
            "journals_are_as_written",
        ),
        ("DELETE FROM inbox WHERE cause = 'payment:VM-5-t1'", "top_ups_have_notifications"),
        (
            "UPDATE balances SET debit_minor = debit_minor + 1 WHERE machine_id = 'VM-5'",
            "balances_equal_the_transfers",
        ),
        (
            "UPDATE balances SET debit_minor = debit_minor + 1 WHERE machine_id = 'VM-2'",
            "balances_equal_the_transfers",
        ),
        (
            "UPDATE vends SET status = 'FAILED' WHERE vend_id = 'VM-5-v1'",
            "vends_are_settled_once",
        ),
        ("DELETE FROM vends WHERE vend_id = 'VM-1-v2'", "nothing_was_taken_out"),
        ("DELETE FROM audit WHERE machine_id = 'VM-5'", "audit_rows_are_as_written"),
    ],
)
async def test_what_is_spoilt_behind_the_seals_is_seen(
    gone_on_file: Path, tmp_path: Path, sql: str, check: str
) -> None:
    """A change behind the seals, or of what goes on there, is found without the history before."""
    path = Path(shutil.copy(gone_on_file, tmp_path / "sealed.db"))
    damage(path, sql)
    assert check in broken(await audited(f"sqlite:///{path}"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("digest = 'aa' WHERE machine_id = 'VM-1'", "of line 20 of machine VM-1 was changed"),
        ("version = 12 WHERE machine_id = 'VM-1'", "of line 12 of machine VM-1 was changed"),
        ("version = 99 WHERE machine_id = 'VM-2'", "of line 99 of machine VM-2 was changed"),
        ("version = 3 WHERE machine_id = ''", "of row 3 of audit was changed"),
        ("balances = '{}' WHERE machine_id = 'VM-1'", "of machine VM-1 was changed"),
        ("link = '{}' WHERE machine_id = 'VM-1'", "of machine VM-1 was changed"),
        ("link = 'nonsense' WHERE machine_id = 'VM-1'", "of machine VM-1 was changed"),
        ("at_ms = 0, from_day = 0 WHERE machine_id = 'VM-1'", "of machine VM-1 was changed"),
        ("sealed_at_ms = 'x' WHERE machine_id = 'VM-1'", "of machine VM-1 was changed"),
        ("machine_id = 'VM-9' WHERE machine_id = 'VM-1'", "of machine VM-9 was changed"),
    ],
)
async def test_a_seal_that_was_changed_accuses_nothing_else(
    gone_on_file: Path, tmp_path: Path, change: str, sentence: str
) -> None:
    """It is named, and all there is is looked at; an audit of all there is does not ask seals."""
    path = Path(shutil.copy(gone_on_file, tmp_path / "sealed.db"))
    url = f"sqlite:///{path}"
    damage(path, f"UPDATE seals SET {change}")
    audit = await audited(url)
    assert None is audit.since_ms
    assert ["seals_are_as_written"] == broken(audit)
    assert sentence in audit.sentences[0]
    assert (await audited(url, Scope())).clean


async def test_much_is_copied_machine_by_machine(
    sound: Database, sound_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lines than are held in memory give the same excerpt."""
    await audited(sound_url, seal=True)
    await _goes_on(sound)
    at_once = await audited(sound_url)
    monkeypatch.setattr(excerpt, "LINES_AT_ONCE", 3)
    monkeypatch.setattr(excerpt, "ROWS_AT_ONCE", 2)
    assert at_once == await audited(sound_url)
