"""What a code says follows what is wanted, as its status does: to stop comes first, what is unknown
is asked again, and what is refused is stopped if nobody here would hear of its payments.
"""

import pytest

from actors.machine import events, next_deadline, owed
from actors.machine.code import CodeStatus, Saying
from actors.machine.codes import stoppable
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    DeleteCode,
    ModifyCode,
    UpdateService,
)
from actors.machine.policy import Policy
from actors.machine.state import (
    Mode,
)
from actors.machine.values import replace
from tests.support.codes import (
    HERE,
    LOST,
    MODIFY,
    MOVED,
    RENAMED,
    RESTART,
    STOP,
    Forgetful,
    a_known_code,
    a_new_machine,
    known,
    registered,
    told,
)
from tests.support.story import Story

NO = events.CodeFailed(final=True, detail="ILLEGAL_PARTNER_EXTERFACE")
ELSEWHERE = replace(HERE, store="2")


def test_a_new_code_is_shown_once_alipay_has_confirmed_what_it_says() -> None:
    """It may have been there before, with another URL, and stopped: it is modified, shown, and
    restarted.
    """
    story = a_new_machine()
    story.do(events.CodeWished(says=HERE))
    registered(story)
    story.connect()
    story.do(events.CodeCreated(qr_payload="q"))
    assert [ModifyCode(qr_payload="q")] == list(story.last.effects)
    assert (CodeStatus.PENDING, "q") == (known(story), stoppable(story.state.code))

    story.do(events.CodeModified(says=HERE))
    assert ["q"] == [one.qr_payload for one in story.last.effects if isinstance(one, UpdateService)]
    restart = ChangeCodeStatus(qr_payload="q", status=CodeStatus.ACTIVE)
    assert restart in story.last.effects
    story.do(events.CodeFailed(final=True, detail="it is not stopped"))
    assert CodeStatus.ACTIVE is known(story)
    assert next_deadline(story.state, story.policy) is None


def test_a_new_code_that_alipay_does_not_modify_is_stopped() -> None:
    """It may be paid, and nobody knows where that is told: it ends stopped, and is a person's."""
    story = a_new_machine()
    story.do(events.CodeWished(says=HERE))
    registered(story)
    story.do(events.CodeCreated(qr_payload="q"))
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_PARTNER_EXTERFACE"))
    assert [ChangeCodeStatus(qr_payload="q", status=CodeStatus.STOPPED)] == list(story.last.effects)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))

    code = story.state.code
    assert (CodeStatus.STOPPED, HERE) == (code.status, code.saying.refused)
    assert "ILLEGAL_PARTNER_EXTERFACE" == code.saying.error
    assert next_deadline(story.state, story.policy) is None


def test_a_code_that_goes_on_telling_us_is_not_stopped_over_its_name() -> None:
    """Alipay refuses the name; the machine sells on, and somebody's change asks once more."""
    story = a_known_code()
    story.do(events.CodeWished(says=RENAMED))
    assert [MODIFY] == story.effects(ModifyCode)
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    assert (CodeStatus.ACTIVE, RENAMED) == (known(story), story.state.code.saying.refused)
    assert [] == story.effects(ChangeCodeStatus)

    story.configure(mode=Mode.SELECTION_FIRST)
    assert [MODIFY, MODIFY] == story.effects(ModifyCode)


def test_a_code_that_tells_its_payments_elsewhere_is_stopped_until_that_is_mended() -> None:
    """A new domain is refused: stopped. The old domain is put back: nothing is to be modified, and
    the code is restarted.
    """
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED))
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    assert [STOP] == list(story.last.effects)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))

    story.do(events.CodeWished(says=HERE))
    assert [RESTART] == list(story.last.effects)


