"""What a gateway knows of hosts, for whoever asks: administrators, and Prometheus.

Flows in: SQL, the hosts' figures over the links, and in a cluster what Ray tells. Flows out: all
hosts, those that wait too, with how long they take; how many there shall be, and how many serve.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from actors.leases import Holder
from actors.link import Figure
from actors.placement import HostProcess, place_of
from actors.ports import Clock, StoreError
from gateway.links.cluster_hosts import ClusterHosts
from gateway.links.host_list import Listed, listed
from gateway.links.host_times import RecentTimes, Times
from gateway.links.linked import LinkStats
from gateway.links.turn import BEAT_S
from storage.database.engine import Database
from storage.machines.layout import layout_hosts


class HostState(StrEnum):
    """As ``HostState`` of the protos."""

    SERVING = "SERVING"
    SILENT = "SILENT"
    SPARE = "SPARE"
    WAITING = "WAITING"
    TAKEOVER = "TAKEOVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """One host. ``listed`` None: SQL knows nothing of it; ``process`` None: Ray does not. ``times``
    None: this gateway was told of none.
    """

    host: str
    state: HostState
    place: int | None
    surplus: bool
    listed: Listed | None
    process: HostProcess | None
    times: Times | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRows:
    """``host_count`` None: there is no layout yet. ``ray_told_at_ms`` None: Ray never told."""

    host_count: int | None
    version: int
    hosts: Sequence[HostRow]
    ray_told_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCounts:
    """``hosts_serving``: places of the layout whose host this gateway is attached to. Of a cluster
    whose Ray tells: ``hosts_waiting`` that have no process, for want of a node or for a moment, and
    ``places_without_spare``; each None otherwise.
    """

    hosts_wanted: int
    hosts_serving: int
    hosts_waiting: int | None = None
    places_without_spare: int | None = None


@dataclass(slots=True, kw_only=True)
class HostDesk:
    """``told`` asks all hosts for their figures; ``cluster`` None: they live in none."""

    database: Database
    told: Callable[[], Awaitable[Sequence[Sequence[Figure] | None]]]
    clock: Clock
    cluster: ClusterHosts | None = None
    look_s: float = BEAT_S
    _times: RecentTimes = field(default_factory=RecentTimes)

    async def figures(self) -> Sequence[Sequence[Figure] | None]:
        """Return what each host counted and timed, in the order of the layout, and remember it."""
        figures = await self.told()
        self._times.note(figures, now_ms=self.clock.now_ms())
        return figures

    async def hosts(self) -> HostRows:
        """Return all hosts, by place. Raises StoreError."""
        now = await listed(self.database, look_s=self.look_s)
        await self.figures()
        cluster = self.cluster
        known = {each.host: each for each in (cluster and cluster.known) or ()}
        rows = [
            self._row(each.holder.host, now.host_count, each, known.get(each.holder.host))
            for each in now.hosts
        ]
        held = {row.place for row in rows}
        named = {row.host for row in rows}
        rows += [
            self._row(name, now.host_count, None, process, spare=place_of(name) in held)
            for name, process in known.items()
            if name not in named
        ]
        return HostRows(
            host_count=now.host_count,
            version=now.version,
            hosts=sorted(rows, key=_by_place),
            ray_told_at_ms=cluster.told_at_ms if cluster is not None and known else None,
        )

    def _row(
        self,
        host: str,
        host_count: int | None,
        one: Listed | None,
        process: HostProcess | None,
        *,
        spare: bool = False,
    ) -> HostRow:
        place = place_of(host)
        if one is not None:
            state = _state_of(one.holder, beats=one.beats)
        else:
            ready = spare and process is not None and process.runs
            state = HostState.SPARE if ready else HostState.WAITING
        serves = state is HostState.SERVING and place is not None
        return HostRow(
            host=host,
            state=state,
            place=place,
            surplus=place is not None and host_count is not None and place >= host_count,
            listed=one,
            process=process,
            times=self._times.of(place) if serves and place is not None else None,
        )

    async def counts(self, links: Sequence[LinkStats]) -> HostCounts | None:
        """Return how many hosts there shall be and are; None if SQL does not say, or if there is no
        layout yet.
        """
        try:
            wanted = await self.database.read(layout_hosts)
        except StoreError:
            return None
        if wanted is None:
            return None
        serving = sum(link.attached for link in links if link.host < wanted)
        known = None if self.cluster is None else self.cluster.fresh
        if self.cluster is None or known is None:
            return HostCounts(hosts_wanted=wanted, hosts_serving=serving)
        running = [place_of(each.host) for each in known if each.runs]
        return HostCounts(
            hosts_wanted=wanted,
            hosts_serving=serving,
            hosts_waiting=sum(not each.runs for each in known),
            places_without_spare=sum(running.count(place) < 2 for place in range(wanted))
            if self.cluster.spares
            else None,
        )


def _state_of(holder: Holder, *, beats: bool) -> HostState:
    if not holder.host:
        return HostState.TAKEOVER
    return HostState.SERVING if beats else HostState.SILENT


def _by_place(row: HostRow) -> tuple[bool, int, str]:
    return row.place is None, row.place or 0, row.host
