"""Alarms: what a person must look at although no money waits for it. Each has a row of its own.

Bounded: one for each kind and subject in an hour, and what happens again meanwhile is counted; of
one kind so many subjects have their own, and all others share one.
"""

from actors.machine.draft import Draft
from actors.machine.state import ALARMS_KEPT, Alarm, AlarmKind
from actors.machine.values import replace

AGAIN_AFTER_MS = 3_600_000
"""What happens again within this time is the same alarm."""
DETAIL_MAX = 300
SUBJECTS_MAX = (ALARMS_KEPT - len(AlarmKind)) // 4
"""So many of one kind in an hour, of the four kinds that have subjects; the state remembers all of
them, so that none makes a second row.
"""


def ring(draft: Draft, kind: AlarmKind, detail: str, *, subject: str = "") -> None:
    """Let a person know, and write it down."""
    detail = detail[:DETAIL_MAX]
    draft.note(f"{kind}: {detail}")
    fresh = {
        (alarm.kind, alarm.subject): alarm
        for alarm in draft.state.alarms
        if abs(draft.now_ms - alarm.since_at_ms) < AGAIN_AFTER_MS
    }
    own = sum(1 for of, about in fresh if of is kind and about)
    if (kind, subject) not in fresh and own >= SUBJECTS_MAX:
        subject = ""
    known = fresh.pop((kind, subject), None)
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
    draft.update(alarms=(*fresh.values(), alarm)[-ALARMS_KEPT:])
    draft.record_alarm(alarm)


def tell_more(draft: Draft, kind: AlarmKind, subject: str, detail: str) -> None:
    """Say in an alarm that is remembered what has become known since; it is none that happens
    again.
    """
    detail = detail[:DETAIL_MAX]
    draft.note(f"{kind}: {detail}")
    known = next(
        (one for one in draft.state.alarms if (one.kind, one.subject) == (kind, subject)), None
    )
    if known is None:
        return
    alarm = replace(known, detail=detail)
    others = (alarm if one is known else one for one in draft.state.alarms)
    draft.update(alarms=tuple(others))
    draft.record_alarm(alarm)
