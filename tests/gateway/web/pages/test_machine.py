"""The page of one machine, and what a person does there."""

from tests.gateway.web.signed_in import cells, form_of, signed_in
from tests.support.goods_calls import VAN, twenty_in_a_van
from tests.support.site import Site


async def test_a_machine_is_refilled(site: Site) -> None:
    """From a van that has the product, once; the picture and the table show what is there then."""
    await twenty_in_a_van(site)
    async with signed_in(site) as browser:
        page = await browser.get("/machines/VM-1")
        assert "A1 cola 2 of 10 low, A2 tea 0 of 5 empty" in page.text
        form = form_of(page, "/acts/refill")
        assert "cola" == form["product"]
        form |= {"from": VAN, "lot": "L1", "quantity": "6"}
        done, again = [await browser.post("/acts/refill", data=form) for _ in range(2)]
        assert [303, 303] == [done.status_code, again.status_code], done.text
        page = await browser.get(done.headers["location"])
        too_many = form_of(page, "/acts/refill") | {"from": VAN, "lot": "L1", "quantity": "60"}
        refused = await browser.post("/acts/refill", data=too_many)
    assert "The goods are in the column." in page.text
    assert ["A1", "cola", "5.00 HKD", "8", "10"] in [row[:5] for row in cells(page)]
    assert (409, True) == (refused.status_code, "That was not done" in refused.text)


async def test_a_machine_without_anything_is_shown(site: Site) -> None:
    """What there is none of is said, and what is wrong stands first."""
    await site.register()
    async with signed_in(site) as browser:
        page = await browser.get("/machines/VM-1")
    assert "Nobody has chosen anything yet." in page.text
    assert any("offline" in row for row in cells(page))
