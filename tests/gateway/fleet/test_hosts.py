"""HostService over a real server and a real host; Ray is a few functions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from sqlalchemy import select

from actors.placement import HostProcess
from gateway.fleet.v1 import host_pb2, host_service_pb2_grpc
from gateway.fleet.v1 import host_service_pb2 as wire
from gateway.links.cluster_hosts import ClusterHosts
from storage.machines.layout import Layout
from storage.tables import audit
from tests.support.fleet_calls import refusal
from tests.support.site import PARTITIONS, Site

ANN = (("x-actor", "ann"),)


class Cluster(ClusterHosts):
    """One that makes a host at once, unless it is told that there is no room."""

    def __init__(self, site: Site) -> None:
        super().__init__(
            told=lambda: [HostProcess(host="host-0-2", runs=True, node="n1", address="10.0.0.1")],
            stand_by=self._made,
            end_above=self._ended,
            clock=site.clock,
        )
        self.room = True
        self.made: list[tuple[int, int]] = []

    async def _made(self, place: int, host_count: int) -> str:
        if not self.room:
            raise RuntimeError(f"host-{place} does not come to serve")
        self.made.append((place, host_count))
        return f"host-{place}"

    async def _ended(
        self, host_count: int, before_each: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[str]:
        for place in range(host_count, len(self.made)):
            await before_each()
            yield f"host-{place}"


def service(site: Site) -> "host_service_pb2_grpc.HostServiceAsyncStub":
    """As a client has it."""
    return host_service_pb2_grpc.HostServiceStub(site.channel)


@pytest.fixture
async def cluster(site: Site) -> AsyncIterator[Cluster]:
    """A site in a cluster, with a layout of one host."""
    await Layout(site.database).agree(1, by="gw", now_ms=1)
    made = Cluster(site)
    site.gateway.hosts.cluster = made
    yield made
    await made.close()


def scale(site: Site, hosts: int, **more: Any) -> Awaitable[wire.ScaleHostsResponse]:
    """Ann asks for so many."""
    request = wire.ScaleHostsRequest(hosts=hosts, **more)
    return service(site).ScaleHosts(request, metadata=ANN)


async def layouts(site: Site) -> list[tuple[Any, ...]]:
    """What the audit log has of them, oldest first."""
    chosen = (
        select(*audit.c["actor", "action", "detail", "outcome"])
        .where(audit.c.action.in_(("layout", "ScaleHosts")))
        .order_by(audit.c.id)
    )
    return await site.database.read(
        lambda connection: [tuple(row) for row in connection.execute(chosen)]
    )


async def test_a_host_is_listed_with_its_machines_and_times(site: Site, cluster: Cluster) -> None:
    """What SQL, the host itself and Ray know of it; the spare beside it, which SQL does not."""
    await site.register()
    await cluster.look()
    answer = await service(site).ListHosts(wire.ListHostsRequest())
    assert (1, 1, PARTITIONS) == (answer.wanted_hosts, answer.layout_version, answer.partitions)
    serving, spare = answer.hosts
    assert (host_pb2.HOST_STATE_SERVING, 0) == (serving.state, serving.place)
    assert (PARTITIONS, 1, 1) == (serving.partitions, serving.machines, serving.epoch)
    assert serving.commit.count > 0
    assert serving.commit.p99.ToMicroseconds() >= serving.commit.p50.ToMicroseconds() > 0
    assert serving.mailbox_delay.count > 0
    assert (host_pb2.HOST_STATE_SPARE, "n1", "10.0.0.1") == (
        spare.state,
        spare.ray_node,
        spare.ray_node_address,
    )
    assert not spare.HasField("commit")
    assert answer.HasField("ray_told_at")


async def test_it_is_scaled_once_under_one_id(site: Site, cluster: Cluster) -> None:
    """Rehearsed, nothing is made; done side by side and again, it is done once."""
    rehearsed = await scale(site, 2, validate_only=True)
    assert (2, 1, 1) == (rehearsed.wanted_hosts, rehearsed.layout_version, rehearsed.hosts_before)
    assert ([], []) == (cluster.made, await layouts(site))
    both = await asyncio.gather(
        *(scale(site, 2, request_id="r1") for _ in range(2)), return_exceptions=True
    )
    answer = await scale(site, 2, request_id="r1")
    assert answer in both
    assert (2, 2, 1) == (answer.wanted_hosts, answer.layout_version, answer.hosts_before)
    assert [(0, 2), (1, 2)] == cluster.made
    assert [("ann", "layout", "1 to 2 hosts, version 2", "DONE")] == await layouts(site)
    reused = await refusal(scale(site, 3, request_id="r1"))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED") == reused[:2]


async def test_without_room_nothing_is_changed_and_the_same_call_goes_on(
    site: Site, cluster: Cluster
) -> None:
    """Machines would be given up for a host that is not there."""
    cluster.room = False
    code, reason, _ = await refusal(scale(site, 2, request_id="r1"))
    assert (grpc.StatusCode.UNAVAILABLE, "HOSTS_NOT_READY") == (code, reason)
    assert [] == await layouts(site)
    cluster.room = True
    assert 2 == (await scale(site, 2, request_id="r1")).layout_version


@pytest.mark.parametrize("hosts", [0, -1, PARTITIONS + 1])
async def test_a_number_that_cannot_be_is_refused(site: Site, cluster: Cluster, hosts: int) -> None:
    """Before anything is made."""
    code, reason, fields = await refusal(scale(site, hosts))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST") == (code, reason)
    assert ["hosts"] == fields
    assert [] == cluster.made


async def test_it_needs_a_name_and_a_cluster(site: Site) -> None:
    """Hosts that live and die with their gateway cannot be more without it."""
    code, reason, _ = await refusal(scale(site, 2))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "HOSTS_OF_THEIR_GATEWAY") == (code, reason)
    _, reason, fields = await refusal(service(site).ScaleHosts(wire.ScaleHostsRequest(hosts=2)))
    assert ("INVALID_REQUEST", ["x-actor"]) == (reason, fields)
