"""The page of all machines."""

import pytest

from gateway.fleet.enums import descriptor_of, words_of
from gateway.fleet.v1 import machine_pb2
from gateway.web.pages import machines
from gateway.web.pages.machines import STATES, state_of
from storage.insight import days
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.fleet_calls import registered
from tests.support.site import Site
from tests.support.sold_items import half_past, have_sold


async def test_machines_are_found(site: Site) -> None:
    """By what their names hold and by their state; a page leads to the next one."""
    for number in (1, 2, 3):
        await registered(site, f"VM-{number}", store_name=f"Lobby {number}")
    async with signed_in(site) as browser:
        named = await browser.get("/machines", params={"text": "VM-2"})
        none = await browser.get("/machines", params={"state": "SESSION_IDLE"})
        unknown = await browser.get("/machines", params={"state": "MOON", "page": ""})
        wrong = await browser.get("/machines", params={"page": "forged"})
    assert [["VM-2", "Lobby 2", "offline"]] == [row[:3] for row in cells(named)[1:]]
    assert "No machine is like that." in none.text
    assert 3 == len(cells(unknown)[1:])
    assert (400, True) == (wrong.status_code, "page_token" in wrong.text)


async def test_a_page_leads_to_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words of its filter."""
    for number in (1, 2):
        await registered(site, f"VM-{number}")
    monkeypatch.setattr(machines, "PAGE", 1)
    async with signed_in(site) as browser:
        first = await browser.get("/machines", params={"text": "VM"})
        href = first.text.split('<p><a href="')[1].split('"')[0].replace("&amp;", "&")
        second = await browser.get(href)
    assert ["VM-1", "VM-2"] == [cells(page)[1][0] for page in (first, second)]
    assert "More of" not in second.text


def test_a_state_is_a_few_words() -> None:
    """Each phase of the wire has some; what is halted or retired says so first."""
    phases = words_of(descriptor_of(machine_pb2.Phase))
    assert phases == [name for name in STATES if name]
    machine = machine_pb2.Machine(phase=machine_pb2.PHASE_ENABLED)
    assert "ready" == state_of(machine)
    machine.halted.error = "x"
    assert "halted" == state_of(machine)


async def test_what_a_machine_sold_stands_beside_it(site: Site) -> None:
    """In a week that is over, and in the week before; nothing if it sold nothing."""
    for number in (1, 2):
        await registered(site, f"VM-{number}")
    today = half_past(site, 11)
    sold = ((-1, 250), (-2, 50), (-8, 700), (0, 9_000))
    await have_sold(
        site, [("VM-1", days.moved(today, back), 8, "cola", minor) for back, minor in sold]
    )
    async with signed_in(site) as browser:
        page = await browser.get("/machines")
    at = machines.HEADS.index("Sold in 7 days")
    rows = {row[0]: row[at : at + 2] for row in cells(page)[1:]}
    assert {"VM-1": ["3.00 HKD", "7.00 HKD"], "VM-2": ["–", "–"]} == rows


async def test_four_weeks_are_a_small_picture(site: Site) -> None:
    """A stroke for each day on which something was sold, the first and the last of them too; its
    table has the same days.
    """
    await registered(site, "VM-1")
    today = half_past(site, 11)
    sold = ((0, 9_000), (-1, 250), (-14, 500), (-15, 1_000), (-28, 50), (-29, 7_000))
    await have_sold(
        site, [("VM-1", days.moved(today, back), 8, "cola", minor) for back, minor in sold]
    )
    async with signed_in(site) as browser:
        page = await browser.get("/machines")
        table = await browser.get("/machines", params={"table": "days"})
    assert 'd="M1 22v-1M40 22v-22M43 22v-11M82 22v-5"' in page.text
    assert "sold on 4 of 28 days, at most 10.00 HKD" in page.text
    assert [
        ["VM-1", str(days.moved(today, back)), "1", f"{minor // 100}.{minor % 100:02} HKD"]
        for back, minor in reversed(sold[1:5])
    ] == cells(table)[1:]
