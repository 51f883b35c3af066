"""The machine's code follows what is wanted of it; its calls are tried until they succeed or are
refused.
"""

import pytest

from actors.machine import events, next_deadline, owed
from actors.machine.code import Code, CodeStatus
from actors.machine.code_calls import rests
from actors.machine.codes import stoppable
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    ShowQr,
    UpdateService,
    Welcome,
)
from actors.machine.policy import Policy
from actors.machine.state import (
    Mode,
)
from actors.machine.values import replace
from tests.support.codes import (
    LOST,
    RESTART,
    STOP,
    a_new_machine,
    known,
    registered,
    told,
)
from tests.support.story import Story


def test_a_machine_that_was_never_configured_asks_nothing() -> None:
    """Before the registry has spoken there is nothing to do and nothing to wait for."""
    story = a_new_machine()

    assert not story.do(events.TimePassed()).changed
    assert next_deadline(story.state, story.policy) is None


def test_registration_asks_for_the_code_once_and_owes_it_until_it_is_there() -> None:
    """The first configuration orders the code; until the answer comes, a restart orders it
    again.
    """
    story = a_new_machine()
    registered(story)

    assert [CreateCode()] == list(story.last.effects)
    assert (CreateCode(),) == owed(story.state)

    story.connect()
    assert [CreateCode()] == story.effects(CreateCode)

    story.do(
        events.CodeCreated(qr_payload="https://qr.example/1", image_url="https://img.example/1")
    )
    service = UpdateService(
        in_service=True, qr_payload="https://qr.example/1", mode=Mode.SELECTION_FIRST
    )
    assert [service] == list(story.last.effects)
    assert () == owed(story.state)

    story.do(events.CodeCreated(qr_payload="https://qr.example/2"))
    assert ("the machine has its code already",) == story.last.notes
    assert "https://qr.example/1" == story.state.code.qr_payload


def test_a_code_that_no_machine_has_room_for_is_refused() -> None:
    """A code at the bound is told; a longer one is never told, not asked for again, and is an
    administrator's to look at.
    """
    story = a_new_machine()
    registered(story)
    story.connect()
    story.do(events.CodeCreated(qr_payload="é" * 128 + "x"))

    assert (CodeStatus.REFUSED, "") == (story.state.code.status, story.state.code.qr_payload)
    assert "Alipay's code has 257 bytes: a machine has room for 256" == story.state.code.error
    assert [] == list(story.last.effects)
    assert next_deadline(story.state, story.policy) is None

    other = a_new_machine()
    registered(other)
    other.connect()
    other.do(events.CodeCreated(qr_payload="é" * 128))
    assert [
        UpdateService(in_service=True, qr_payload="é" * 128, mode=Mode.SELECTION_FIRST)
    ] == list(other.last.effects)


def test_a_failed_code_is_tried_again_after_growing_waits() -> None:
    """An unknown outcome leads to the same call after 5 s, then 30 s."""
    story = a_new_machine()
    registered(story)
    story.do(events.CodeFailed(final=False, detail="time-out"))
    story.wait(4_999)
    assert 1 == len(story.effects(CreateCode))
    story.wait(1)
    assert 2 == len(story.effects(CreateCode))
    story.do(events.CodeFailed(final=False, detail="time-out"))
    story.wait(29_999)
    assert 2 == len(story.effects(CreateCode))
    story.wait(1)
    assert 3 == len(story.effects(CreateCode))
    assert "time-out" == story.state.code.error


def test_a_refused_code_rests_until_somebody_changes_something() -> None:
    """A definite no is not repeated by itself; the next configuration tries again."""
    story = a_new_machine()
    registered(story)
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_PARTNER_EXTERFACE"))
    assert CodeStatus.REFUSED is known(story)
    story.wait(86_400_000)
    assert 1 == len(story.effects(CreateCode))

    story.do(events.CodeFailed(final=True, detail="again"))
    assert ("a call about the code failed that nobody waits for: again",) == story.last.notes

    story.configure(mode=Mode.BOTH)
    assert 2 == len(story.effects(CreateCode))


