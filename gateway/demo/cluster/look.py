"""One look at the running cluster from outside: SQL, each gateway's figures, the machines' own
counters.

Flows in: where they are. Flows out: one :class:`Moment`. Whoever does not answer leaves a gap that
is shown, and holds nobody up.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from actors.leases import Holder
from actors.ports import StoreError
from gateway.demo.cluster import figures
from gateway.demo.cluster.plan import Plan
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.fleet.views import BalanceView
from storage.machines import holding

ANSWER_TIMEOUT_S = 2.0
WINDOW_S = 10.0
"""Over so long the vends of a second and their slowest answers are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A host that holds partitions: where its process is, how many, and under which epoch."""

    host: str
    node: str
    pid: int
    partitions: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What there is to be seen. ``balance`` None: nothing was sold yet, or SQL does not answer;
    ``database`` says which.
    """

    sales: int
    vends_per_s: float
    p99_s: float | None
    online: int
    balance: BalanceView | None
    holders: Sequence[Held]
    database: bool


class Look:
    """Looks, and remembers the last ten seconds and what was known of SQL."""

    def __init__(self, plan: Plan, database: Database, http: httpx.AsyncClient) -> None:
        self.queries = Queries(database)
        self._plan = plan
        self._database = database
        self._http = http
        self._sales: deque[tuple[float, int]] = deque()
        self._buckets: deque[tuple[float, Counter[float]]] = deque()
        self._before: dict[str, Counter[float]] = {}
        self._balance: BalanceView | None = None
        self._holders: Sequence[Held] = ()

    async def moment(self) -> Moment:
        """Return what there is to be seen now."""
        texts, there = await asyncio.gather(self.metrics(), self._sql())
        now = time.monotonic()
        for name, text in texts.items():
            after = figures.vend_buckets(text)
            self._buckets.append((now, figures.grown(self._before.get(name, {}), after)))
            self._before[name] = after
        while self._buckets and self._buckets[0][0] < now - WINDOW_S:
            self._buckets.popleft()
        while len(self._sales) > 1 and self._sales[0][0] < now - WINDOW_S:
            self._sales.popleft()
        recent = figures.summed(counts for _, counts in self._buckets)
        return Moment(
            sales=self._sales[-1][1] if self._sales else 0,
            vends_per_s=self._rate(),
            p99_s=figures.within_s(recent, 0.99),
            online=online(self._plan.fleet),
            balance=self._balance,
            holders=self._holders,
            database=there,
        )

    def _rate(self) -> float:
        if len(self._sales) < 2:
            return 0.0
        (began, first), (ended, last) = self._sales[0], self._sales[-1]
        return (last - first) / max(ended - began, 0.001)

    async def metrics(self) -> Mapping[str, str]:
        """Return what the gateways that answer say of themselves."""
        names = [gateway.name for gateway in self._plan.gateways]
        said = await asyncio.gather(
            *(self._metrics_of(gateway.health) for gateway in self._plan.gateways)
        )
        return {name: text for name, text in zip(names, said, strict=True) if text}

    async def _metrics_of(self, health: str) -> str:
        with contextlib.suppress(httpx.HTTPError):
            answer = await self._http.get(f"http://{health}/metrics", timeout=ANSWER_TIMEOUT_S)
            return answer.text if answer.is_success else ""
        return ""

    async def _sql(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                tally = await self.queries.tally()
                balances = await self.queries.balances()
                self._holders = await holders(self._database)
        except (TimeoutError, StoreError):
            return False
        self._sales.append((time.monotonic(), tally.vends.get("SUCCEEDED", 0)))
        self._balance = balances[0] if balances else None
        return True


async def holders(database: Database) -> list[Held]:
    """Return who holds partitions, from SQL, in the order of their names. Raises StoreError."""
    leases = holding.SqlLeases(database)
    known, held = await leases.holders(), await database.read(holding.figures)
    return sorted((_held(one, held.get(one.holder, (0, 0))) for one in known), key=_by_name)


def _held(holder: Holder, figures_of_it: tuple[int, int]) -> Held:
    node, _, pid = holder.node.rpartition("/")
    return Held(
        host=holder.host,
        node=node,
        pid=int(pid) if pid.isdecimal() else 0,
        partitions=figures_of_it[0],
        epoch=figures_of_it[1],
    )


def _by_name(held: Held) -> str:
    return held.host


def online(fleet: Path) -> int:
    """Return how many machines have a stream, as they count themselves."""
    try:
        return int(json.loads((fleet / "fleet.json").read_text())["online"])
    except (OSError, ValueError, KeyError):
        return 0
