"""Experiments as administrators read them: views in, messages of ``gateway.office.v1`` out, and one
plain sentence of each. Pure and total.
"""

from collections.abc import Mapping

from alipay_client.amounts import to_text
from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.screen_views import selector
from gateway.office.v1 import experiment_pb2 as wire
from gateway.process.texts import plain
from gateway.v1 import money_pb2
from storage.experiments.content import Arm, Channel, Content, Design, Result, State
from storage.experiments.experiments import ExperimentView, UnitView
from storage.experiments.guarding import Guardrails
from storage.insight import days

_CHANNEL = enums.descriptor_of(wire.ExperimentChannel)
_DESIGN = enums.descriptor_of(wire.ExperimentDesign)
_MEASURE = enums.descriptor_of(wire.ExperimentMeasure)
_STATE = enums.descriptor_of(wire.ExperimentState)
_ARM = enums.descriptor_of(wire.ExperimentArm)


def experiment(view: ExperimentView) -> wire.Experiment:
    """Return an experiment."""
    made = wire.Experiment(
        code=view.experiment,
        content=_content(view.content),
        state=enums.number_of(_STATE, view.state),  # type: ignore[arg-type]  # of this very enum
        sentence=sentence(view),
        detectable_permille=view.detectable_permille,
        first_day=view.span.first if view.span else 0,
        last_day=view.span.last if view.span else 0,
        pre_first_day=view.pre.first if view.pre else 0,
        pre_last_day=view.pre.last if view.pre else 0,
        plan_sha256=view.plan_sha256,
        seed=view.seed,
        created_by=plain(view.created_by),
        created_at=timestamp(view.created_at_ms),
        started_by=plain(view.started_by),
        stop_reason=plain(view.stop_reason),
    )
    if view.started_at_ms is not None:
        made.started_at.CopyFrom(timestamp(view.started_at_ms))
    if view.ended_at_ms is not None:
        made.ended_at.CopyFrom(timestamp(view.ended_at_ms))
    if view.result is not None:
        made.result.CopyFrom(_result(view.result, view.position))
    return made


def unit(
    view: UnitView, excluded: Mapping[str, str], acknowledged: Mapping[str, int]
) -> wire.ExperimentUnit:
    """Return a machine of an experiment."""
    return wire.ExperimentUnit(
        machine_id=view.machine_id,
        arm=_arm(view.arm),  # type: ignore[arg-type]  # of this very enum
        block=view.block,
        treated_days=view.treated_days,
        left_out=view.left_out.value if view.left_out else "",
        excluded=excluded.get(view.machine_id, ""),
        acknowledged_days=acknowledged.get(view.machine_id, 0),
    )


def guardrails(of: Mapping[Arm, Guardrails]) -> list[wire.ExperimentGuardrails]:
    """Return the guardrails of both arms."""
    return [
        wire.ExperimentGuardrails(
            arm=_arm(arm),  # type: ignore[arg-type]  # of this very enum
            sellable_permille=one.sellable_permille,
            empty_permille=one.empty_permille,
            failed_permille=one.failed_permille,
            given_back_permille=one.given_back_permille,
        )
        for arm, one in of.items()
    ]


def sentence(view: ExperimentView) -> str:
    """Return how far it is, or what came of it."""
    match view.state:
        case State.CREATED:
            return f"Nothing is tried yet; {_smallest(view)}."
        case State.RUNNING:
            assert view.span is not None
            first, last = (days.as_date(d).isoformat() for d in (view.span.first, view.span.last))
            return (
                f"Collecting from {first} until {last}: what it changed is told once that day is "
                f"over everywhere, and not before; {_smallest(view)}."
            )
        case State.STOPPED:
            why = plain(view.stop_reason)
            return f"It was stopped early, and so it has no result: {why}"
    if view.content.channel is Channel.OFFER:
        return _offer_told(view.result, _smallest(view))
    if view.result is None or view.result.lift_permille is None:
        return (
            "It has no result: too few machines had what their arm has in time and could sell; "
            "ListExperimentUnits says which, and why."
        )
    return _told(view.content, view.result, _smallest(view))


