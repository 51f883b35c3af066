"""How many items a column has for the next customer."""

from dataclasses import replace

import pytest

from actors.machine import events
from actors.machine.state import MachineState
from actors.machine.stock import available, can_sell
from tests.support.story import Story, a_machine


def test_cash_takes_an_item_from_the_column() -> None:
    """A cash sale moves stock and no money of ours; an item nobody knew of is noted."""
    story = Story(a_machine(stock=1))
    story.connect()
    for column in ("A1", "A1", "Z9"):
        story.frame(events.CashSold(column=column, price_minor=500))

    assert 0 == story.state.columns[0].stock
    assert [
        "an item left column A1, which was believed empty",
        "column Z9 is no longer in the planogram",
    ] == [note for decision in story.decisions for note in decision.notes]


def test_counting_knows_the_columns_limits() -> None:
    """A count above the capacity, or of an unknown column, is noted and left."""
    story = Story()
    for column, stock in (("A1", 11), ("Z9", 1)):
        story.do(events.StockCounted(column=column, stock=stock))

    assert 3 == story.state.columns[0].stock
    assert 2 == sum(len(decision.notes) for decision in story.decisions)


def test_an_open_vend_has_a_claim_on_its_item() -> None:
    """Whether it is being dispensed or in doubt: the next customer gets another one."""
    story = Story(a_machine(stock=2))
    story.connect()
    story.pay(1_000)
    assert 2 == available(story.state, story.state.columns[0])
    story.select()
    assert (2, 1) == (story.state.columns[0].stock, available(story.state, story.state.columns[0]))
    story.disconnect()
    story.wait(300_000)
    assert 1 == len(story.state.doubts)
    assert 1 == available(story.state, story.state.columns[0])


def closed(state: MachineState) -> MachineState:
    """An administrator has taken it out of service."""
    return replace(state, configuration=replace(state.configuration, enabled=False))


def silent(state: MachineState) -> MachineState:
    """Its stream is lost."""
    return replace(state, link=replace(state.link, online=False))


def busy(state: MachineState) -> MachineState:
    """Its reader accepts nobody."""
    return replace(state, link=replace(state.link, reader_enabled=False))


def empty(state: MachineState) -> MachineState:
    """Nothing is left."""
    return replace(state, columns=tuple(replace(one, stock=0) for one in state.columns))


@pytest.mark.parametrize("why", [closed, silent, busy, empty])
def test_a_machine_sells_only_if_all_is_well(why: object) -> None:
    """Each reason alone is enough not to."""
    story = Story()
    story.connect()

    assert can_sell(story.state)
    assert callable(why)
    assert not can_sell(why(story.state))
