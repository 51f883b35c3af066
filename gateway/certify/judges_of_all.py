"""The judges of the whole run: what holds in each frame, whatever is played. Pure."""

from gateway.certify.moments import (
    MachineMoment,
    MomentKind,
    Recording,
    RuleVerdict,
    broken,
    kept,
    same_words,
    untried,
)
from gateway.machines.translate import UNNUMBERED, BadFrame, from_wire
from gateway.v1 import machine_pb2 as pb

RESPONSE_LEAST_MS = 30_000
EACH_SECOND, AT_ONCE = 50, 200
"""So many frames a gateway takes over time, and at once."""


def hellos(seen: Recording) -> RuleVerdict:
    """Each stream begins with a Hello of seq 0, and nothing else comes before Welcome."""
    welcomed: set[int] = set()
    begun: set[int] = set()
    for each in seen.of(MomentKind.HEARD, MomentKind.SAID):
        if each.kind is MomentKind.SAID:
            welcomed |= {each.stream} if each.payload == "welcome" else set()
        elif each.stream not in begun:
            begun.add(each.stream)
            if each.payload != "hello" or each.said_by_machine.seq:
                return broken("the first frame of a stream is Hello, with seq 0", each)
            declared_ms = each.said_by_machine.hello.capabilities.response_time_ms
            if declared_ms < RESPONSE_LEAST_MS:
                return broken(
                    f"response_time_ms is {declared_ms}; it is at least {RESPONSE_LEAST_MS}, five "
                    "seconds above the payment wait",
                    each,
                )
        elif each.payload == "hello":
            return broken("Hello is the first frame only", each)
        elif each.stream not in welcomed:
            return broken("nothing is sent between Hello and Welcome", each)
    if not begun:
        return untried("no stream was opened")
    return kept(f"{len(begun)} streams began with Hello")


def _boots(seen: Recording) -> dict[str, list[MachineMoment]]:
    """Return the machine's frames by boot, in the order in which they came, read or not."""
    boot_of: dict[int, str] = {}
    boots: dict[str, list[MachineMoment]] = {}
    for each in seen.of(MomentKind.HEARD, MomentKind.UNREAD):
        if each.payload == "hello":
            boot_of[each.stream] = each.said_by_machine.hello.boot_id
        boots.setdefault(boot_of.get(each.stream, ""), []).append(each)
    return boots


def boots(seen: Recording) -> RuleVerdict:
    """A boot_id that another one has followed does not come back."""
    last_of: dict[str, MachineMoment] = {}
    present = ""
    for each in seen.hellos():
        boot_id = each.said_by_machine.hello.boot_id
        if boot_id != present and boot_id in last_of:
            return broken(
                f"boot_id {boot_id} was used before: a new one is drawn at each start, also on "
                "flash that was erased",
                last_of[boot_id],
                each,
            )
        last_of[boot_id], present = each, boot_id
    if len(last_of) < 2:
        return untried("the firmware was not restarted")
    return kept(f"{len(last_of)} boots, each with an id of its own")


def readers(seen: Recording) -> RuleVerdict:
    """The first numbered frame of each boot says whether customers are welcome."""
    first: list[MachineMoment] = []
    for frames in _boots(seen).values():
        read = [each for each in frames if each.kind is MomentKind.HEARD]
        first += [each for each in read if each.said_by_machine.seq == 1][:1]
    wrong = [each for each in first if each.payload not in {"reader_enable", "reader_disable"}]
    if wrong:
        return broken("the first numbered frame of a boot is ReaderEnable or ReaderDisable", *wrong)
    if not first:
        return untried("no numbered frame came")
    return kept(f"{len(first)} boots began with it", *first)


def numbers(seen: Recording) -> RuleVerdict:
    """Numbers count 1, 2, 3 in each boot, and one number means one frame."""
    count = 0
    for frames in _boots(seen).values():
        known: dict[int, MachineMoment] = {}
        for each in frames:
            seq = each.said_by_machine.seq
            if each.kind is MomentKind.UNREAD and not seq:
                continue  # whatever it was, its number cannot be read
            if each.payload in UNNUMBERED:
                if seq:
                    return broken(f"{each.payload} has no number", each)
            elif seq in known:
                if not same_words(known[seq], each):
                    return broken(f"number {seq} was used for two frames", known[seq], each)
            elif seq != len(known) + 1:
                return broken(f"number {len(known) + 1} was left out: {seq} came", each)
            else:
                known[seq] = each
                count += 1
    if not count:
        return untried("no numbered frame came")
    return kept(f"{count} numbered frames came without a gap")


