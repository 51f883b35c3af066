"""Chaos over the cluster: blows under load, then quiet, then three books that agree.

Flows in: a running cluster, how long, a seed. Flows out: what was measured, and every difference
between our ledger, the pretend Alipay's book and the machines' shelves, or within ours.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from actors.ports import StoreError
from gateway.demo import books, stage
from gateway.demo.cluster import shelves
from gateway.demo.cluster.blows import Blow, schedule
from gateway.demo.cluster.strike import Striker, now_ms
from gateway.demo.cluster.system import System
from gateway.demo.cluster.table import Measured
from gateway.demo.interruptions import Interruptions
from gateway.demo.run import PAGE, PROOF_TIMEOUT_S, whole_book
from gateway.simulator.fleet import all_have_left
from storage.auditing import prove
from storage.database.engine import Database, StorageConfig
from storage.fleet.lists import Wanted
from storage.fleet.queries import Queries

CALM_S = 10.0
"""Before the first blow, so that it is known how long nobody buys when nothing is wrong."""
QUIET_TIMEOUT_S = 300.0
LOOK_EVERY_S = 0.5
SALES_FIRST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What chaos has left. ``wrong`` holds a sentence for everything that must not be;
    ``calm_pause_s`` is the longest time without a sale when nothing was done.
    """

    measured: Sequence[Measured]
    calm_pause_s: float
    sales: int
    machines: int
    seconds: float
    wrong: Sequence[str]

    @property
    def good(self) -> bool:
        """Whether the books agree and everybody came back. How soon is another question."""
        return not self.wrong and all(one.seconds is not None for one in self.measured)


async def chaos(
    system: System,
    interruptions: Interruptions,
    *,
    seconds: float,
    seed: int,
    cut: bool,
    say: Callable[[str], None],
) -> Aftermath:
    """Let it rage, then prove the books. A signal ends it after the blow that goes on."""
    began = time.monotonic()
    measured: list[Measured] = []
    striker = Striker(system)
    async with striker.watching():
        await _until_sales(system.look.queries, SALES_FIRST)
        calm = now_ms()
        say("calm")
        await asyncio.sleep(CALM_S)
        calm_pause_s = striker.pause_s(calm, now_ms())
        for blow in schedule(seconds, seed, cut=cut):
            if interruptions.wanted:
                break
            await asyncio.sleep(blow.calm_s)
            measured.append(await _struck(striker, blow, say))
            if measured[-1].seconds is None:
                break  # what comes after it would be its doing
    say("nobody new comes, the books are compared")
    wrong = await proved(system)
    return Aftermath(
        measured=measured,
        calm_pause_s=calm_pause_s,
        sales=(await system.look.queries.tally()).vends.get("SUCCEEDED", 0),
        machines=len(system.plan.machine_ids),
        seconds=time.monotonic() - began,
        wrong=wrong,
    )


async def _struck(striker: Striker, blow: Blow, say: Callable[[str], None]) -> Measured:
    say(blow.kind.value)
    found = await striker.strike(blow)
    after = "never" if found.seconds is None else f"{found.seconds:.1f} s"
    say(f"{blow.kind.value}: {after}")
    return found


async def _until_sales(queries: Queries, wanted: int) -> None:
    while (await queries.tally()).vends.get("SUCCEEDED", 0) < wanted:  # noqa: ASYNC110 - SQL tells nobody
        await asyncio.sleep(LOOK_EVERY_S)


async def proved(system: System) -> list[str]:
    """Let everybody leave and all money be sold or back; return everything that is wrong then."""
    machines = system.parts.part("machines")
    os.kill(machines.pid, signal.SIGUSR1)
    until = time.monotonic() + QUIET_TIMEOUT_S
    found = ["somebody still stands before a machine"]
    while found and time.monotonic() < until:
        await asyncio.sleep(LOOK_EVERY_S)
        if all_have_left(system.plan.fleet, machines.pid):
            try:
                found = await _differences(system)
            except (StoreError, httpx.HTTPError) as error:
                found = [f"the books cannot be read: {error}"]
    fleet = system.plan.fleet
    turns, dropped = shelves.acts(fleet, "turn"), shelves.acts(fleet, "drop")
    found += shelves.differences(turns, dropped, await _succeeded(system.look.queries))
    return [*found, *await _audited(system.plan.database_url)]


async def _audited(url: str) -> Sequence[str]:
    """Prove the whole database, in one read that may take longer than a look at it."""
    database = await Database.open(StorageConfig(url=url, read_timeout_ms=PROOF_TIMEOUT_S * 1_000))
    try:
        return (await prove(database, now_ms=now_ms(), own_ids={stage.PARTNER})).sentences
    finally:
        await database.close()


async def _differences(system: System) -> list[str]:
    """Compare our ledger with the pretend Alipay's book, and say what is not at rest."""
    queries = system.look.queries
    balances = await queries.balances()
    async with httpx.AsyncClient(base_url=system.plan.alipay_url, trust_env=False) as http:
        book = await whole_book(http)
    ours, before = [], ""
    while page := await queries.trades(position=before, limit=PAGE):
        ours += [
            books.OurTrade(
                trade_id=trade.trade_id,
                currency=trade.currency,
                paid_minor=trade.paid_minor,
                refunded_minor=trade.refunded_minor,
            )
            for trade in page
        ]
        before = page[-1].position
    refunded = {one.currency: one.money_refunded_minor for one in balances}
    found = list(books.differences(ours, book, refunded))
    for one in balances:
        if one.money_held_minor or one.refunds_open_minor:
            found.append(
                f"{one.currency}: {one.money_held_minor} is held and {one.refunds_open_minor} is "
                "due back"
            )
        if not one.ledger_balanced:
            found.append(f"{one.currency}: our ledger does not balance")
    return found


async def _succeeded(queries: Queries) -> list[str]:
    found: list[str] = []
    before, wanted = "", Wanted(statuses=("SUCCEEDED",))
    while page := await queries.vends(wanted, position=before, limit=PAGE):
        found += [vend.vend_id for vend in page]
        before = page[-1].position
    return found
