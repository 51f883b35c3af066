"""B18: money does not hang on clocks. Each time in every table becomes one constant, and every
truth about money holds as before.

In scope: whole worlds at rest, with crashes, moved owners and clocks that jump. Left out: warnings
about ages, which are about time.
"""

from collections.abc import Iterator

import pytest

from storage.auditing import Audit, prove_within
from storage.auditing.findings import CHAINS
from tests.simulation import final_checks, world
from tests.simulation.checker import Checker
from tests.simulation.disk import PARTITIONS, Disk
from tests.simulation.keys import PARTNER
from tests.simulation.world import World, live

SEEDS = (0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6)))
CONSTANT_MS = 1_600_000_000_000


def forget_time(disk: Disk) -> int:
    """Overwrite every time in every table by one constant; return how many were another. That a
    time is there at all stays: it says "over".

    Triggers go first: the world's own would take part, and others might forbid it.
    """
    for (name,) in disk.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        disk.raw.execute(f'DROP TRIGGER "{name}"')
    changed = 0
    for table, column in _times(disk):
        sql = f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" <> ?'
        changed += disk.raw.execute(sql, (CONSTANT_MS, CONSTANT_MS)).rowcount
    _forget_days(disk)
    return changed


def _forget_days(disk: Disk) -> None:
    """A day is a time too: all of a machine's become the constant's, in one balance."""
    together = disk.rows(
        "SELECT machine_id, account, sum(debit_minor), sum(credit_minor), currency FROM balances "
        "GROUP BY machine_id, account, currency"
    )
    disk.raw.execute("DELETE FROM balances")
    for machine_id, *rest in together:
        disk.raw.execute(
            "INSERT INTO balances VALUES (?, ?, ?, ?, ?, ?)",
            (machine_id, CONSTANT_MS // 86_400_000, *rest),
        )


def _times(disk: Disk) -> Iterator[tuple[str, str]]:
    for (table,) in disk.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        for row in disk.rows(f'PRAGMA table_info("{table}")'):
            if row[1].endswith("at_ms"):
                yield table, row[1]


def audited(disk: Disk) -> Audit:
    """Return the audit at the constant's time."""
    return disk.read(
        lambda connection: prove_within(
            connection, now_ms=CONSTANT_MS, partition_count=PARTITIONS, own_ids=frozenset({PARTNER})
        )
    )


def found(audit: Audit) -> list[str]:
    """Return what was found; that rows are as they were written is not asked: the chains must say
    that times were changed.
    """
    return [
        f"{check.name}: {each.sentence}"
        for check in audit.checks
        if check.name not in CHAINS
        for each in check.findings
    ]


def told_again(of: World) -> None:
    """Fold the ledger anew, as after each COMMIT, and hold what needs no clock of every trade and
    every vend.
    """
    checker = Checker(of)
    checker.fold.ledger_news()
    for trade_id in list(checker.fold.trades):
        checker.conservation(trade_id)
        checker.refund_bound(trade_id)
    for vend_id in list(checker.fold.vends):
        checker.one_settlement_per_vend(vend_id)


@pytest.mark.parametrize("seed", SEEDS)
def test_money_hangs_on_no_clock(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At rest, with every time of the database the same, the audit, the three books and the ledger
    find nothing, and no balance differs.
    """
    rested: list[int] = []
    check_all = final_checks.check_all

    def without_time(of: World) -> None:
        check_all(of)
        before, saved = audited(of.disk), of.disk.raw.serialize()
        rested.append(forget_time(of.disk))
        assert 1 == len(
            {
                row
                for table, column in _times(of.disk)
                for row in of.disk.rows(f'SELECT "{column}" FROM "{table}"')
                if row[0]
            }
        )
        after = audited(of.disk)
        assert [] == found(after)
        assert before.balances == after.balances
        for truth in final_checks.TRUTHS:
            truth(of)
        told_again(of)
        _can_still_fail(of)
        of.disk.raw.deserialize(saved)
        of.disk.raw.execute("PRAGMA foreign_keys = ON")

    monkeypatch.setattr(world, "check_all", without_time)
    outcome = live(seed)

    assert outcome.failure is None
    assert 2 == len(rested)
    assert all(changed > 0 for changed in rested)


def _can_still_fail(of: World) -> None:
    """A cent too much is found without any clock."""
    if of.disk.raw.execute(
        "UPDATE trades SET paid_minor = paid_minor + 1, sold_minor = sold_minor + 1"
    ).rowcount:
        assert found(audited(of.disk))
