"""One plain sentence says how far an experiment is, or what came of it."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.office.experiment_views import experiment, sentence, unit
from storage.experiments.content import Arm, Design, LeftOut, Result, State
from storage.experiments.experiments import ExperimentView, UnitView
from storage.experiments.history import DaySpan
from tests.storage.experiments.customers import offered
from tests.storage.experiments.fleets import content, priced

CREATED = ExperimentView(
    experiment="a",
    state=State.CREATED,
    content=content(),
    detectable_permille=None,
    created_by="ann",
    created_at_ms=1,
)
RUNNING = replace(
    CREATED,
    state=State.RUNNING,
    span=DaySpan(first=20260702, last=20260729),
    detectable_permille=66,
)


def ended(**more: Any) -> ExperimentView:
    """One with a result."""
    result = Result(
        **{
            "lift_permille": 82,
            "low_permille": 11,
            "high_permille": 158,
            "p_permille": 21,
            "blocks": 20,
            "significant": True,
            "cost_minor": 0,
            "cost_currency": "",
            "excluded": {},
            **more,
        }
    )
    return replace(RUNNING, state=State.ENDED, result=result)


def of_offer(**more: Any) -> ExperimentView:
    """One of an offer, with a result."""
    said = {
        "blocks": 0,
        "cost_minor": 4_200,
        "cost_currency": "HKD",
        "treated_payers": 3_600,
        "control_payers": 400,
        **more,
    }
    return replace(ended(**said), content=offered())


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (CREATED, "Nothing is tried yet; how small a lift it sees, nobody can say."),
        (
            RUNNING,
            (
                "Collecting from 2026-07-02 until 2026-07-29: what it changed is told once that"
                " day is over everywhere, and not before; a lift below 6.6 % is missed in more "
                "than one of five tries."
            ),
        ),
        (
            replace(RUNNING, state=State.STOPPED, stop_reason="rain"),
            "It was stopped early, and so it has no result: rain",
        ),
        (
            ended(),
            (
                "With the tried playlist 8.2 % more was sold; the truth is likely between +1.1 "
                "% and +15.8 % (p = 0.021, 20 pairs of machines)."
            ),
        ),
        (
            ended(lift_permille=-82, low_permille=-158, high_permille=-11, p_permille=1),
            (
                "With the tried playlist 8.2 % less was sold; the truth is likely between -15.8"
                " % and -1.1 % (p = 0.001, 20 pairs of machines)."
            ),
        ),
        (
            replace(
                ended(cost_minor=4_200, cost_currency="HKD"),
                content=priced(design=Design.SWITCHBACK),
            ),
            (
                "With the tried price 8.2 % more was sold; the truth is likely between +1.1 % "
                "and +15.8 % (p = 0.021, 20 machines that switched); customers paid 42.00 "
                "HKD less for it."
            ),
        ),
        (
            ended(significant=False, low_permille=-5, p_permille=64),
            (
                "No effect of the playlist was seen: 8.2 % more was sold with it, and the truth is "
                "likely between -0.5 % and +15.8 % (p = 0.064, 20 pairs of machines); a lift below "
                "6.6 % is missed in more than one of five tries."
            ),
        ),
        (
            replace(
                ended(
                    significant=False,
                    lift_permille=-30,
                    low_permille=-90,
                    p_permille=400,
                    cost_minor=4_200,
                    cost_currency="HKD",
                ),
                content=priced(design=Design.SWITCHBACK),
            ),
            (
                "No effect of the price was seen: 3.0 % less was sold with it, and the truth is "
                "likely between -9.0 % and +15.8 % (p = 0.400, 20 machines that switched); a lift "
                "below 6.6 % is missed in more than one of five tries; customers paid 42.00 HKD "
                "less for it."
            ),
        ),
        (
            ended(significant=False, p_permille=63, blocks=6),
            (
                "No effect of the playlist was seen: 8.2 % more was sold with it, and the truth is "
                "likely between +1.1 % and +15.8 % (p = 0.063, 6 pairs of machines; p decides, "
                "although the interval leaves out 0); a lift below 6.6 % is missed in more than "
                "one of five tries."
            ),
        ),
        (
            of_offer(),
            (
                "Who was offered it, whether they used it or not, spent 8.2 % more than who was "
                "held out; the truth is likely between +1.1 % and +15.8 % (p = 0.021, 3600 payers "
                "offered it, 400 held out); the offer took 42.00 HKD off."
            ),
        ),
        (
            of_offer(significant=False, low_permille=-5, p_permille=64, used_up=True),
            (
                "No effect of the offer was seen: who was offered it, whether they used it or "
                "not, spent 8.2 % more than who was held out, and the truth is likely between "
                "-0.5 % and +15.8 % (p = 0.064, 3600 payers offered it, 400 held out); a lift "
                "below 6.6 % is missed in more than one of five tries; the offer took 42.00 HKD "
                "off, and no use was left of its budget."
            ),
        ),
        (
            of_offer(lift_permille=None),
            (
                "It has no result: too few payers were left in one of the arms, or they spent "
                "next to nothing."
            ),
        ),
        (
            ended(lift_permille=None),
            (
                "It has no result: too few machines had what their arm has in time and could "
                "sell; ListExperimentUnits says which, and why."
            ),
        ),
    ],
)
def test_the_sentence_is_plain(view: ExperimentView, said: str) -> None:
    """Whatever became of it."""
    assert said == sentence(view)


def test_nothing_is_told_that_is_not_there() -> None:
    """No lift, no cost of a playlist, no days before the start."""
    told = experiment(CREATED)
    assert not told.HasField("result")
    assert not told.HasField("detectable_permille")
    assert 0 == told.first_day
    result = experiment(ended(lift_permille=None)).result
    assert not result.HasField("lift_permille")
    assert not result.HasField("cost")
    left = UnitView(machine_id="VM-1", block=0, arm=None, left_out=LeftOut.NO_SCREEN)
    assert "NO_SCREEN" == unit(left, {}, {}).left_out
    there = UnitView(machine_id="VM-1", block=1, arm=Arm.CONTROL, left_out=None)
    assert ("COULD_NOT_SELL", 3) == (
        (one := unit(there, {"VM-1": "COULD_NOT_SELL"}, {"VM-1": 3})).excluded,
        one.acknowledged_days,
    )


def test_payers_are_told_as_they_are_kept() -> None:
    """In steps, and not at all where they are too few; and an offer says no machines."""
    told = experiment(of_offer(erased_payers=20, used_up=True))
    result = told.result
    assert (3_600, 400, 20, True) == (
        result.treatment_payers,
        result.control_payers,
        result.erased_payers,
        result.offer_used_up,
    )
    assert "tea" == told.content.offer
    assert not told.content.HasField("selector")
    few = experiment(of_offer(control_payers=None)).result
    assert not few.HasField("control_payers")
    assert not few.HasField("erased_payers")
    assert experiment(ended()).content.HasField("selector")
