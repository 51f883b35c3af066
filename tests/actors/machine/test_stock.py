"""How many items a column has for the next customer."""

import pytest

from actors.machine import events, goods, stock
from actors.machine.command import CommandAnswered, CommandKind, CommandOutcome
from actors.machine.draft import Draft
from actors.machine.goods import GoodsKind
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, FailureCause, MachineState
from actors.machine.stock import available, can_sell
from actors.machine.values import replace
from tests.support.every_event import ordered
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
    for column, counted in (("A1", 11), ("Z9", 1)):
        story.do(events.StockCounted(column=column, stock=counted))

    assert 3 == story.state.columns[0].stock
    assert 2 == sum(len(decision.notes) for decision in story.decisions)


@pytest.mark.parametrize("counted", [3, 2, 11])
def test_a_count_that_is_told_again_counts_nothing(counted: int) -> None:
    """What was sold since stays sold, whether the count found a difference, none, or was none; the
    next one is another one.
    """
    story = Story()
    count = events.StockCounted(column="A1", stock=counted, cause="c-1")
    story.do(count)
    story.connect()
    story.frame(events.CashSold(column="A1", price_minor=500))
    sold = story.state.columns[0].stock
    assert "c-1 was" in " ".join(story.do(count).notes)
    assert sold == story.state.columns[0].stock
    story.do(replace(count, stock=1, cause="c-2"))
    assert 1 == story.state.columns[0].stock


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


# --- machines that sell nothing ---


def failing_as(cause: FailureCause, times: int, story: Story | None = None) -> Story:
    """A machine whose vends failed so often in a row, in two columns by turns."""
    if story is None:
        story = Story(a_machine(stock=9))
        story.connect()
        story.pay(50_000)
    for number in range(times):
        story.select(("A1", "A2")[number % 2])
        story.failure(cause)
    return story


def rung(story: Story) -> list[tuple[str, int]]:
    """Return which alarms rang, and how often."""
    return [(alarm.kind.value, alarm.times) for alarm in story.state.alarms]


@pytest.mark.parametrize("cause", [FailureCause.NOT_STARTED, FailureCause.NOT_WAITING])
def test_a_machine_that_sells_nothing_is_told_of_whatever_the_cause(cause: FailureCause) -> None:
    """It is no column's fault, so that none is blocked; as many more failures are told again."""
    most = Policy().machine_failures_max
    story = failing_as(cause, most - 1)
    assert [] == rung(story)
    failing_as(cause, 1, story)
    assert [("MACHINE_FAILS", 1)] == rung(story)
    assert cause.value in story.state.alarms[0].detail
    failing_as(cause, most, story)
    assert [("MACHINE_FAILS", 2)] == rung(story)
    assert () == story.state.failing


def test_a_machine_that_falls_silent_at_each_vend_is_told_of() -> None:
    """Each is voided when nobody has said anything of it until its deadline."""
    story = Story()
    story.connect()
    for _ in range(Policy().machine_failures_max):
        assert [] == rung(story)
        story.pay(500)
        story.select("A1")
        story.disconnect()
        story.wait(Policy().doubt_window_ms + Policy().vend_result_ms)
        story.connect()
        story.refunds_done()
    assert [("MACHINE_FAILS", 1)] == rung(story)


@pytest.mark.parametrize("what", ["delivery", "count", "door"])
def test_a_machine_that_sold_or_was_seen_to_is_counted_anew(what: str) -> None:
    """Only failures in a row count."""
    story = failing_as(FailureCause.NOT_STARTED, Policy().machine_failures_max - 1)
    if what == "delivery":
        story.select("A1")
        story.success()
    elif what == "count":
        story.do(events.StockCounted(column="A1", stock=9))
    else:
        story.frame(events.ReaderDisabled(reason="door"))
        story.frame(events.ReaderEnabled())
    failing_as(FailureCause.NOT_STARTED, Policy().machine_failures_max - 1, story)
    assert [] == rung(story)


def test_a_sale_for_cash_does_not_hide_that_nothing_else_is_sold() -> None:
    """The machine works, and does nothing that we approve."""
    story = failing_as(FailureCause.NOT_STARTED, Policy().machine_failures_max - 1)
    story.frame(events.CashSold(column="A1", price_minor=500))
    failing_as(FailureCause.NOT_STARTED, 1, story)
    assert [("MACHINE_FAILS", 1)] == rung(story)


def test_what_a_customer_or_a_person_ended_is_no_failure_of_the_machine() -> None:
    """A cancelled or denied vend was never to deliver; who settles one knows of it."""
    story = failing_as(FailureCause.NOT_STARTED, Policy().machine_failures_max - 1)
    story.select("A9")
    draft = Draft(story.state, story.now_ms, story.policy)
    stock.failed(draft, "A1", FailureCause.REVIEWED)
    assert story.state == draft.state
    assert ([], Policy().machine_failures_max - 1) == (rung(story), story.state.failed_in_row)


