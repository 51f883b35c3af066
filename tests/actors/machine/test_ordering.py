"""Commands end by what the machine says, or by their deadline, and by nothing else."""

import pytest

from actors.machine import events
from actors.machine.code import Code
from actors.machine.command import (
    COMMANDS_MAX,
    ENDED_COMMANDS_KEPT,
    Command,
    CommandAnswered,
    CommandCancelled,
    CommandKind,
    CommandOrdered,
    CommandOutcome,
    CommandStatus,
    MachineReport,
)
from actors.machine.effects import (
    ApproveVend,
    DenyVend,
    RejectFrame,
    SendCommand,
    Welcome,
)
from actors.machine.goods import TEST, GoodsKind
from actors.machine.invariants import InvariantBroken, check, check_decision
from actors.machine.ordering import Refusal, resumed, why_not
from actors.machine.policy import Policy
from actors.machine.state import AlarmKind, Column, DenyReason, Mode
from actors.machine.values import replace
from tests.support.commanded import (
    FELL,
    MINUTE_MS,
    answer,
    hello,
    last,
    online,
    order,
    sent,
    status,
    stock,
)
from tests.support.every_event import ordered
from tests.support.story import Story, a_machine

# --- the life of any command ---


def test_a_command_is_sent_once_it_is_ordered_and_ends_by_its_answer() -> None:
    """The report is kept with its row, and not in the state."""
    story = online()
    order(story, CommandKind.REPORT)
    assert ["c1"] == sent(story)
    assert CommandStatus.SENT is status(story)
    told = MachineReport(uptime_s=7, temperature_c=0)
    said = CommandAnswered(
        command_id="c1", outcome=CommandOutcome.APPLIED, detail="ok", evidence=FELL, report=told
    )
    story.frame(said)
    ended = last(story)
    assert "" == ended.evidence, "which only a test vend has"
    assert (CommandStatus.APPLIED, "ok", told) == (ended.status, ended.detail, ended.report)
    assert () == story.state.commands
    assert story.state.ended_commands[0].report is None
    order(story, CommandKind.TEST_VEND, "c2")
    story.frame(replace(said, command_id="c2"))
    assert (FELL, None) == (last(story, "c2").evidence, last(story, "c2").report)


def test_a_command_waits_for_its_machine_and_is_sent_behind_the_welcome() -> None:
    """Of a machine that is away, and of one that was never heard of."""
    story = Story(a_machine())
    order(story, CommandKind.SHOW_IDENTITY)
    assert CommandStatus.QUEUED is status(story)
    decision = story.connect(commands=True)
    kinds = [type(effect) for effect in decision.effects]
    assert kinds.index(Welcome) < kinds.index(SendCommand)
    assert CommandStatus.SENT is status(story)


def test_a_command_is_sent_again_at_each_hello_until_it_ended() -> None:
    """Under the same id, and to the same stream that is announced again too."""
    story = online()
    order(story, CommandKind.REPORT)
    story.do(events.TimePassed())
    story.connect(commands=True)
    assert ["c1", "c1"] == sent(story)
    story.do(
        events.Connected(
            stream_id=story.stream,
            opened_at_ms=story.now_ms,
            boot_id=story.boot,
            knows_commands=True,
        )
    )
    assert ["c1"] * 3 == sent(story)
    answer(story)
    story.connect(commands=True)
    assert ["c1"] * 3 == sent(story)


def test_a_command_without_an_answer_expires_and_a_late_answer_counts() -> None:
    """Evidence wins over the deadline; the answer after that is a repeat and changes nothing."""
    story = online()
    order(story, CommandKind.REPORT)
    story.wait(5 * MINUTE_MS)
    order(story, CommandKind.REPORT, "later")
    story.wait(5 * MINUTE_MS)
    assert (CommandStatus.EXPIRED, CommandStatus.SENT) == (status(story), status(story, "later"))
    answer(story, CommandOutcome.REJECTED)
    assert CommandStatus.REJECTED is status(story)
    answer(story)
    assert CommandStatus.REJECTED is status(story)
    assert "was REJECTED before" in story.decisions[-1].notes[0]


def test_an_answer_that_is_heard_with_the_deadline_counts_before_it() -> None:
    """The command never was expired: it has no such record."""
    story = online()
    order(story, CommandKind.REPORT)
    story.now_ms += 20 * MINUTE_MS
    decision = answer(story)
    told = [one.status for one in decision.records if isinstance(one, Command)]
    assert [CommandStatus.APPLIED] == told