def test_after_an_unknown_modification_the_old_url_is_not_believed_in() -> None:
    """The domain is put back while nobody knows whether Alipay has taken the new one: it is asked,
    though that is what was confirmed before.
    """
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED))
    story.do(LOST)
    assert CodeStatus.ACTIVE is known(story)
    story.do(events.CodeWished(says=HERE))
    assert [MODIFY, MODIFY] == story.effects(ModifyCode)
    story.do(events.CodeFailed(final=True, detail="no"))
    assert [STOP] == list(story.last.effects)


def test_a_stop_comes_before_what_the_code_says() -> None:
    """A machine that is disabled while its code is modified is stopped next, whatever came of it;
    what it says waits until it is to be paid again, and then comes first.
    """
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED))
    story.configure(enabled=False)
    assert [] == story.effects(ChangeCodeStatus)
    story.do(LOST)
    assert [STOP] == list(story.last.effects)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.wait(60_000)
    assert [MODIFY] == story.effects(ModifyCode)

    story.configure(enabled=True)
    assert [MODIFY] == [one for one in story.last.effects if isinstance(one, ModifyCode)]
    assert CodeStatus.STOPPED is known(story)
    story.do(events.CodeModified(says=MOVED))
    assert [RESTART] == list(story.last.effects)


@pytest.mark.parametrize("forgets", [False, True])
def test_in_the_end_alipay_has_exactly_what_is_wanted(forgets: bool) -> None:
    """Domain, name and status change, and every answer is lost once."""
    story = a_known_code()
    alipay = Forgetful(story, forgets=forgets)
    alipay.says = HERE
    story.do(events.CodeWished(says=MOVED))
    alipay.answer()
    story.configure(enabled=False)
    alipay.answer()
    story.do(events.CodeWished(says=replace(MOVED, name="Foyer")))
    alipay.come_to_rest()
    assert (CodeStatus.STOPPED, CodeStatus.STOPPED) == (alipay.status, known(story))

    story.configure(enabled=True)
    alipay.come_to_rest()
    assert (CodeStatus.ACTIVE, replace(MOVED, name="Foyer")) == (alipay.status, alipay.says)
    assert (CodeStatus.ACTIVE, alipay.says) == (known(story), story.state.code.saying.confirmed)
    assert ({""}, set()) == (alipay.codes, alipay.deleted)


@pytest.mark.parametrize("forgets", [False, True])
def test_a_sticker_that_was_tampered_with_gets_another_code(forgets: bool) -> None:
    """The old one is stopped and deleted before there is a new one, and nothing shows either
    meanwhile.
    """
    story = a_known_code()
    story.connect()
    alipay = Forgetful(story, forgets=forgets)
    story.do(events.CodeWished(says=replace(HERE, notify="new", store="2")))
    assert [STOP] == list(story.last.effects)
    alipay.come_to_rest()

    assert {"https://qr.example/vm-1"} == alipay.deleted
    assert ("qr2", CodeStatus.ACTIVE) == (story.state.code.qr_payload, known(story))
    assert {"", "2"} == alipay.codes
    assert (CodeStatus.ACTIVE, "new") == (alipay.status, alipay.says.notify)
    assert "qr2" == told(story).qr_payload


def test_an_old_code_that_cannot_be_deleted_stays_stopped_and_holds_up_nothing() -> None:
    """Alipay refuses to delete it, or does not answer three times: the machine gets its new one,
    and a person is told.
    """
    for answer, tries in ((events.CodeFailed(final=True, detail="no"), 1), (LOST, 3)):
        story = a_known_code()
        story.do(events.CodeWished(says=replace(HERE, store="2")))
        story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
        for _ in range(tries):
            assert [DeleteCode(qr_payload=MODIFY.qr_payload)] == list(owed(story.state))
            assert () == story.state.alarms
            story.do(answer)
            story.wait(600_000)
        assert (CreateCode(store="2"),) == owed(story.state)
        assert [("CODE_LEFT", "VM-1", 1)] == [
            (alarm.kind, alarm.subject, alarm.times) for alarm in story.state.alarms
        ]