def _told(content: Content, result: Result, smallest: str) -> str:
    assert result.lift_permille is not None
    tried = "playlist" if content.channel is Channel.PLAYLIST else "price"
    noun = "pairs of machines" if content.design is Design.PAIRED else "machines that switched"
    more = result.lift_permille
    between, chance = _between(result), _chance(result)
    change = f"{abs(more) / 10:.1f} % {'more' if more >= 0 else 'less'}"
    cost = ""
    if result.cost_currency:
        cost = (
            f"; customers paid {to_text(abs(result.cost_minor), result.cost_currency)} "
            f"{result.cost_currency} {'less' if result.cost_minor >= 0 else 'more'} for it"
        )
    if not result.significant:
        return (
            f"No effect of the {tried} was seen: {change} was sold with it, and the truth is "
            f"likely {between} ({chance}, {result.blocks} {noun}{_decides(result)}); "
            f"{smallest}{cost}."
        )
    return (
        f"With the tried {tried} {change} was sold; the truth is likely {between} ({chance}, "
        f"{result.blocks} {noun}){cost}."
    )


def _offer_told(result: Result | None, smallest: str) -> str:
    if result is None or result.lift_permille is None:
        return (
            "It has no result: too few payers were left in one of the arms, or they spent next to "
            "nothing."
        )
    likely = f"the truth is likely {_between(result)} ({_chance(result)}, {_payers(result)}"
    cost = f"; the offer took {to_text(result.cost_minor, result.cost_currency)} "
    cost += f"{result.cost_currency} off"
    if result.used_up:
        cost += ", and no use was left of its budget"
    more = result.lift_permille
    change = f"{abs(more) / 10:.1f} % {'more' if more >= 0 else 'less'}"
    if not result.significant:
        return (
            "No effect of the offer was seen: who was offered it, whether they used it or not, "
            f"spent {change} than who was held out, and {likely}{_decides(result)}); "
            f"{smallest}{cost}."
        )
    return (
        f"Who was offered it, whether they used it or not, spent {change} than who was held out; "
        f"{likely}){cost}."
    )


def _payers(result: Result) -> str:
    return f"{result.treated_payers} payers offered it, {result.control_payers} held out"


def _between(result: Result) -> str:
    return f"between {_percent(result.low_permille)} and {_percent(result.high_permille)}"


def _chance(result: Result) -> str:
    return f"p {'< 0.001' if result.p_permille < 1 else f'= {result.p_permille / 1_000:.3f}'}"


def _decides(result: Result) -> str:
    leaves_out_0 = result.low_permille > 0 or result.high_permille < 0
    return "; p decides, although the interval leaves out 0" if leaves_out_0 else ""


def _smallest(view: ExperimentView) -> str:
    if view.detectable_permille is None:
        return "how small a lift it sees, nobody can say"
    return (
        f"a lift below {view.detectable_permille / 10:.1f} % is missed in more than one of five "
        "tries"
    )


def _percent(permille: int) -> str:
    return f"{permille / 10:+.1f} %"


def arm_of(word: str) -> int:
    """Return the arm of a word; '' is none."""
    return enums.number_of(_ARM, word)


def _arm(arm: Arm | None) -> int:
    return arm_of(arm.value if arm else "")


def _content(content: Content) -> wire.ExperimentContent:
    return wire.ExperimentContent(
        hypothesis=plain(content.hypothesis),
        channel=enums.number_of(_CHANNEL, content.channel),  # type: ignore[arg-type]  # of this very enum
        design=enums.number_of(_DESIGN, content.design),  # type: ignore[arg-type]  # of this very enum
        measure=enums.number_of(_MEASURE, content.measure),  # type: ignore[arg-type]  # of this very enum
        currency=content.currency,
        selector=None if content.offer else selector(content.selector),
        tag=plain(content.tag),
        days=content.days,
        pre_days=content.pre_days,
        sought_permille=content.sought_permille,
        acknowledged_within_h=content.acknowledged_within_h,
        playlist=content.playlist,
        control_playlist=content.control_playlist,
        prices=[
            wire.TriedPrice(product=one.product, price_minor=one.price_minor)
            for one in content.prices
        ],
        forced_reason=plain(content.forced),
        offer=content.offer,
    )


def _result(result: Result, position: int) -> wire.ExperimentResult:
    made = wire.ExperimentResult(
        lift_permille=result.lift_permille,
        low_permille=result.low_permille,
        high_permille=result.high_permille,
        p_permille=result.p_permille,
        significant=result.significant,
        blocks=result.blocks,
        excluded=len(result.excluded),
        position=position,
        treatment_payers=result.treated_payers,
        control_payers=result.control_payers,
        erased_payers=result.erased_payers,
        offer_used_up=result.used_up,
    )
    if result.cost_currency:
        cost = money_pb2.Money(currency=result.cost_currency, minor=result.cost_minor)
        made.cost.CopyFrom(cost)
    return made
