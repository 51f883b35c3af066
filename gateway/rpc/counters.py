"""What the gateway counts as it happens, for Prometheus, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, disable_created_metrics


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
        self.admin_calls = Counter(
            "vendgate_admin_calls",
            "Administrators' calls by method and gRPC status.",
            ("method", "status"),
            registry=self.registry,
        )
        self.connections_ended = Counter(
            "vendgate_connections_ended",
            "Connections that a door ended or refused by itself, by door and why.",
            ("door", "reason"),
            registry=self.registry,
        )