def test_an_answer_that_we_cannot_read_changes_nothing() -> None:
    """It is noted, and the command goes on waiting, until its time is over."""
    story = online()
    order(story, CommandKind.REPORT)
    answer(story, CommandOutcome.UNKNOWN)
    assert CommandStatus.SENT is status(story)
    assert "nothing that we can read" in story.decisions[-1].notes[0]
    story.now_ms += 20 * MINUTE_MS
    answer(story, CommandOutcome.UNKNOWN)
    assert CommandStatus.EXPIRED is status(story)


def test_an_answer_to_nothing_is_refused() -> None:
    """Of an id that nobody ordered, that is forgotten, or that was never sent."""
    story = online()
    answer(story, command_id="c9")
    assert isinstance(story.decisions[-1].effects[0], RejectFrame)
    for number in range(ENDED_COMMANDS_KEPT + 1):
        order(story, CommandKind.REPORT, f"r{number}")
        answer(story, command_id=f"r{number}")
    answer(story, command_id="r0")
    assert isinstance(story.decisions[-1].effects[0], RejectFrame)
    story.disconnect()
    order(story, CommandKind.REPORT)
    story.do(CommandCancelled(command_id="c1"))
    story.connect(commands=True)
    answer(story)
    assert CommandStatus.CANCELLED is status(story)
    assert isinstance(story.decisions[-1].effects[0], RejectFrame)


def test_no_more_than_four_are_open() -> None:
    """The next one is refused, in words, and taken once there is room."""
    story = online()
    for number in range(COMMANDS_MAX):
        order(story, CommandKind.REPORT, f"r{number}")
    decision = order(story, CommandKind.REPORT)
    (note,) = decision.notes
    assert note.startswith(f"command c1 is not taken, {Refusal.TOO_MANY_COMMANDS}: 4 commands")
    answer(story, command_id="r0")
    order(story, CommandKind.REPORT)
    assert CommandStatus.SENT is status(story)


def test_an_order_that_is_told_again_is_taken_once() -> None:
    """While it is open, when it ended, and when so many others ended that it may be forgotten."""
    story = online()
    first = ordered(story, "c1", CommandKind.REPORT)
    story.do(first)
    story.do(first)
    answer(story)
    story.do(first)
    assert ["c1"] == sent(story)
    for number in range(ENDED_COMMANDS_KEPT):
        order(story, CommandKind.REPORT, f"r{number}")
        answer(story, command_id=f"r{number}")
    decision = story.do(first)
    assert "read again" in decision.notes[0]
    assert "c1" not in [one.command_id for one in story.state.commands]
    decision = story.do(replace(first, version=story.state.version + 1))
    assert "read again" in decision.notes[0]


def test_an_order_told_again_is_taken_once_whatever_was_ordered_before_it() -> None:
    """One that waited long ended behind it: by when it was ordered nothing would be forgotten."""
    story = online()
    order(story, CommandKind.SHOW_IDENTITY, "long")
    first = ordered(story, "c1", CommandKind.REPORT)
    story.do(first)
    answer(story)
    for number in range(ENDED_COMMANDS_KEPT - 1):
        order(story, CommandKind.REPORT, f"r{number}")
        answer(story, command_id=f"r{number}")
    answer(story, command_id="long")
    decision = story.do(first)
    assert "read again" in decision.notes[0]
    assert () == story.state.commands


def test_firmware_without_commands_gets_none() -> None:
    """It is refused at once; what was ordered before the machine was ever heard of expires, unless
    its firmware is another one in time, and says why.
    """
    story = Story(a_machine())
    order(story, CommandKind.REPORT)
    story.connect()
    order(story, CommandKind.REPORT, "c2")
    assert Refusal.COMMANDS_UNKNOWN in story.decisions[-1].notes[0]
    story.wait(10 * MINUTE_MS)
    assert [] == sent(story)
    said = "was not sent, COMMANDS_UNKNOWN: its firmware knows no commands"
    assert (CommandStatus.EXPIRED, said) == (status(story), last(story).detail)
    story = Story(a_machine())
    order(story, CommandKind.REPORT)
    story.wait(10 * MINUTE_MS)
    assert (CommandStatus.EXPIRED, "was not sent") == (status(story), last(story).detail)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"column": "Z9"}, Refusal.COLUMN_NOT_FOUND),
        ({"kind": CommandKind.UNLOCK_COLUMN}, Refusal.COLUMN_NOT_LOCKED),
        ({"expires_at_ms": 0}, Refusal.COMMAND_EXPIRED),
    ],
)
def test_what_cannot_be_done_is_not_taken(changes: dict[str, object], why: Refusal) -> None:
    """Nothing is kept of it but a note; whoever asks before hears the same."""
    story = online()
    wanted = ordered(story, "c1", CommandKind.TEST_VEND)
    wanted = replace(wanted, **changes)  # type: ignore[arg-type]
    told = why_not(story.state, wanted, story.now_ms)
    assert told is not None
    assert why is told[0]
    decision = story.do(wanted)
    assert () == story.state.commands
    assert told[1] in decision.notes[0]


