"""The operators' pages of the HTTP side."""

import asyncio

from gateway.serving.http_app import Readiness, saves_check
from tests.support.site import Site


async def test_health_readiness_and_figures(site: Site) -> None:
    """A gateway in order lives, is ready, and shows its figures."""
    assert (200, "alive\n") == (
        (answer := await site.http.get("/healthz")).status_code,
        answer.text,
    )
    ready = await site.http.get("/readyz")
    assert (
        200,
        {
            "ready": True,
            "checks": {"sql": True, "saves": True, "hosts": True, "not_draining": True},
        },
    ) == (
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
