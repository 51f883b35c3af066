"""Turns per second of one host over a store that does nothing: what the shell and the core cost
without a database.

Run by hand: ``python -m tests.benchmarks.bench_host [--machines 200] [--seconds 5] [--batch 128]
[--profile]``. One vend is two frames, two decisions, two answers. Everything runs in one process
and one loop, as in a Ray worker without Ray.
"""

import argparse
import asyncio
import cProfile
import gc
import logging
import pstats
import time
from collections.abc import Sequence

import structlog

from actors.host.host import Host
from actors.host.services import HostServices
from actors.link import FromMachine, Notified, ToHost, ToMachine
from actors.machine.effects import ApproveVend
from actors.machine.events import Connected, FrameReceived, TopUpPaid, VendRequested, VendSucceeded
from actors.machine.ids import BootId, Currency, MachineId, RequestId, StreamId, TradeId
from actors.machine.policy import Policy
from actors.machine.state import Column
from actors.ports import Change, Ownership
from tests.support.memory_store import MemoryStore
from tests.support.ray_services import SystemClock
from tests.support.stage import Provider

COLUMNS = (
    Column(column="A1", product="Water", price_minor=1, capacity=10_000_000, stock=10_000_000),
)
FUNDS_MINOR = 1_000_000_000


class NoStore(MemoryStore):
    """Keeps states, and nothing else."""

    async def commit(self, ownership: Ownership, changes: Sequence[Change]) -> None:
        """Keep the states."""
        for change in changes:
            self.rows[change.machine_id].state = change.decision.state


class Machine:
    """Buys one thing after the other."""

    def __init__(self, number: int) -> None:
        self.machine_id = MachineId(f"VM-{number}")
        self.stream_id = StreamId(f"s-{number}")
        self.seq = 0

    def hello(self, now_ms: int) -> FromMachine:
        """Connect."""
        event = Connected(
            stream_id=self.stream_id, opened_at_ms=now_ms, boot_id=BootId("b"), planogram_version=1
        )
        return FromMachine(machine_id=self.machine_id, event=event)

    def frame(self, fact: VendRequested | VendSucceeded) -> FromMachine:
        """Return the next frame."""
        self.seq += 1
        return FromMachine(
            machine_id=self.machine_id,
            event=FrameReceived(stream_id=self.stream_id, seq=self.seq, fact=fact),
        )

    def request(self) -> FromMachine:
        """Ask for goods."""
        return self.frame(
            VendRequested(
                request_id=RequestId(f"r-{self.seq}"),
                column="A1",
                price_minor=1,
                planogram_version=1,
            )
        )


async def run(machines_count: int, seconds: float, batch: int) -> tuple[int, float, dict[str, int]]:
    """Return vends, seconds of CPU, and the host's counts."""
    store, clock = NoStore(), SystemClock()
    machines = {
        machine.machine_id: machine
        for machine in (Machine(number) for number in range(machines_count))
    }
    for machine_id in machines:
        store.register(machine_id, columns=COLUMNS)

    async def close() -> None:
        return

    services = HostServices(
        store=store,
        leases=store,
        performer=Provider(),
        clock=clock,
        policy=Policy(),
        partition_count=16,
        close=close,
    )
    host = Host(name="bench", services=services, partitions=range(16), on_fatal=print, home="bench")
    await host.start()
    attachment = await host.attach("gw")
    await host.exchange(
        attachment, [machine.hello(clock.now_ms()) for machine in machines.values()]
    )
    await asyncio.sleep(0.5)
    paid: list[ToHost] = []
    for number, machine_id in enumerate(machines):
        event = TopUpPaid(
            trade_id=TradeId(f"t-{number}"),
            partner_trans_id=f"o-{number}",
            amount_minor=FUNDS_MINOR,
            currency=Currency("HKD"),
            paid_at_ms=clock.now_ms(),
        )
        paid.append(Notified(item=store.notify(machine_id, event, received_at_ms=clock.now_ms())))
    await host.exchange(attachment, paid)
    waiting: list[ToHost] = [machine.request() for machine in machines.values()]
    vends, cpu_s, end_s = 0, time.process_time(), time.monotonic() + seconds
    gc.collect()
    gc.freeze()
    while time.monotonic() < end_s:
        now, waiting = waiting[:batch], waiting[batch:]
        delivery = await host.exchange(attachment, now)
        for message in delivery.messages:
            assert isinstance(message, ToMachine), message
            machine = machines[message.machine_id]
            approved = [command for command in message.commands if isinstance(command, ApproveVend)]
            if approved:
                waiting.append(machine.frame(VendSucceeded(vend_id=approved[0].vend_id)))
            else:
                vends += 1
                waiting.append(machine.request())
    cpu_s = time.process_time() - cpu_s
    counts = host.stats()
    await host.stop()
    return vends, cpu_s, counts


def main() -> None:
    """Run it and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    profile = cProfile.Profile()
    if given.profile:
        profile.enable()
    vends, cpu_s, counts = asyncio.run(run(given.machines, given.seconds, given.batch))
    profile.disable()
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    print(
        f"{vends / given.seconds:,.0f} vends/s, {2 * vends / given.seconds:,.0f} turns/s, "
        f"{cpu_s / max(1, vends) * 1e6:.0f} us of CPU per vend, "
        f"{counts['turns'] / max(1, counts['batches']):.0f} turns per batch"
    )


if __name__ == "__main__":
    main()
