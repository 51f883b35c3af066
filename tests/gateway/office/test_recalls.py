"""RecallService over a real server, real SQL and real actors."""

import grpc
import pytest
from sqlalchemy import select

from actors.machine.ids import MachineId
from gateway.office.v1 import goods_service_pb2 as goods_wire
from gateway.office.v1 import incident_pb2, incident_service_pb2, recall_pb2
from gateway.office.v1 import recall_service_pb2 as wire
from storage.office.stays import begins_ms
from storage.tables import audit
from tests.gateway.office.recalling import a_loaded_machine, locked, recall, release, worker
from tests.support.fleet_calls import answers_forgotten, refusal
from tests.support.goods_calls import count, load, unload
from tests.support.site import Site


@pytest.fixture(autouse=True)
async def _goods(site: Site) -> None:
    await a_loaded_machine(site)


async def obeyed(site: Site) -> tuple[str, ...] | None:
    """Return which columns the machine's actor has locked."""
    loaded = await site.store.load(MachineId("VM-1"))
    assert loaded is not None
    return loaded.state.configuration.locked


async def troubles(site: Site) -> list[str]:
    """Return what its health says of locked columns, without the recall's name."""
    asked = incident_service_pb2.GetMachineHealthRequest(machine_id="VM-1")
    answer = await site.incidents.GetMachineHealth(asked)
    return [
        one.detail.partition(", recall")[0]
        for one in answer.troubles
        if one.kind == incident_pb2.TROUBLE_KIND_LOCKED
    ]


async def audited(site: Site) -> list[tuple[str, str]]:
    """Return by whom which columns were locked and unlocked."""
    rows = select(audit.c.actor, audit.c.detail).where(audit.c.action == "LockColumns")
    found = rows.order_by(audit.c.id)
    return await site.database.read(
        lambda connection: [(row.actor, row.detail) for row in connection.execute(found)]
    )


async def test_a_recall_locks_and_its_release_unlocks(site: Site) -> None:
    """Its actor obeys, each step stands in the lists and in the audit log."""
    asked = await recall(site, request_id="r")
    assert asked == await recall(site, request_id="r")
    assert [("VM-1", "A1", 5, 7)] == [
        (one.machine_id, one.column, one.quantity, one.stock) for one in asked.columns
    ]
    assert not asked.more
    assert await worker(site).once()
    (one,) = await locked(site)
    assert ("VM-1", "A1", "L1", recall_pb2.RECALL_CAUSE_RECALLED, False) == (
        one.machine_id,
        one.column,
        one.lot,
        one.cause,
        one.online,
    )
    assert one.HasField("obeyed_at")
    assert ("A1",) == await obeyed(site)
    assert [] == await locked(site, not_obeyed=True)
    assert [one] == await locked(site, recall_id=asked.recall.recall_id)
    assert [one] == await locked(site, machine_id="VM-1")
    assert ["RECALLED: lot L1 of cola"] == await troubles(site)
    request = wire.GetRecallRequest(recall_id=asked.recall.recall_id)
    got = (await site.recalls.GetRecall(request)).recall
    assert (1, 0, True) == (got.locked_count, got.not_obeyed_count, got.HasField("looked_at"))

    released = await release(site, asked.recall.recall_id)
    assert [one] == list(released.columns)
    assert await worker(site).once()
    assert [] == await locked(site)
    assert () == await obeyed(site)
    assert [] == await troubles(site)
    recall_id = asked.recall.recall_id
    assert [
        ("ann", f"locked none -> A1; recall {recall_id} of lot L1 of cola"),
        ("ann", f"locked A1 -> none; recall {recall_id} of lot L1 of cola"),
    ] == await audited(site)


async def test_a_recall_that_is_only_checked_shows_its_columns(site: Site) -> None:
    """And locks none, and has no name that nobody could ask for."""
    checked = await recall(site, validate_only=True)
    assert ["A1"] == [one.column for one in checked.columns]
    assert ("", "L1") == (checked.recall.recall_id, checked.recall.lot)
    assert not await worker(site).once()
    assert [] == await locked(site)
    assert None is await obeyed(site)


async def test_a_column_sells_again_when_the_lot_is_out_of_it(site: Site) -> None:
    """Taken out under its name, though others are left; and nothing of it is loaded again."""
    await recall(site)
    assert await worker(site).once()
    await site.goods.UnloadColumn(unload(5, "WASTE", lot="L1"))
    site.clock.ahead_ms = 60_000
    assert await worker(site).once()
    assert [] == await locked(site)
    assert () == await obeyed(site)
    code, reason, _ = await refusal(site.goods.LoadColumn(load(1, request_id="load-2")))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "LOT_RECALLED") == (code, reason)


async def test_all_of_a_product_is_recalled(site: Site) -> None:
    """Every column that has some, whatever is known of its lots."""
    request = wire.RecallProductRequest(product="cola", reason="glass")
    answer = await site.recalls.RecallProduct(request)
    assert [("A1", 7)] == [(one.column, one.quantity) for one in answer.columns]
    assert await worker(site).once()
    assert ["A1"] == [one.column for one in await locked(site)]


