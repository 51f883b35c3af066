"""The operators' pages of the HTTP side."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterable
from functools import partial

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Connection, column, table, update

from gateway.serving.http_app import Readiness, saves_check
from storage.tables import installation
from tests.support.fleet_calls import registered
from tests.support.site import Site
from tests.support.site_machine import a_machine, approved

LABELS = {
    *("answer", "by", "direction", "door", "file", "host", "how", "le", "listener", "method"),
    *("outcome", "principal", "reason", "status", "verdict", "work"),
}
"""Each has a handful of values, however large the fleet is."""


async def test_health_readiness_and_figures(site: Site) -> None:
    """A gateway in order lives, is ready, and shows its figures."""
    assert (200, "alive\n") == (
        (answer := await site.http.get("/healthz")).status_code,
        answer.text,
    )
    ready = await site.http.get("/readyz")
    checks = {"sql": True, "schema": True, "saves": True, "hosts": True, "not_draining": True}
    assert (200, {"ready": True, "checks": checks, "warnings": []}) == (
        ready.status_code,
        ready.json(),
    )
    figures = await site.http.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain")
    assert "vendgate_link_attached" in figures.text
    assert "vendgate_sql_up 1.0" in figures.text
    refused = 'vendgate_admin_calls_total{method="RegisterMachine",status="INVALID_ARGUMENT"} 0.0'
    assert refused in figures.text


async def test_a_draining_gateway_is_not_ready(site: Site) -> None:
    """Load balancers send nobody any more; the process lives on."""
    site.readiness.draining = True
    ready = await site.http.get("/readyz")
    assert (503, False) == (ready.status_code, ready.json()["checks"]["not_draining"])
    assert 200 == (await site.http.get("/healthz")).status_code


async def test_a_check_that_hangs_says_no(site: Site) -> None:
    """Nobody waits for a database for ever."""

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    report = await Readiness(checks={"sql": hangs}, check_timeout_s=0.01).report()
    assert {"sql": False, "not_draining": True} == report


async def test_nothing_else_is_there(site: Site) -> None:
    """No other path answers, and a notification is a POST."""
    machine = await site.register()
    assert 404 == (await site.http.get("/")).status_code
    assert 405 == (await site.http.get(f"/alipay/notify/{machine.notify_token}")).status_code


async def test_what_can_only_be_read_is_not_ready(site: Site) -> None:
    """While nothing can be saved every vend is denied, so no machine should come here, although
    every question is answered. Ready again as soon as something can be saved.
    """
    saves = saves_check(site.database, fresh_s=0.0)
    readiness = Readiness(checks={**site.readiness.checks, "saves": saves})
    with site.sql_away():
        report = await readiness.report()
        assert (True, False) == (report["sql"], report["saves"])
    assert (await readiness.report())["saves"]


async def test_sql_away_is_seen(site: Site) -> None:
    """Readiness and figures say so, and answer."""
    await site.links.stop()
    await site.host.stop()
    await site.close_database()
    ready = await site.http.get("/readyz")
    assert (503, False) == (ready.status_code, ready.json()["checks"]["sql"])
    assert "vendgate_sql_up 0.0" in (await site.http.get("/metrics")).text


def _families(text: str) -> Iterable[Metric]:
    families: Iterable[Metric] = text_string_to_metric_families(text)
    return families


async def test_figures_have_prometheus_s_form(site: Site) -> None:
    """Each family once, with a help; counters end in ``_total``, times are in seconds, and no label
    grows with the fleet.
    """
    families = list(_families((await site.http.get("/metrics")).text))
    names = [family.name for family in families]

    assert sorted(set(names)) == sorted(names)
    for family in families:
        assert family.name.startswith("vendgate_")
        assert family.documentation
        assert not {"ms", "days", "milliseconds", "count", "sum"} & set(family.name.split("_"))
        assert {label for sample in family.samples for label in sample.labels} <= LABELS
        assert _form(family) == {sample.name for sample in family.samples}


def _form(family: Metric) -> set[str]:
    """The names that the samples of a family must have."""
    match family.type:
        case "counter":
            return {f"{family.name}_total"}
        case "histogram":
            return {f"{family.name}_{part}" for part in ("bucket", "count", "sum")}
        case "gauge":
            return {sample.name for sample in family.samples} & {family.name}
    return set()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_finds_nothing_in_the_figures(site: Site) -> None:
    """The field's own judge of names, units and help."""
    text = (await site.http.get("/metrics")).text
    done = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
    )

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


async def test_a_sale_is_seen_in_the_figures(site: Site) -> None:
    """How long the machine waited for its answer is the gateway's figure; what the host timed comes
    over the link, under the host's number.
    """
    code = (await registered(site)).qr_payload
    async with a_machine(site) as machine:
        await approved(site, machine, code)
        text = (await site.http.get("/metrics")).text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in _families(text)
        for sample in family.samples
    }

    assert 1 == samples["vendgate_vend_answer_seconds_count", "approved"]
    assert 0 == samples["vendgate_vend_answer_seconds_count", "denied"]
    assert 1 == samples["vendgate_host_answers", "0"]
    assert 1 == samples["vendgate_host_notification_seconds_count", "0"]
    assert 1 == samples["vendgate_host_machines", "0"]
    assert ("vendgate_machines_online_oldest_age_seconds",) not in samples


async def test_a_database_that_has_left_this_program_behind_is_not_ready(site: Site) -> None:
    """It was upgraded while this gateway served: machines go to one that works with it. One that
    was only added to changes nothing.
    """
    for version, oldest, works in (("9998", "9998", False), ("9999", "0001", True)):
        for wanted in (
            update(table("alembic_version", column("version_num"))).values(version_num=version),
            update(installation).values(oldest_program=oldest),
        ):
            await site.database.write(partial(Connection.execute, statement=wanted))
        assert works == (await site.readiness.report())["schema"]
