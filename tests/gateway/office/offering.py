"""An offer that is tried, over a real server: ann's calls, and customers with a past."""

from typing import Any

from gateway.office.v1 import experiment_pb2 as told
from gateway.office.v1 import experiment_service_pb2 as wire
from storage.insight import days
from tests.gateway.office.trying import go_to, today
from tests.storage.experiments.customers import PERCENT, offer, with_customers
from tests.storage.experiments.fleets import begins
from tests.support.site import Site


def of_offer(**more: Any) -> told.ExperimentContent:
    """What ann wants to know of it."""
    said: dict[str, Any] = {
        "hypothesis": "who gets tea for less comes more often",
        "channel": told.EXPERIMENT_CHANNEL_OFFER,
        "design": told.EXPERIMENT_DESIGN_PAYERS,
        "measure": told.EXPERIMENT_MEASURE_SALES,
        "sought_permille": 500,
        "offer": "tea",
    }
    return told.ExperimentContent(**(said | more))


def creating(code: str = "trial", **more: Any) -> wire.CreateExperimentRequest:
    """Ann wants to know it."""
    return wire.CreateExperimentRequest(code=code, content=of_offer(**more))


async def give_later(site: Site, code: str = "tea", *, percent: int = PERCENT) -> int:
    """Make an offer that begins in the night after tomorrow, and return on which day. Its key is
    known, so that the same payers are held out each time.
    """
    first = days.moved(today(site), 2)
    await offer(
        site.database,
        code,
        now_ms=site.clock.now_ms(),
        begins_at_ms=begins(first) + 1,
        ends_at_ms=begins(days.moved(first, 40)),
        holdout_percent=percent,
    )
    return first


async def have_customers(site: Site) -> list[str]:
    """Payers who bought colas in the weeks before today, and an hour of the morning."""
    go_to(site, today(site))
    return await with_customers(site.database, over=days.moved(today(site), -1))
