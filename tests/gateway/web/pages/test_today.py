"""What is red now."""

from tests.gateway.web.signed_in import cells, form_of, signed_in
from tests.support.fleet_calls import refunded, registered
from tests.support.site import Site


async def test_what_is_red_says_since_when(site: Site) -> None:
    """A machine that never came, a refund that Alipay refuses, and the item that waits for it."""
    refund_id = await refunded(site)
    async with signed_in(site) as browser:
        page = await browser.get("/")
        form = form_of(page, "/acts/retry-refund")
    rows = cells(page)
    assert any(row[:3] == ["VM-1", "Lobby", "offline"] for row in rows)
    assert any(row[0] == "refund refused" and row[1] == "VM-1" for row in rows)
    assert any(row[0] == refund_id for row in rows)
    assert refund_id == form["refund_id"]
    assert "under a minute 1" in page.text


async def test_a_quiet_day_is_quiet(site: Site) -> None:
    """Nothing waits; what this version cannot draw it says."""
    await registered(site)
    async with signed_in(site) as browser:
        page = await browser.get("/")
    assert "Nothing waits for a person." in page.text
    assert "There is nothing to draw." in page.text
