"""Which experiment tries an offer is known as long as it runs."""

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.experiments.content import State
from storage.experiments.experiments import Experiments
from storage.offers.trials import check_untried, running_trial, stopping
from storage.office.deeds import NotPossible
from storage.tables import experiment_offers, experiments
from tests.storage.experiments.customers import create, offer, offered


@pytest.mark.slow_on_postgres
async def test_an_offer_is_tried_until_its_experiment_has_ended(db: Database) -> None:
    """Another offer is not, and what has stopped is not stopped again."""
    await offer(db)
    await create(db, "a", offered())
    row = {"experiment": "a", "offer": "tea", "terms": "{}", "treated": 1, "control": 1}
    await db.write(lambda connection: connection.execute(insert(experiment_offers), row))
    assert await db.read(lambda connection: running_trial(connection, "tea")) is None
    starts = experiments.update().values(state=State.RUNNING.value)
    await db.write(lambda connection: connection.execute(starts))
    assert "a" == await db.read(lambda connection: running_trial(connection, "tea"))
    with pytest.raises(NotPossible) as refused:
        await db.read(lambda connection: check_untried(connection, "tea"))
    assert "EXPERIMENT_RUNS" == refused.value.reason
    await db.read(lambda connection: check_untried(connection, "other"))
    for now_ms, why in ((5, "no tea"), (6, "again")):
        await db.write(
            lambda connection, of=(now_ms, why): connection.execute(stopping("a", *of))  # type: ignore[misc]
        )
    stopped = await Experiments(db).get("a")
    assert (State.STOPPED, 5, "no tea") == (
        stopped.state,
        stopped.ended_at_ms,
        stopped.stop_reason,
    )
    assert await db.read(lambda connection: running_trial(connection, "tea")) is None