def test_a_retired_machine_takes_nothing_and_locks_have_a_bound() -> None:
    """As the others: in words."""
    story = online()
    retired = replace(story.state.configuration, retired=True)
    wanted = ordered(story, "c1", CommandKind.LOCK_COLUMN)
    told = why_not(replace(story.state, configuration=retired), wanted, story.now_ms)
    assert told is not None
    assert Refusal.MACHINE_RETIRED is told[0]
    many = replace(story.state, ordered_locks=tuple(f"B{number}" for number in range(128)))
    told = why_not(many, wanted, story.now_ms)
    assert told is not None
    assert Refusal.TOO_MANY_COMMANDS is told[0]


def test_only_what_was_not_sent_is_taken_back() -> None:
    """The machine may have the others; a lock is in force here."""
    story = Story(a_machine())
    order(story, CommandKind.REBOOT)
    order(story, CommandKind.LOCK_COLUMN, "c2")
    story.do(CommandCancelled(command_id="c1", actor="bob"))
    assert (CommandStatus.CANCELLED, "by bob") == (status(story), last(story).detail)
    story.do(CommandCancelled(command_id="c2"))
    assert "in force" in story.decisions[-1].notes[0]
    story.do(CommandCancelled(command_id="c9"))
    assert "is not open" in story.decisions[-1].notes[0]
    story.connect(commands=True)
    order(story, CommandKind.REPORT, "c3")
    story.do(CommandCancelled(command_id="c3"))
    assert CommandStatus.SENT is status(story, "c3")


def test_no_wait_is_longer_than_its_span_when_a_clock_was_ahead() -> None:
    """A host whose clock is hours behind the one that set the deadline ends it all the same."""
    story = online()
    order(story, CommandKind.REPORT)
    order(story, CommandKind.TEST_VEND, "c2")
    story.now_ms -= 3_600_000
    story.do(events.Resumed(reason="its host started"))
    deadlines = [one.deadline_at_ms - story.now_ms for one in story.state.commands]
    assert [10 * MINUTE_MS, story.policy.vend_result_ms] == deadlines
    (report, _) = story.state.commands
    assert report == resumed(report, story.now_ms, story.policy)


# --- reboot ---


def test_a_reboot_is_done_in_another_boot_only() -> None:
    """It is sent again at the Hello of that boot, and answered there."""
    story = online()
    order(story, CommandKind.REBOOT)
    story.connect("b2", commands=True)
    assert ["c1", "c1"] == sent(story)
    answer(story)
    assert CommandStatus.APPLIED is status(story)


def test_a_reboot_that_is_said_to_be_done_in_the_same_boot_is_a_contradiction() -> None:
    """Whoever said it did not do it."""
    story = online()
    order(story, CommandKind.REBOOT)
    answer(story)
    assert CommandStatus.REJECTED is status(story)
    assert "contradiction" in last(story).detail


@pytest.mark.parametrize("mode", [Mode.AUTHORIZATION_FIRST, Mode.SELECTION_FIRST])
def test_a_reboot_waits_until_nobody_is_there(mode: Mode) -> None:
    """Nobody has money or a wish in the machine, and no vend is in doubt."""
    story = online(mode)
    if mode is Mode.SELECTION_FIRST:
        story.select()
    else:
        story.pay(500)
    order(story, CommandKind.REBOOT)
    if mode is Mode.SELECTION_FIRST:
        story.pay(500)
    else:
        story.select()
    assert [] == sent(story)
    story.success()
    assert ["c1"] == sent(story)


def test_a_reboot_is_not_sent_again_while_somebody_is_there() -> None:
    """The machine may have missed it, and would restart in front of a customer."""
    story = online(Mode.AUTHORIZATION_FIRST)
    order(story, CommandKind.REBOOT)
    story.disconnect()
    story.pay(500)
    story.connect(commands=True)
    assert ["c1"] == sent(story)
    story.complete()
    assert ["c1", "c1"] == sent(story)


