"""The judges of single vends. Pure: what was seen in, a verdict out.

Each has the name of its play in ``plays_of_vends``. Where only the tester can tell (how often a
motor turned), a verdict without a count is "not tried".
"""

from gateway.certify.moments import (
    MachineMoment,
    MomentKind,
    NotSeen,
    Recording,
    RuleOutcome,
    RuleVerdict,
    broken,
    first,
    kept,
    last,
    name_of,
    refused_waiting,
    same_words,
    untried,
)
from gateway.certify.times import EARLY_MS, SLACK_MS
from gateway.v1 import machine_pb2 as pb

STAGES = frozenset(pb.JournalStage.values()) - {pb.JOURNAL_STAGE_UNSPECIFIED}


def _vend(seen: Recording) -> tuple[MachineMoment, str]:
    """Return the last approval and its vend_id. Raises NotSeen."""
    approved = last(seen.said("vend_approved"))
    return approved, approved.said_by_us.vend_approved.vend_id


def pay_first(seen: Recording) -> RuleVerdict:
    """The request says what is on the screen, and the vend has one result."""
    return _request_matches(seen) or _one_result(seen)


def purchase_first(seen: Recording) -> RuleVerdict:
    """The machine waits for the money, and then vends."""
    request = first(seen.heard("vend_request"))
    cancels = seen.cancels(request.said_by_machine.vend_request.request_id)
    if cancels:
        return broken("the machine gave the request up while there was time to pay", *cancels)
    return _request_matches(seen) or _one_result(seen)


def _request_matches(seen: Recording) -> RuleVerdict | None:
    for each in seen.heard("vend_request"):
        wish = each.said_by_machine.vend_request
        if wish.price_minor <= 0 or not wish.planogram_version or not wish.request_id:
            return broken(
                "VendRequest needs a request_id, the price on the screen and the planogram version "
                "that it is from",
                each,
            )
    return None


def _one_result(seen: Recording) -> RuleVerdict:
    approved, vend_id = _vend(seen)
    results = seen.results(vend_id)
    if not results:
        return broken(f"no result of vend {vend_id} came", approved)
    numbers = {each.said_by_machine.seq for each in results}
    if len(numbers) > 1:
        return broken(f"vend {vend_id} has more than one result", *results)
    return kept("the vend had one result", approved, *results)


def one_request(seen: Recording) -> RuleVerdict:
    """No second request came before the answer."""
    requests = seen.before(last(seen.said("vend_denied"))).heard("vend_request")
    wishes = {each.said_by_machine.vend_request.request_id for each in requests}
    if len(wishes) > 1:
        return broken("a second choice was sent while a request was open", *requests)
    return kept("the second choice was not sent", first(requests))


def price_changes(seen: Recording) -> RuleVerdict:
    """The next choice is at the new price."""
    update = last(seen.said("planogram_update"))
    told = update.said_by_us.planogram_update
    requests = seen.after(update).heard("vend_request")
    if not requests:
        return broken("nobody could choose after PRICE_STALE and the new planogram", update)
    again = requests[-1]
    wish = again.said_by_machine.vend_request
    wanted = (told.columns[0].price_minor, told.planogram_version)
    if (wish.price_minor, wish.planogram_version) != wanted:
        return broken(
            f"the next choice was at {wish.price_minor} of planogram {wish.planogram_version}, "
            f"not at {wanted[0]} of {wanted[1]}",
            again,
        )
    return kept("the next choice was at the new price, from the new planogram", again)


def approved_twice_at_once(seen: Recording) -> RuleVerdict:
    """The motor turns once."""
    told = _one_result(seen)
    return told if told.outcome is RuleOutcome.FAIL else _still(seen, turns=1) or told


def approved_again(seen: Recording) -> RuleVerdict:
    """The motor is still, and the result is told again."""
    approved, vend_id = _vend(seen)
    before, again = seen.before(approved).results(vend_id), seen.after(approved).results(vend_id)
    if not again:
        return broken("the result was acknowledged, and it was not told again", approved)
    if _ending(last(before)) != _ending(again[0]):
        return broken("the repeated approval has another result", before[-1], again[0])
    return _still(seen, turns=0) or kept("the result was told again", again[0])


def approved_in_the_next_boot(seen: Recording) -> RuleVerdict:
    """The same; what the sensors saw need not be remembered over a power cut."""
    approved, vend_id = _vend(seen)
    before, again = seen.before(approved).results(vend_id), seen.after(approved).results(vend_id)
    if not again:
        return broken("a vend of an earlier boot was approved again, and has no answer", approved)
    if last(before).payload != again[0].payload:
        return broken("the next boot tells another result of the vend", before[-1], again[0])
    return _still(seen, turns=0) or kept("the next boot told the result", before[-1], again[0])


