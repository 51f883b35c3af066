"""A locked column sells nothing from that moment on, whatever the machine knows of it."""

import pytest

from actors.machine import events
from actors.machine.command import COMMANDS_MAX, CommandKind, CommandStatus
from actors.machine.decision import Decision
from actors.machine.effects import ApproveVend, DenyVend, UpdatePlanogram, Welcome
from actors.machine.invariants import InvariantBroken, check_decision
from actors.machine.locking import locked, shown
from actors.machine.ordering import Refusal
from actors.machine.state import Column, DenyReason, Mode, VendStatus
from actors.machine.stock import can_sell
from actors.machine.values import replace
from tests.support.commanded import MINUTE_MS, answer, hello, last, online, order, sent, status
from tests.support.every_event import ordered
from tests.support.story import Story, a_machine


def lock(story: Story, *columns: str) -> Decision:
    """An administrator wants these columns locked, and no others."""
    before = story.state.configuration
    wanted = replace(before, revision=before.revision + 1, locked=columns)
    return story.do(events.ConfigurationChanged(configuration=wanted))


def told(story: Story) -> list[dict[str, int]]:
    """What the machine was told is left in each column, each time."""
    return [
        {column.column: column.stock for column in effect.columns}
        for effect in story.effects(UpdatePlanogram)
        if isinstance(effect, UpdatePlanogram)
    ]


def test_a_lock_within_a_session_acts_at_once() -> None:
    """The choice is denied, the money stays the customer's, and other columns go on selling."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST, stock=3))
    story.connect()
    story.pay(1_000)
    lock(story, "A1")
    story.select("A1")

    assert DenyReason.COLUMN_LOCKED == story.state.settled_vends[-1].reason
    assert 0 == story.money()["sold"]
    story.select("A2")
    story.success()
    assert 300 == story.money()["sold"]
    assert 3 == story.state.columns[0].stock


def test_an_approved_vend_goes_on() -> None:
    """Its motor may be turning; the next one of that column is denied."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST, stock=3))
    story.connect()
    story.pay(1_500)
    story.select("A1")
    lock(story, "A1")
    story.success()
    assert 500 == story.money()["sold"]

    story.select("A1")
    assert 1 == len(story.effects(ApproveVend))
    assert 500 == story.money()["sold"]


def test_a_selection_that_waits_for_its_payment_is_denied() -> None:
    """Whoever pays for it all the same has the money back."""
    story = Story(a_machine(Mode.SELECTION_FIRST, stock=3))
    story.connect()
    story.select("A1")
    lock(story, "A2")
    assert story.state.session is not None
    lock(story, "A1", "A2")

    assert (VendStatus.DENIED, DenyReason.COLUMN_LOCKED) == (
        story.state.settled_vends[-1].status,
        story.state.settled_vends[-1].reason,
    )
    story.pay(500)
    assert [] == story.effects(ApproveVend)
    assert [500] == [refund.amount_minor for refund in story.state.refunds]


def test_a_machine_hears_that_nothing_is_left_and_later_that_it_is() -> None:
    """At once while it has a stream; a change of something else is not told as one of locks."""
    story = Story(a_machine(stock=3))
    story.connect()
    lock(story, "A1")
    lock(story, "A1")
    lock(story)

    assert [{"A1": 0, "A2": 3}, {"A1": 3, "A2": 3}] == told(story)
    assert {3} == {column.stock for column in story.state.columns}


@pytest.mark.parametrize(("columns", "left"), [(["A1"], 0), ([], 3)])
def test_a_machine_that_was_away_hears_of_it_behind_its_welcome(
    columns: list[str], left: int
) -> None:
    """Of the lock, and of its end: its planogram is the newest and says nothing of either."""
    story = Story(a_machine(stock=3))
    lock(story, *columns)
    story.connect()

    assert [Welcome, UpdatePlanogram] == [type(effect) for effect in story.last.effects[:2]]
    assert left == told(story)[-1]["A1"]


