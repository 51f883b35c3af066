"""Machines that come all at once while others sell."""

import asyncio
import os
from typing import Any, cast

from gateway.bench.figures import Latency
from gateway.bench.load import Load, Span, Storm
from gateway.bench.measurements.crowd import crowd
from gateway.bench.site import RunningGateway, Setting


def took(p99_ms: float) -> Latency:
    """How long answers took."""
    return Latency(p50_ms=1.0, p99_ms=p99_ms, p999_ms=p99_ms, count=9)


class Scripted:
    """Sellers whose answers take what the script says, and those who come: all are there when the
    script is over.
    """

    machines = ("m1", "m2")

    def __init__(self, *p99_ms: float) -> None:
        self.script = list(p99_ms)
        self.there = asyncio.Event()
        self.did: list[str] = []

    async def connect(self, machines: Any, **_: object) -> Storm:
        """Come; those who sell are there at once."""
        self.did.append("connect")
        if not self.script:
            await self.there.wait()
        return Storm(machines=len(machines), seconds=2.0, refused=0)

    async def steady(self, _machines: object, **_: object) -> Span:
        """Sell for a while."""
        self.did.append("sell")
        approvals = took(self.script.pop(0))
        if not self.script:
            self.others.there.set()
        for _tick in range(3):  # whoever comes has time to be there
            await asyncio.sleep(0)
        return Span(seconds=1, vends=9, approvals=approvals, results=approvals, denied=0, cpu_us={})

    others: "Scripted"


async def test_a_crowd_tells_who_came_and_what_sellers_noticed_at_worst() -> None:
    """Sellers are measured before anybody comes, and until all are there."""
    sellers, coming = Scripted(10.0, 30.0, 80.0, 40.0), Scripted()
    sellers.others = coming
    running = RunningGateway(
        setting=Setting(name="no-ray", ray=False),
        machines="",
        admin="",
        began_s=0.0,
        ready_s=0.0,
        gateway_pid=os.getpid(),
        host_pids=(),
    )
    measured = await crowd(
        cast("Load", sellers), cast("Load", coming), running, rate=17.0, seconds=6.0
    )

    assert (2, 0) == (measured.came.machines, measured.came.refused)
    assert (took(10.0), took(80.0)) == (measured.quiet, measured.worst)
    assert ["connect", *["sell"] * 4] == sellers.did
    assert measured.mib > 1
