"""Which experiment tries an offer now. What is tried does not change meanwhile; an offer can always
be ended, and ends the experiment with it.
"""

from sqlalchemy import Connection, Executable, select, update

from storage.insight.tagging import day_that_is_over
from storage.office.deeds import NotPossible
from storage.tables import experiment_offers, experiments


def running_trial(connection: Connection, offer: str) -> str | None:
    """Return the experiment that runs and tries an offer; None if there is none."""
    e, o = experiments.c, experiment_offers.c
    wanted = (
        select(e.experiment)
        .join_from(experiments, experiment_offers, o.experiment == e.experiment)
        .where(o.offer == offer, e.state == "RUNNING")
        .limit(1)
    )
    found: str | None = connection.scalar(wanted)
    return found


def cut_short(connection: Connection, offer: str, now_ms: int) -> str | None:
    """Return the experiment that tries an offer and would tell of something else if the offer ended
    now; None if there is none, or its last day is over by the clocks of all sites.
    """
    experiment = running_trial(connection, offer)
    last = select(experiments.c.last_d).where(experiments.c.experiment == experiment)
    last_d = connection.scalar(last)
    goes_on = last_d is not None and last_d > day_that_is_over(connection, now_ms)
    return experiment if goes_on else None


def check_untried(connection: Connection, offer: str) -> None:
    """Raise NotPossible (EXPERIMENT_RUNS) while one tries the offer."""
    experiment = running_trial(connection, offer)
    if experiment is not None:
        raise NotPossible(
            "EXPERIMENT_RUNS",
            f"experiment {experiment} tries offer {offer}, and would then tell of something else: "
            "wait for its end, or StopExperiment. EndOffer ends both",
            offer=offer,
            experiment=experiment,
        )


def stopping(experiment: str, now_ms: int, why: str) -> Executable:
    """Return what stops an experiment that runs."""
    mine = experiments.c.experiment == experiment
    running = experiments.c.state == "RUNNING"
    stopped = {"state": "STOPPED", "ended_at_ms": now_ms, "stop_reason": why}
    return update(experiments).where(mine, running).values(**stopped)
