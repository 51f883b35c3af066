"""The state's own words: in which phase a machine is, and which column has which name."""

from collections.abc import Callable

from actors.machine import events, phase
from actors.machine.state import Phase, column_named
from tests.support.story import Story, a_machine


def test_a_machine_passes_through_the_phases_of_one_sale() -> None:
    """From its registration to the end of its customer's stay."""
    story = Story()
    seen = [phase(story.state)]
    steps: list[Callable[[], object]] = [
        story.connect,
        lambda: story.frame(events.ReaderDisabled()),
        lambda: story.frame(events.ReaderEnabled()),
        story.select,
        lambda: story.pay(600),
        story.disconnect,
        story.connect,
        story.success,
        lambda: story.select("A2"),
        story.complete,
    ]
    for step in steps:
        step()
        seen.append(phase(story.state))

    assert [
        Phase.INACTIVE,
        Phase.ENABLED,
        Phase.DISABLED,
        Phase.ENABLED,
        Phase.VEND_AWAITING_PAYMENT,
        Phase.VEND_APPROVED,
        Phase.VEND_IN_DOUBT,
        Phase.VEND_APPROVED,
        Phase.ENABLED,
        Phase.VEND_AWAITING_PAYMENT,
        Phase.VEND_AWAITING_PAYMENT,
    ] == seen


def test_a_column_is_found_by_its_name() -> None:
    """One that is not in the planogram is not found."""
    found = column_named(a_machine(), "A2")

    assert found is not None
    assert "tea" == found.product
    assert column_named(a_machine(), "Z9") is None
