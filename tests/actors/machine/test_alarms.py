"""Alarms: bounded by kind, subject and time."""

from actors.machine import alarms
from actors.machine.draft import Draft
from actors.machine.policy import Policy
from actors.machine.state import ALARMS_KEPT, Alarm, AlarmKind, MachineState
from tests.support.story import START_MS, a_machine

ABOUT_THE_MACHINE = frozenset(
    {
        AlarmKind.NUMBER_REUSED,
        AlarmKind.BOOT_CAME_BACK,
        AlarmKind.DOUBLE,
        AlarmKind.MACHINE_FAILS,
        AlarmKind.GOODS_WITHOUT_PLACE,
    }
)
"""The kinds that name no subject."""


def rung(
    state: MachineState, *, subject: str = "", later_ms: int = 0
) -> tuple[MachineState, Alarm]:
    draft = Draft(state, START_MS + later_ms, Policy())
    alarms.ring(draft, AlarmKind.COLUMN_FAILS, "again", subject=subject)
    (record,) = draft.decision().records
    assert isinstance(record, Alarm)
    return draft.state, record


def test_what_happens_again_soon_is_counted() -> None:
    """One row in an hour, whatever a machine does; then another one."""
    state, first = rung(a_machine())
    state, second = rung(state, later_ms=alarms.AGAIN_AFTER_MS - 1)
    assert (first.alarm_id, 1, 2) == (second.alarm_id, first.times, second.times)
    _, third = rung(state, later_ms=alarms.AGAIN_AFTER_MS)
    assert ("VM-1-a2", 1) == (third.alarm_id, third.times)


def test_each_subject_has_its_own_within_a_bound() -> None:
    """What is beyond it shares one, so that a machine makes only so many rows in an hour, whatever
    it names.
    """
    state, rows = a_machine(), set()
    for number in [*range(100), *range(100)]:
        state, alarm = rung(state, subject=f"A{number}")
        rows.add(alarm.alarm_id)
        assert (f"A{number}" if number < alarms.SUBJECTS_MAX else "") == alarm.subject
    assert alarms.SUBJECTS_MAX + 1 == len(rows) == len(state.alarms)
    assert 200 == sum(alarm.times for alarm in state.alarms)
    state, alarm = rung(state, subject="A99", later_ms=alarms.AGAIN_AFTER_MS)
    assert "A99" == alarm.subject


def test_no_alarm_of_an_hour_is_forgotten() -> None:
    """Of all kinds at once, each in as many matters as it may have."""
    state = a_machine()
    for number in range(100):
        for kind in AlarmKind:
            named = kind not in ABOUT_THE_MACHINE
            draft = Draft(state, START_MS, Policy())
            alarms.ring(draft, kind, "again", subject=f"A{number}" if named else "")
            state = draft.decision().state
    assert ALARMS_KEPT >= len(state.alarms) == state.alarms_made


def test_a_long_detail_is_cut() -> None:
    """It may hold what a machine said."""
    draft = Draft(a_machine(), START_MS, Policy())
    alarms.ring(draft, AlarmKind.DOUBLE, "x" * 1_000)
    assert alarms.DETAIL_MAX == len(draft.state.alarms[0].detail)


def test_what_becomes_known_later_is_told_in_its_alarm() -> None:
    """It happened no more often; of one that is forgotten nothing is left but a note."""
    state, first = rung(a_machine(), subject="A1")
    draft = Draft(state, START_MS, Policy())
    alarms.tell_more(draft, AlarmKind.COLUMN_FAILS, "A1", "a coin")
    (record,) = draft.decision().records
    assert isinstance(record, Alarm)
    assert ("a coin", 1, first.alarm_id) == (record.detail, record.times, record.alarm_id)
    assert (record,) == draft.state.alarms
    draft = Draft(state, START_MS, Policy())
    alarms.tell_more(draft, AlarmKind.COLUMN_FAILS, "A9", "a coin")
    assert ((), ["COLUMN_FAILS: a coin"]) == (draft.decision().records, draft.notes)