def _ending(moment: MachineMoment) -> tuple[str, int, bytes]:
    frame = moment.said_by_machine
    succeeded = frame.HasField("vend_success")
    told = frame.vend_success.evidence if succeeded else frame.vend_failure.evidence
    return moment.payload, frame.vend_failure.cause, told.SerializeToString(deterministic=True)


def _still(seen: Recording, *, turns: int) -> RuleVerdict | None:
    """The motors turned so often between the two counts. None: they did."""
    turned = seen.turned()
    counts = seen.of(MomentKind.COUNTED)
    if turned is None:
        return untried("nobody counted the turns of the motors", *counts)
    if turned != turns:
        return broken(f"motors turned {turned} times, not {turns}", *counts)
    return None


def id_given_twice(seen: Recording) -> RuleVerdict:
    """VendFailure(NOT_WAITING) for the new request, and the motor is still."""
    return (
        _not_waiting(seen)
        or _still(seen, turns=0)
        or kept("the known vend_id was refused for another request", *_told(seen))
    )


def late(seen: Recording) -> RuleVerdict:
    """VendFailure(NOT_WAITING), whatever made the approval late; and the motor is still, if
    somebody counts.
    """
    if seen.turned():
        return broken(
            f"the approval was late, and motors turned {seen.turned()} times",
            *seen.of(MomentKind.COUNTED),
            *_told(seen),
        )
    return _not_waiting(seen) or kept("the late approval was answered, not obeyed", *_told(seen))


def _told(seen: Recording) -> list[MachineMoment]:
    approved, vend_id = _vend(seen)
    return seen.after(approved).results(vend_id)[:1]


def _not_waiting(seen: Recording) -> RuleVerdict | None:
    approved, _ = _vend(seen)
    answers = _told(seen)
    if not answers:
        return broken("the approval has no answer; VendFailure(NOT_WAITING) is due", approved)
    if not refused_waiting(answers[0]):
        return broken(
            "the answer is not VendFailure(NOT_WAITING) with motor NOT_RUN", approved, answers[0]
        )
    return None


def never_answered(seen: Recording) -> RuleVerdict:
    """VendCancel after the declared time, and not before; and once more as long behind it the next
    choice, whether or not anybody answered.
    """
    request = first(seen.heard("vend_request"))
    hello = seen.present_hello()
    cancels = seen.cancels(request.said_by_machine.vend_request.request_id)
    if not cancels:
        return broken("the request was never given up by VendCancel", request)
    waited_ms = cancels[0].at_ms - request.at_ms
    declared_ms = hello.said_by_machine.hello.capabilities.response_time_ms
    if waited_ms < declared_ms - EARLY_MS:
        return broken(
            f"the request was given up after {waited_ms} ms; Hello declares {declared_ms}",
            request,
            cancels[0],
        )
    again = seen.after(cancels[0]).heard("vend_request")
    if not again:
        return broken(
            f"nobody could choose again {declared_ms} ms after the request was given up", cancels[0]
        )
    return kept(f"the request was given up after {waited_ms} ms", request, cancels[0], again[0])


def strange_code(seen: Recording) -> RuleVerdict:
    """VendCancel with that id, whether the machine knew the request once or never."""
    first(codes := seen.said("show_qr"))
    asked = {each.said_by_machine.vend_request.request_id for each in seen.heard("vend_request")}
    cancels: list[MachineMoment] = []
    for shown in codes:
        request_id = shown.said_by_us.show_qr.request_id
        if not (told := seen.after(shown).cancels(request_id)):
            what = "that was denied" if request_id in asked else "that nobody waits for"
            return broken(f"a code for a request {what} needs VendCancel", shown)
        cancels.append(told[0])
    return kept("the request was cancelled, so that the machine is free", *codes, *cancels)


def session_ends_in_vend(seen: Recording) -> RuleVerdict:
    """The result is told all the same, once."""
    return _one_result(seen)


def out_of_service(seen: Recording) -> RuleVerdict:
    """The running vend ends, and no choice follows."""
    updates = seen.said("service_update")
    closed = first([each for each in updates if not each.said_by_us.service_update.in_service])
    asked = seen.after(closed).heard("vend_request")
    if asked:
        return broken("a choice was sent while the machine was out of service", closed, *asked)
    return _one_result(seen)


