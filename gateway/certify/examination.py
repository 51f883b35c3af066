"""One examination: from rule to rule, each played and judged.

Flows in: the desk, the rules. Flows out: findings, one for each rule. A play that cannot go on
makes its rule "not tried" with the reason, and the next one begins with a machine at rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.certify import desk as desks
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
from gateway.certify.rule import Rule
from gateway.certify.selling import settle
from gateway.certify.times import HEARTBEAT_MS

POWER_CUTS = {HandAct.POWER_CUT.value, HandAct.ERASE.value}
PLAYS_MAX = 3
"""So often a rule is played when the machine's stream breaks off."""
REST_LEAST_MS, REST_FACTOR = 60_000, 3
"""For so long a machine whose plays all broke off is left alone, and for so many times as long as
they lasted together.
"""
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
    for rule in rules:
        if rule.play is None and desk.missed < MISSED_MAX:
            await _shown(desk, rule, note)
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


async def _shown(desk: Desk, rule: Rule, note: Callable[[Judged], None]) -> None:
    """Play what shows a rule of all frames, unless it was shown; note it if that cannot be."""
    if _judged(rule, desk.seen_since(0)).outcome is not RuleOutcome.NOT_TRIED:
        return
    shown = await _played(desk, replace(rule, play=rule.shows))
    whole = _judged(rule, desk.seen_since(0))
    if whole.outcome is RuleOutcome.NOT_TRIED:
        why = shown.verdict.why if shown.verdict.outcome is RuleOutcome.NOT_TRIED else whole.why
        note(Judged(rule, untried(why), 0, len(desk.moments)))


async def _played(desk: Desk, rule: Rule) -> Judged:
    begins = len(desk.moments)
    lacking = [act.value for act in HandAct if act in rule.needs - desk.hands.can]
    if lacking:
        why = f"nobody is there who could do this at the machine: {', '.join(lacking)}"
        return Judged(rule, untried(why), begins, begins)
    plays = [await _played_once(desk, rule)]
    while plays[-1].verdict.outcome is not RuleOutcome.PASS and _left_in(desk, plays[-1]):
        if len(plays) == PLAYS_MAX:
            return await _judged_beside_rest(desk, plays)
        plays.append(await _played_once(desk, rule))
    return plays[-1]


def _left_in(desk: Desk, finding: Judged) -> MachineMoment | None:
    """Return where the machine left its stream in the play and came back as the boot that it was,
    or not yet: a network does that to sound machines, too. Firmware that hangs up does it again.
    No network turns motors: what was counted is not counted again. No network keeps
    a boot over a power cut either.
    """
    if any(desk.moments[at - 1].kind is MomentKind.COUNTED for at in finding.verdict.at):
        return None
    played = Recording(desk.moments[finding.begins : finding.ends])
    if desk.hands.sure and _outlived_a_power_cut(desk, played):
        return None
    for closed in played.of(MomentKind.CLOSED):
        boot_id = desk.calls[closed.stream - 1].boot_id
        back = played.after(closed).hellos()
        if not back or back[0].said_by_machine.hello.boot_id == boot_id:
            return closed
    return None


def _outlived_a_power_cut(desk: Desk, played: Recording) -> bool:
    """Return whether the machine came back from the last one, and only as boots of before."""
    cuts = [each for each in played.of(MomentKind.HAND) if each.text in POWER_CUTS]
    if not cuts:
        return False
    before = Recording(desk.moments).before(cuts[-1]).hellos()
    known = {each.said_by_machine.hello.boot_id for each in before}
    back = {each.said_by_machine.hello.boot_id for each in played.after(cuts[-1]).hellos()}
    return bool(back) and back <= known


async def _judged_beside_rest(desk: Desk, plays: Sequence[Judged]) -> Judged:
    """Return what plays came to that all broke off. Is it the machine that hangs up, or the
    network? The machine is left alone for longer than all of them lasted: if its stream breaks off
    then, too, nobody knows.
    """
    finding = plays[-1]
    often = f"the stream broke off in each of {len(plays)} plays"
    if finding.verdict.outcome is RuleOutcome.NOT_TRIED:
        why = f"{finding.verdict.why}; {often}"
        return replace(finding, verdict=replace(finding.verdict, why=why))
    cuts = [cut for play in plays if (cut := _left_in(desk, play))]
    rest = await _rested(desk, cuts, [desk.moments[play.begins].at_ms for play in plays])
    if rest is None:
        return finding
    verdict = untried(f"{often}, and {rest}: mend the network, then try again", *cuts)
    return replace(finding, verdict=verdict, ends=len(desk.moments))


async def _rested(desk: Desk, cuts: Sequence[MachineMoment], begun_ms: Sequence[int]) -> str | None:
    """Leave the machine alone for a while, and silent for as long as it was before a stream broke
    off; return what went wrong, None if nothing did.
    """
    lasted_ms = sum(cut.at_ms - began for cut, began in zip(cuts, begun_ms, strict=True))
    silent_ms = max(_silence_before(desk, cut) for cut in cuts)
    rest_ms = max(REST_LEAST_MS, REST_FACTOR * lasted_ms)
    try:
        await settle(desk)
        call = await desk.online(heartbeat_interval_ms=max(HEARTBEAT_MS, 2 * silent_ms))
        welcome_ms = desk.moments[-1].at_ms
        broke = await desk.until(lambda: call.over or None, rest_ms)
        rested_ms = desk.moments[-1].at_ms - welcome_ms
        await desk.online(heartbeat_interval_ms=HEARTBEAT_MS)
    except Unplayed as stopped:
        return f"then {stopped}"
    if broke is None:
        return None
    return f"again after {rested_ms / 1000:.0f} s in which nothing was done"


def _silence_before(desk: Desk, cut: MachineMoment) -> int:
    """Return for how long nothing was said on the stream before it broke off."""
    told = Recording(desk.moments).before(cut).on(cut.stream)
    return cut.at_ms - told[-1].at_ms


async def _played_once(desk: Desk, rule: Rule) -> Judged:
    assert rule.play is not None
    begins = len(desk.moments)
    try:
        await rule.play(desk)
    except Unplayed as stopped:
        return Judged(rule, untried(str(stopped)), begins, len(desk.moments))
    if len(desk.moments) >= desks.MOMENTS_MAX:  # no more of it could be written down
        return Judged(rule, untried("the machine floods the examiner"), begins, len(desk.moments))
    seen = Recording(desk.moments[begins:], desk.moments[:begins])
    verdict = _judged(rule, seen)
    return Judged(rule, verdict, begins, len(desk.moments))


def _judged(rule: Rule, seen: Recording) -> RuleVerdict:
    try:
        return rule.judge(seen)
    except NotSeen:
        return untried("the play did not come to the point where the rule shows itself")
