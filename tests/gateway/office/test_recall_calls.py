"""A request to recall is checked whole, and wakes the one who locks."""

import pytest

from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.office.fields import OfficeFields
from gateway.office.recall_calls import RecallCalls, recall_id
from gateway.office.v1 import recall_service_pb2 as wire
from tests.gateway.office.recalling import a_loaded_machine
from tests.support.site import Site

ACT = Act(actor="ann", within_s=9.0)


@pytest.mark.parametrize("wrong", ["", "r/1", "r" * 33, "é1"])
def test_a_recalls_name_is_checked(wrong: str) -> None:
    """It goes into a database as it is."""
    with pytest.raises(CallRefused):
        recall_id(OfficeFields(), wrong).done()
    recall_id(OfficeFields(), "abc123").done()


async def test_who_locks_is_woken_by_each_change(site: Site) -> None:
    """A recall, its release and what expires; nobody waits for the next look."""
    await a_loaded_machine(site)
    woken: list[str] = []
    office = site.gateway.office
    calls = RecallCalls(
        recalls=office.recalls,
        locks=office.locks,
        clock=site.clock,
        begun=lambda: woken.append("woken"),
        new_id=lambda: f"r{len(woken)}",
    )
    lot = wire.RecallLotRequest(product="cola", lot="L1", reason="glass")
    made = await calls.recall_lot(lot, ACT)
    product = wire.RecallProductRequest(product="cola", reason="glass")
    await calls.recall_product(product, ACT)
    release = wire.ReleaseRecallRequest(recall_id=made.recall.recall_id, reason="tested")
    assert (await calls.release(release, ACT)).recall.released
    await calls.lock_expired(wire.LockExpiredRequest(), ACT)
    assert ["woken"] * 4 == woken