async def test_what_has_expired_is_locked_when_the_day_is_over_there(site: Site) -> None:
    """Nobody has to ask; who asks hears what nobody had made a recall of before."""
    site.clock.ahead_ms = _until(site, begins_ms("2099-02-01", "UTC"))
    answer = await site.recalls.LockExpired(wire.LockExpiredRequest(validate_only=True))
    assert [("L1", "2099-01-31", recall_pb2.RECALL_CAUSE_EXPIRED)] == [
        (one.lot, one.expires_on, one.cause) for one in answer.recalls
    ]
    assert await worker(site).once()
    (one,) = await locked(site)
    assert recall_pb2.RECALL_CAUSE_EXPIRED == one.cause
    assert not (await site.recalls.LockExpired(wire.LockExpiredRequest())).recalls


async def test_what_has_expired_is_not_loaded_even_before_anybody_looked(site: Site) -> None:
    """Only checked or not; nor does it come into a van. In a column it is locked at the next look,
    whoever has looked when.
    """
    site.clock.ahead_ms = _until(site, begins_ms("2099-02-01", "UTC"))
    for more in ({"validate_only": True}, {}):
        code, reason, _ = await refusal(site.goods.LoadColumn(load(1, request_id="l-2", **more)))
        assert (grpc.StatusCode.FAILED_PRECONDITION, "LOT_EXPIRED") == (code, reason)
    received = goods_wire.ReceivedGoods(
        product="cola", lot="L2", quantity=1, expires_on="2020-01-31"
    )
    request = goods_wire.ReceiveGoodsRequest(to="VAN:7", goods=[received])
    assert "LOT_EXPIRED" == (await refusal(site.goods.ReceiveGoods(request)))[1]
    request.to = "WAREHOUSE:north"
    await site.goods.ReceiveGoods(request)
    await site.goods.CountColumn(count(8))
    made = (await site.recalls.ListRecalls(wire.ListRecallsRequest())).recalls
    expired = recall_pb2.RECALL_CAUSE_EXPIRED
    assert {("L1", expired), ("L2", expired)} == {(one.lot, one.cause) for one in made}


def _until(site: Site, at_ms: int) -> int:
    return at_ms - site.clock.now_ms() + site.clock.ahead_ms


async def test_what_cannot_be_recalled_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """A mistyped lot above all, and one for which nobody says why."""
    for wrong, reason in [
        ({"lot": "L9"}, "LOT_NOT_FOUND"),
        ({"product": "cake"}, "LOT_NOT_FOUND"),
        ({"reason": ""}, "INVALID_REQUEST"),
        ({"lot": ""}, "INVALID_REQUEST"),
    ]:
        with subtests.test(reason=reason):
            _, told, _ = await refusal(recall(site, **wrong))
            assert reason == told


async def test_a_recall_is_refused_while_it_is_open_and_its_release_afterwards(site: Site) -> None:
    """Each with a reason for programs."""
    made = (await recall(site)).recall
    _, reason, _ = await refusal(recall(site, reason="dust"))
    assert "RECALL_OPEN" == reason
    await release(site, made.recall_id)
    _, reason, _ = await refusal(release(site, made.recall_id))
    assert "RECALL_RELEASED" == reason
    _, reason, _ = await refusal(release(site, "r9"))
    assert "RECALL_NOT_FOUND" == reason
    code, _, _ = await refusal(release(site, "r/9"))
    assert grpc.StatusCode.INVALID_ARGUMENT == code


async def test_lists_come_in_pages(site: Site) -> None:
    """Each begins where the one before ended; two filters at once are refused."""
    await recall(site)
    await site.recalls.RecallProduct(wire.RecallProductRequest(product="cola", reason="glass"))
    first = await site.recalls.ListRecalls(wire.ListRecallsRequest(page_size=1))
    rest = wire.ListRecallsRequest(page_size=1, page_token=first.next_page_token)
    second = await site.recalls.ListRecalls(rest)
    assert {"L1", ""} == {one.lot for one in (*first.recalls, *second.recalls)}
    working = worker(site)
    assert await working.once()
    assert await working.once()
    one = await site.recalls.ListLockedColumns(wire.ListLockedColumnsRequest(page_size=1))
    more = wire.ListLockedColumnsRequest(page_size=1, page_token=one.next_page_token)
    other = await site.recalls.ListLockedColumns(more)
    assert 2 == len({line.recall_id for line in (*one.columns, *other.columns)})
    mistyped = wire.ListLockedColumnsRequest(recall_id="nosuch")
    _, reason, _ = await refusal(site.recalls.ListLockedColumns(mistyped))
    assert "RECALL_NOT_FOUND" == reason
    both = wire.ListLockedColumnsRequest(machine_id="VM-1", not_obeyed=True)
    code, _, wrong = await refusal(site.recalls.ListLockedColumns(both))
    assert (grpc.StatusCode.INVALID_ARGUMENT, ["recall_id"]) == (code, wrong)


async def test_an_id_of_long_ago_recalls_nothing_and_says_so(site: Site) -> None:
    """Another id does. The database is not blamed."""
    made = await recall(site, request_id="r")
    await release(site, made.recall.recall_id)
    await answers_forgotten(site)
    _, reason, _ = await refusal(recall(site, request_id="r"))
    assert "REQUEST_ID_USED" == reason
    assert (await recall(site, request_id="r-2")).recall.recall_id