def test_a_machine_whose_columns_are_all_locked_cannot_sell() -> None:
    """A customer who stands there with money could buy nothing."""
    story = Story(a_machine(stock=3))
    story.connect()
    lock(story, "A1")
    assert can_sell(story.state, story.policy)
    lock(story, "A1", "A2")
    assert not can_sell(story.state, story.policy)


def test_a_customer_whose_last_choice_is_locked_has_the_money_back() -> None:
    """After the grace that a machine has which cannot sell, not after the longer idle time."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST, stock=3))
    story.connect()
    story.pay(1_000)
    lock(story, "A1", "A2")
    assert story.policy.unavailable_grace_ms < story.policy.idle_refund_ms
    story.wait(story.policy.unavailable_grace_ms)

    assert story.state.session is None
    assert [1_000] == [refund.amount_minor for refund in story.state.refunds]


def test_a_column_that_is_not_there_may_be_locked() -> None:
    """It locks nothing until there is one."""
    story = Story(a_machine(stock=3))
    lock(story, "Z9")
    assert locked(story.state, "Z9")
    assert story.state.columns == shown(story.state)


def test_a_decision_that_approves_a_locked_column_is_refused() -> None:
    """Whatever mistake is made elsewhere: the host would halt the machine."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST, stock=3))
    story.connect()
    story.pay(1_000)
    before = story.state
    story.select("A1")
    closed = replace(before.configuration, locked=("A1",))
    state = replace(story.state, configuration=closed)

    with pytest.raises(InvariantBroken, match="locked column A1 is denied"):
        check_decision(replace(before, configuration=closed), replace(story.last, state=state))


# --- by commands ---


def locked_for(story: Story) -> list[int]:
    """What the machine was told is left in the first column, each time."""
    return [
        one.columns[0].stock
        for one in story.effects(UpdatePlanogram)
        if isinstance(one, UpdatePlanogram)
    ]


def test_a_lock_acts_at_once_and_is_applied_when_the_machine_says_so() -> None:
    """Nothing is sold from the column meanwhile, and the machine is told that nothing is left."""
    story = online(Mode.AUTHORIZATION_FIRST)
    order(story, CommandKind.LOCK_COLUMN)
    assert CommandStatus.SENT is status(story)
    story.pay(1_000)
    story.select("A1")
    denied = story.effects(DenyVend)[-1]
    assert isinstance(denied, DenyVend)
    assert DenyReason.COLUMN_LOCKED is denied.reason
    assert [0] == locked_for(story)
    answer(story)
    assert CommandStatus.APPLIED is status(story)
    order(story, CommandKind.UNLOCK_COLUMN, "c2")
    assert [0, 3] == locked_for(story)
    story.select("A1")
    assert 1 == len(story.effects(ApproveVend))


def test_a_lock_holds_although_its_command_expired() -> None:
    """The safe side is ours: nobody waits for a machine."""
    story = Story(a_machine())
    order(story, CommandKind.LOCK_COLUMN)
    story.wait(10 * MINUTE_MS)
    assert CommandStatus.EXPIRED is status(story)
    assert ("A1",) == story.state.ordered_locks


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("kind", [CommandKind.LOCK_COLUMN, CommandKind.UNLOCK_COLUMN])
def test_a_lock_that_expired_says_what_holds(there: bool, kind: CommandKind) -> None:
    """That it was not sent, or not answered, is about the machine; here it was obeyed at once."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN, "c0")
    answer(story, command_id="c0")
    if not there:
        story.disconnect()
    order(story, kind)
    story.wait(10 * MINUTE_MS)
    said = "no answer" if there else "was not sent"
    holds = {
        CommandKind.LOCK_COLUMN: "column A1 is locked here all the same",
        CommandKind.UNLOCK_COLUMN: "no command locks column A1 here any more",
    }
    assert (CommandStatus.EXPIRED, f"{said}; {holds[kind]}") == (status(story), last(story).detail)


def test_a_lock_behind_which_an_unlock_came_says_nothing_of_what_holds() -> None:
    """It is the later one that holds, and says so."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN)
    order(story, CommandKind.UNLOCK_COLUMN, "c2")
    story.wait(10 * MINUTE_MS)
    said = "no answer; no command locks column A1 here any more"
    assert ("no answer", said) == (last(story).detail, last(story, "c2").detail)


