"""The judges of commands. Pure: what was seen in, a verdict out.

Each has the name of its play in ``plays_of_commands``. A command of a kind that the machine does
not know is not answered: of a kind that it never answered, in this play or before it, nobody knows.
"""

from gateway.certify.moments import (
    MachineMoment,
    MomentKind,
    Recording,
    RuleVerdict,
    broken,
    first,
    kept,
    last,
    name_of,
    untried,
)
from gateway.v1 import machine_pb2 as pb

APPLIED, REJECTED = pb.COMMAND_OUTCOME_APPLIED, pb.COMMAND_OUTCOME_REJECTED
NO_ORDER = "a command of an unknown kind was answered"


def told_again(seen: Recording) -> RuleVerdict:
    """Known orders are answered as often as they come; the unknown one never."""
    orders = [each for each in seen.said("command") if _kind(each)]
    unknown = first([each for each in seen.said("command") if not _kind(each)])
    if odd := seen.answers(_id(unknown)):
        return broken(NO_ORDER, unknown, *odd)
    answers = [answer for each in orders if (answer := _answer(seen, each))]
    if wrong := _unanswered(seen, orders) or _otherwise(answers, APPLIED):
        return wrong
    silent = [each for each in answers if not _tells(each, orders)]
    if silent:
        return broken("a report was APPLIED without a report", *silent)
    return _unknown(seen, orders) or kept("each was answered each time", *orders, *answers)


def _tells(answer: MachineMoment, orders: list[MachineMoment]) -> bool:
    told = answer.said_by_machine.command_result
    reports = {_id(each) for each in orders if _kind(each) == "report"}
    return told.command_id not in reports or told.HasField("report")


def locked(seen: Recording) -> RuleVerdict:
    """Locks are answered, and a lock that comes again behind its end is not obeyed again."""
    orders = seen.said("command")[:4]
    answers = [answer for each in orders if (answer := _answer(seen, each))]
    if wrong := _unanswered(seen, orders) or _otherwise(answers, APPLIED):
        return wrong
    if unknown := _unknown(seen, orders):
        return unknown
    requests = seen.after(last(orders)).heard("vend_request")
    if not requests:
        return broken(
            "nobody could choose from the column that was unlocked: the lock that came again was "
            "obeyed again",
            *orders[2:],
        )
    return kept("locked and unlocked once each", *orders, *answers, requests[0])


def column_tried(seen: Recording) -> RuleVerdict:
    """One turn, one result, no choice meanwhile; the order that comes again, at once and later,
    brings the same.
    """
    order, again = first(seen.said("command")), last(seen.said("command"))
    answer = _answer(seen.before(again), order)
    if answer is None:
        silent = broken("the test vend was not answered", order)
        return silent if seen.turned() else _unknown(seen, [order]) or silent
    told = answer.said_by_machine.command_result
    counts = seen.of(MomentKind.COUNTED)
    if told.outcome == REJECTED and not seen.turned():
        return untried(f"the machine refused the test vend: {told.detail or 'no reason'}", answer)
    chosen = seen.after(order).before(answer).heard("vend_request")
    if chosen:
        return broken("a choice was taken while the column was tried", order, *chosen, answer)
    if told.outcome != APPLIED or told.evidence.motor == pb.MOTOR_EVIDENCE_NOT_RUN:
        return broken(f"{_outcome(answer)} was said, with motor {_motor(answer)}", order, answer)
    if not told.HasField("evidence"):
        return broken("APPLIED was said without evidence", order, answer)
    repeated = _answer(seen, again)
    if repeated is None:
        return broken("the test vend that came again was not answered again", again)
    if repeated.said_by_machine.command_result != told:
        return broken("the test vend that came again has another result", answer, repeated)
    if seen.turned() is None:
        return untried("nobody counted the turns of the motors", *counts)
    if seen.turned() != 1:
        return broken(f"motors turned {seen.turned()} times, not once", *counts)
    return kept("turned once, and said so as often as it was asked", order, answer, again, repeated)


def column_tried_and_cut(seen: Recording) -> RuleVerdict:
    """At most one turn in both boots; without a turn nobody says APPLIED, after one nobody says
    REJECTED.
    """
    order = first(seen.said("command"))
    answers = seen.answers(_id(order))
    turned, counts = seen.turned(), seen.of(MomentKind.COUNTED)
    if turned is None:
        return untried("nobody counted the turns of the motors", *counts)
    if turned > 1:
        return broken(f"motors turned {turned} times, not once", order, *counts)
    if not turned and (unknown := _unknown(seen, [order])):
        return unknown
    lie = REJECTED if turned else APPLIED
    if any(each.said_by_machine.command_result.outcome == lie for each in answers):
        said = name_of(pb.CommandOutcome, lie)
        return broken(f"{said} was said, and motors turned {turned} times", *answers, *counts)
    return kept("the order that came again turned nothing again", order, *answers, *counts)


