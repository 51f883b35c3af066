"""The inbox: whoever changes a notification that was taken is seen."""

from collections.abc import Callable

import pytest

from tests.storage.auditing.damages import Damage, names, seen

DAMAGES = (
    Damage(
        check="taken_notifications_are_in_the_journal",
        sql="UPDATE inbox SET taken_version = 99 WHERE cause = 'payment:VM-1-t1'",
        sentence=(
            "notification payment:VM-1-t1 (row 1) of machine VM-1 was taken in version 99, of "
            "which there is no line"
        ),
    ),
    Damage(
        check="taken_notifications_are_in_the_journal",
        sql="UPDATE inbox SET taken_version = NULL WHERE cause = 'payment:VM-1-t1'",
        sentence="was taken in no version",
    ),
    Damage(
        check="taken_payments_are_credited",
        sql=(
            "UPDATE inbox SET event = replace(event, '1000', '9000') WHERE cause = "
            "'payment:VM-1-t1'"
        ),
        sentence="was taken with 9000 HKD, and trade VM-1-t1 of machine VM-1 has 1000 HKD",
    ),
    Damage(
        check="taken_payments_are_credited",
        sql=(
            "INSERT INTO inbox (cause, kind, machine_id, partition, trade_id, told_sha256, "
            "received_at_ms, taken_at_ms, "
            "taken_version, event, fields) SELECT 'payment:t9', kind, machine_id, partition, "
            "'t9', told_sha256, received_at_ms, "
            "taken_at_ms, taken_version, replace(event, 'VM-1-t1', 't9'), fields FROM inbox "
            "WHERE cause = 'payment:VM-1-t1'"
        ),
        sentence=(
            "notification payment:t9 of machine VM-1 was taken with 1000 HKD, and there is no such "
            "trade"
        ),
    ),
    Damage(
        check="top_ups_have_notifications",
        sql="DELETE FROM inbox WHERE cause = 'payment:VM-1-t1'",
        sentence=(
            "machine VM-1 credited 1000 HKD for trade VM-1-t1, and no notification that was taken "
            "says so (version 4)"
        ),
    ),
    Damage(
        check="top_ups_have_notifications",
        sql="UPDATE inbox SET taken_at_ms = NULL WHERE cause = 'payment:VM-1-t1'",
        sentence="machine VM-1 credited 1000 HKD for trade VM-1-t1",
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)