@pytest.mark.parametrize("refused_before", [False, True])
@pytest.mark.parametrize(
    ("answers", "left"),
    [([events.CodeDeleted()], False), ([NO], True), ([LOST, NO, LOST, NO, LOST], True)],
)
def test_an_old_code_that_alipay_does_not_stop_is_deleted_and_holds_up_nothing(
    answers: list[events.CodeDeleted | events.CodeFailed], *, refused_before: bool, left: bool
) -> None:
    """As when somebody has deleted it in Alipay's portal: the machine gets its new one. What may
    still be paid is a person's.
    """
    story = a_known_code()
    if refused_before:
        story.configure(enabled=False)
        story.do(NO)
        assert CodeStatus.REFUSED is known(story)
        story.configure(enabled=True)
        story.do(NO)
    story.do(events.CodeWished(says=replace(HERE, store="2")))
    story.configure(mode=Mode.BOTH)
    assert [STOP] == list(owed(story.state))
    story.do(NO)
    for answer in answers:
        assert owed(story.state)[0] in (DeleteCode(qr_payload=MODIFY.qr_payload), STOP)
        assert () == story.state.alarms
        story.do(answer)
        story.wait(600_000)
    assert (CreateCode(store="2"),) == owed(story.state)
    assert left == any("may be there, and be paid" in one.detail for one in story.state.alarms)


def test_a_code_that_alipay_does_not_stop_is_hidden_at_once() -> None:
    """The machine would show it until the next Welcome, also when it is deleted."""
    story = a_known_code()
    story.connect()
    story.do(events.CodeWished(says=ELSEWHERE))
    story.configure()
    assert [] == story.effects(UpdateService)
    story.do(NO)
    assert "" == told(story).qr_payload
    story = a_known_code()
    story.connect()
    story.policy = Policy(trades_max=1)
    story.pay(500)
    assert [STOP] == list(owed(story.state))
    story.do(NO)
    assert (CodeStatus.REFUSED, "") == (known(story), told(story).qr_payload)


def test_a_code_that_alipay_does_not_restart_is_stopped_before_it_is_deleted() -> None:
    """It was to be replaced while the call was under way: perhaps it never was stopped."""
    story = a_known_code()
    story.configure(enabled=False)
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.configure(enabled=True)
    story.do(events.CodeWished(says=ELSEWHERE))
    story.configure()
    assert (RESTART,) == owed(story.state)
    story.do(NO)
    assert (STOP,) == owed(story.state)


def test_an_unstopped_code_is_deleted_after_waits() -> None:
    """Three tries in one moment would only show that Alipay was away in that moment."""
    story = a_known_code()
    story.do(events.CodeWished(says=ELSEWHERE))
    story.configure()
    story.do(NO)
    at_ms = []
    for _ in range(2):
        story.do(LOST)
        assert () == owed(story.state)
        due_ms = next_deadline(story.state, story.policy)
        assert due_ms is not None
        at_ms.append(due_ms - story.now_ms)
        story.wait(at_ms[-1])
        assert (STOP,) == owed(story.state)
        story.do(NO)
    assert list(story.policy.code_retry_ms[:2]) == at_ms


def test_a_stopped_code_that_waits_to_be_deleted_is_stopped_at_once_after_a_doubt() -> None:
    """Somebody may have restarted it, which is no reason to wait: only its deletion failed."""
    story = a_known_code()
    story.do(events.CodeWished(says=ELSEWHERE))
    story.configure()
    story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    story.do(LOST)
    assert () == owed(story.state)
    story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    assert (STOP,) == owed(story.state)


def test_many_codes_are_not_modified_in_one_burst() -> None:
    """The host says how long this one waits; to disable and enable it waits for nothing."""
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED, wait_ms=90_000))
    story.wait(89_999)
    assert [] == story.effects(ModifyCode)
    story.wait(1)
    assert [MODIFY] == story.effects(ModifyCode)

    other = a_known_code()
    other.configure(enabled=False)
    other.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
    other.do(events.CodeWished(says=MOVED, wait_ms=90_000))
    other.configure(enabled=True)
    assert [MODIFY] == list(owed(other.state))