def newer_backend(seen: Recording) -> RuleVerdict:
    """Both are survived, and acknowledged."""
    lost = seen.of(MomentKind.CLOSED)
    if lost:
        return broken("the machine hung up over something that it does not know", *lost)
    unknown = next(
        (each for each in seen.said() if not each.payload and each.said_by_us.ByteSize() > 6), None
    )
    requests = seen.heard("vend_request")
    if len(requests) < 2:
        return broken("after a denial for an unknown reason nobody could choose again", *requests)
    if unknown is not None and requests[0].said_by_machine.ack < unknown.said_by_us.seq:
        return broken("a payload of later was not acknowledged", unknown, requests[0])
    return _one_result(seen)


def ordinary(seen: Recording) -> RuleVerdict:
    """The vend has one result, whatever was strange around it."""
    _, vend_id = _vend(seen)
    if any(refused_waiting(each) for each in seen.results(vend_id)):
        return broken("an approval in time was refused as late", *seen.results(vend_id))
    return _one_result(seen)


def slow_network(seen: Recording) -> RuleVerdict:
    """The vend has one result on the same stream."""
    lost = seen.of(MomentKind.CLOSED)
    if lost:
        return broken("the machine hung up although frames kept coming, two seconds late", *lost)
    return ordinary(seen)


def cut_in_vend(seen: Recording) -> RuleVerdict:
    """The same boot says in its tail that the vend is under way, and tells the result."""
    approved, vend_id = _vend(seen)
    hellos = seen.after(approved).hellos()
    if not hellos:
        return untried("the machine did not come back", approved)
    told = any(vend_id == entry.vend_id for entry in hellos[0].said_by_machine.hello.journal_tail)
    turned = seen.turned()
    if not told and not turned and not seen.results(vend_id):
        return untried(
            "the approval was lost with the stream, as far as anybody can tell", approved
        )
    if not told and not seen.before(hellos[0]).results(vend_id):
        return broken("the vend under way is not in the journal tail of Hello", hellos[0])
    if turned is not None and turned != 1:
        return broken(f"motors turned {turned} times, not once", *seen.of(MomentKind.COUNTED))
    return ordinary(seen)


def oldest_first(seen: Recording) -> RuleVerdict:
    """In each Hello behind the second vend; that both are there is another rule's."""
    order = [each.said_by_us.vend_approved.vend_id for each in seen.said("vend_approved")]
    hellos = seen.after(last(seen.said("vend_approved"))).hellos()
    tails = [
        [entry.vend_id for entry in each.said_by_machine.hello.journal_tail] for each in hellos
    ]
    for hello, tail in zip(hellos, tails, strict=True):
        told = [vend_id for vend_id in tail if vend_id in order]
        if told != sorted(told, key=order.index):
            return broken("the journal tail does not name the oldest vend first", hello)
    if not any(set(order) <= set(tail) for tail in tails):
        return untried("no Hello told of both vends", *hellos)
    return kept("the tail named the oldest vend first", *hellos)


def _same_boot_behind(seen: Recording, end: MachineMoment) -> MachineMoment:
    """Return the Hello behind the cut, of the boot before it. Raises NotSeen."""
    hello, before = first(seen.after(end).hellos()), seen.before(end).present_hello()
    if hello.said_by_machine.hello.boot_id != before.said_by_machine.hello.boot_id:
        raise NotSeen
    return hello


def settled(seen: Recording) -> RuleVerdict:
    """The vend has left the tail."""
    _, vend_id = _vend(seen)
    result = last(seen.results(vend_id))
    end = last(seen.after(result).of(MomentKind.ENDED))
    hello = _same_boot_behind(seen, end)
    if _entry(hello, vend_id) is not None:
        return broken("the result was acknowledged, and the vend is in the tail still", hello)
    return kept("the vend has left the tail", result, hello)


def last_acked(seen: Recording) -> RuleVerdict:
    """No number that was never acknowledged, and none of long ago."""
    end = last(seen.of(MomentKind.ENDED))
    hello = _same_boot_behind(seen, end)
    acks = [each for each in seen.before(end).on(end.stream).said() if each.said_by_us.ack]
    most = last(acks).said_by_us.ack
    sure = [each.said_by_us.ack for each in acks if each.at_ms <= end.at_ms - SLACK_MS]
    told = hello.said_by_machine.hello.last_acked_seq
    if not max(sure, default=0) <= told <= most:
        return broken(f"last_acked_seq is {told}; {most} was acknowledged", acks[-1], hello)
    return kept(f"last_acked_seq is {told}", acks[-1], hello)


