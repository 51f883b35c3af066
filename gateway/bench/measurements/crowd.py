"""Machines that come all at once while others sell: whether all are welcome, and how much those who
sell notice.
"""

import asyncio
from dataclasses import dataclass

from gateway.bench.figures import Latency
from gateway.bench.load import Load, Span, Storm
from gateway.bench.site import RunningGateway
from gateway.demo import processes

_LOOK_S = 3.0
_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """``quiet``: before they came; ``worst``: of each three seconds while they came, those in which
    answers took longest. ``mib``: of the gateway's process when all are there.
    """

    came: Storm
    quiet: Latency
    worst: Latency
    mib: float


async def crowd(
    sellers: Load, coming: Load, running: RunningGateway, *, rate: float, seconds: float
) -> Crowd:
    """Let ``rate`` customers a second buy at the sellers, and the others come meanwhile. Raises
    LoadFailed.
    """

    async def sold(span_s: float) -> Span:
        return await sellers.steady(
            sellers.machines, rate=rate, warm_s=0.0, seconds=span_s, pids=running.pids
        )

    await sellers.connect(sellers.machines)
    quiet = await sold(seconds)
    arriving = asyncio.create_task(coming.connect(coming.machines, within_s=_WITHIN_S))
    try:
        spans = [await sold(_LOOK_S)]
        while not arriving.done():
            spans.append(await sold(_LOOK_S))
        came = await arriving
    finally:
        arriving.cancel()
    return Crowd(
        came=came,
        quiet=quiet.approvals,
        worst=max((span.approvals for span in spans), key=lambda one: one.p99_ms),
        mib=processes.resident_bytes([running.gateway_pid]) / 2**20,
    )