def test_an_unlock_that_the_machine_missed_is_ordered_again() -> None:
    """It keeps its lock over power cuts, and ours is gone."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN)
    answer(story)
    story.disconnect()
    order(story, CommandKind.UNLOCK_COLUMN, "c2")
    story.wait(10 * MINUTE_MS)
    assert CommandStatus.EXPIRED is status(story, "c2")
    story.connect(commands=True)
    order(story, CommandKind.UNLOCK_COLUMN, "c3")
    assert ["c1", "c3"] == sent(story)
    order(story, CommandKind.UNLOCK_COLUMN, "c4", "Z9")
    assert Refusal.COLUMN_NOT_FOUND in story.decisions[-1].notes[0]


def test_a_lock_of_a_column_that_is_gone_is_ended() -> None:
    """Else one that comes later under this name would be locked."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN, column="A2")
    story.replan(*story.state.columns[:1])
    order(story, CommandKind.UNLOCK_COLUMN, "c2", "A2")
    assert () == story.state.ordered_locks


def test_a_lock_is_ended_whatever_firmware_the_machine_has_by_now() -> None:
    """Ours is in force, and firmware without commands can neither end it nor be told."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN)
    answer(story)
    story.connect("b2")
    order(story, CommandKind.LOCK_COLUMN, "c2", "A2")
    assert Refusal.COMMANDS_UNKNOWN in story.decisions[-1].notes[0]
    order(story, CommandKind.UNLOCK_COLUMN, "c3")
    assert (["c1"], ()) == (sent(story), story.state.ordered_locks)
    story.wait(10 * MINUTE_MS)
    assert last(story, "c3").detail.startswith("was not sent, COMMANDS_UNKNOWN")


def test_a_column_sells_when_both_causes_are_gone() -> None:
    """A recall, and a command: each is ended by itself."""
    story = online(Mode.AUTHORIZATION_FIRST)
    configuration = replace(story.state.configuration, revision=2, locked=("A1",))
    story.do(events.ConfigurationChanged(configuration=configuration))
    order(story, CommandKind.LOCK_COLUMN)
    order(story, CommandKind.UNLOCK_COLUMN, "c2")
    story.pay(1_000)
    story.select("A1")
    assert [] == story.effects(ApproveVend)
    order(story, CommandKind.LOCK_COLUMN, "c3")
    free = replace(configuration, revision=3, locked=())
    story.do(events.ConfigurationChanged(configuration=free))
    story.select("A1")
    assert [] == story.effects(ApproveVend)
    order(story, CommandKind.UNLOCK_COLUMN, "c4")
    story.select("A1")
    assert 1 == len(story.effects(ApproveVend))


def test_a_selection_of_a_column_that_is_locked_now_is_denied() -> None:
    """As with a recall: what was paid for it stays the customer's."""
    story = online(Mode.SELECTION_FIRST)
    story.select("A1")
    order(story, CommandKind.LOCK_COLUMN)
    story.pay(500)
    assert [] == story.effects(ApproveVend)
    assert story.state.session is None


def test_a_later_lock_of_the_column_keeps_an_earlier_one_from_being_sent() -> None:
    """What was not sent is taken back; what was sent is not sent again, so that the machine ends
    as the last one says.
    """
    story = online()
    order(story, CommandKind.LOCK_COLUMN)
    story.disconnect()
    order(story, CommandKind.UNLOCK_COLUMN, "c2")
    order(story, CommandKind.LOCK_COLUMN, "c3")
    assert (CommandStatus.CANCELLED, "by command c3") == (
        status(story, "c2"),
        last(story, "c2").detail,
    )
    story.connect(commands=True)
    assert ["c1", "c3"] == sent(story)
    answer(story, command_id="c1")
    assert CommandStatus.APPLIED is status(story)


