"""What a gateway does with the hosts of a cluster. With a real one it is in
``tests/e2e/test_cluster.py``; here Ray is a few functions.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from actors.leases import Held, Holder, Standing
from actors.placement import HostProcess
from gateway.links import cluster_hosts
from gateway.links.cluster_hosts import FRESH_MS, ClusterHosts
from gateway.links.hosts import HostsFailed
from gateway.process.works import process_works
from tests.support.patience import HANGS_AFTER_S

NAMES = ["vendgate-host-0", "vendgate-host-0-2", "vendgate-host-1"]


class Now:
    """A clock that is set."""

    ms = 1_000_000

    def now_ms(self) -> int:
        """Return it."""
        return self.ms


class Cluster:
    """``ends``: what becomes of each host that shall stand ready."""

    def __init__(self, **ends: Any) -> None:
        self.up = True
        self.asked = 0
        self.ended: list[str] = []
        self.fails: list[Exception] = []
        self.ends = ends
        self.clock = Now()
        self.all_ended = asyncio.Event()
        self.hosts = ClusterHosts(
            told=self.told,
            stand_by=self.stand_by,
            end_above=self.end_above,
            clock=self.clock,
            away=lambda: not self.up,
        )

    def told(self) -> Sequence[HostProcess]:
        """Ray answers, or has gone."""
        self.asked += 1
        if self.fails:
            raise self.fails.pop(0)
        return [HostProcess(host=name, runs=True) for name in NAMES]

    async def stand_by(self, place: int, host_count: int) -> str:
        """As the test has it."""
        end = self.ends.get(f"h{place}")
        if isinstance(end, Exception):
            raise end
        if end == "never":
            await asyncio.Event().wait()
        return f"vendgate-host-{place}"

    async def end_above(
        self, host_count: int, before_each: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[str]:
        """End the hosts of NAMES that are too many."""
        if self.fails:
            raise self.fails.pop(0)
        for place in range(host_count, 2):
            await before_each()
            self.ended.append(f"vendgate-host-{place}")
            yield self.ended[-1]
        self.all_ended.set()


class Settled:
    """SQL in which host 0 has everything, by a layout of this version; until the second look it has
    it from host 1.
    """

    def __init__(self, version: int) -> None:
        self.version = version
        self.looks = 0

    async def look(self) -> Standing:
        """Say so."""
        self.looks += 1
        if self.looks == 1:
            return Standing(
                host_count=1,
                version=self.version,
                holders=[Holder(holder="h", host=NAMES[2], home="here")],
                held={0: Held(NAMES[2], "h", 1)},
            )
        return Standing(
            host_count=1,
            version=self.version,
            holders=[Holder(holder="h", host=NAMES[0], home="here")],
            held={0: Held(NAMES[0], "h", 1)},
        )


async def test_what_ray_told_stays_while_it_is_silent() -> None:
    """With its time; after a minute it is no figure any more."""
    cluster = Cluster()
    await cluster.hosts.look()
    assert NAMES == [each.host for each in cluster.hosts.known or ()]
    cluster.fails = [ConnectionError("gone")]
    cluster.clock.ms += FRESH_MS
    await cluster.hosts.look()
    assert 1_000_000 == cluster.hosts.told_at_ms
    assert 3 == len(cluster.hosts.fresh or ())
    cluster.clock.ms += 1
    assert [] == list(cluster.hosts.fresh or ())
    assert 3 == len(cluster.hosts.known or ())


async def test_a_head_that_is_away_is_not_asked() -> None:
    """Each question would hold a thread for a minute."""
    cluster = Cluster()
    cluster.up = False
    await cluster.hosts.look()
    assert 0 == cluster.asked


async def test_it_is_ready_once_all_hosts_are() -> None:
    """One that cannot be built is said, and so is one for which the time is too short."""
    await Cluster().hosts.ready(3, within_s=HANGS_AFTER_S)
    with pytest.raises(HostsFailed, match="no such key"):
        await Cluster(h1=RuntimeError("no such key")).hosts.ready(3, within_s=HANGS_AFTER_S)
    with pytest.raises(HostsFailed, match="not all of 2 hosts stand ready after 0 s"):
        await Cluster(h1="never").hosts.ready(2, within_s=0.01)


async def test_while_the_head_is_away_it_is_named_and_not_a_want_of_room() -> None:
    """At once where that is known, and also if it is noticed only while hosts are waited for."""
    cluster = Cluster(h0="never")
    cluster.up = False
    with pytest.raises(HostsFailed, match="Ray's head is away"):
        await cluster.hosts.ready(1, within_s=HANGS_AFTER_S)
    cluster.up = True
    waiting = asyncio.create_task(cluster.hosts.ready(1, within_s=0.05))
    await asyncio.sleep(0)
    cluster.up = False
    with pytest.raises(HostsFailed, match="Ray's head is away"):
        await waiting


async def test_a_defect_is_not_taken_for_a_host_that_is_late() -> None:
    """It goes where defects go."""
    with pytest.raises(KeyError):
        await Cluster(h0=KeyError("x")).hosts.ready(1, within_s=HANGS_AFTER_S)


async def test_hosts_that_are_too_many_end_once_nothing_is_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also if Ray is away for a moment; what moves is said in the log, and no defect is."""
    monkeypatch.setattr(cluster_hosts, "_AGAIN_S", 0.0)
    cluster, ended = Cluster(), process_works().counts["scale"]
    cluster.fails = [ConnectionError("gone")]
    cluster.hosts.settle(Settled(2), 1, 2)  # type: ignore[arg-type]
    async with asyncio.timeout(HANGS_AFTER_S):
        await cluster.all_ended.wait()
    assert ["vendgate-host-1"] == cluster.ended
    assert ended == process_works().counts["scale"]
    await cluster.hosts.close()


async def test_a_newer_layout_ends_the_work_for_the_old_one() -> None:
    """No host of the newer one is ended."""
    cluster = Cluster()
    cluster.hosts.settle(Settled(3), 1, 2)  # type: ignore[arg-type]
    assert cluster.hosts._settling is not None
    async with asyncio.timeout(HANGS_AFTER_S):
        await cluster.hosts._settling
    assert [] == cluster.ended
    await cluster.hosts.close()


async def test_a_call_that_is_repeated_late_leaves_the_newer_layout_its_work() -> None:
    """The hosts that the newer one has no more are ended all the same."""
    cluster = Cluster()
    cluster.hosts.settle(Settled(3), 1, 3)  # type: ignore[arg-type]
    cluster.hosts.settle(Settled(3), 2, 2)  # type: ignore[arg-type]
    async with asyncio.timeout(HANGS_AFTER_S):
        await cluster.all_ended.wait()
    assert ["vendgate-host-1"] == cluster.ended
    await cluster.hosts.close()