def acknowledgements(seen: Recording) -> RuleVerdict:
    """What the machine acknowledges was said on that stream, and its ack never goes down."""
    said: dict[int, int] = {}
    told: dict[int, int] = {}
    for each in seen.of(MomentKind.HEARD, MomentKind.SAID):
        if each.kind is MomentKind.SAID:
            said[each.stream] = each.said_by_us.seq
            continue
        ack = each.said_by_machine.ack
        if ack > said.get(each.stream, 0):
            return broken(f"ack {ack} was never said on this stream", each)
        if ack < told.get(each.stream, 0):
            return broken(f"ack {ack} is lower than one before on this stream", each)
        told[each.stream] = ack
    if not any(told.values()):
        return untried("nothing was acknowledged")
    return kept("each ack was of a frame that was said, and none went down")


def fields(seen: Recording) -> RuleVerdict:
    """The gateway would refuse none of the frames: texts, lists, ids and numbers are in bounds."""
    heard = seen.heard()
    if unread := seen.of(MomentKind.UNREAD):
        return broken(f"the gateway cannot read this frame: {unread[0].text}", *unread)
    for each in heard:
        read = from_wire(each.said_by_machine)
        if isinstance(read, BadFrame):
            return broken(f"the gateway would refuse this frame: {read.detail}", each)
    if not heard:
        return untried("no frame came")
    return kept(f"all {len(heard)} frames are in bounds")


def rates(seen: Recording) -> RuleVerdict:
    """No more frames than the gateway takes: some at once, and fewer over time."""
    heard = seen.heard()
    room, at_ms = float(AT_ONCE), 0
    for each in heard:
        room = min(float(AT_ONCE), room + (each.at_ms - at_ms) * EACH_SECOND / 1000) - 1
        at_ms = each.at_ms
        if room < 0:
            return broken(
                f"more than {EACH_SECOND} frames a second, or {AT_ONCE} at once: the gateway ends "
                "such a stream (RESOURCE_EXHAUSTED)",
                each,
            )
    if not heard:
        return untried("no frame came")
    return kept(f"{len(heard)} frames came, none too many at once")


def evidence(seen: Recording) -> RuleVerdict:
    """No result is denied by its own sensors."""
    results = [each for each in seen.heard() if each.result_of]
    for each in results:
        if wrong := _denied(each):
            return broken(wrong, each)
    if not results:
        return untried("no result was told")
    return kept(f"{len(results)} results agree with their sensors")


def _denied(moment: MachineMoment) -> str:
    frame = moment.said_by_machine
    if moment.payload == "vend_failure":
        seen_to_fall = frame.vend_failure.evidence.drop == pb.DROP_EVIDENCE_SEEN
        return "not delivered, and the drop sensor saw something fall" if seen_to_fall else ""
    told = frame.vend_success.evidence
    if told.drop == pb.DROP_EVIDENCE_NOT_SEEN:
        return "delivered, and the drop sensor saw nothing"
    stopped = {pb.MOTOR_EVIDENCE_NOT_RUN, pb.MOTOR_EVIDENCE_JAMMED}
    if told.motor in stopped and told.drop != pb.DROP_EVIDENCE_SEEN:
        return "delivered by a motor that did not run its cycle, and nothing was seen to fall"
    return ""


def requests(seen: Recording) -> RuleVerdict:
    """A request_id names one wish, in whatever boot; the same frame may come again in its own."""
    known: dict[str, tuple[str, MachineMoment]] = {}
    for boot_id, frames in _boots(seen).items():
        for each in frames:
            request_id = each.said_by_machine.vend_request.request_id
            if each.payload != "vend_request":
                continue
            boot_before, before = known.setdefault(request_id, (boot_id, each))
            if boot_id != boot_before or not same_words(before, each):
                return broken(f"request_id {request_id} was used for two wishes", before, each)
    if len(known) < 2:
        return untried("fewer than two choices were made")
    return kept(f"{len(known)} requests, each with an id of its own")
