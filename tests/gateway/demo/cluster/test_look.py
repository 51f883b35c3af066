"""A look at the cluster from outside."""

import json
from pathlib import Path

import httpx
import pytest

from actors.ports import StoreError
from gateway.demo.cluster import look as module
from gateway.demo.cluster.look import Look, online
from gateway.demo.cluster.plan import planned
from storage.database.engine import Database, StorageConfig
from tests.support import upgraded

FIGURES = "# TYPE vendgate_vend_answer_seconds histogram\n" + "\n".join(
    f'vendgate_vend_answer_seconds_bucket{{answer="approved",le="{bound}"}} {count}'
    for bound, count in (("0.01", 98), ("0.1", 100), ("+Inf", 100))
)


async def test_one_gateway_and_an_empty_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers is counted; who does not leaves a gap, and then SQL is one too."""
    plan = planned(tmp_path, machines=2, seed=1, pace_s=1)
    url = f"sqlite:///{tmp_path / 'vendgate.db'}"
    upgraded.make(url)

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == f"http://{plan.gateways[0].health}/metrics":
            return httpx.Response(200, text=FIGURES)
        raise httpx.ConnectError("refused")

    database = await Database.open(StorageConfig(url=url))
    try:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            look = Look(plan, database, http)
            assert [plan.gateways[0].name] == list(await look.metrics())
            moment = await look.moment()
            assert (0, 0.1, 0) == (moment.sales, moment.p99_s, moment.online)
            assert (True, [], None) == (moment.database, list(moment.holders), moment.balance)

            async def away() -> None:
                raise StoreError("The database is away.")

            monkeypatch.setattr(look.queries, "tally", away)
            assert not (await look.moment()).database
    finally:
        await database.close()


def test_machines_count_themselves(tmp_path: Path) -> None:
    """None, if they have not begun."""
    assert 0 == online(tmp_path)
    (tmp_path / "fleet.json").write_text(json.dumps({"online": 17}))
    assert 17 == online(tmp_path)


def test_who_holds_is_told_by_name() -> None:
    """The node and the process stand in one word of SQL."""
    from actors.leases import Holder

    held = module._held(Holder(holder="x", host="host-0", home="h", node="vm/4711"), (128, 3))
    assert ("host-0", "vm", 4711, 128, 3) == (
        held.host,
        held.node,
        held.pid,
        held.partitions,
        held.epoch,
    )
