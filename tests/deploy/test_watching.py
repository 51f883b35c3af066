"""Alarms and the dashboard name figures that the program has, and each alarm says what to do."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # the only use, and its types are one more package
from prometheus_client.parser import text_string_to_metric_families

from actors.machine.state import RefundStatus
from gateway.links.host_desk import HostCounts
from gateway.links.linked import LinkStats
from gateway.machines.service import EdgeStats
from gateway.process.memory import ProcessMemory
from gateway.rpc.counters import Counters
from gateway.serving.metrics import Snapshot, render
from storage.fleet.views import GaugeView, WorkItemKind
from tests.support.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "vendgate.json"
ALARMS = ROOT / "docs" / "alarms.md"
METRICS = ROOT / "docs" / "metrics.md"
LINK = LinkStats(
    host=0,
    attached=True,
    streams=0,
    queued=0,
    commands_waiting=0,
    exchanges=0,
    messages=0,
    attachments=0,
    notifications_dropped=0,
    undeliverable=0,
)
EDGE = EdgeStats(
    streams=0, machines=0, draining=False, opened=0, frames_received=0, frames_written=0, ended={}
)
_METRIC = re.compile(r"\b(vendgate_[a-z0-9_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without)\s*\(([^)]*)\)")
_OF_HOSTS = ("vendgate_host_", "vendgate_hosts_", "vendgate_places_")
_FROM_PROMETHEUS = {"instance", "job"}

Series = Mapping[str, Mapping[str, set[str]]]


def alerts() -> list[dict[str, Any]]:
    """Every alarm."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def questions() -> Iterator[tuple[str, str]]:
    """Each expression that Prometheus is asked, and who asks."""
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.fixture
async def series() -> Series:
    """What a gateway shows when everything is there: each name's labels, with their values."""
    open_items = [
        *(GaugeView(name="refunds_open", status=s, count=1, oldest_at_ms=0) for s in RefundStatus),
        *(GaugeView(name="work_items", status=s, count=1, oldest_at_ms=0) for s in WorkItemKind),
        GaugeView(name="planograms_waiting", status="online", count=1, oldest_at_ms=0),
        GaugeView(name="screens_waiting", status="online", count=1, oldest_at_ms=0),
        GaugeView(name="offers_running", status="used_up", count=1, oldest_at_ms=None),
        GaugeView(name="machine_commands_open", status="QUEUED", count=1, oldest_at_ms=0),
        *(
            GaugeView(name=name, status="", count=1, oldest_at_ms=0)
            for name in (
                *("inbox_untaken", "sessions_open", "machines_online"),
                *("vends_in_doubt", "differences_open", "codes_differing", "locks_not_obeyed"),
                *("sales_untold", "tried_prices_kept"),
            )
        ),
    ]
    snapshot = Snapshot(
        now_ms=0,
        open_items=open_items,
        links=[LINK],
        hosts=[await Stage().host.figures()],
        host_counts=HostCounts(
            hosts_wanted=2, hosts_serving=2, hosts_waiting=0, places_without_spare=0
        ),
        edge=EDGE,
        head_up=True,
        clock_ahead_ms=0,
        memory=ProcessMemory(resident=1, limit=2),
        works_ended={"denials": 0},
        certificates={("machines", "client_ca"): 1.0},
    )
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(render(Counters(), snapshot).decode()):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for name, value in sample.labels.items():
                labels[name].add(value)
    return found


async def test_every_figure_that_is_asked_for_exists(series: Series) -> None:
    """With its labels, and with a value that each of them may have: an alarm on a figure that was
    renamed sleeps for ever.
    """
    asked = 0
    for who, expression in questions():
        for metric, matchers in _METRIC.findall(expression):
            asked += 1
            assert metric in series, f"{who}: {metric}"
            for label, how, value in _MATCHER.findall(matchers):
                known = series[metric][label]
                assert any(_fits(how, value, one) for one in known), f"{who}: {label}={value}"
        labels = {label for metric, _ in _METRIC.findall(expression) for label in series[metric]}
        grouped = {one.strip() for part in _GROUPING.findall(expression) for one in part.split(",")}
        assert grouped <= labels | _FROM_PROMETHEUS, f"{who}: {grouped - labels}"
    assert 60 < asked


