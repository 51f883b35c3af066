"""Campaigns: what is tried on some machines or payers, what came of it with its interval, and, of
one that is chosen, guardrails and machines, or how many payers. Nothing here tells which arm sells
more before the end.
"""

from collections.abc import Iterable, Sequence

from gateway.office.v1 import experiment_pb2 as wire
from gateway.office.v1 import experiment_service_pb2
from gateway.web.charts import Range, ranges
from gateway.web.tables import Amount, Link, Table, money
from gateway.web.view import ConsolePage, Looking
from gateway.web.waiting import machine_link
from gateway.web.words import said
from storage.insight import days

PAGE = 100
UNITS = 200
NO_RESULT = "Told once its last day is over everywhere; who stops early has no result."


async def campaigns(looking: Looking) -> ConsolePage:
    """Return the page; with guardrails and machines of an experiment, if the query names it."""
    chosen = looking.word("experiment")
    told = await looking.ask(
        experiment_service_pb2.ListExperimentsRequest(
            page_size=PAGE, page_token=looking.token("page")
        )
    )
    tables = [_experiments(told.experiments), _lifts(told.experiments)]
    more = {"experiments": {"page": told.next_page_token}} if told.next_page_token else {}
    sentence, of_payers = "", False
    if chosen:
        one, units = await looking.all(
            experiment_service_pb2.GetExperimentRequest(code=chosen),
            experiment_service_pb2.ListExperimentUnitsRequest(
                code=chosen, page_size=UNITS, page_token=looking.token("units")
            ),
        )
        sentence = one.experiment.sentence
        tables.append(_fixed(one.experiment))
        of_payers = bool(one.experiment.content.offer)
        if of_payers:
            tables.append(_payers(one))
        else:
            tables += [_guardrails(one.guardrails), _units(units.units)]
        if units.next_page_token:
            more["units"] = {"experiment": chosen, "units": units.next_page_token}
    return ConsolePage(
        title="Campaigns",
        template="campaigns.html",
        tables=tables,
        values={
            "chosen": chosen,
            "sentence": sentence,
            "payers": of_payers,
            "drawn": _drawn(told.experiments),
        },
        more=more,
    )


def _percent(permille: int) -> str:
    return f"{permille / 10:+.1f} %"


def _share(of: wire.ExperimentGuardrails, name: str) -> str:
    return f"{getattr(of, name) / 10:.1f} %" if of.HasField(name) else ""  # type: ignore[arg-type]  # the wire has each of them


def _experiments(of: Iterable[wire.Experiment]) -> Table:
    return Table(
        name="experiments",
        title="Experiments",
        heads=("Experiment", "Is", "What is believed", "Tried", "Until", "In a sentence"),
        rows=[
            (
                Link(one.code, f"/campaigns?experiment={one.code}"),
                said(wire.ExperimentState, one.state),
                one.content.hypothesis,
                said(wire.ExperimentChannel, one.content.channel),
                _day(one.last_day),
                one.sentence,
            )
            for one in of
        ],
        empty="Nothing was tried yet: CreateExperiment says what your fleet could show.",
        note=NO_RESULT,
    )


def _lifts(of: Iterable[wire.Experiment]) -> Table:
    return Table(
        name="lifts",
        title="What was changed",
        heads=("Experiment", "Lift", "At least", "At most", "p", "Blocks", "Seen from", "Cost"),
        rows=[
            (
                Link(one.code, f"/campaigns?experiment={one.code}"),
                _percent(result.lift_permille),
                _percent(result.low_permille),
                _percent(result.high_permille),
                f"{result.p_permille / 1_000:.3f}",
                result.blocks or None,
                f"{one.detectable_permille / 10:.1f} %"
                if one.HasField("detectable_permille")
                else "",
                money(result.cost) if result.HasField("cost") else None,
            )
            for one in of
            if (result := one.result).HasField("lift_permille")
        ],
        empty="None has a result yet.",
        note="In 95 of 100 the truth is between at least and at most. A block is a pair, or a "
        "machine that switched; of an offer there are payers instead. Seen from: a smaller lift is "
        "missed in more than one of five tries. Cost: what customers paid less because of tried "
        "prices, or what the offer took off.",
    )