def test_what_was_refused_before_a_change_is_asked_for_again() -> None:
    """What it refused was mended meanwhile; it is asked once more, not for ever."""
    story = a_new_machine()
    registered(story)
    story.configure(mode=Mode.BOTH)
    assert 1 == len(story.effects(CreateCode))

    story.do(events.CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    assert [CreateCode()] == list(story.last.effects)

    story.do(events.CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    assert [] == list(story.last.effects)
    assert CodeStatus.REFUSED is known(story)


def test_no_code_no_purchase_first_sale() -> None:
    """Without a code nobody could pay, so a selection is denied instead of left waiting."""
    story = Story()
    story.state = replace(
        story.state,
        code=replace(story.state.code, status=CodeStatus.STOPPED, wanted=CodeStatus.STOPPED),
    )
    story.connect()
    story.select()

    assert "PROVIDER_DOWN" == story.state.settled_vends[-1].reason
    assert [] == story.effects(ShowQr)


def test_disabling_stops_the_code_and_enabling_restarts_it() -> None:
    """The code at Alipay follows the machine's service, one call at a time."""
    story = Story()
    story.connect()
    story.configure(enabled=False)
    stop = ChangeCodeStatus(qr_payload="https://qr.example/vm-1", status=CodeStatus.STOPPED)
    assert stop in story.last.effects
    story.configure(enabled=True)
    assert [stop] == story.effects(ChangeCodeStatus)

    story.connect()
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    restart = ChangeCodeStatus(qr_payload="https://qr.example/vm-1", status=CodeStatus.ACTIVE)
    assert [stop, restart] == story.effects(ChangeCodeStatus)
    assert "" == next(e for e in story.last.effects if isinstance(e, UpdateService)).qr_payload

    story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    assert () == owed(story.state)


def test_a_stop_that_was_not_answered_is_not_forgotten_while_somebody_enables_and_disables() -> (
    None
):
    """Disable, enable, time-out, disable: STOP is sent again, without a restart of the host."""
    story = Story()
    story.configure(enabled=False)
    story.configure(enabled=True)
    story.do(LOST)
    story.configure(enabled=False)

    assert [STOP, STOP] == story.effects(ChangeCodeStatus)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    assert CodeStatus.STOPPED is known(story)
    assert () == owed(story.state)


def test_a_stop_whose_answer_was_lost_is_undone_when_the_machine_is_enabled_again() -> None:
    """Nobody knows whether Alipay stopped the code, so that enabling restarts it; until then nobody
    says that it can be paid.
    """
    story = Story()
    story.connect()
    story.configure(enabled=False)
    story.connect()
    story.do(LOST)
    assert CodeStatus.UNKNOWN is known(story)
    story.configure(enabled=True)
    assert [STOP, RESTART] == story.effects(ChangeCodeStatus)
    welcome = next(e for e in story.connect().effects if isinstance(e, Welcome))
    assert "" == welcome.qr_payload

    story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    assert CodeStatus.ACTIVE is known(story)
    assert "https://qr.example/vm-1" == told(story).qr_payload


def test_a_restart_whose_answer_was_lost_does_not_leave_a_disabled_machine_payable() -> None:
    """The mirror of it: disabling stops the code, whatever became of the restart."""
    story = Story()
    story.configure(enabled=False)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.configure(enabled=True)
    story.do(LOST)
    story.configure(enabled=False)

    assert [STOP, RESTART, STOP] == story.effects(ChangeCodeStatus)


def test_a_stop_that_was_refused_is_asked_for_again_after_a_change() -> None:
    """What Alipay refuses to stop is still to be paid: a change does not make it stopped."""
    story = Story()
    story.configure(enabled=False)
    story.do(events.CodeFailed(final=True, detail="HAS_NO_PRIVILEGE"))
    assert CodeStatus.REFUSED is known(story)
    story.configure(mode=Mode.SELECTION_FIRST)

    assert [STOP, STOP] == story.effects(ChangeCodeStatus)


def test_what_alipay_refused_to_do_to_a_code_is_not_taken_for_undone() -> None:
    """It stopped the code and said no: the machine that is enabled again gets its code back."""
    story = Story()
    story.configure(enabled=False)
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_PARTNER_EXTERFACE"))
    story.configure(enabled=True)

    assert [STOP, RESTART] == story.effects(ChangeCodeStatus)


def test_a_code_of_which_nobody_knows_whether_alipay_made_it_is_unknown() -> None:
    """A creation that was not answered is neither a code nor none, and a refusal of the next one
    does not tell; it is asked for again.
    """
    story = a_new_machine()
    registered(story)
    story.do(LOST)
    assert CodeStatus.UNKNOWN is known(story)
    story.wait(5_000)

    assert [CreateCode(), CreateCode()] == story.effects(CreateCode)
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    story.configure(mode=Mode.BOTH)
    assert CodeStatus.UNKNOWN is known(story)


def test_an_answer_that_nobody_waits_for_makes_the_code_unknown_and_it_is_asked_again() -> None:
    """Whatever Alipay did and in which order, the code becomes what is wanted."""
    story = Story()
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    assert ("nobody waits to hear that the code is STOPPED",) == story.last.notes
    assert [RESTART] == story.effects(ChangeCodeStatus)

    story.configure(enabled=False)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    assert CodeStatus.UNKNOWN is known(story)
    story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    assert [RESTART, STOP] == story.effects(ChangeCodeStatus)

    story.do(events.CodeFailed(final=True, detail="no"))
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    assert CodeStatus.REFUSED is known(story)
    story.configure(enabled=True)
    assert [RESTART, STOP, RESTART] == story.effects(ChangeCodeStatus)


def test_news_of_a_code_that_the_machine_does_not_have_is_only_noted() -> None:
    """Before the code is made there is nothing to stop."""
    story = a_new_machine()
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))

    assert CodeStatus.PENDING is known(story)