def at_a_bad_time(seen: Recording) -> RuleVerdict:
    """All are REJECTED, each time."""
    return _all_rejected(seen, seen.said("command"))


def expired(seen: Recording) -> RuleVerdict:
    """All are REJECTED."""
    late = [each for each in seen.said("command") if not each.said_by_us.command.valid_for_ms]
    return _all_rejected(seen, late)


def _all_rejected(seen: Recording, orders: list[MachineMoment]) -> RuleVerdict:
    ordered = first(orders)
    boot_id = _boot(seen.before(ordered).present_hello())
    others = [each for each in seen.after(ordered).hellos() if _boot(each) != boot_id]
    if others:
        return broken("the firmware restarted", ordered, others[0])
    answers = [answer for each in orders if (answer := _answer(seen, each))]
    return (
        _otherwise(answers, REJECTED)
        or _unanswered(seen, orders)
        or _unknown(seen, orders)
        or kept("each was REJECTED", *orders, *answers)
    )


def reboot(seen: Recording) -> RuleVerdict:
    """One new boot, which says APPLIED."""
    ordered = first(seen.said("command"))
    old = _boot(seen.before(ordered).present_hello())
    # The old boot may have lost its stream before it heard of the order.
    hellos = [each for each in seen.after(ordered).hellos() if _boot(each) != old]
    boots = list(dict.fromkeys(_boot(each) for each in hellos))
    told = seen.after(ordered).answers(_id(ordered))
    if told and not (hellos and hellos[0].number < told[0].number):
        result = told[0].said_by_machine.command_result
        if not hellos and result.outcome == REJECTED:
            return untried(f"the machine refused to restart: {result.detail or 'no reason'}", *told)
        return broken(
            f"{_outcome(told[0])} was said in the boot that was told to restart", ordered, told[0]
        )
    if not hellos and (unknown := _unknown(seen, [ordered])):
        return unknown
    if len(boots) != 1:
        return broken(f"the order restarted the firmware {len(boots)} times", ordered, *hellos)
    if not told:
        return broken("the boot that followed did not say that the order is done", hellos[0])
    return kept("restarted once, and said so in the next boot", ordered, hellos[0], told[0])


def _id(moment: MachineMoment) -> str:
    return moment.said_by_us.command.command_id


def _kind(moment: MachineMoment) -> str:
    return moment.said_by_us.command.WhichOneof("order") or ""


def _boot(moment: MachineMoment) -> str:
    return moment.said_by_machine.hello.boot_id


def _outcome(moment: MachineMoment) -> str:
    return name_of(pb.CommandOutcome, moment.said_by_machine.command_result.outcome)


def _motor(moment: MachineMoment) -> str:
    return name_of(pb.MotorEvidence, moment.said_by_machine.command_result.evidence.motor)


def _answer(seen: Recording, order: MachineMoment) -> MachineMoment | None:
    """Return the first answer behind the order; None if there is none."""
    return next(iter(seen.after(order).answers(_id(order))), None)


def _known(seen: Recording) -> set[str]:
    """Return the kinds of command that the machine has answered, in this play or before it."""
    kinds = {_id(each): _kind(each) for each in seen.all_of(MomentKind.SAID) if _id(each)}
    heard = seen.all_of(MomentKind.HEARD)
    answered = {each.said_by_machine.command_result.command_id for each in heard}
    return {kind for command_id, kind in kinds.items() if command_id in answered}


def _unknown(seen: Recording, orders: list[MachineMoment]) -> RuleVerdict | None:
    known = _known(seen)
    strange = [each for each in orders if _kind(each) not in known]
    if not strange:
        return None
    kinds = ", ".join(sorted({_kind(each) for each in strange}))
    return untried(
        f"no command of this kind was ever answered, as if the machine did not know it: {kinds}",
        *strange,
    )


def _unanswered(seen: Recording, orders: list[MachineMoment]) -> RuleVerdict | None:
    """Return what is wrong if a command of a known kind has no answer."""
    known = _known(seen)
    for each in orders:
        if _kind(each) in known and _answer(seen, each) is None:
            often = sum(_id(other) == _id(each) and other.number < each.number for other in orders)
            again = "that came again was not answered again" if often else "was not answered"
            return broken(f"a command ({_kind(each)}) {again}", each)
    return None


def _otherwise(
    answers: list[MachineMoment], outcome: pb.CommandOutcome.ValueType
) -> RuleVerdict | None:
    for each in answers:
        if each.said_by_machine.command_result.outcome != outcome:
            wanted = name_of(pb.CommandOutcome, outcome)
            return broken(f"{_outcome(each)} was said, not {wanted}", each)
    return None
