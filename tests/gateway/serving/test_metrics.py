"""The text of /metrics: figures with names that operators can rely on, and labels that do not
grow.
"""

from prometheus_client.parser import text_string_to_metric_families

from actors.link import Figure
from gateway.links.linked import LinkStats
from gateway.machines.service import EdgeStats
from gateway.rpc.counters import Counters
from gateway.serving.metrics import SHARED, Snapshot, render
from storage.fleet.views import GaugeView

LINK = LinkStats(
    host=0,
    attached=True,
    streams=3,
    queued=1,
    commands_waiting=0,
    exchanges=10,
    messages=40,
    attachments=2,
    notifications_dropped=1,
    undeliverable=0,
)
EDGE = EdgeStats(
    streams=3,
    machines=3,
    draining=False,
    opened=9,
    frames_received=100,
    frames_written=120,
    ended={"SUPERSEDED": 2, "TAKEOVERS": 4},
    taken_over={"STRANGER": 3},
)


def _samples(text: bytes) -> dict[str, float]:
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_the_clocks_difference_is_a_figure() -> None:
    """Where nothing was heard of Alipay's clock there is none."""
    ahead = Snapshot(now_ms=1, open_items=(), clock_ahead_ms=-361_000)
    name = "vendgate_clock_ahead_seconds"

    assert -361.0 == _samples(render(Counters(), ahead))[name]
    assert name not in _samples(render(Counters(), Snapshot(now_ms=1, open_items=())))


def test_the_head_of_a_cluster_is_a_figure() -> None:
    """Where there is no cluster there is none: an alarm on it would ring for nothing."""
    name = "vendgate_ray_head_up"
    for up in (True, False):
        shown = Snapshot(now_ms=1, open_items=(), head_up=up)
        assert float(up) == _samples(render(Counters(), shown))[name]
    assert name not in _samples(render(Counters(), Snapshot(now_ms=1, open_items=())))


def test_every_figure_has_its_name() -> None:
    """Counts, links, streams and what is open in SQL are all there, ages in seconds."""
    metrics = Counters()
    metrics.notifications.labels("refused", "bad_signature").inc()
    open_items = [
        GaugeView(name="refunds_open", status="REFUSED", count=2, oldest_at_ms=40_000),
        GaugeView(name="inbox_untaken", status="", count=0, oldest_at_ms=None),
        GaugeView(name="work_items", status="VEND_IN_REVIEW", count=1, oldest_at_ms=10_000),
        GaugeView(name="work_items", status="REFUND_REFUSED", count=0, oldest_at_ms=None),
    ]
    samples = _samples(
        render(
            metrics,
            Snapshot(
                now_ms=100_000,
                open_items=open_items,
                links=[LINK],
                edge=EDGE,
                certificates={("machines", "client_ca"): 12.5},
            ),
        )
    )
    expected = {
        "vendgate_notifications_total{reason=bad_signature,verdict=refused}": 1,
        "vendgate_refunds_open{status=REFUSED}": 2,
        "vendgate_refunds_open_oldest_age_seconds{status=REFUSED}": 60,
        "vendgate_inbox_untaken{status=}": 0,
        "vendgate_work_items{status=VEND_IN_REVIEW}": 1,
        "vendgate_work_items_oldest_age_seconds{status=VEND_IN_REVIEW}": 90,
        "vendgate_work_items{status=REFUND_REFUSED}": 0,
        "vendgate_sql_up": 1,
        "vendgate_link_attached{host=0}": 1,
        "vendgate_link_exchanges_total{host=0}": 10,
        "vendgate_streams_open": 3,
        "vendgate_streams_opened_total": 9,
        "vendgate_hellos_waiting": 0,
        "vendgate_frames_total{direction=in}": 100,
        "vendgate_streams_ended_total{reason=SUPERSEDED}": 2,
        "vendgate_streams_ended_total{reason=GONE}": 0,
        "vendgate_streams_ended_total{reason=SLOW_READER}": 0,
        "vendgate_takeovers_total{by=itself}": 0,
        "vendgate_takeovers_total{by=stranger}": 3,
        "vendgate_takeovers_total{by=refused}": 4,
        "vendgate_draining": 0,
        "vendgate_certificate_remaining_seconds{file=client_ca,listener=machines}": 1_080_000,
    }
    assert expected == {name: samples[name] for name in expected}


def test_what_is_gone_is_not_shown() -> None:
    """A status that no refund has any more leaves no figure behind, and a clock that went back no
    negative age.
    """
    metrics = Counters()
    one = GaugeView(name="refunds_open", status="DUE", count=1, oldest_at_ms=5_000)
    first = _samples(render(metrics, Snapshot(now_ms=1_000, open_items=[one])))
    assert 0 == first["vendgate_refunds_open_oldest_age_seconds{status=DUE}"]
    assert "vendgate_refunds_open{status=DUE}" not in _samples(
        render(metrics, Snapshot(now_ms=1_000, open_items=[]))
    )


def test_sql_away_is_a_figure() -> None:
    """The scrape works all the same."""
    assert 0 == _samples(render(Counters(), Snapshot(now_ms=0, open_items=None)))["vendgate_sql_up"]


def test_hosts_figures_stand_together_each_with_its_host() -> None:
    """One family for all of them; of a host that does not answer there is only that."""
    first, third = (
        Figure(
            name="vendgate_host_turns",
            text="Events that machines decided on.",
            kind="counter",
            samples=(("vendgate_host_turns_total", {}, value),),
        )
        for value in (5.0, 7.0)
    )
    text = render(Counters(), Snapshot(now_ms=0, open_items=(), hosts=([first], None, [third])))
    samples = _samples(text)

    assert 1 == text.count(b"# TYPE vendgate_host_turns_total counter")
    assert (5, 7) == tuple(samples[f"vendgate_host_turns_total{{host={host}}}"] for host in (0, 2))
    answers = [samples[f"vendgate_host_answers{{host={host}}}"] for host in (0, 1, 2)]
    assert [1, 0, 1] == answers


def test_what_every_gateway_shows_alike_says_so() -> None:
    """Added up over gateways it would count everything twice; ages that nobody knows are none."""
    open_items = [GaugeView(name="machines_online", status="", count=3, oldest_at_ms=None)]
    text = render(Counters(), Snapshot(now_ms=0, open_items=open_items)).decode()
    shared = [line.split()[2] for line in text.splitlines() if line.endswith(SHARED)]

    assert "vendgate_machines_online" in shared
    assert "vendgate_work_items_oldest_age_seconds" in shared
    assert "vendgate_link_attached" not in shared
    assert "vendgate_machines_online_oldest_age_seconds" not in text
