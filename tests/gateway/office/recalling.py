"""A recall, and the gateway that locks its columns, for tests."""

from typing import Any

from gateway.office.recall_worker import RecallWorker
from gateway.office.v1 import recall_service_pb2 as wire
from storage.fleet.answers import KeepingClock
from tests.gateway.office.importing import no_time
from tests.support.goods_calls import load, twenty_in_a_van
from tests.support.keeping import KeptBy
from tests.support.site import Site


def worker(site: Site, holder: str = "gw-1", keeping: KeepingClock | None = None) -> RecallWorker:
    """Return a gateway's own, which waits for nothing."""
    parts = site.gateway.office
    return RecallWorker(
        recalls=parts.recalls,
        locks=parts.locks,
        acts=parts.fleet.acts,
        clock=parts.fleet.acts.clock,
        keeping=keeping or KeptBy(parts.fleet.acts.clock),
        holder=holder,
        sleep=no_time,
    )


async def a_loaded_machine(site: Site) -> None:
    """Have a machine with five of lot L1 in its column A1, among others."""
    await twenty_in_a_van(site)
    await site.goods.LoadColumn(load())


async def recall(site: Site, **asked: Any) -> Any:
    """Recall lot L1."""
    content = {"product": "cola", "lot": "L1", "reason": "glass", **asked}
    return await site.recalls.RecallLot(
        wire.RecallLotRequest(**content), metadata=(("x-actor", "ann"),)
    )


async def release(site: Site, recall_id: str, **asked: Any) -> Any:
    """Release a recall."""
    return await site.recalls.ReleaseRecall(
        wire.ReleaseRecallRequest(recall_id=recall_id, reason="tested", **asked)
    )


async def locked(site: Site, **about: Any) -> list[Any]:
    """Return the locked columns."""
    request = wire.ListLockedColumnsRequest(**about)
    return list((await site.recalls.ListLockedColumns(request)).columns)
