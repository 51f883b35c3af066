"""Alarms: what a person must look at although no money waits for it. Each has a row of its own.

Bounded: one for each kind and subject in an hour; what happens again meanwhile is counted.
"""

from actors.machine.draft import Draft
from actors.machine.state import ALARMS_KEPT, Alarm, AlarmKind
from actors.machine.values import replace

AGAIN_AFTER_MS = 3_600_000
"""What happens again within this time is the same alarm."""
DETAIL_MAX = 300


def ring(draft: Draft, kind: AlarmKind, detail: str, *, subject: str = "") -> None:
    """Let a person know, and write it down."""
    detail = detail[:DETAIL_MAX]
    draft.note(f"{kind}: {detail}")
    known = next(
        (
            alarm
            for alarm in draft.state.alarms
            if (alarm.kind, alarm.subject) == (kind, subject)
            and abs(draft.now_ms - alarm.since_at_ms) < AGAIN_AFTER_MS
        ),
        None,
    )
    if known is None:
        number = draft.state.alarms_made + 1
        draft.update(alarms_made=number)
        known = Alarm(
            alarm_id=f"{draft.state.machine_id}-a{number}",
            kind=kind,
            subject=subject,
            detail=detail,
            times=0,
            since_at_ms=draft.now_ms,
            last_at_ms=draft.now_ms,
        )
    alarm = replace(known, detail=detail, times=known.times + 1, last_at_ms=draft.now_ms)
    others = tuple(one for one in draft.state.alarms if one.alarm_id != alarm.alarm_id)
    draft.update(alarms=(*others, alarm)[-ALARMS_KEPT:])
    draft.record_alarm(alarm)
