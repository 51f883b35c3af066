"""How many items a column has for the next customer."""

import pytest

from actors.machine import events
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, FailureCause, MachineState
from actors.machine.stock import available, can_sell
from actors.machine.values import replace
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

    assert can_sell(story.state, story.policy)
    assert callable(why)
    assert not can_sell(why(story.state), story.policy)


# --- columns that fail ---


def failing(times: int) -> Story:
    """A machine whose column A1 failed so often in a row."""
    story = Story(a_machine(stock=9))
    story.connect()
    story.pay(5_000)
    for _ in range(times):
        story.select("A1")
        story.failure(FailureCause.JAMMED)
    return story


def test_a_column_that_fails_again_and_again_sells_nothing_more() -> None:
    """A person is told once, and the customer may choose another column."""
    story = failing(Policy().column_failures_max)
    story.select("A1")
    assert DenyReason.COLUMN_BLOCKED == story.state.settled_vends[-1].reason
    assert [("COLUMN_FAILS", "A1", 1)] == [
        (alarm.kind, alarm.subject, alarm.times) for alarm in story.state.alarms
    ]
    story.select("A2")
    story.success()
    assert 300 == story.money()["sold"]


def test_a_column_whose_motor_cuts_the_power_sells_nothing_more() -> None:
    """Each time the customer has their money back, and perhaps the goods."""
    story = Story()
    story.connect()
    for number in range(Policy().column_failures_max):
        story.pay(500)
        story.select("A1")
        turning = events.JournalEntry(vend_id=story.vend_id, stage=events.JournalStage.MOTOR_ON)
        story.disconnect()
        story.connect(f"after-{number}", turning)
        story.refunds_done()
        story.wait(Policy().idle_refund_ms)
    assert [("COLUMN_FAILS", "A1", 1)] == [
        (alarm.kind, alarm.subject, alarm.times) for alarm in story.state.alarms
    ]
    story.pay(500)
    story.select("A1")
    assert DenyReason.COLUMN_BLOCKED == story.state.settled_vends[-1].reason


@pytest.mark.parametrize(
    "fact",
    [
        events.CashSold(column="A1", price_minor=500),
        events.ReaderEnabled(),
        events.StockCounted(column="A1", stock=9),
    ],
)
def test_a_column_sells_again_once_somebody_has_seen_to_it(
    fact: events.CashSold | events.ReaderEnabled | events.StockCounted,
) -> None:
    """It sold for cash, the door was opened and closed, or it was counted."""
    story = failing(Policy().column_failures_max)
    if isinstance(fact, events.StockCounted):
        story.do(fact)
    else:
        story.frame(events.ReaderDisabled(reason="door"))
        story.frame(fact)
        story.frame(events.ReaderEnabled())
    story.select("A1")
    story.success()
    assert 500 == story.money()["sold"]
    assert () == story.state.failing


def test_a_sale_in_between_starts_the_count_again() -> None:
    """Only failures in a row count, and only those that are the column's own."""
    story = failing(Policy().column_failures_max - 1)
    story.select("A1")
    story.failure(FailureCause.NOT_WAITING)
    story.select("A1")
    story.success()
    story.select("A1")
    story.failure(FailureCause.JAMMED)
    assert () == story.state.alarms
    assert [1] == [one.in_row for one in story.state.failing]
