"""Which experiments run on machines whose sales are asked for. Nobody is told which arm sells more
before the last day is over; sales of machines are their operator's own, and are told all the same,
with a word that this is not the answer.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from storage.tables import experiment_units, experiments


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
