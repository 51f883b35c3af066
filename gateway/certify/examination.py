"""One examination: from rule to rule, each played and judged.

Flows in: the desk, the rules. Flows out: findings, one for each rule. A play that cannot go on
makes its rule "not tried" with the reason, and the next one begins with a machine at rest.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.certify.desk import Desk, Unplayed
from gateway.certify.hands import HandAct
from gateway.certify.moments import (
    MachineMoment,
    MomentKind,
    NotSeen,
    Recording,
    RuleOutcome,
    RuleVerdict,
    untried,
)
from gateway.certify.rules import Rule
from gateway.certify.selling import settle
from gateway.certify.times import HEARTBEAT_MS

PLAYS_MAX = 3
"""So often a rule is played when the machine's stream breaks off."""
MISSED_MAX = 3
"""A machine that did not come so often in a row is not waited for any more."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule, the verdict, and the moments of its play by number: after ``begins``, up to
    ``ends``.
    """

    rule: Rule
    verdict: RuleVerdict
    begins: int
    ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """All that is known at the end. ``machine_id`` and ``firmware`` as in its last Hello."""

    findings: tuple[Judged, ...]
    moments: tuple[MachineMoment, ...]
    machine_id: str
    firmware: str

    def count(self, outcome: RuleOutcome) -> int:
        """Return how many rules came out so."""
        return sum(finding.verdict.outcome is outcome for finding in self.findings)

    @property
    def status(self) -> int:
        """Return the exit status: 0 all passed, 1 some failed, 3 none failed and not all were
        tried.
        """
        if self.count(RuleOutcome.FAIL):
            return 1
        return 3 if self.count(RuleOutcome.NOT_TRIED) else 0


async def examine(
    desk: Desk, rules: Sequence[Rule], found: Callable[[Judged], None] = lambda _: None
) -> Examined:
    """Play all rules that have a play, then judge those that hold in each frame. ``found`` hears of
    each finding as it is made.
    """
    findings: list[Judged] = []

    def note(finding: Judged) -> None:
        findings.append(finding)
        found(finding)

    for rule in rules:
        if rule.play is not None and desk.missed < MISSED_MAX:
            note(await _played(desk, rule))
    if not any(rule.play for rule in rules):
        await _looked_at(desk)
    why = f"the machine was waited for {MISSED_MAX} times in vain"
    return conclude(desk, rules, findings, why, found)


def conclude(
    desk: Desk,
    rules: Sequence[Rule],
    played: Sequence[Judged],
    why: str,
    found: Callable[[Judged], None] = lambda _: None,
) -> Examined:
    """Return what an examination came to that ended behind these plays; the rules that were not
    played are not tried, for this reason.
    """
    findings = list(played)

    def note(finding: Judged) -> None:
        findings.append(finding)
        found(finding)

    seen = desk.seen_since(0)
    done = {finding.rule.name for finding in findings}
    for rule in rules:
        if rule.play is not None and rule.name not in done:
            note(Judged(rule, untried(why), len(seen), len(seen)))
    for rule in rules:
        if rule.play is None and rule.name not in done:
            note(Judged(rule, _judged(rule, seen), 0, len(seen)))
    hellos = desk.seen_since(0).hellos()
    hello = hellos[-1].said_by_machine.hello if hellos else None
    return Examined(
        findings=tuple(findings),
        moments=tuple(desk.moments),
        machine_id=hello.machine_id if hello else "",
        firmware=hello.firmware if hello else "",
    )


async def _looked_at(desk: Desk) -> None:
    """Let the machine come and do what it does by itself."""
    with contextlib.suppress(Unplayed):
        await settle(desk)
        await desk.wait(2 * HEARTBEAT_MS)


async def _played(desk: Desk, rule: Rule) -> Judged:
    begins = len(desk.moments)
    lacking = [act.value for act in HandAct if act in rule.needs - desk.hands.can]
    if lacking:
        why = f"nobody is there who could do this at the machine: {', '.join(lacking)}"
        return Judged(rule, untried(why), begins, begins)
    finding = await _played_once(desk, rule)
    for _ in range(PLAYS_MAX - 1):
        if finding.verdict.outcome is RuleOutcome.PASS or not _broke_off(desk, finding):
            break
        finding = await _played_once(desk, rule)
    return finding


def _broke_off(desk: Desk, finding: Judged) -> bool:
    """Return whether the machine left its stream in the play and came back as the boot that it was,
    or not yet: a network does that to sound machines, too. Firmware that hangs up does it again.
    No network turns motors: what was counted is not counted again.
    """
    played = Recording(desk.moments[finding.begins : finding.ends])
    closed = played.of(MomentKind.CLOSED)
    if not closed:
        return False
    if any(desk.moments[at - 1].kind is MomentKind.COUNTED for at in finding.verdict.at):
        return False
    left = closed[0].number
    before, behind = Recording(desk.moments[:left]), Recording(desk.moments[left : finding.ends])
    return _boots(behind) <= _boots(before)


def _boots(seen: Recording) -> set[str]:
    return {each.said_by_machine.hello.boot_id for each in seen.hellos()}


async def _played_once(desk: Desk, rule: Rule) -> Judged:
    assert rule.play is not None
    begins = len(desk.moments)
    try:
        await rule.play(desk)
    except Unplayed as stopped:
        return Judged(rule, untried(str(stopped)), begins, len(desk.moments))
    seen = Recording(desk.moments[begins:], desk.moments[:begins])
    verdict = _judged(rule, seen)
    return Judged(rule, verdict, begins, len(desk.moments))


def _judged(rule: Rule, seen: Recording) -> RuleVerdict:
    try:
        return rule.judge(seen)
    except NotSeen:
        return untried("the play did not come to the point where the rule shows itself")