def test_what_an_older_host_had_sent_does_not_count_for_what_is_wanted() -> None:
    """The host sent what it knew, which is not what is wanted any more: it is modified again, and
    not in a loop without a wait.
    """
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED))
    story.do(events.CodeModified(says=RENAMED))
    assert [MODIFY] == story.effects(ModifyCode)
    story.wait(story.policy.code_retry_ms[0])
    assert [MODIFY, MODIFY] == story.effects(ModifyCode)
    story.do(events.CodeModified(says=MOVED))
    assert MOVED == story.state.code.saying.confirmed
    assert next_deadline(story.state, story.policy) is None


def test_what_the_code_says_is_ordered_once_more_after_a_doubt() -> None:
    """An order that was not answered may be done behind the next one."""
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED))
    story.do(LOST)
    story.wait(story.policy.code_retry_ms[0])
    story.do(events.CodeModified(says=MOVED))
    for wait_ms in story.policy.code_again_ms:
        story.wait(wait_ms)
        assert [MODIFY] == list(owed(story.state))
        story.do(events.CodeModified(says=MOVED))
        assert [RESTART] == list(owed(story.state))
        story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
    assert next_deadline(story.state, story.policy) is None


def test_a_repetition_of_what_the_code_says_makes_nothing_unknown() -> None:
    """It is not answered, or refused: what was confirmed holds."""
    for answer in (LOST, events.CodeFailed(final=True, detail="no")):
        story = a_known_code()
        story.do(events.CodeStopOrdered())
        story.do(events.CodeStatusChanged(status=CodeStatus.ACTIVE))
        story.wait(story.policy.code_again_ms[0])
        assert [MODIFY] == list(owed(story.state))
        story.do(answer)
        assert (CodeStatus.ACTIVE, HERE) == (known(story), story.state.code.saying.confirmed)
        assert story.state.code.saying.refused is None


def test_an_answer_about_what_the_code_says_that_nobody_waits_for_is_a_doubt() -> None:
    """Its order is unknown: what it contradicts is asked for again. Of no code it is a note."""
    story = a_known_code()
    story.do(events.CodeModified(says=MOVED))
    assert ("nobody waits to hear what the code says",) == story.last.notes
    assert [MODIFY] == list(owed(story.state))
    story.do(events.CodeDeleted())
    assert ("nobody waits to hear that a code was deleted",) == story.last.notes

    other = a_new_machine()
    other.do(events.CodeModified(says=MOVED))
    assert Saying() == other.state.code.saying


def test_a_code_whose_host_stopped_it_while_it_was_modified_is_asked_for_again() -> None:
    """The call under way is lost with the halt."""
    story = a_known_code()
    story.do(events.CodeWished(says=MOVED))
    story.do(events.CodeStopOrdered())
    assert [MODIFY] == list(owed(story.state))
    assert CodeStatus.UNKNOWN is known(story)
    story.do(events.CodeModified(says=MOVED))
    assert [RESTART] == list(owed(story.state))


def test_a_code_that_was_there_before_this_was_asked_is_believed() -> None:
    """A machine of an older version: its code is modified; if Alipay does not let us, it sells
    on.
    """
    story = Story()
    story.do(events.CodeWished(says=HERE))
    assert [MODIFY] == story.effects(ModifyCode)
    story.do(LOST)
    story.wait(story.policy.code_retry_ms[0])
    story.do(events.CodeFailed(final=True, detail="ILLEGAL_EXTERFACE"))
    assert (CodeStatus.ACTIVE, HERE) == (known(story), story.state.code.saying.refused)
    story.do(events.CodeWished(says=HERE))
    assert not story.last.changed