def test_a_reboot_waits_for_a_vend_in_doubt() -> None:
    """Its motor may be turning, though the session is over."""
    story = online(Mode.AUTHORIZATION_FIRST)
    story.pay(500)
    story.select()
    story.disconnect()
    story.wait(61_000)
    story.connect("b2", lost=True, commands=True)
    order(story, CommandKind.REBOOT)
    assert story.state.session is None
    assert [] == sent(story)


# --- test vend ---


def test_a_test_vend_takes_one_item_for_nobody() -> None:
    """One move from the column to TEST, no transfer; the column works, whatever it failed."""
    story = online()
    story.frame(events.ReaderEnabled())
    order(story, CommandKind.TEST_VEND)
    decision = answer(story, evidence=FELL)
    (move,) = decision.goods
    assert (GoodsKind.TESTED, "c1", 1, TEST) == (
        move.kind,
        move.cause,
        move.quantity,
        move.to_place,
    )
    assert () == decision.transfers
    assert 2 == stock(story)
    assert (CommandStatus.APPLIED, True, FELL) == (
        status(story),
        last(story).dropped,
        last(story).evidence,
    )
    answer(story, evidence=FELL)
    assert (2, ()) == (stock(story), story.state.alarms)


@pytest.mark.parametrize(
    ("outcome", "evidence", "left"),
    [
        (CommandOutcome.APPLIED, "motor=RAN", 2),
        (CommandOutcome.APPLIED, "motor=RAN drop=NO_SENSOR", 2),
        (CommandOutcome.APPLIED, "motor=RAN drop=NOT_SEEN", 3),
        (CommandOutcome.APPLIED, "motor=JAMMED drop=NOT_SEEN", 3),
        (CommandOutcome.APPLIED, "motor=JAMMED drop=SEEN", 2),
        (CommandOutcome.APPLIED, "", 3),
        (CommandOutcome.REJECTED, "motor=NOT_RUN", 3),
        (CommandOutcome.REJECTED, "motor=RAN", 3),
        (CommandOutcome.REJECTED, FELL, 2),
    ],
)
def test_what_the_sensors_saw_says_whether_an_item_fell(
    outcome: CommandOutcome, evidence: str, left: int
) -> None:
    """As with a vend: what was seen to fall fell, and a motor that ran without a sensor dropped."""
    story = online()
    order(story, CommandKind.TEST_VEND)
    answer(story, outcome, evidence=evidence)
    assert left == stock(story)


def test_an_item_of_a_column_that_was_believed_empty_is_found_first() -> None:
    """So that no stock is ever below zero."""
    story = online()
    story.do(events.StockCounted(column="A1", stock=0))
    order(story, CommandKind.TEST_VEND)
    decision = answer(story, evidence=FELL)
    assert [GoodsKind.COUNTED, GoodsKind.TESTED] == [move.kind for move in decision.goods]
    assert 0 == stock(story)


def test_an_item_of_a_column_with_another_product_by_now_is_found_and_tested() -> None:
    """What the books had of it was removed with the planogram."""
    story = online()
    order(story, CommandKind.TEST_VEND)
    tea = Column(column="A1", product="tea", price_minor=500, capacity=10, stock=4)
    story.replan(tea)
    decision = answer(story, evidence=FELL)
    assert [("cola", TEST)] == [(move.product, move.to_place) for move in decision.goods]
    assert 4 == stock(story)


def test_nothing_is_sold_while_a_test_vend_is_out() -> None:
    """BUSY; and it is sold again as soon as the machine has answered."""
    story = online(Mode.AUTHORIZATION_FIRST)
    order(story, CommandKind.TEST_VEND)
    story.pay(1_000)
    story.select("A2")
    denied = story.effects(DenyVend)[-1]
    assert isinstance(denied, DenyVend)
    assert DenyReason.BUSY is denied.reason
    answer(story, evidence=FELL)
    story.select("A2")
    assert 1 == len(story.effects(ApproveVend))


def test_a_test_vend_waits_for_customers_and_for_another_one_and_a_reboot_for_it() -> None:
    """One motor turns at a time, and none while somebody is there."""
    story = online(Mode.AUTHORIZATION_FIRST)
    story.pay(1_000)
    order(story, CommandKind.TEST_VEND, "c1", "A1")
    order(story, CommandKind.TEST_VEND, "c2", "A2")
    order(story, CommandKind.REBOOT, "c3")
    assert [] == sent(story)
    story.complete()
    assert ["c1"] == sent(story)
    answer(story, command_id="c1", evidence=FELL)
    assert ["c1", "c2"] == sent(story)
    answer(story, command_id="c2", evidence=FELL)
    assert ["c1", "c2", "c3"] == sent(story)