# --- what a test vend dropped, and a count ---


def a_silent_test_vend(*, expired: bool = True) -> Story:
    """A machine with three items in each column that was sent a test vend of A1."""
    story = Story(a_machine(stock=3))
    story.connect(commands=True)
    story.do(ordered(story, "c1", CommandKind.TEST_VEND, "A1"))
    if expired:
        story.wait(story.policy.vend_result_ms)
    return story


def told_that_it_fell(story: Story) -> list[GoodsKind]:
    """The machine answers: return which moves that makes. Two are left in A1 whatever was."""
    fact = CommandAnswered(
        command_id="c1", outcome=CommandOutcome.APPLIED, evidence="motor=RAN drop=SEEN"
    )
    kinds = [move.kind for move in story.frame(fact).goods]
    assert 2 == story.state.columns[0].stock
    return kinds


@pytest.mark.parametrize("by_set_stock", [True, False])
def test_an_item_that_a_count_missed_is_not_taken_twice(by_set_stock: bool) -> None:
    """As TEST_VEND_UNKNOWN asks, somebody counts; then the machine comes back and says that it
    fell. Its move to TEST stands in the books, and so does that it had been there.
    """
    story = a_silent_test_vend()
    column = story.state.columns[0]
    if by_set_stock:
        story.do(events.StockCounted(column=column.column, stock=2))
    else:
        count = events.GoodsCounted(
            cause="count",
            version=story.state.version,
            column=column.column,
            product=column.product,
            counted=2,
            believed=3,
        )
        story.do(count)
    assert [GoodsKind.COUNTED, GoodsKind.TESTED] == told_that_it_fell(story)


def test_a_count_of_another_column_or_before_the_end_takes_nothing_from_a_test() -> None:
    """Of a test vend that is out, nobody knows which was first: what its machine says counts."""
    story = a_silent_test_vend()
    story.do(events.StockCounted(column="A2", stock=1))
    assert [GoodsKind.TESTED] == told_that_it_fell(story)
    story = a_silent_test_vend(expired=False)
    story.do(events.StockCounted(column="A1", stock=3))
    assert [GoodsKind.TESTED] == told_that_it_fell(story)


def test_an_item_that_the_machine_missed_itself_is_not_taken_twice() -> None:
    """It found the column empty, which somebody then filled: the stock is what they put there."""
    story = a_silent_test_vend()
    story.pay(500)
    story.select("A1")
    story.failure(FailureCause.EMPTY)
    _into_a1(story, GoodsKind.LOADED, 2)
    assert [GoodsKind.COUNTED, GoodsKind.TESTED] == told_that_it_fell(story)


def test_an_item_that_left_with_an_old_planogram_is_not_taken_from_a_new_one() -> None:
    """The column held something else meanwhile: what is in it now is what was found there."""
    story = a_silent_test_vend()
    for version, product in ((2, "tea"), (3, "cola")):
        first, second = story.state.columns
        configuration = replace(
            story.state.configuration, revision=version, planogram_version=version
        )
        columns = (replace(first, product=product, stock=2), second)
        story.do(
            events.ConfigurationChanged(
                configuration=configuration, columns=columns, goods_may_be_removed=True
            )
        )
    assert [GoodsKind.COUNTED, GoodsKind.TESTED] == told_that_it_fell(story)


def test_a_count_that_was_taken_back_has_missed_nothing() -> None:
    """The three are in the books again, and one of them fell."""
    story = a_silent_test_vend()
    story.do(events.StockCounted(column="A1", stock=2))
    _into_a1(story, GoodsKind.REVERSED, 1, goods.LOST)
    assert [GoodsKind.TESTED] == told_that_it_fell(story)


def test_a_move_between_places_that_was_taken_back_is_no_count() -> None:
    """What the count missed it has missed all the same."""
    story = a_silent_test_vend()
    story.do(events.StockCounted(column="A1", stock=1))
    _into_a1(story, GoodsKind.REVERSED, 1)
    assert [GoodsKind.COUNTED, GoodsKind.TESTED] == told_that_it_fell(story)


def _into_a1(story: Story, kind: GoodsKind, quantity: int, place: str = "VAN:7") -> None:
    """Somebody puts so many into A1, in fact or on paper."""
    moved = events.GoodsMoved(
        kind=kind,
        cause="a",
        version=story.state.version,
        column="A1",
        product="cola",
        quantity=quantity,
        into=True,
        place=place,
    )
    story.do(moved)
