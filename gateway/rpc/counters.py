"""What the gateway counts as it happens, for Prometheus, in a registry of its own.

Every series is there from the start, at 0: of one that appears with its first event Prometheus
sees no increase, and an alarm on it sleeps through the first one.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from alipay_client.notify import NotificationKind

KINDS = tuple(kind.value.lower() for kind in NotificationKind)
NOTIFICATION_REASONS = {
    "new": KINDS,
    "duplicate": KINDS,
    "conflict": KINDS,
    "refused": (
        # of alipay_client.notify
        "ambiguous",
        "bad_amount",
        "bad_charset",
        "bad_sign_type",
        "bad_signature",
        "duplicate_field",
        "foreign_seller",
        "malformed",
        "missing_field",
        "oversized",
        "unsigned",
        # of gateway.alipay.notify
        "bad_id",
        "closed_trade",
        "closed_with_money",
        "cut_off",
        "foreign_currency",
        "foreign_machine",
        "given_up_refund",
        "long_id",
        "other_refund",
        "query_says_other_amount",
        "query_says_unpaid",
        "returned_trade",
        "slow",
        "too_many_foreign",
        "unknown_refund",
        "unknown_status",
        "unknown_token",
        "unknown_trade",
    ),
    "failed": ("busy", "sql", "unconfirmed"),
}
"""Each verdict, and the reasons that it may have."""


VEND_ANSWERS = ("approved", "denied", "payment_asked")
"""What the first answer to a request for goods may be."""
HTTP_DOORS = ("http", "health", "console")
HTTP_ENDINGS = (
    "crowded_out",
    "no_descriptor",
    "refused",
    "silent",
    "slow_head",
    "slow_request",
)
"""Why ``gateway.serving.http_door`` ends or refuses a connection."""
_QUERY_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_VEND_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class AdminCalls(Collector):
    """Administrators' calls by method and gRPC status. There are more than a thousand pairs, so
    each is a number and no object of its own.
    """

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], int] = {}

    def expect(self, methods: Iterable[str], statuses: Iterable[str]) -> None:
        """Show every method with every status, though none was called yet."""
        statuses = tuple(statuses)
        self._calls |= {(method, status): 0 for method in methods for status in statuses}

    def count(self, method: str, status: str) -> None:
        """A call of this method ended so."""
        self._calls[method, status] = self._calls.get((method, status), 0) + 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return them as Prometheus reads them."""
        family = CounterMetricFamily(
            "vendgate_admin_calls",
            "Administrators' calls by method and gRPC status.",
            labels=("method", "status"),
        )
        for pair, calls in list(self._calls.items()):
            family.add_metric(pair, calls)
        yield family


class Counters:
    """All that one gateway process counts."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, for which nobody asks
        self.registry = CollectorRegistry()
        self.notifications = Counter(
            "vendgate_notifications",
            (
                "Notifications of Alipay by verdict; 'reason' is the kind of one that was saved, "
                "else why it was not."
            ),
            ("verdict", "reason"),
            registry=self.registry,
        )
        for verdict, reasons in NOTIFICATION_REASONS.items():
            for reason in reasons:
                self.notifications.labels(verdict, reason)
        self.admin_calls = AdminCalls()
        self.registry.register(self.admin_calls)
        self.connections_ended = Counter(
            "vendgate_connections_ended",
            "Connections that a door ended or refused by itself, by door and why.",
            ("door", "reason"),
            registry=self.registry,
        )

        for door in HTTP_DOORS:
            for reason in HTTP_ENDINGS:
                self.connections_ended.labels(door, reason)
        self.enrolment_deaths = Counter(
            "vendgate_enrolment_deaths",
            "How often the process at the enrolment port died and was started again.",
            registry=self.registry,
        )
        self.totals_wrong = Counter(
            "vendgate_fleet_totals_wrong",
            "How often the totals of the fleet's money were not what all balances say, and were "
            "replaced; each gateway looks behind its start.",
            registry=self.registry,
        )
        self.payment_queries = Histogram(
            "vendgate_payment_query_seconds",
            "How long Alipay took to answer whether a payment was made, by outcome.",
            ("outcome",),
            buckets=_QUERY_S,
            registry=self.registry,
        )
        for outcome in ("answered", "refused", "unknown"):
            self.payment_queries.labels(outcome)
        self._vend_answers = Histogram(
            "vendgate_vend_answer_seconds",
            (
                "From a machine's request for goods to the first answer that is queued for it, by "
                "answer; how long customers take to pay is not in it."
            ),
            ("answer",),
            buckets=_VEND_S,
            registry=self.registry,
        )
        self._vend_answered = {
            answer: self._vend_answers.labels(answer).observe for answer in VEND_ANSWERS
        }

    def vend_answered(self, answer: str, seconds: float) -> None:
        """A request for goods got its first answer, one of ``VEND_ANSWERS``."""
        self._vend_answered[answer](seconds)