def test_a_test_vend_that_nobody_answers_changes_no_stock_and_is_a_person_s() -> None:
    """Soon, because nothing is sold meanwhile; late evidence settles it and is told there."""
    story = online()
    order(story, CommandKind.TEST_VEND)
    (effect,) = story.effects(SendCommand)
    assert isinstance(effect, SendCommand)
    assert story.policy.approval_valid_ms == effect.valid_for_ms
    story.wait(story.policy.vend_result_ms)
    assert (CommandStatus.EXPIRED, 3) == (status(story), stock(story))
    (alarm,) = story.state.alarms
    assert (AlarmKind.TEST_VEND_UNKNOWN, "c1") == (alarm.kind, alarm.subject)
    answer(story, evidence=FELL)
    assert (CommandStatus.APPLIED, 2) == (status(story), stock(story))
    assert "an item fell" in story.state.alarms[0].detail
    assert 1 == story.state.alarms[0].times


def test_a_test_vend_that_was_not_sent_expires_without_a_word_to_anybody() -> None:
    """Nobody doubts what happened: nothing."""
    story = Story(a_machine())
    order(story, CommandKind.TEST_VEND)
    story.wait(10 * MINUTE_MS)
    assert CommandStatus.EXPIRED is status(story)
    assert () == story.state.alarms


def test_a_test_vend_that_may_still_be_sent_for_a_moment_has_time_to_turn() -> None:
    """Nobody is alarmed, and nobody is let in, while its motor turns; begun later it is not."""
    story = Story(a_machine(stock=3))
    order(story, CommandKind.TEST_VEND)
    story.wait(10 * MINUTE_MS - 500)
    story.connect(commands=True)
    story.wait(10_000)
    story.do(events.Resumed(reason="its host started"))
    assert (CommandStatus.SENT, ()) == (status(story), story.state.alarms)
    story.connect(commands=True)
    spans = [one.valid_for_ms for one in story.effects(SendCommand) if isinstance(one, SendCommand)]
    assert [500, 0] == spans
    answer(story, evidence=FELL)
    assert 2 == stock(story)


@pytest.mark.parametrize("expired", [False, True])
def test_a_test_vend_that_our_books_know_as_not_sent_takes_its_item(expired: bool) -> None:
    """They were put back to a backup, and the machine says what it did: of this product."""
    story = Story(a_machine(Mode.AUTHORIZATION_FIRST, stock=3))
    order(story, CommandKind.TEST_VEND)
    if expired:
        story.wait(10 * MINUTE_MS)
    story.pay(500)
    story.connect(commands=True)
    assert [] == sent(story)
    decision = answer(story, evidence=FELL)
    assert [("cola", "COLUMN:VM-1/A1")] == [(one.product, one.from_place) for one in decision.goods]
    assert 2 == stock(story)


def test_another_device_gets_and_answers_nothing_that_was_sent() -> None:
    """The machine may have begun it; a person hears of both."""
    story = Story(a_machine(stock=3))

    hello(story, "own", "t1")
    order(story, CommandKind.TEST_VEND)
    order(story, CommandKind.REPORT, "c2")
    hello(story, "double", "t2")
    assert ["c1", "c2"] == sent(story)
    answer(story, evidence="motor=RAN drop=SEEN")
    answer(story, command_id="c2")
    assert (CommandStatus.SENT, CommandStatus.SENT, 3) == (
        status(story),
        status(story, "c2"),
        stock(story),
    )
    story.wait(story.policy.vend_result_ms)
    answer(story, evidence="motor=RAN drop=SEEN")
    assert (CommandStatus.EXPIRED, 3) == (status(story), stock(story))
    assert {AlarmKind.DOUBLE, AlarmKind.TEST_VEND_UNKNOWN} == {
        alarm.kind for alarm in story.state.alarms
    }


@pytest.mark.parametrize(("boot", "keeps_token"), [("own", True), ("new", False)])
def test_who_may_have_obeyed_answers_what_was_kept_back(boot: str, keeps_token: bool) -> None:
    """The boot that got it, or whoever speaks where no stream can show whose it is."""
    story = Story(a_machine(stock=3))
    hello(story, "own", "t1" if keeps_token else "", keeps_token=keeps_token)
    order(story, CommandKind.TEST_VEND)
    hello(story, boot, "", keeps_token=keeps_token, stream="another")
    assert ["c1"] == sent(story)
    answer(story, evidence=FELL)
    assert (CommandStatus.APPLIED, 2) == (status(story), stock(story))


