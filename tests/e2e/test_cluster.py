"""A real Ray cluster of one node and a PostgreSQL, under real processes: hosts are replaced, and
become more and fewer, while machines sell.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.placement import host_of, place_of
from gateway.fleet.v1 import host_pb2, host_service_pb2_grpc
from gateway.fleet.v1 import host_service_pb2 as wire
from tests.e2e.three_books import check
from tests.support import postgres
from tests.support.patience import HANGS_AFTER_S
from tests.support.ray_cluster import (
    HOSTS,
    PARTITIONS,
    Tables,
    installation,
    listening,
    troubles,
)
from tests.support.system import System

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL is installed"),
    pytest.mark.xdist_group("postgres"),
]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[tuple[str, Tables]]:
    """Where the database is, and the tables of a gateway in a cluster."""
    with installation(tmp_path) as made:
        yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


async def test_hosts_are_replaced_while_machines_sell(
    tmp_path: Path, settings: tuple[str, Tables]
) -> None:
    """Each new host stands ready before the old one ends, and its spare with it; sales go on, and
    the books agree to the last minor unit.
    """
    url, tables = settings
    await listening(str(tables["ray"]["address"]))
    async with System(tmp_path, ray=True, machines=6, seed=3, url=url, tables=tables) as system:
        await system.until_sales(5)
        before = await system.command("hosts", "list")
        said = await system.command("hosts", "replace")
        took = [f"vendgate-host-{index}-4 has the machines of place {index}" for index in (0, 1)]
        assert took == said.splitlines()
        await system.until_sales(await system.sales() + 10)
        after = await system.command("hosts", "list")
        assert 1 + HOSTS == len(before.splitlines()) == len(after.splitlines())
        for index in range(HOSTS):
            assert f"vendgate-host-{index}-4 of" not in before
            assert f"vendgate-host-{index}-4 of" in after
        await check(system)


async def test_an_installation_is_scaled_while_machines_sell(
    tmp_path: Path, settings: tuple[str, Tables]
) -> None:
    """One host, three, two: each time every partition is at its place in the end and machines go on
    selling. No request for goods was turned away, no host gave a stream up, and the books agree.
    """
    url, tables = settings
    await listening(str(tables["ray"]["address"]))
    tables = {**tables, "ray": {**tables["ray"], "hosts": 1}}
    async with System(tmp_path, ray=True, machines=6, seed=3, url=url, tables=tables) as system:
        await system.until_sales(5)
        for before, hosts in ((1, 3), (3, 2)):
            said = (await system.command("scale", "--hosts", str(hosts))).splitlines()
            moved = [line for line in said if line.startswith("partition ")]
            changed = [n for n in range(PARTITIONS) if host_of(n, before) != host_of(n, hosts)]
            assert len(changed) == len(moved)
            assert f"every partition is at its place: {hosts} hosts" == said[-1]
            ended = [line for line in said if line.endswith("has ended")]
            gone = {place_of(line.removesuffix(" has ended")) for line in ended}
            assert set(range(hosts, before)) == gone
            await system.until_sales(await system.sales() + 10)
            shown = (await system.command("hosts", "list")).splitlines()
            assert 1 + hosts == len(shown)
            assert f"the layout has {hosts} hosts" in shown[0]
            again = (await system.command("scale", "--hosts", str(hosts))).splitlines()
            assert [] == [line for line in again if line.startswith("partition ")]
        assert [] == await troubles(system)
        await check(system)


async def test_a_call_scales_it_while_machines_sell(
    tmp_path: Path, settings: tuple[str, Tables]
) -> None:
    """One host, two, one, by a gateway: hosts are listed on their way, with what Ray knows of them,
    and the gateway ends the one that is too many.
    """
    url, tables = settings
    await listening(str(tables["ray"]["address"]))
    tables = {**tables, "ray": {**tables["ray"], "hosts": 1}}
    async with (
        System(tmp_path, ray=True, machines=6, seed=3, url=url, tables=tables) as system,
        system.administrator() as channel,
    ):
        await system.until_sales(5)
        service = host_service_pb2_grpc.HostServiceStub(channel)

        async def until(right: Callable[[wire.ListHostsResponse], bool]) -> wire.ListHostsResponse:
            async with asyncio.timeout(2 * HANGS_AFTER_S):
                while not right(shown := await service.ListHosts(wire.ListHostsRequest())):
                    pass
            return shown

        def serving(shown: wire.ListHostsResponse) -> list[int]:
            states = [one for one in shown.hosts if one.state == host_pb2.HOST_STATE_SERVING]
            settled = not any(one.partitions_to_come + one.partitions_to_leave for one in states)
            return [one.partitions for one in states] if settled else []

        for hosts in (2, 1):
            request = wire.ScaleHostsRequest(hosts=hosts, request_id=f"to-{hosts}")
            answer = await service.ScaleHosts(
                request, metadata=(("x-actor", "ann"),), timeout=HANGS_AFTER_S
            )
            assert (hosts, 3 - hosts) == (answer.wanted_hosts, answer.hosts_before)
            each = [PARTITIONS // hosts] * hosts
            shown = await until(lambda now, each=each: serving(now) == each)  # type: ignore[misc]
            assert 6 == sum(one.machines for one in shown.hosts)
            await system.until_sales(await system.sales() + 5)
        spared = await until(
            lambda now: (
                [
                    (host_pb2.HOST_STATE_SERVING, 0),
                    (host_pb2.HOST_STATE_SPARE, 0),
                ]
                == [(one.state, one.place) for one in now.hosts]
            )
        )
        assert all(one.ray_node for one in spared.hosts)
        assert spared.hosts[0].commit.count > 0
        assert [] == await troubles(system)
        await check(system)
