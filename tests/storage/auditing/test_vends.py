"""Vends and sessions: whoever changes an approval, an ending or its money is seen."""

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.machine.events import VendRefundAsked
from actors.machine.ids import VendId
from storage.database.engine import Database, StorageConfig
from storage.fleet.sold import SoldVends
from tests.storage.auditing.books import audited, broken, damage
from tests.storage.auditing.damages import Damage, names, seen
from tests.storage.owner import Owner

DAMAGES = (
    Damage(
        check="approvals_are_reserved",
        sql="UPDATE vends SET price_minor = 600 WHERE vend_id = 'VM-1-v1'",
        sentence="vend VM-1-v1 of 600 HKD is SUCCEEDED; the ledger reserved 500 for it",
    ),
    Damage(
        check="approvals_are_reserved",
        sql=(
            "UPDATE vends SET status = 'SUCCEEDED', session_id = 'VM-1-s1' WHERE vend_id = "
            "'VM-1-v3'"
        ),
        sentence="the ledger reserved 0 for it",
        companions=frozenset({"delivered_vends_took_one_item"}),
    ),
    Damage(
        check="approvals_are_reserved",
        sql="UPDATE vends SET vend_id = 'VM-1-v9' WHERE vend_id = 'VM-1-v1'",
        sentence="the ledger reserved 500 for vend VM-1-v1, which machine VM-1 has not",
        companions=frozenset({"delivered_vends_took_one_item"}),
    ),
    Damage(
        check="vends_are_settled_once",
        sql="UPDATE vends SET status = 'VOIDED' WHERE vend_id = 'VM-1-v1'",
        sentence=(
            "vend VM-1-v1 of 500 HKD is VOIDED; of 500 reserved, 500 was sold, 0 returned, 0 "
            "written off"
        ),
        companions=frozenset({"delivered_vends_took_one_item"}),
    ),
    Damage(
        check="vends_are_settled_once",
        sql="UPDATE vends SET reason = '' WHERE vend_id = 'VM-3-v1'",
        sentence="of 500 reserved, 0 was sold, 500 returned, 500 written off",
        companions=frozenset({"delivered_vends_took_one_item"}),
    ),
    Damage(
        check="money_stays_in_its_session",
        sql="UPDATE trades SET session_id = 'VM-1-s2' WHERE trade_id = 'VM-1-t1'",
        sentence=(
            "vend VM-1-v1 of session VM-1-s1 reserved 500 HKD of trade VM-1-t1, which belongs to "
            "VM-1-s2"
        ),
    ),
    Damage(
        check="money_stays_in_its_session",
        sql="UPDATE trades SET session_id = 'VM-2-s7' WHERE trade_id = 'VM-2-t2'",
        sentence="trade VM-2-t2 names session 'VM-2-s7', which machine VM-2 has not had",
    ),
    Damage(
        check="ended_sessions_hold_no_free_funds",
        sql="UPDATE sessions SET status = 'ENDED' WHERE session_id = 'VM-2-s1'",
        sentence=(
            "trade VM-2-t1 has 500 HKD of free funds and belongs to session VM-2-s1, which is not "
            "open"
        ),
        companions=frozenset({"what_is_open_is_in_the_state"}),
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)


async def test_goodwill_for_what_was_not_sold_is_seen(spoilt: Callable[..., str]) -> None:
    """Of another vend it would leave the right one to be given back a second time."""
    url = spoilt()
    db = await Database.open(StorageConfig(url=url))
    owner = await Owner.claim(db, "VM-1", holder="h3")
    sold = await SoldVends(db).find(VendId("VM-1-v1"))
    assert sold is not None
    asked = VendRefundAsked(
        vend_id=VendId("VM-1-v1"),
        version=sold.version,
        parts=sold.parts,
        actor="ann",
        reason="stale",
    )
    await owner.do("VM-1", asked)
    await db.close()
    assert [] == broken(await audited(url))
    damage(
        Path(url.removeprefix("sqlite:///")),
        "UPDATE transfers SET cause = 'VM-1-v9/VM-1-t1' WHERE kind = 'GOODWILL'",
    )

    audit = await audited(url)
    assert {"vends_are_settled_once", "journals_are_as_written"} == set(broken(audit))
    said = "GOODWILL VM-1-v9/VM-1-t1 gives 500 HKD of trade VM-1-t1 back, and 0 was sold"
    assert any(said in sentence for sentence in audit.sentences)
