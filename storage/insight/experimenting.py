"""Which experiments run on machines whose sales are asked for, or with payers of a tag. Nobody is
told which arm sells more before the last day is over; sales of machines are their operator's own,
and are told all the same, with a word that this is not the answer.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from storage.office.deeds import NotPossible
from storage.tables import experiment_offers, experiment_units, experiments, offers


def running_experiments(
    connection: Connection, machine_ids: Sequence[str], first: int, last: int
) -> tuple[str, ...]:
    """Return the experiments that run, by name, in an arm of which any of these machines is, with
    days from ``first`` to ``last`` (yyyymmdd) among theirs. None for no machines: of a whole fleet
    nobody sees arms.
    """
    if not machine_ids:
        return ()
    e, u = experiments.c, experiment_units.c
    wanted = (
        select(e.experiment)
        .distinct()
        .join_from(experiments, experiment_units, u.experiment == e.experiment)
        .where(u.machine_id.in_(machine_ids), u.arm != "", e.state == "RUNNING")
        .where(e.first_d <= last, e.last_d >= first)
        .order_by(e.experiment)
    )
    return tuple(connection.scalars(wanted))


def check_tag_untried(connection: Connection, tag: str) -> None:
    """Raise NotPossible (EXPERIMENT_RUNS) while an experiment tries an offer to those who have a
    tag: with another rule it would be given to others.
    """
    e, o = experiments.c, experiment_offers.c
    wanted = (
        select(e.experiment)
        .select_from(
            experiments.join(experiment_offers, o.experiment == e.experiment).join(
                offers, offers.c.offer == o.offer
            )
        )
        .where(offers.c.tag == tag, e.state == "RUNNING")
        .limit(1)
    )
    experiment = connection.scalar(wanted)
    if experiment is not None:
        raise NotPossible(
            "EXPERIMENT_RUNS",
            f"experiment {experiment} tries an offer to those who have tag {tag}, and would then "
            "tell of something else: wait for its end, or StopExperiment",
            tag=tag,
            experiment=experiment,
        )