def test_what_is_kept_back_soon_makes_room_for_the_next() -> None:
    """Nobody can take it back, and it was ordered for a week; none waits longer for that."""
    story = Story(a_machine())
    hello(story, "own", "t1")
    order(story, CommandKind.REPORT)
    story.wait(10 * MINUTE_MS - 1_000)
    hello(story, "other", "t2")
    story.wait(1_000)
    assert CommandStatus.EXPIRED is status(story)
    story = Story(a_machine())
    hello(story, "own", "t1")
    for number in range(COMMANDS_MAX):
        long = ordered(story, f"c{number}", CommandKind.REPORT)
        story.do(replace(long, expires_at_ms=story.now_ms + 10_000 * MINUTE_MS))
    hello(story, "other", "t2")
    story.wait(story.policy.report_wait_ms)
    assert {CommandStatus.EXPIRED} == {status(story, f"c{number}") for number in range(4)}
    order(story, CommandKind.REPORT, "new")
    assert "new" in sent(story)


def test_a_reboot_into_firmware_with_tokens_is_done_by_it() -> None:
    """No stream of the machine could have shown anything before."""
    story = Story(a_machine())
    hello(story, "old", "", keeps_token=False)
    order(story, CommandKind.REBOOT)
    hello(story, "new", "t1")
    answer(story)
    assert CommandStatus.APPLIED is status(story)


def test_a_test_vend_that_dropped_nothing_and_then_did_is_a_person_s() -> None:
    """What was said first stands; the stock would be wrong without a word."""
    story = online()
    order(story, CommandKind.TEST_VEND)
    answer(story, CommandOutcome.REJECTED)
    answer(story, CommandOutcome.REJECTED, evidence="motor=NOT_RUN")
    assert not story.state.alarms
    answer(story, evidence=FELL)
    (alarm,) = story.state.alarms
    assert (AlarmKind.TEST_VEND_UNKNOWN, "c1") == (alarm.kind, alarm.subject)
    assert "an item fell" in alarm.detail
    assert (CommandStatus.REJECTED, 3) == (status(story), stock(story))


def test_a_test_vend_of_a_column_that_is_gone_before_it_is_sent_is_taken_back() -> None:
    """By ourselves; it says why."""
    story = Story(a_machine())
    order(story, CommandKind.TEST_VEND, column="A2")
    story.replan(*story.state.columns[:1])
    story.connect(commands=True)
    assert CommandStatus.CANCELLED is status(story)
    assert "not in the planogram any more" in last(story).detail
    assert [] == sent(story)


def test_a_test_vend_that_delivers_ends_what_was_broken_about_its_column() -> None:
    """A jam, a test vend: the column sells again."""
    story = online(Mode.AUTHORIZATION_FIRST, Policy(column_failures_max=1))
    story.pay(1_000)
    story.select()
    story.failure()
    story.complete()
    assert story.state.failing[0].blocked
    order(story, CommandKind.TEST_VEND)
    answer(story, evidence=FELL)
    assert () == story.state.failing


# --- what is always true ---


def test_what_cannot_be_breaks_an_invariant() -> None:
    """Too many open ones, one that ended, two test vends at once, an item that fell unmoved."""
    story = online()
    order(story, CommandKind.TEST_VEND)
    (test,) = story.state.commands
    for broken in (
        (test,) * (COMMANDS_MAX + 1),
        (replace(test, status=CommandStatus.APPLIED),),
        (test, replace(test, command_id="c2")),
    ):
        with pytest.raises(InvariantBroken):
            check(replace(story.state, commands=broken))
    before = story.state
    decision = answer(story, evidence=FELL)
    unmoved = replace(decision, goods=(), state=replace(decision.state, columns=before.columns))
    with pytest.raises(InvariantBroken, match="moved its item once"):
        check_decision(before, unmoved)


def test_a_machine_without_commands_has_none_in_its_state() -> None:
    """What is as by default costs no state a byte."""
    story = Story(replace(a_machine(), code=Code()))
    assert () == story.state.commands
    assert story.state.ordered_locks is None
    assert isinstance(ordered(story, "c1", CommandKind.REPORT), CommandOrdered)