def test_a_code_that_was_stopped_by_the_host_is_asked_for_again() -> None:
    """What the machine wants of it counts: it is restarted where it sells, and stays stopped where
    it is out of service; without a code nothing is asked.
    """
    story = a_new_machine()
    registered(story)
    asked = len(story.effects(CreateCode))
    story.do(events.CodeStopOrdered())
    assert (asked, ()) == (len(story.effects(CreateCode)), story.last.effects)

    story.do(events.CodeCreated(qr_payload="https://qr.example/1"))
    for enabled, wanted in ((True, CodeStatus.ACTIVE), (False, CodeStatus.STOPPED)):
        story.configure(enabled=enabled)
        if not enabled:
            story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
        story.do(events.CodeStopOrdered())
        assert CodeStatus.UNKNOWN is known(story)
        order = ChangeCodeStatus(qr_payload="https://qr.example/1", status=wanted)
        assert [order] == [one for one in story.last.effects if isinstance(one, ChangeCodeStatus)]
        story.do(events.CodeStatusChanged(status=wanted))
        assert wanted is known(story)


class LateAlipay:
    """What Alipay has of the story's code when it does each order, but for one that is on its way
    for long.
    """

    def __init__(self, story: Story) -> None:
        self.story = story
        self.has = CodeStatus.ACTIVE
        self._seen = 0

    def orders(self) -> list[CodeStatus]:
        """What was ordered since this was asked last; nothing of it is done."""
        made = [
            one.status
            for one in self.story.effects(ChangeCodeStatus)
            if isinstance(one, ChangeCodeStatus)
        ]
        seen, self._seen = self._seen, len(made)
        return made[seen:]

    def does(self, status: CodeStatus, *, told: bool = True) -> None:
        """It does an order; unless it is ``told``, its answer is lost."""
        self.has = status
        if told:
            self.story.do(events.CodeStatusChanged(status=status))


@pytest.mark.parametrize("late_ms", [60_000, 1_800_000, 80_000_000])
def test_a_stop_of_a_frozen_host_does_not_win(late_ms: int) -> None:
    """It reaches Alipay behind its successor's RESTART, which was answered: the code is restarted
    once more, however late that was, and then nothing is left to do.
    """
    story = Story()
    alipay = LateAlipay(story)
    story.configure(enabled=False)
    assert [CodeStatus.STOPPED] == alipay.orders()  # and here its host freezes with it

    story.do(events.Resumed(reason="the host started"))
    alipay.does(CodeStatus.STOPPED)
    story.configure(enabled=True)
    alipay.does(*alipay.orders())
    assert (CodeStatus.ACTIVE, None) == (known(story), story.state.code.asked)

    late_at_ms, repeated = story.now_ms + late_ms, 0
    while (at_ms := next_deadline(story.state, story.policy)) is not None:
        if story.now_ms < late_at_ms <= at_ms:
            alipay.does(CodeStatus.STOPPED, told=False)
        story.wait(at_ms - story.now_ms)
        for order in alipay.orders():
            alipay.does(order)
            repeated += 1
    assert (CodeStatus.ACTIVE, CodeStatus.ACTIVE) == (alipay.has, known(story))
    assert len(story.policy.code_again_ms) == repeated


def test_an_order_that_was_given_up_does_not_win_by_being_late() -> None:
    """The same of one host: a RESTART that was not answered is done behind the STOP that was."""
    story = Story()
    story.configure(enabled=False)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.configure(enabled=True)
    story.do(LOST)
    story.configure(enabled=False)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    before = len(story.effects(ChangeCodeStatus))

    story.wait(story.policy.code_again_ms[0])
    assert [STOP] == story.effects(ChangeCodeStatus)[before:]
    assert (STOP,) == owed(story.state)