def welcome_again(seen: Recording) -> RuleVerdict:
    """What is above its last_seq comes again, on the same stream; ``resend`` looks at all of it."""
    again = last(seen.said("welcome"))
    lost = seen.of(MomentKind.CLOSED)
    if lost:
        return broken("the machine hung up over a second Welcome", again, *lost)
    unsaved = [each for each in seen.before(again).heard() if each.said_by_machine.seq][-2:]
    after = seen.after(again).heard()
    sent = [new for new in after if any(same_words(old, new) for old in unsaved)]
    if not sent:
        return broken("what last_seq does not cover was not sent again", *unsaved, again)
    return kept("what last_seq does not cover came again", again, *sent)


def power_cut_with_result(seen: Recording) -> RuleVerdict:
    """The tail says what was told before; once welcome it is settled."""
    _, vend_id = _vend(seen)
    told = first(seen.results(vend_id))
    hellos = seen.after(told).hellos()
    entries = [_entry(each, vend_id) for each in hellos]
    if not entries or entries[0] is None:
        return broken("the journal tail after the power cut does not name the vend", *hellos[:1])
    stage = (
        pb.JOURNAL_STAGE_SUCCEEDED if told.payload == "vend_success" else pb.JOURNAL_STAGE_FAILED
    )
    if entries[0].stage != stage:
        return broken(
            f"the tail says {name_of(pb.JournalStage, entries[0].stage)}, the result said "
            f"{name_of(pb.JournalStage, stage)}",
            told,
            hellos[0],
        )
    if len(entries) > 1 and entries[-1] is not None:
        return broken("the vend is in the tail still, after a Welcome settled it", hellos[-1])
    return kept("the journal told the result, until Welcome settled it", told, *hellos)


def _entry(hello: MachineMoment, vend_id: str) -> pb.JournalEntry | None:
    tail = hello.said_by_machine.hello.journal_tail
    return next((entry for entry in tail if entry.vend_id == vend_id), None)


def power_cut_with_motor_on(seen: Recording) -> RuleVerdict:
    """What the tail says and what the repeated approval brings agree, and the motor is still."""
    repeat, vend_id = _vend(seen)
    hello = last(seen.before(repeat).hellos())
    entry = _entry(hello, vend_id)
    if entry is None:
        return broken("the approved vend is not in the journal tail after the power cut", hello)
    answers = seen.after(repeat).results(vend_id)
    turned = seen.turned()
    if turned:
        return broken("a known vend turned the motor again after the boot", repeat, *answers)
    wrong = _contradicts(entry, answers)
    if wrong:
        return broken(wrong, hello, repeat, *answers)
    if turned is None:
        return untried("nobody counted the turns of the motors", *seen.of(MomentKind.COUNTED))
    stage = name_of(pb.JournalStage, entry.stage)
    return kept(f"the tail says {stage}, and the repeated approval moved nothing", hello, repeat)


def _contradicts(entry: pb.JournalEntry, answers: list[MachineMoment]) -> str:
    """Return in which way answers to a repeated approval contradict the tail; empty: they do
    not.
    """
    if entry.stage not in STAGES:
        return f"the tail says stage {entry.stage}, which is none: a person would have to decide"
    if entry.stage == pb.JOURNAL_STAGE_MOTOR_ON and answers:
        return "the tail says MOTOR_ON: nobody knows, and yet a result was told"
    succeeded = any(each.payload == "vend_success" for each in answers)
    if succeeded and entry.stage != pb.JOURNAL_STAGE_SUCCEEDED:
        return "success was told of a vend that the tail does not say succeeded"
    if not answers and entry.stage == pb.JOURNAL_STAGE_ACCEPTED:
        return "the tail says ACCEPTED: the repeated approval needs VendFailure(NOT_STARTED)"
    return ""


def flash_erased(seen: Recording) -> RuleVerdict:
    """``journal_lost`` is said in each Hello until a Welcome came, and not after it."""
    began = first(seen.of(MomentKind.HAND))
    welcomed = first(seen.after(began).said("welcome"))
    before = seen.after(began).before(welcomed).hellos()
    for each in before:
        if not each.said_by_machine.hello.journal_lost:
            return broken("no Welcome had come, and Hello does not say journal_lost", each)
    after = seen.after(welcomed).hellos()
    if after and after[-1].said_by_machine.hello.journal_lost:
        return broken("Welcome came, and Hello says journal_lost still", after[-1])
    return kept("journal_lost was said until Welcome came", *before, *after[-1:])


def result_twice(seen: Recording) -> RuleVerdict:
    """What Welcome says is saved is not told again, and the session goes on."""
    _, vend_id = _vend(seen)
    results = seen.results(vend_id)
    if len(results) < 2 or all(same_words(results[0], each) for each in results):
        return kept("the result was told under one number", *results)
    return broken("the result was told under two numbers", *results)
