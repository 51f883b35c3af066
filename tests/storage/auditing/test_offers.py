"""What an offer is said to have given is what its vends took off."""

from collections.abc import Callable

import pytest

from actors.machine.events import VendFailed, VendSucceeded
from actors.machine.state import FailureCause
from storage.auditing import prove
from storage.database.engine import Database
from tests.storage.auditing.damages import Damage, names, seen
from tests.storage.offered import chooses, give, with_a_customer
from tests.storage.owner import START_MS

CHECK = "offers_are_used_by_their_vends"
DAMAGES = tuple(
    Damage(check=CHECK, sql=sql, sentence=sentence)
    for sql, sentence in (
        (
            "UPDATE offer_spending SET spent_minor = 99",
            "is spent by 99 in 1 uses, and its",
        ),
        ("UPDATE offer_spending SET uses = 3", "is spent by 50 in 3 uses"),
        ("UPDATE offer_uses SET discount_minor = 51", "its 50 HKD off by offer fifty are not"),
        ("UPDATE offer_uses SET returned_at_ms = 1", "vend VM-4-v1 is SUCCEEDED, and its 50 HKD"),
        ("DELETE FROM offer_spending", "offer fifty is spent by nothing, and its uses are 1 of 50"),
        ("UPDATE offer_uses SET payer_id = 'x'", "are not counted so"),
        ("UPDATE offer_uses SET vend_id = 'x'", "offer fifty counts 50 for vend x"),
        ("UPDATE vends SET offer = 'other' WHERE vend_id = 'VM-4-v1'", "by offer other are not"),
        ("UPDATE vends SET discount_minor = 49 WHERE vend_id = 'VM-4-v1'", "its 49 HKD off"),
        ("UPDATE vends SET discount_minor = 1 WHERE vend_id = 'VM-1-v1'", "its 1 HKD off"),
    )
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)


async def test_what_was_sold_what_failed_and_what_is_open_is_counted(db: Database) -> None:
    """Three vends with one offer, each of which is looked at."""
    await give(db, budget_minor=1_000)
    owner = await with_a_customer(db, "VM-1", "VM-2", "VM-3")
    for machine_id in owner.states:
        await owner.do(machine_id, chooses(owner, machine_id))
    ids = [one.session.vend.vend_id for one in owner.states.values()]  # type: ignore[union-attr]
    await owner.do("VM-1", owner.frame("VM-1", VendSucceeded(vend_id=ids[0])))
    failed = VendFailed(vend_id=ids[1], cause=FailureCause.JAMMED)
    await owner.do("VM-2", owner.frame("VM-2", failed))
    audit = await prove(db, now_ms=START_MS + 1)
    (check,) = (one for one in audit.checks if one.name == CHECK)
    assert (3, ()) == (check.looked_at, tuple(check.findings))