def test_a_repetition_that_is_not_answered_makes_nothing_unknown() -> None:
    """The machine goes on to sell: what Alipay had said holds, and it is repeated after a while,
    until it is answered.
    """
    story = Story()
    story.do(events.CodeStopOrdered())
    story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    story.wait(story.policy.code_again_ms[0])
    assert 2 == len(story.effects(ChangeCodeStatus))

    story.do(LOST)
    assert (CodeStatus.ACTIVE, "time-out") == (known(story), story.state.code.error)
    story.wait(story.policy.code_again_ms[0])
    story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    assert (3, "") == (len(story.effects(ChangeCodeStatus)), story.state.code.error)


def test_a_repetition_that_is_refused_stops_no_machine_from_selling() -> None:
    """Alipay may refuse to restart what it never stopped; that it refuses to stop is a person's."""
    story = Story()
    for enabled, left in ((True, CodeStatus.ACTIVE), (False, CodeStatus.REFUSED)):
        story.configure(enabled=enabled)
        story.do(events.CodeStopOrdered())
        story.do(events.CodeStatusChanged(status=story.state.code.wanted))
        story.wait(story.policy.code_again_ms[0])
        story.do(events.CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
        assert (left, "ILLEGAL_ARGUMENT") == (known(story), story.state.code.error)


def test_what_can_be_paid_is_told_by_what_is_known() -> None:
    """A code that is stopped, for all that is known, cannot; one of which nobody knows perhaps."""
    active = Code(status=CodeStatus.ACTIVE, qr_payload="qr")
    assert "" == stoppable(Code())
    assert "qr" == stoppable(active) == stoppable(replace(active, status=CodeStatus.UNKNOWN))
    assert "" == stoppable(replace(active, status=CodeStatus.STOPPED))
    assert "qr" == stoppable(replace(active, status=CodeStatus.STOPPED, asked=CodeStatus.ACTIVE))
    refused = replace(active, status=CodeStatus.REFUSED)
    assert "qr" == stoppable(replace(refused, behind_refusal=CodeStatus.ACTIVE))
    assert "" == stoppable(replace(refused, behind_refusal=CodeStatus.STOPPED))


def test_a_stopped_code_that_an_old_order_may_restart_is_stopped_when_halted() -> None:
    """A halted machine orders nothing once more itself, so that its host does."""
    story = a_new_machine()
    registered(story)
    story.do(events.CodeCreated(qr_payload="q"))
    for revision, answer in (
        (2, events.CodeStatusChanged(status=CodeStatus.STOPPED)),
        (3, events.CodeFailed(final=False, detail="timeout")),
        (4, events.CodeStatusChanged(status=CodeStatus.STOPPED)),
    ):
        wanted = replace(story.state.configuration, revision=revision, enabled=revision == 3)
        story.do(events.ConfigurationChanged(configuration=wanted))
        story.do(answer)

    assert CodeStatus.STOPPED is known(story)
    assert "q" == stoppable(story.state.code)


# --- a machine that is away ---


def test_the_code_of_a_machine_that_is_away_for_long_is_stopped_until_it_is_back() -> None:
    """Off by default. It survives a load, and a machine that comes back in time keeps its code."""
    story = Story(policy=Policy(code_offline_stop_ms=3_600_000))
    story.connect()
    story.disconnect()
    story.wait(3_599_999)
    story.connect()
    story.disconnect()
    assert not rests(story.state.code)
    story.wait(3_599_999)
    assert [] == story.effects(ChangeCodeStatus)
    story.wait(1)
    assert [STOP] == story.effects(ChangeCodeStatus)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    assert rests(story.state.code)

    story.connect()
    assert [STOP, RESTART] == story.effects(ChangeCodeStatus)

    other = Story()
    other.connect()
    other.disconnect()
    other.wait(366 * 86_400_000)
    assert [] == other.effects(ChangeCodeStatus)


def test_a_stop_that_was_refused_is_tried_again_when_the_machine_goes_away() -> None:
    """Another reason to stop it is another wish."""
    story = Story(policy=Policy(code_offline_stop_ms=60_000))
    story.connect()
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.do(events.CodeFailed(final=True, detail="no"))
    assert CodeStatus.REFUSED is known(story)
    story.disconnect()
    story.wait(60_000)
    assert STOP in story.last.effects


def test_a_machine_with_too_many_open_trades_cannot_be_paid_until_one_is_closed() -> None:
    """While settlement funds are short each payment is one more refund that waits, and stays in the
    state: anybody could make it grow.
    """
    story = Story(policy=Policy(trades_max=2))
    story.connect()
    story.pay(100)
    assert not story.effects(ChangeCodeStatus)
    story.pay(100)
    assert [STOP] == story.effects(ChangeCodeStatus)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.complete()
    (first, _) = story.state.refunds
    story.do(events.RefundSucceeded(refund_id=first.refund_id))
    assert [STOP, RESTART] == story.effects(ChangeCodeStatus)
