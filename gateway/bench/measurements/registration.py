"""How quickly machines are taken into the fleet, and get their codes from Alipay."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bench.site import BenchSite, RunningGateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Seconds until the last call was answered, and until the last machine had its code."""

    machines: int
    answered_s: float
    with_codes_s: float


async def registration(
    site: BenchSite, running: RunningGateway, machine_ids: Sequence[str]
) -> Registration:
    """Register machines that are new. Raises ChildFailed."""
    began = time.perf_counter()
    answered_s = await site.register(running, machine_ids)
    await site.wait_for_codes(running)
    return Registration(
        machines=len(machine_ids),
        answered_s=answered_s,
        with_codes_s=time.perf_counter() - began,
    )
