"""What a host counts and times, for Prometheus.

Flows in: how long letters, deadlines, COMMITs, calls and refunds took, as it happens. Flows out:
all of it as values that cross the link, because a host has no door of its own: each gateway shows
them with the host's number as a label. They begin at 0 with each start of the host, as Prometheus
expects of a process that was started again, and every series is there from the start. No label
names a machine.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from actors.host.runner import Turn
from actors.host.tracing import Tracing
from actors.link import Figure
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    DeleteCode,
    ModifyCode,
    ProviderCall,
    QueryRefund,
    SendRefund,
)
from actors.machine.events import (
    CodeCreated,
    CodeDeleted,
    CodeFailed,
    CodeModified,
    CodeStatusChanged,
    Event,
    RefundAccepted,
    RefundNotFound,
    RefundRefused,
    RefundShortOfFunds,
    RefundSucceeded,
)
from actors.machine.state import Refund, RefundStatus
from actors.ports import Clock
from actors.spans import Tell

_COUNTS = {
    "turns": "Events that machines decided on.",
    "batches": "Batches of turns that were released.",
    "commits": "Transactions that were saved.",
    "commit_failures": "Transactions that were not saved, or nobody knows.",
    "loads": "Machines that were read from the database.",
    "halted": "How often a machine was halted.",
    "turned_away": "Requests for goods that were denied because nothing could be saved.",
    "refused": "Letters that were answered without a decision.",
    "overloads": "Messages that were refused for want of room, or of the machine.",
    "undelivered": "Messages for which there was no gateway.",
}
_PRESENT = {
    "machines": "Machines in memory.",
    "letters": "Events that wait in mailboxes.",
    "timers": "Machines that have a deadline.",
    "calls": "Calls to Alipay that are under way.",
    "attachments": "Gateways that are attached.",
    "saves": "Whether the database takes transactions.",
}
_QUICK_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_CALL_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60)
_REFUND_S = (0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 259_200)
_CHANGES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_METHODS: Mapping[type[ProviderCall], str] = {
    SendRefund: "send_refund",
    QueryRefund: "query_refund",
    CreateCode: "create_code",
    ChangeCodeStatus: "change_code_status",
    ModifyCode: "modify_code",
    DeleteCode: "delete_code",
}
_REFUND_OUTCOMES = ("succeeded", "accepted", "short_of_funds", "refused", "unknown")
OUTCOMES: Mapping[str, Sequence[str]] = {
    "send_refund": _REFUND_OUTCOMES,
    "query_refund": (*_REFUND_OUTCOMES, "not_found"),
    "create_code": ("succeeded", "refused", "unknown"),
    "change_code_status": ("succeeded", "refused", "unknown"),
    "modify_code": ("succeeded", "refused", "unknown"),
    "delete_code": ("succeeded", "refused", "unknown"),
}
"""What may become of each kind of call. Unknown is also what is to be tried again."""


def outcome(event: Event) -> str:
    """Return in one word what became of a call that ended with this event."""
    match event:
        case (
            RefundSucceeded() | CodeCreated() | CodeStatusChanged() | CodeModified() | CodeDeleted()
        ):
            return "succeeded"
        case RefundAccepted():
            return "accepted"
        case RefundShortOfFunds():
            return "short_of_funds"
        case RefundNotFound():
            return "not_found"
        case RefundRefused() | CodeFailed(final=True):
            return "refused"
        case _:
            return "unknown"


class Figures:
    """Of one start of a host. ``counted`` returns what it counts and has, by ``_COUNTS`` and
    ``_PRESENT``. ``tell`` is told the same of each purchase by itself; None: nobody wants to know.
    """

    def __init__(
        self, *, counted: Callable[[], Mapping[str, int]], clock: Clock, tell: Tell | None = None
    ) -> None:
        self._tracing = None if tell is None else Tracing(tell, clock)
        disable_created_metrics()  # type: ignore[no-untyped-call]  # see gateway.rpc.counters
        self._clock = clock
        self._registry = CollectorRegistry()
        Gauge(
            "vendgate_host_start_time_seconds",
            "When the host was made, since 1970 UTC; all its counters begin there.",
            registry=self._registry,
        ).set(clock.now_ms() / 1_000)
        self._registry.register(_Counted(counted))
        mailbox_delays = _Times(
            "vendgate_host_mailbox_delay_seconds",
            "How long a machine's first letter stood in its mailbox.",
            _QUICK_S,
        )
        self._registry.register(mailbox_delays)
        self.mailbox_delay_s = mailbox_delays.observe
        self._timer_lateness_s = self._times(
            "timer_lateness", "How long after its time a deadline rang.", _QUICK_S
        ).observe
        self.commit_s = self._times(
            "commit", "How long a COMMIT was under way, with its transaction.", _QUICK_S
        ).observe
        self.commit_changes = Histogram(
            "vendgate_host_commit_changes",
            "Decisions in one transaction.",
            buckets=_CHANGES,
            registry=self._registry,
        ).observe
        self._notification_s = self._times(
            "notification", "From a notification's being saved to its decision's.", _QUICK_S
        ).observe
        self._refund_s = self._times(
            "refund", "From a refund's being due to its being done at Alipay.", _REFUND_S
        ).observe
        self._calls_s = self._times(
            "alipay_call",
            "How long a call to Alipay took, with its wait for a place, by outcome.",
            _CALL_S,
            ("method", "outcome"),
        )
        for method, outcomes in OUTCOMES.items():
            for each in outcomes:
                self._calls_s.labels(method, each)

    def _times(
        self, name: str, text: str, buckets_s: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        return Histogram(
            f"vendgate_host_{name}_seconds",
            text,
            labels,
            buckets=buckets_s,
            registry=self._registry,
        )

    def rang(self, late_ms: int) -> None:
        """A deadline rang, this long after its time."""
        self._timer_lateness_s(late_ms / 1_000)

    def called(self, call: ProviderCall, event: Event, took_s: float) -> None:
        """A call to Alipay ended."""
        self._calls_s.labels(_METHODS[type(call)], outcome(event)).observe(took_s)
        if self._tracing is not None:
            self._tracing.called(call, took_s)

    def released(self, turns: Sequence[Turn]) -> None:
        """These turns are saved."""
        if self._tracing is not None:
            self._tracing.released(turns)
        for turn in turns:
            letter = turn.letter
            if letter.received_at_ms is not None:
                waited_ms = self._clock.now_ms() - letter.received_at_ms
                self._notification_s(max(0, waited_ms) / 1_000)
            if type(letter.event) is RefundSucceeded:
                self._refunded(turn)

    def _refunded(self, turn: Turn) -> None:
        for record in turn.decision.records:
            if (
                isinstance(record, Refund)
                and record.status is RefundStatus.SUCCEEDED
                and record.ended_at_ms is not None
            ):
                self._refund_s(max(0, record.ended_at_ms - record.due_at_ms) / 1_000)

    def told(self) -> list[Figure]:
        """Return all of it as it crosses the link."""
        return [
            Figure(
                name=metric.name,
                text=metric.documentation,
                kind=metric.type,
                samples=tuple(
                    (sample.name, sample.labels, float(sample.value)) for sample in metric.samples
                ),
            )
            for metric in self._registry.collect()
        ]


class _Times(Collector):
    """A histogram of which only the host's loop knows. Prometheus's own, with its locks, takes 2 us
    for what happens at each turn.
    """

    def __init__(self, name: str, text: str, buckets_s: Sequence[float]) -> None:
        self._name, self._text, self._buckets_s = name, text, buckets_s
        self._counts = [0] * (len(buckets_s) + 1)
        self._sum_s = 0.0

    def observe(self, took_s: float) -> None:
        """It took so long."""
        self._counts[bisect_left(self._buckets_s, took_s)] += 1
        self._sum_s += took_s

    def collect(self) -> Iterable[Metric]:
        bounds = [*map(floatToGoString, self._buckets_s), "+Inf"]
        up_to = [float(count) for count in accumulate(self._counts)]
        yield HistogramMetricFamily(
            self._name,
            self._text,
            buckets=list(zip(bounds, up_to, strict=True)),
            sum_value=self._sum_s,
        )


class _Counted(Collector):
    def __init__(self, counted: Callable[[], Mapping[str, int]]) -> None:
        self._counted = counted

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked of the host before it is whole."""
        return ()

    def collect(self) -> Iterable[Metric]:
        counted = self._counted()
        for name, text in _COUNTS.items():
            yield CounterMetricFamily(f"vendgate_host_{name}", text, value=counted[name])
        for name, text in _PRESENT.items():
            yield GaugeMetricFamily(f"vendgate_host_{name}", text, value=counted[name])
