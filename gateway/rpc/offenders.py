"""Who is at their bound at this gateway: machines, people and addresses that ask for more than they
are given.

Flows in: each time that somebody was held to a bound, by whom. Flows out: who they are, how often
and since when. It is kept in memory, for an hour, and of few: it is for people who look.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from actors.ports import Clock

KEPT_MS = 3_600_000
RECENT_MS = 300_000
REMEMBERED_MAX = 500
NAME_LENGTH_MAX = 200


class Principal(StrEnum):
    """To whom a bound belongs."""

    MACHINE = "MACHINE"
    PERSON = "PERSON"
    ADDRESS = "ADDRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offender:
    """One who was held to a bound. ``reason`` is the word of the refusal."""

    principal: Principal
    name: str
    reason: str
    times: int
    first_at_ms: int
    last_at_ms: int


@dataclass(slots=True, kw_only=True)
class Offenders:
    """Those of one gateway."""

    clock: Clock
    _kept: dict[tuple[Principal, str, str], Offender] = field(default_factory=dict)

    def note(self, principal: Principal, name: str, reason: str) -> None:
        """Somebody was held to a bound. Of too many, whoever was heard of least lately goes."""
        name, now_ms = name[:NAME_LENGTH_MAX], self.clock.now_ms()
        key = (principal, name, reason)
        known = self._kept.pop(key, None)
        if known is None or known.last_at_ms < now_ms - KEPT_MS:
            known = Offender(
                principal=principal,
                name=name,
                reason=reason,
                times=0,
                first_at_ms=now_ms,
                last_at_ms=now_ms,
            )
        self._kept[key] = replace(known, times=known.times + 1, last_at_ms=now_ms)
        while len(self._kept) > REMEMBERED_MAX:
            del self._kept[next(iter(self._kept))]

    def listed(self) -> list[Offender]:
        """Return those of the last hour, the newest first."""
        since_ms = self.clock.now_ms() - KEPT_MS
        return [one for one in reversed(self._kept.values()) if one.last_at_ms >= since_ms]

    def recent(self) -> Mapping[Principal, int]:
        """Return how many there are of the last five minutes, by what they are."""
        since_ms = self.clock.now_ms() - RECENT_MS
        found = Counter(one.principal for one in self._kept.values() if one.last_at_ms >= since_ms)
        return {principal: found[principal] for principal in Principal}