def _fits(how: str, wanted: str, value: str) -> bool:
    if how == "=~":
        return re.fullmatch(wanted, value) is not None
    return (value == wanted) is (how == "=")


async def test_what_every_gateway_shows_alike_is_never_added_up(series: Series) -> None:
    """Two gateways would count everything twice: such a figure stands within a max."""
    shared = tuple(name for name in series if name.startswith(_OF_HOSTS) or _is_of_sql(name))
    for who, expression in questions():
        for match in _METRIC.finditer(expression):
            if match[1] in shared:
                before = expression[: match.start()].replace(" ", "").replace("\n", "")
                inner = re.search(r"max(?:by\([^)]*\))?\((?:\w+\()?$", before)
                assert inner is not None, f"{who}: {match[1]}"


def _is_of_sql(name: str) -> bool:
    of_sql = (
        *("differences_open", "inbox_untaken", "machines_online", "refunds_open"),
        *("sessions_open", "sql_up", "vends_in_doubt", "work_items", "codes_differing"),
    )
    return name.startswith(tuple(f"vendgate_{one}" for one in of_sql))


def test_each_alarm_has_its_runbook() -> None:
    """Under its own name, in the order of the rules: how urgent it is, what it means, what to look
    at, what to do, and when it is over; and each runbook has its alarm.
    """
    chapters = re.findall(
        r"^### (Vendgate\w+)\n(.*?)(?=^##|\Z)", ALARMS.read_text(), re.MULTILINE | re.DOTALL
    )
    parts = ("Means", "Look at", "Do", "Over")

    assert [rule["alert"] for rule in alerts()] == [name for name, _ in chapters]
    for rule, (name, said) in zip(alerts(), chapters, strict=True):
        urgent = rule["labels"]["severity"].capitalize()
        when = f"after {rule['for']}" if "for" in rule else "at once"
        assert said.startswith(f"\n{urgent}, {when}.\n"), name
        assert parts == tuple(re.findall(r"^\* \*\*(.+?):\*\* \S", said, re.MULTILINE)), name
        assert f"docs/alarms.md#{name.lower()}" == rule["annotations"]["runbook_url"]
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"].endswith((".", "}}."))


async def test_each_figure_has_its_line_in_the_reference(series: Series) -> None:
    """What a gateway shows and what the page tells are the same names."""
    told = re.findall(r"^\* `(vendgate_\w+)` \(", METRICS.read_text(), re.MULTILINE)
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series}
    shown.add("vendgate_admin_calls_total")  # Each begins with the gateway's list of methods.

    assert sorted(shown) == sorted(told)
    assert 60 < len(told)


def test_the_dashboard_needs_no_plug_in() -> None:
    """Panels of Grafana's own, one data source that is chosen on the page, and no panel over
    another.
    """
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    places = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]

    assert {"row", "stat", "timeseries"} == {panel["type"] for panel in panels}
    assert len(panels) == len({panel["id"] for panel in panels})
    assert len(places) == len(set(places))
    assert 24 > max(x for x, _ in places)
    assert ["datasource"] == [one["name"] for one in dashboard["templating"]["list"]]
    for panel in panels:
        if panel["type"] != "row":
            assert "${datasource}" == panel["datasource"]["uid"]
            assert panel["description"].endswith(".")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_reads_the_rules() -> None:
    """Prometheus' own judge of expressions and templates, and what some of them do with figures of
    two gateways.
    """
    stories = RULES.with_name("rules_test.yaml")
    for command in (["check", "rules", str(RULES)], ["test", "rules", str(stories)]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert 0 == done.returncode, done.stdout + done.stderr
