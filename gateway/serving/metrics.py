"""What the gateway shows Prometheus.

Flows in: at each scrape, the counters and snapshots of the links, of the streams, of SQL and, over
the links, of the hosts. Flows out: the text of ``/metrics``. No label names a machine, a person or
a trade: each has a handful of values.

What SQL and the hosts tell every gateway shows alike, so that nothing is unseen while one lives:
who adds gateways up takes the greatest of these (``SHARED``), not their sum.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.link import CloseReason, Figure
from actors.machine.effects import TakenOverBy
from gateway.links.host_desk import HostCounts
from gateway.links.linked import LinkStats
from gateway.machines.allowances import HOW_HELD_BACK
from gateway.machines.service import EdgeStats
from gateway.process.memory import ProcessMemory
from gateway.rpc.counters import Counters
from gateway.rpc.offenders import Principal
from gateway.rpc.statuses import STREAM_ENDS
from storage.fleet.views import GaugeView

CONTENT_TYPE = CONTENT_TYPE_LATEST
_DAY_S = 86_400

SHARED = "The same from every gateway: take the max."
"""Ends the help of each figure that is not its gateway's own."""
_AGELESS = frozenset({"machines_online", "offers_running"})
_OPEN_ITEMS = {
    "refunds_open": "Refunds that are due and not done, by status.",
    "inbox_untaken": "Saved notifications that no actor has taken yet.",
    "sessions_open": "Customers' stays that are not over.",
    "machines_online": "Machines whose stream is up.",
    "vends_in_doubt": "Approved vends of which nobody knows whether they happened.",
    "differences_open": (
        "Differences between Alipay's daily files and our ledger that wait for a person."
    ),
    "codes_differing": "Machines whose code at Alipay is not yet as wanted; ListMachines with "
    "code_differs shows them.",
    "locks_not_obeyed": "Locked columns of which the machine's actor is not known to know yet; "
    "ListLockedColumns with not_obeyed shows them.",
    "planograms_waiting": "Machines that have not acknowledged the planogram that they shall have, "
    "by whether they are online; ListConvergence shows them.",
    "screens_waiting": "Machines whose screens do not show the manifest that they shall, by "
    "whether they are online; ListScreens with not_converged shows them.",
    "machine_commands_open": "Commands to machines that are queued or sent and have not ended, by "
    "status; ListCommands shows them.",
    "tried_prices_kept": "Machines that have the prices of an experiment which is over or stopped; "
    "each TryPrice of a machine stands in its audit records.",
    "offers_running": "Offers whose time it is, by their budgets: ample, low (less than a tenth is "
    "left) or used_up (less than one use takes off); ListOffers shows them.",
    "sales_untold": "Lines of the books that the follower of sales has not reached yet.",
    "work_items": "What waits for a person, by kind; ListWorkItems shows it.",
}
_HOST_COUNTS = {
    "hosts_wanted": "How many hosts the layout has.",
    "hosts_serving": "Places of the layout whose host this gateway is attached to; where it is "
    "less than vendgate_hosts_wanted, hosts are lacking.",
    "hosts_waiting": "Hosts that have no process, as Ray tells it: for want of a node, or for a "
    "moment; only in a cluster.",
    "places_without_spare": "Places of the layout that have no second host, as Ray tells it; only "
    "in a cluster with ray.spares.",
}
_LINK_GAUGES = {
    "attached": "Whether the link to the host is up.",
    "streams": "Machine streams of this gateway that the host serves.",
    "queued": "Messages that wait for the next exchange.",
    "commands_waiting": "Administrators' acts that wait for their answer.",
}
_LINK_COUNTS = {
    "exchanges": "Batches exchanged with the host.",
    "messages": "Messages in those batches.",
    "attachments": "How often the link was opened.",
    "notifications_dropped": "Wake-ups that were dropped; the sweep finds their rows.",
    "undeliverable": "Messages of the host for a stream that was gone.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Present figures. ``open_items`` None: SQL did not answer."""

    now_ms: int
    open_items: Sequence[GaugeView] | None
    links: Sequence[LinkStats] = ()
    head_up: bool | None = None
    """Of the Ray cluster; None: there is none, or nobody has looked."""
    hosts: Sequence[Sequence[Figure] | None] = ()
    """What each host tells, in the order of the layout; None: it did not answer."""
    host_counts: HostCounts | None = None
    """None: SQL does not say, or nothing has served yet."""
    edge: EdgeStats | None = None
    offenders: Mapping[Principal, int] = field(default_factory=dict)
    """How many were held to a bound within five minutes, by what they are."""
    clock_ahead_ms: int | None = None
    """Of Alipay's clock; None: nothing was heard of it."""
    works_ended: Mapping[str, int] = field(default_factory=dict)
    """How often what a gateway does by itself has ended by itself."""
    memory: ProcessMemory | None = None
    """None: the system does not say."""
    certificates: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Days that are left, by listener and file; shown in seconds, as all times."""


def render(counters: Counters, snapshot: Snapshot) -> bytes:
    """Return the text of ``/metrics``."""
    present = CollectorRegistry()
    present.register(_Present(snapshot))
    return generate_latest(counters.registry) + generate_latest(present)


class _Present(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        snapshot = self._snapshot
        yield GaugeMetricFamily(
            "vendgate_sql_up",
            "Whether SQL answered this scrape.",
            value=float(snapshot.open_items is not None),
        )
        if snapshot.head_up is not None:
            yield GaugeMetricFamily(
                "vendgate_ray_head_up",
                "Whether something listens at ray.address; only where hosts live in a cluster.",
                value=float(snapshot.head_up),
            )
        if snapshot.clock_ahead_ms is not None:
            yield GaugeMetricFamily(
                "vendgate_clock_ahead_seconds",
                "By how much our clock is ahead of Alipay's; below zero: behind it.",
                value=snapshot.clock_ahead_ms / 1_000,
            )
        if snapshot.memory is not None:
            yield from _memory(snapshot.memory)
        yield _works(snapshot.works_ended)
        if snapshot.edge is not None:
            yield from _edge(snapshot.edge)
        yield _offenders(snapshot.offenders)
        yield from _links(snapshot.links)
        if snapshot.host_counts is not None:
            yield from _host_counts(snapshot.host_counts)
        yield from _hosts(snapshot.hosts)
        yield _certificates(snapshot.certificates)
        yield from _open_items(snapshot.open_items or (), snapshot.now_ms)


def _certificates(days_left: Mapping[tuple[str, str], float]) -> Metric:
    gauge = GaugeMetricFamily(
        "vendgate_certificate_remaining_seconds",
        "Until the first certificate of this file ends; negative: it has.",
        labels=("listener", "file"),
    )
    for labels, days in days_left.items():
        gauge.add_metric(labels, days * _DAY_S)
    return gauge


def _memory(memory: ProcessMemory) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "vendgate_memory_bytes", "What the gateway's own process holds of memory.", memory.resident
    )
    yield GaugeMetricFamily(
        "vendgate_memory_limit_bytes",
        "What there is for it and what shares its control group, else the computer's.",
        memory.limit,
    )


def _works(ended: Mapping[str, int]) -> Metric:
    counter = CounterMetricFamily(
        "vendgate_works_ended",
        "How often what a gateway does by itself has ended by itself, and was begun again.",
        labels=("work",),
    )
    for work, count in ended.items():
        counter.add_metric((work,), count)
    return counter


def _edge(edge: EdgeStats) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "vendgate_draining", "Whether this gateway is going away.", value=float(edge.draining)
    )
    yield GaugeMetricFamily(
        "vendgate_streams_open", "Machine streams of this gateway.", value=edge.streams
    )
    yield GaugeMetricFamily(
        "vendgate_hellos_waiting",
        "Machines that said Hello and wait until their host is told.",
        value=edge.hellos_waiting,
    )
    yield CounterMetricFamily(
        "vendgate_streams_opened", "Machine streams since the start.", value=edge.opened
    )
    frames = CounterMetricFamily(
        "vendgate_frames", "Frames of machine streams since the start.", labels=("direction",)
    )
    frames.add_metric(("in",), edge.frames_received)
    frames.add_metric(("out",), edge.frames_written)
    yield frames
    ended = CounterMetricFamily(
        "vendgate_streams_ended", "Machine streams that ended, by reason.", labels=("reason",)
    )
    # All reasons from the start: Prometheus sees no increase of a series that was not there.
    for reason, count in {**dict.fromkeys(STREAM_ENDS, 0), **edge.ended}.items():
        ended.add_metric((reason,), count)
    yield ended
    yield _takeovers(edge)
    held_back = CounterMetricFamily(
        "vendgate_held_back",
        "How often machines were held to their allowances, by how.",
        labels=("how",),
    )
    for how, count in {**dict.fromkeys(HOW_HELD_BACK, 0), **edge.held_back}.items():
        held_back.add_metric((how,), count)
    yield held_back


def _offenders(recent: Mapping[Principal, int]) -> Metric:
    offenders = GaugeMetricFamily(
        "vendgate_offenders",
        "Those who were held to a bound within five minutes; ListOffenders names them.",
        labels=("principal",),
    )
    for principal in Principal:
        offenders.add_metric((principal.lower(),), recent.get(principal, 0))
    return offenders


def _takeovers(edge: EdgeStats) -> Metric:
    takeovers = CounterMetricFamily(
        "vendgate_takeovers",
        (
            "Streams that came while an older one of their machine lived: its own, a stranger's, "
            "or refused because there were too many within a minute."
        ),
        labels=("by",),
    )
    for whose in TakenOverBy:
        takeovers.add_metric((whose.lower(),), edge.taken_over.get(whose, 0))
    takeovers.add_metric(("refused",), edge.ended.get(CloseReason.TAKEOVERS, 0))
    return takeovers


def _links(links: Sequence[LinkStats]) -> Iterator[Metric]:
    for name, text in _LINK_GAUGES.items():
        gauge = GaugeMetricFamily(f"vendgate_link_{name}", text, labels=("host",))
        for link in links:
            gauge.add_metric((str(link.host),), float(getattr(link, name)))
        yield gauge
    for name, text in _LINK_COUNTS.items():
        counter = CounterMetricFamily(f"vendgate_link_{name}", text, labels=("host",))
        for link in links:
            counter.add_metric((str(link.host),), float(getattr(link, name)))
        yield counter


def _host_counts(counts: HostCounts) -> Iterator[Metric]:
    for name, text in _HOST_COUNTS.items():
        value = getattr(counts, name)
        if value is not None:
            yield GaugeMetricFamily(f"vendgate_{name}", f"{text} {SHARED}", value=value)


def _hosts(hosts: Sequence[Sequence[Figure] | None]) -> Iterator[Metric]:
    """Put the hosts' figures of one name together, each with its host."""
    answers = GaugeMetricFamily(
        "vendgate_host_answers",
        "Whether the host told its figures at this scrape.",
        labels=("host",),
    )
    families: dict[str, Metric] = {}
    for host, figures in enumerate(hosts):
        answers.add_metric((str(host),), float(figures is not None))
        for figure in figures or ():
            family = families.setdefault(
                figure.name, Metric(figure.name, f"{figure.text} {SHARED}", figure.kind)
            )
            for name, labels, value in figure.samples:
                family.add_sample(name, {"host": str(host), **labels}, value)
    yield answers
    yield from families.values()


def _open_items(open_items: Sequence[GaugeView], now_ms: int) -> Iterator[Metric]:
    for name, text in _OPEN_ITEMS.items():
        counts = GaugeMetricFamily(f"vendgate_{name}", f"{text} {SHARED}", labels=("status",))
        ages = GaugeMetricFamily(
            f"vendgate_{name}_oldest_age_seconds",
            f"How long the oldest of them has waited. {SHARED}",
            labels=("status",),
        )
        for one in open_items:
            if one.name == name:
                counts.add_metric((one.status,), one.count)
                if one.oldest_at_ms is not None:
                    ages.add_metric((one.status,), max(0, now_ms - one.oldest_at_ms) / 1_000)
        yield counts
        if name not in _AGELESS:
            yield ages