def test_a_code_that_may_be_there_is_found_and_stopped_before_the_next_store_gets_one() -> None:
    """A creation was not answered when the machine got another store: nobody would ever stop the
    first store's code, so it is made again, stopped and deleted.
    """
    story = a_new_machine()
    story.do(events.CodeWished(says=HERE))
    registered(story)
    alipay = Forgetful(story)
    alipay.answer()
    story.do(events.CodeWished(says=replace(HERE, store="2")))
    alipay.come_to_rest()
    assert {"", "2"} == alipay.codes
    assert {"qr"} == alipay.deleted
    assert ("qr2", CodeStatus.ACTIVE) == (story.state.code.qr_payload, known(story))


def test_a_creation_that_was_refused_without_a_signature_may_have_made_a_code_all_the_same() -> (
    None
):
    """The machine gets another store, or is disabled: the first one's code is looked for first."""
    for enabled in (True, False):
        story = a_new_machine()
        story.do(events.CodeWished(says=HERE))
        registered(story)
        story.do(NO)
        assert (CodeStatus.REFUSED, CodeStatus.UNKNOWN) == (
            known(story),
            story.state.code.behind_refusal,
        )
        story.do(events.CodeWished(says=ELSEWHERE))
        story.configure(enabled=enabled)
        assert [CreateCode(store="")] == list(owed(story.state))
        story.do(events.CodeCreated(qr_payload="q"))
        assert [ChangeCodeStatus(qr_payload="q", status=CodeStatus.STOPPED)] == list(
            owed(story.state)
        )
        story.do(events.CodeStatusChanged(status=CodeStatus.STOPPED))
        assert [DeleteCode(qr_payload="q")] == list(owed(story.state))
        story.do(events.CodeDeleted())
        assert [CreateCode(store="2")] == list(owed(story.state))


def test_a_store_that_alipay_makes_no_code_for_holds_up_the_next_one_for_three_tries() -> None:
    """Its name is refused for ever, as far as anybody knows."""
    story = a_new_machine()
    story.do(events.CodeWished(says=HERE))
    registered(story)
    story.do(NO)
    story.do(events.CodeWished(says=ELSEWHERE))
    story.configure(mode=Mode.BOTH)
    for wait_ms in story.policy.code_retry_ms[:2]:
        assert [CreateCode(store="")] == list(owed(story.state))
        story.do(NO)
        assert CodeStatus.UNKNOWN is known(story)
        assert not owed(story.state)
        story.wait(wait_ms)
    story.do(NO)
    (alarm,) = story.state.alarms
    assert ("CODE_LEFT", "VM-1", 1) == (alarm.kind, alarm.subject, alarm.times)
    assert "no code of it, and may have one: ILLEGAL_PARTNER_EXTERFACE" in alarm.detail
    assert [CreateCode(store="2")] == list(owed(story.state))


def test_a_wish_that_a_newer_configuration_overtook_changes_nothing() -> None:
    """It was read before the newer one, and comes behind it: a host starts while codes change."""
    story = a_known_code()
    story.configure(mode=Mode.BOTH)
    revision = story.state.configuration.revision
    story.do(events.CodeWished(says=MOVED, revision=revision - 1))
    assert not story.effects(ModifyCode)
    assert (f"the wish of configuration {revision - 1} was overtaken by a newer one",) == (
        story.last.notes
    )
    story.do(events.CodeWished(says=MOVED, revision=revision))
    assert [MODIFY] == list(owed(story.state))


def test_a_refusal_of_what_an_older_host_had_made_does_not_tell_that_there_is_none() -> None:
    """Whoever asked for the code died before the answer, and its successor's call was refused: the
    next store has to wait until the first one's code is known to be gone.
    """
    story = a_new_machine()
    story.do(events.CodeWished(says=HERE))
    registered(story)
    assert [CreateCode(store=HERE.store)] == list(owed(story.state))
    story.do(events.Resumed(reason="the host started"))
    story.do(events.CodeFailed(final=True, detail="the contract does not hold it"))
    story.do(events.CodeWished(says=replace(HERE, store="2")))
    story.configure()
    assert [CreateCode(store=HERE.store)] == list(owed(story.state))