def _day(d: int) -> str:
    return days.as_date(d).isoformat() if d else ""


def _drawn(of: Sequence[wire.Experiment]) -> list[Range]:
    """Return the interval of each that has ended with one."""
    return ranges(
        [
            (
                one.code,
                (result.low_permille, result.lift_permille, result.high_permille),
                f"{_percent(result.low_permille)} to {_percent(result.high_permille)}",
            )
            for one in of
            if (result := one.result).HasField("lift_permille")
        ]
    )


def _days(first: int, last: int) -> str:
    return f"{_day(first)} to {_day(last)}" if first else ""


def _price(of: wire.TriedPrice, currency: str) -> str:
    return f"{of.product} {Amount(of.price_minor, currency)}"


def _fixed(of: wire.Experiment) -> Table:
    rows = [
        ("compared with", _days(of.pre_first_day, of.pre_last_day)),
        ("counts", _days(of.first_day, of.last_day)),
        ("compared by", said(wire.ExperimentDesign, of.content.design)),
        ("counted", said(wire.ExperimentMeasure, of.content.measure)),
        ("machines at which buy", of.content.tag),
        ("playlist", of.content.playlist),
        ("prices", ", ".join(_price(one, of.content.currency) for one in of.content.prices)),
        ("offer", of.content.offer),
        ("tried all the same, because", of.content.forced_reason),
        ("plan", of.plan_sha256),
        ("created by", of.created_by),
        ("started by", of.started_by),
    ]
    return Table(
        name="fixed",
        title=f"{of.code}: what was fixed",
        heads=("What", "Is"),
        rows=[row for row in rows if row[1]],
        empty="",
    )


def _guardrails(of: Iterable[wire.ExperimentGuardrails]) -> Table:
    return Table(
        name="guardrails",
        title="Guardrails",
        heads=("Arm", "Could sell", "Columns empty", "Vends failed", "Given back"),
        rows=[
            (
                said(wire.ExperimentArm, one.arm),
                *(
                    _share(one, f"{name}_permille")
                    for name in ("sellable", "empty", "failed", "given_back")
                ),
            )
            for one in of
        ],
        empty="It has not been started.",
        note="What may go wrong while it runs. None of it says which arm sells more.",
    )


def _units(of: Iterable[wire.ExperimentUnit]) -> Table:
    return Table(
        name="units",
        title="Machines",
        heads=("Machine", "Arm", "Block", "Days acknowledged", "Does not count", "Left out"),
        rows=[
            (
                machine_link(one.machine_id),
                said(wire.ExperimentArm, one.arm) if one.arm else "",
                one.block or None,
                one.acknowledged_days if one.arm else None,
                one.excluded.replace("_", " ").lower(),
                one.left_out.replace("_", " ").lower(),
            )
            for one in of
        ],
        empty="Nobody was drawn yet.",
    )


def _payers(of: experiment_service_pb2.GetExperimentResponse) -> Table:
    """Return how many payers are in which arm, as the call tells it."""
    result = of.experiment.result
    arms = (
        (wire.EXPERIMENT_ARM_TREATMENT, "treatment_payers"),
        (wire.EXPERIMENT_ARM_CONTROL, "control_payers"),
    )
    return Table(
        name="payers",
        title="Payers",
        heads=("Arm", "Drawn", "Count in the result"),
        rows=[
            (said(wire.ExperimentArm, arm), _told(of, name), _told(result, name))
            for arm, name in arms
            if of.experiment.first_day
        ],
        empty="It has not been started.",
        note="In whole steps of the least number of payers that is told; nothing stands where "
        "there are fewer. Who was erased since does not count. Who was held out pays the price.",
    )


def _told(
    of: experiment_service_pb2.GetExperimentResponse | wire.ExperimentResult, name: str
) -> int | None:
    return getattr(of, name) if of.HasField(name) else None  # type: ignore[arg-type]  # both have it
