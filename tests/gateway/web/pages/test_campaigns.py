"""A campaign is on one page: its interval, its guardrails, its machines, and nothing before the
end.
"""

from gateway.office.v1 import experiment_pb2
from gateway.office.v1 import experiment_service_pb2 as wire
from gateway.web.pages.campaigns import _fixed
from storage.insight import days
from tests.gateway.office.offering import creating, give_later, have_customers
from tests.gateway.office.trying import (
    create,
    experiments_of,
    go_to,
    have_a_past,
    screens_obey,
    units_of,
    work,
)
from tests.gateway.web.signed_in import cells, signed_in
from tests.storage.experiments.fleets import sell, told_until
from tests.support.site import Site


async def test_a_campaign_is_shown_to_its_end(site: Site) -> None:
    """Collecting first, and then with how sure it is; and in a file the same."""
    machines = await have_a_past(site, 12)
    await experiments_of(site).CreateExperiment(create(forced_reason="to learn"))
    start = wire.StartExperimentRequest(code="summer")
    started = (await experiments_of(site).StartExperiment(start)).experiment
    go_to(site, started.first_day)
    await work(site)
    await screens_obey(site)
    await work(site)
    async with signed_in(site) as browser:
        running = await browser.get("/campaigns", params={"experiment": "summer"})
    assert f"until {days.as_date(started.last_day).isoformat()}" in running.text
    assert ["summer", "running"] in [row[:2] for row in cells(running)]
    assert ["treatment", "–", "–", "–", "–"] in cells(running)
    assert ["VM-01", "1"] in [[row[0], row[3]] for row in cells(running) if len(row) == 6]
    assert "<svg" not in running.text.split("<main", 1)[-1]
    units = await units_of(site)
    treated = {one for one, unit in units.items() if unit.arm == 1}
    await sell(
        site.database,
        machines,
        started.first_day,
        started.last_day,
        factor=lambda one, _d: 2.0 if one in treated else 1.0,
    )
    await told_until(site.database, started.last_day)
    await work(site)
    async with signed_in(site) as browser:
        ended = await browser.get("/campaigns")
        csv = await browser.get("/campaigns", params={"csv": "experiments"})
    lifts, row = [row for row in cells(ended) if row[0] == "summer"]
    assert "ended" == row[1]
    assert "With the tried playlist" in row[5]
    assert all(cell.startswith("+") for cell in lifts[1:4])
    assert "6" == lifts[5]
    assert "What was changed" in ended.text
    assert "With the tried playlist" in csv.text


async def test_nothing_tried_is_no_zero(site: Site) -> None:
    """It says what to do."""
    async with signed_in(site) as browser:
        page = await browser.get("/campaigns")
        none = await browser.get("/campaigns", params={"experiment": "none"})
    assert "Nothing was tried yet" in page.text
    assert 404 == none.status_code


def test_tried_prices_are_amounts() -> None:
    """As people write them, with their currency."""
    prices = [
        experiment_pb2.TriedPrice(product=product, price_minor=minor)
        for product, minor in (("cola", 850), ("tea", 1_200))
    ]
    content = experiment_pb2.ExperimentContent(currency="HKD", prices=prices)
    table = _fixed(experiment_pb2.Experiment(content=content))
    assert ("prices", "cola 8.50 HKD, tea 12.00 HKD") in table.rows


async def test_a_campaign_with_an_offer_is_shown_with_its_payers(site: Site) -> None:
    """How many, in steps; no machines and nobody by name, in a file as little as on the page."""
    names = await have_customers(site)
    await give_later(site)
    await experiments_of(site).CreateExperiment(creating())
    async with signed_in(site) as browser:
        created = await browser.get("/campaigns", params={"experiment": "trial"})
    assert "It has not been started." in created.text
    start = wire.StartExperimentRequest(code="trial")
    await experiments_of(site).StartExperiment(start)
    get = wire.GetExperimentRequest(code="trial")
    told = await experiments_of(site).GetExperiment(get)
    async with signed_in(site) as browser:
        page = await browser.get("/campaigns", params={"experiment": "trial"})
        csv = await browser.get("/campaigns", params={"experiment": "trial", "csv": "payers"})
    drawn = [["treatment", str(told.treatment_payers)], ["control", str(told.control_payers)]]
    assert drawn == [row[:2] for row in cells(page) if row[0] in {"treatment", "control"}]
    assert ["offer", "tea"] in cells(page)
    assert "Guardrails" not in page.text
    assert f"control,{told.control_payers}" in csv.text
    assert not any(name in page.text + csv.text for name in names)
