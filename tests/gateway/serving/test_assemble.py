"""How a gateway is put together; what its parts do is told in their own tests."""

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from actors.ports import InboxItem
from gateway.links.head import ClusterHead
from gateway.links.links import HostLinks
from gateway.rpc.counters import Counters
from gateway.rpc.limits import EdgeLimits
from gateway.serving.assemble import assemble
from storage.database.engine import Database
from tests.alipay_client.wire import Pair
from tests.support.edge import FixedClock
from tests.support.scripted_link import ScriptedLink
from tests.support.site import Site, configs


@pytest.fixture
async def links() -> HostLinks:
    """The links to one host, not open."""
    return HostLinks([ScriptedLink()], gateway_id="g1", partition_count=8)


async def test_parts_share_one_database_and_one_world(
    upgraded_file: Path, pair: Pair, links: HostLinks
) -> None:
    """Every part works on the same links, figures and clock, and none of them runs yet."""
    made = configs(upgraded_file, pair, edge_limits=EdgeLimits(streams_max=7))
    database = await Database.open(made.storage)
    woken: list[InboxItem] = []
    clock, metrics = FixedClock(), Counters()
    try:
        gateway = assemble(
            made,
            database,
            links,
            gateway_id="g1",
            clock=clock,
            metrics=metrics,
            wake=woken.append,
            code_wait_s=1.5,
        )
        assert 7 == gateway.machines.limits.streams_max
        assert (links, links) == (gateway.links, gateway.fleet.acts.commands)
        assert gateway.registry is gateway.ingress.registry is gateway.fleet.acts.registry
        assert metrics is gateway.metrics is gateway.ingress.metrics is gateway.fleet.metrics
        assert clock is gateway.ingress.clock is gateway.fleet.acts.clock
        assert (woken.append, 1.5) == (gateway.ingress.wake, gateway.fleet.acts.code_wait_s)
        assert {
            "sql": True,
            "schema": True,
            "saves": True,
            "hosts": False,
            "not_draining": True,
        } == (await gateway.readiness.report())
    finally:
        await database.close()


async def test_a_head_that_is_away_is_told_and_does_not_stop_a_gateway(
    upgraded_file: Path, pair: Pair, links: HostLinks
) -> None:
    """It is a warning beside the checks, and no check."""

    async def why(address: str) -> str:
        return "refused"

    made = configs(upgraded_file, pair)
    database = await Database.open(made.storage)
    head = ClusterHead("10.0.0.1:6379", why=why)
    try:
        gateway = assemble(made, database, links, gateway_id="g1", head=head)
        assert gateway.head is head
        assert () == tuple(gateway.readiness.warnings())
        await head.look()
        checks = await gateway.readiness.report()
        (sentence,) = gateway.readiness.warnings()
    finally:
        await database.close()

    assert sentence.startswith("Ray's head at 10.0.0.1:6379 is away (refused)")
    assert {"sql", "schema", "saves", "hosts", "not_draining"} == checks.keys()


async def test_each_listener_serves_its_own(site: Site) -> None:
    """Machines and administrators have a listener each, and neither knows the other's calls."""
    names = {
        "gateway.v1.MachineService": site.gateway.machine_listener,
        "gateway.fleet.v1.FleetService": site.gateway.admin_listener,
    }
    for name, bind in names.items():
        listener = bind("127.0.0.1:0", None)
        await listener.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for other in names:
                known = await _known(health, other)
                assert (other == name) == known
        await listener.stop(grace_s=0)


async def _known(health: Any, service: str) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
