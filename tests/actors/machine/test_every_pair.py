"""Every phase × every event: nothing raises, the invariants hold, and no money is made or lost.

In scope: totality. What each pair should do is in the transcripts and in the tests of each module.
"""

from collections.abc import Callable

import pytest

from actors.machine import events, phase
from actors.machine.state import Phase
from tests.support.every_event import FACTS, PHASES, STATES, enabled, every_event
from tests.support.story import Story


@pytest.mark.parametrize(("wanted", "make"), PHASES.items())
def test_the_list_names_every_phase(wanted: Phase, make: Callable[[], Story]) -> None:
    """Each builder above reaches the phase that it stands for, and no phase is missing."""
    assert wanted == phase(make().state)
    assert set(Phase) == set(PHASES)


def test_the_list_names_every_event_and_fact() -> None:
    """No kind of event, and nothing that a frame can say, is missing from the lists above."""
    assert {kind.__name__ for kind in events.Event.__args__} == {
        type(event).__name__ for event in every_event(enabled())
    }
    assert {kind.__name__ for kind in events.MachineFact.__args__} == {
        type(fact).__name__ for fact in FACTS
    }


@pytest.mark.parametrize("later_ms", [0, 1_000, 61_000, 400_000, 2_000_000])
@pytest.mark.parametrize("make", STATES)
def test_every_event_in_every_state_at_any_time_has_an_answer(
    make: Callable[[], Story], later_ms: int
) -> None:
    """Whatever happens, whenever: no exception, no broken invariant, no money made or lost, and a
    second time changes no money.
    """
    before = make()
    for event in every_event(before):
        story = before.branch()
        story.now_ms += later_ms
        story.do(event)
        money = story.money()
        assert (
            money["paid"]
            == money["held"] + money["sold"] + money["due"] + money["back"] + money["given_up"]
        )
        if not isinstance(event, events.RefundRefused):
            story.do(event)
            assert money == story.money(), event