@pytest.mark.parametrize("there", [True, False])
def test_no_machine_keeps_a_column_from_being_locked_or_sold_again(*, there: bool) -> None:
    """One that answers nothing, or is away, while as many commands are open as may be: the oldest
    lock makes room, and its answer counts when it comes after all.
    """
    names = [f"C{number}" for number in range(COMMANDS_MAX + 1)]
    columns = [
        Column(column=name, product="p", price_minor=100, capacity=9, stock=1) for name in names
    ]
    story = Story(replace(a_machine(), columns=tuple(columns)))
    story.connect(commands=True)
    if not there:
        story.disconnect()
    for number in range(COMMANDS_MAX):
        story.do(ordered(story, f"r{number}", CommandKind.REPORT, ""))
    for name in names:
        story.do(ordered(story, f"lock-{name}", CommandKind.LOCK_COLUMN, name))
    story.do(ordered(story, "opens", CommandKind.UNLOCK_COLUMN, "C0"))
    assert tuple(names[1:]) == story.state.ordered_locks
    ended = {one.command_id: (one.status, one.detail) for one in story.state.ended_commands}
    said = "no answer" if there else "was not sent"
    assert {
        f"lock-{name}": (
            CommandStatus.EXPIRED,
            f"{said} before command {by}; column {name} is locked here all the same",
        )
        for name, by in (("C0", "lock-C4"), ("C1", "opens"))
    } == ended
    assert 2 * COMMANDS_MAX == len(story.state.commands)


def test_a_lock_that_reaches_no_machine_any_more_makes_room_first() -> None:
    """Another one of its column came later, and the others may be answered yet."""
    story = online()
    order(story, CommandKind.LOCK_COLUMN)
    for number in range(COMMANDS_MAX):
        order(story, CommandKind.LOCK_COLUMN, f"of-a2-{number}", "A2")
    assert ["of-a2-0"] == [one.command_id for one in story.state.ended_commands]


@pytest.mark.parametrize("opens", [True, False])
def test_a_lock_that_makes_room_says_what_holds_behind_the_one_it_makes_room_for(
    *, opens: bool
) -> None:
    """That one may say the contrary of the same column, in the same moment."""
    before, by = CommandKind.LOCK_COLUMN, CommandKind.UNLOCK_COLUMN
    if not opens:
        before, by = by, before
    story = online()
    order(story, CommandKind.LOCK_COLUMN, "c0")
    answer(story, command_id="c0")
    order(story, before, "c1")
    for number in range(COMMANDS_MAX - 1):
        order(story, CommandKind.LOCK_COLUMN, f"of-a2-{number}", "A2")
    order(story, by, "c2")
    assert (CommandStatus.EXPIRED, "no answer before command c2") == (
        status(story),
        last(story).detail,
    )


def test_a_lock_goes_to_whoever_speaks_for_the_machine_and_is_answered_by_it() -> None:
    """It is ours, and waits as long as any; also one behind which another one came."""
    story = Story(a_machine())
    hello(story, "own", "t1")
    order(story, CommandKind.LOCK_COLUMN)
    order(story, CommandKind.LOCK_COLUMN, "c2", "A2")
    order(story, CommandKind.UNLOCK_COLUMN, "c3", "A2")
    hello(story, "other", "t2")
    assert ["c1", "c2", "c3", "c1", "c3"] == sent(story)
    story.wait(story.policy.report_wait_ms)
    for name in ("c1", "c2", "c3"):
        answer(story, command_id=name)
        assert CommandStatus.APPLIED is status(story, name)
