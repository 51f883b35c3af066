"""What the gateway counts, for Prometheus, in one registry of its own.

Flows in: counts from the notify ingress, the streams and the links as they happen, and at each scrape the present figures of the
links and of SQL. Flows out: the text of ``/metrics``. No label names a machine, a person or a trade: each has a handful of values.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from storage.views import GaugeView

CONTENT_TYPE = CONTENT_TYPE_LATEST

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """All counters and gauges of one gateway process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.notifications = Counter(
            "vendgate_notifications",
            "Notifications of Alipay by what became of them; 'reason' tells why one was refused.",
            ("verdict", "reason"),
            registry=self.registry,
        )
        self.admin_calls = Counter(
            "vendgate_admin_calls", "Calls of administrators by method and gRPC status.", ("method", "status"), registry=self.registry
        )
        self.frames = Counter("vendgate_frames", "Frames of machines by direction and kind.", ("direction", "kind"), registry=self.registry)
        self.bad_frames = Counter("vendgate_bad_frames", "Frames that were refused, by reason.", ("reason",), registry=self.registry)
        self.commit_seconds = Histogram(
            "vendgate_exchange_seconds",
            "From handing a batch to a host until all of it was saved.",
            buckets=_COMMIT_SECONDS,
            registry=self.registry,
        )
        self._present = Gauge("vendgate_present", "Present figures of this gateway, by name.", ("name",), registry=self.registry)
        self._count = Gauge(
            "vendgate_open_items", "Things in SQL that are not finished, by kind and status.", ("kind", "status"), registry=self.registry
        )
        self._age = Gauge(
            "vendgate_open_items_oldest_age_seconds", "How long the oldest of them has waited.", ("kind", "status"), registry=self.registry
        )
        self.sql_up = Gauge("vendgate_sql_up", "Whether SQL answered this scrape.", registry=self.registry)
