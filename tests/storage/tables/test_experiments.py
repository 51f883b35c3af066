"""An experiment, its machines or payers, and what belongs to them are each there once."""

import pytest

from storage.database.engine import Database
from storage.tables import (
    experiment_days,
    experiment_offers,
    experiment_payers,
    experiment_prices,
    experiment_units,
    experiments,
)
from tests.storage.experiments.customers import offer
from tests.storage.experiments.fleets import experiment_row, unit_row
from tests.storage.office.places import some_machines
from tests.storage.tables.refused import refused, taken


@pytest.mark.slow_on_postgres
async def test_a_machine_is_in_an_experiment_once(db: Database) -> None:
    """In an arm that is known, of an experiment that is there, in a state that is known."""
    await some_machines(db, "VM-1", "VM-2")
    await refused(db, experiment_units, unit_row("a", "VM-1", ""))
    await taken(db, experiments, experiment_row("a"))
    await refused(db, experiments, experiment_row("a"))
    await refused(db, experiments, {**experiment_row("b"), "state": "LOST"})
    await taken(db, experiment_units, unit_row("a", "VM-1", ""))
    await refused(db, experiment_units, unit_row("a", "VM-1", ""))
    await refused(db, experiment_units, {**unit_row("a", "VM-2", ""), "arm": "BOTH"})
    day = {"experiment": "a", "machine_id": "VM-1", "d": 20260101, "acknowledged_at_ms": 1}
    await taken(db, experiment_days, day)
    await refused(db, experiment_days, day)
    price = {
        "experiment": "a",
        "machine_id": "VM-1",
        "column": "A1",
        "product": "cola",
        "price_minor": 500,
        "tried_price_minor": 400,
        "set_at_ms": 1,
    }
    await taken(db, experiment_prices, price)
    await refused(db, experiment_prices, price)


async def test_a_payer_is_in_an_experiment_once(db: Database) -> None:
    """In one of two arms, of one offer that is there."""
    payer = {"experiment": "a", "payer_id": "p", "arm": "CONTROL", "before_minor": 5}
    tried = {"experiment": "a", "offer": "tea", "terms": "{}", "treated": 1, "control": 1}
    await refused(db, experiment_payers, payer)
    await taken(db, experiments, experiment_row("a"))
    await refused(db, experiment_offers, tried)
    await offer(db)
    await taken(db, experiment_offers, tried)
    await refused(db, experiment_offers, tried)
    await taken(db, experiment_payers, payer)
    await refused(db, experiment_payers, payer)
    await refused(db, experiment_payers, {**payer, "payer_id": "q", "arm": "SWITCHES"})
