"""Makes ``docs/metrics.md`` from what a gateway shows Prometheus: each figure with its kind, its
labels and its help. ``--check`` writes nothing and fails when the page is another.

The figures are those of a gateway in which everything is there once; no number of them is told.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from actors.host.figures import Figures
from actors.machine.state import RefundStatus
from gateway.links.host_desk import HostCounts
from gateway.links.linked import LinkStats
from gateway.machines.service import EdgeStats
from gateway.process.clock import SystemClock
from gateway.process.memory import ProcessMemory
from gateway.rpc.counters import Counters
from gateway.serving.metrics import SHARED, Snapshot, render
from storage.fleet.views import GaugeView, WorkItemKind

PAGE = Path(__file__).resolve().parent / "metrics.md"
VALUES_MAX = 8
"""A label with more values is named without them."""
STATUSES = {
    "refunds_open": tuple(RefundStatus),
    "work_items": tuple(WorkItemKind),
    "planograms_waiting": ("online", "offline"),
    "screens_waiting": ("online", "offline"),
    "machine_commands_open": ("QUEUED", "SENT"),
    "offers_running": ("ample", "low", "used_up"),
}
"""What the status of a figure that SQL tells may be; of all others it is empty."""
COUNTED_IN_SQL = (
    *("inbox_untaken", "sessions_open", "machines_online", "vends_in_doubt", "differences_open"),
    *("codes_differing", "locks_not_obeyed", "sales_untold"),
    "tried_prices_kept",
)
HEAD = """# Metrics

Made from what `/metrics` shows, by `make docs-reference`; edit the sentences in the code.

Each gateway shows them at `[health] listen`, on `/metrics`.
How to add them up is told in [operations.md](operations.md#watching),
[alarms.md](alarms.md) has the alarms on them,
and [deploy/grafana](../deploy/README.md#prometheus-and-grafana) a dashboard.
Of a histogram Prometheus has `_bucket`, `_sum` and `_count`, of a counter `_total`.
Times are seconds.
No label names a machine, a person or a trade.
"""
ROOMS = (
    ("Of this gateway", "What one gateway saw; a sum over gateways is the fleet's."),
    ("Of its links to hosts", "What one gateway has to do with one host, by `host`."),
    (
        "Of hosts",
        "What hosts tell, by `host`, and how many there are. From every gateway: take the max.",
    ),
    ("Of the database", "What is counted in SQL. The same from every gateway: take the max."),
)


def families() -> list[Metric]:
    """Return every figure of a gateway, in the order in which it shows them."""
    counters = Counters()
    counters.admin_calls.expect(("",), ("",))
    link = dict.fromkeys(LinkStats.__dataclass_fields__, 0) | {"attached": True}
    edge = EdgeStats(
        streams=0,
        machines=0,
        draining=False,
        opened=0,
        frames_received=0,
        frames_written=0,
        ended={},
    )
    views = [
        GaugeView(name=name, status=status, count=1, oldest_at_ms=0)
        for name, statuses in (STATUSES | dict.fromkeys(COUNTED_IN_SQL, ("",))).items()
        for status in statuses
    ]
    snapshot = Snapshot(
        now_ms=0,
        open_items=views,
        links=[LinkStats(**link)],  # type: ignore[arg-type]
        hosts=[Figures(counted=lambda: defaultdict(int), clock=SystemClock()).told()],
        host_counts=HostCounts(
            hosts_wanted=1, hosts_serving=1, hosts_waiting=0, places_without_spare=0
        ),
        edge=edge,
        head_up=True,
        clock_ahead_ms=0,
        memory=ProcessMemory(resident=1, limit=2),
        certificates={("machines", "client_ca"): 1.0},
    )
    return list(text_string_to_metric_families(render(counters, snapshot).decode()))


def page() -> str:
    """Return the whole page."""
    rooms: dict[int, list[Metric]] = defaultdict(list)
    for family in families():
        rooms[_room(family)].append(family)
    lines = HEAD.splitlines()
    for number, (title, about) in enumerate(ROOMS):
        lines += ["", f"## {title}", "", about, ""]
        for family in sorted(rooms[number], key=lambda one: one.name):
            lines += _entry(family)
    return "\n".join(lines) + "\n"


def _room(family: Metric) -> int:
    if family.name.startswith("vendgate_link_"):
        return 1
    if family.name.startswith(("vendgate_host_", "vendgate_hosts_", "vendgate_places_")):
        return 2
    return 3 if family.documentation.endswith(SHARED) or family.name == "vendgate_sql_up" else 0


def _entry(family: Metric) -> Iterator[str]:
    ending = "_total" if family.type == "counter" else ""
    yield f"* `{family.name}{ending}` ({family.type})"
    said = family.documentation.removesuffix(SHARED).strip()
    yield f"  {said}"
    labels: dict[str, set[str]] = defaultdict(set)
    for sample in family.samples:
        for name, value in sample.labels.items():
            labels[name].add(value)
    labels.pop("le", None)
    if labels:
        yield f"  By {', '.join(_label(name, values) for name, values in labels.items())}."


def _label(name: str, values: set[str]) -> str:
    told = sorted(values - {""})
    if name in {"host", "method", "listener", "file", "door"} or not told or len(told) > VALUES_MAX:
        return f"`{name}`"
    return f"`{name}` ({', '.join(f'`{value}`' for value in told)})"


def main() -> None:
    """Write the page, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made)
    elif not PAGE.is_file() or PAGE.read_text() != made:
        sys.exit("docs/metrics.md is not what /metrics shows; run 'make docs-reference'")


if __name__ == "__main__":
    main()
