"""The rules of docs/firmware.md as data: each with its place there, its play and its judge.

Flows out: ``RULES``, in the order in which they are played; what waits long comes last. A rule
without a play is judged over the whole run.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from gateway.certify import judges_of_all as whole
from gateway.certify import judges_of_streams as streams
from gateway.certify import judges_of_vends as vends
from gateway.certify import plays_of_streams as stream_plays
from gateway.certify import plays_of_vends as vend_plays
from gateway.certify.desk import Desk
from gateway.certify.hands import HandAct
from gateway.certify.moments import Recording, RuleVerdict

CHOOSE = frozenset({HandAct.SELECT})
CHANGE_MIND = frozenset({HandAct.SELECT, HandAct.CANCEL})
CUT = frozenset({HandAct.POWER_CUT})
CHOOSE_AND_CUT = CHOOSE | CUT

IDENTITY = "1-identity"
STREAM = "2-the-stream"
TOKEN = "who-you-are"  # noqa: S105  a place in a document
NUMBERS = "3-numbers-and-acknowledgements"
SELLING = "4-selling"
JOURNAL = "5-the-journal"
DISPENSING = "6-dispensing"
CONNECTED = "7-staying-connected"
COMMANDS = "commands"
AFTER_A_CUT = "after-a-cut"


@dataclass(frozen=True, slots=True)
class Rule:
    """``name`` is for ``--only`` and for programs, ``says`` what the machine does, ``anchor`` the
    heading of docs/firmware.md, ``needs`` what hands must be able to do. ``shows`` is played for a
    rule without a play of its own if nothing that was played before showed it.
    """

    name: str
    says: str
    anchor: str
    judge: Callable[[Recording], RuleVerdict]
    play: Callable[[Desk], Awaitable[None]] | None = None
    needs: frozenset[HandAct] = frozenset()
    shows: Callable[[Desk], Awaitable[None]] = stream_plays.at_rest


RULES: tuple[Rule, ...] = (
    Rule(
        "pay-first",
        "With funds in the machine a choice is asked for, vended and told once.",
        SELLING,
        vends.pay_first,
        vend_plays.pay_first,
        CHOOSE,
    ),
    Rule(
        "purchase-first",
        "After ShowQr the machine waits for the money, and vends when it is approved.",
        SELLING,
        vends.purchase_first,
        vend_plays.purchase_first,
        CHOOSE,
    ),
    Rule(
        "price-change",
        "After PRICE_STALE and a PlanogramUpdate the next choice is at the new price.",
        SELLING,
        vends.price_changes,
        vend_plays.price_changes,
        CHOOSE,
    ),
    Rule(
        "strange-code",
        "ShowQr for a request that the machine does not wait for is answered by VendCancel.",
        SELLING,
        vends.strange_code,
        vend_plays.strange_code,
    ),
    Rule(
        "out-of-service",
        "Put out of service, the machine ends the running vend and takes no choice.",
        SELLING,
        vends.out_of_service,
        vend_plays.out_of_service,
        CHOOSE,
    ),
    Rule(
        "repeated-at-once",
        "An approval that is repeated while the motor turns is ignored.",
        DISPENSING,
        vends.approved_twice_at_once,
        vend_plays.approved_twice_at_once,
        CHOOSE,
    ),
    Rule(
        "repeated-after-result",
        "An approval that is repeated after its result is answered by the same result; the motor "
        "is still.",
        DISPENSING,
        vends.approved_again,
        vend_plays.approved_again,
        CHOOSE,
    ),
    Rule(
        "known-id-other-request",
        "A known vend_id for another request is VendFailure(NOT_WAITING); the motor is still.",
        DISPENSING,
        vends.id_given_twice,
        vend_plays.id_given_twice,
        CHOOSE,
    ),
    Rule(
        "late-after-cancel",
        "An approval after VendCancel is VendFailure(NOT_WAITING).",
        DISPENSING,
        vends.late,
        vend_plays.approved_after_cancel,
        CHANGE_MIND,
    ),
    Rule(
        "late-after-denial",
        "An approval after VendDenied is VendFailure(NOT_WAITING).",
        DISPENSING,
        vends.late,
        vend_plays.approved_after_denial,
        CHOOSE,
    ),
    Rule(
        "valid-for",
        "An approval whose valid_for_ms is over before the motor starts is "
        "VendFailure(NOT_WAITING).",
        DISPENSING,
        vends.late,
        vend_plays.approved_too_late,
        CHOOSE,
    ),
    Rule(
        "revoked-session",
        "A vend whose session ends while the motor turns is told all the same, once.",
        DISPENSING,
        vends.session_ends_in_vend,
        vend_plays.session_ends_in_vend,
        CHOOSE,
    ),
    Rule(
        "newer-backend",
        "Payloads and reasons of a newer backend are acknowledged and survived.",
        NUMBERS,
        vends.newer_backend,
        vend_plays.newer_backend,
        CHOOSE,
    ),
    Rule(
        "wrong-clock",
        "Whatever the backend's clock says, all times of a vend are monotonic spans.",
        IDENTITY,
        vends.ordinary,
        vend_plays.wrong_clock,
        CHOOSE,
    ),
    Rule(
        "slow-network",
        "A vend goes on when each frame is seconds on its way.",
        CONNECTED,
        vends.slow_network,
        vend_plays.slow_network,
        CHOOSE,
    ),
    Rule(
        "cut-in-vend",
        "When the stream is cut in a vend, Hello's tail has it, and its result is told.",
        JOURNAL,
        vends.cut_in_vend,
        vend_plays.cut_in_vend,
        CHOOSE,
    ),
    Rule(
        "acknowledge-by-itself",
        "After 16 handled frames the machine acknowledges, with a Heartbeat if need be.",
        NUMBERS,
        streams.many_frames,
        stream_plays.many_frames,
    ),
    Rule(
        "resend",
        "What was not acknowledged comes again after a cut: same numbers, same content, in order.",
        NUMBERS,
        streams.cut_unacknowledged,
        stream_plays.cut_unacknowledged,
        CHANGE_MIND,
    ),
    Rule(
        "not-again",
        "What Welcome.last_seq covers does not come again.",
        STREAM,
        streams.cut_unheard,
        stream_plays.cut_unheard,
        CHANGE_MIND,
    ),
    Rule(
        "lower-last-seq",
        "When last_seq is lower than what was acknowledged the firmware restarts in a new boot.",
        AFTER_A_CUT,
        streams.last_seq_goes_back,
        stream_plays.last_seq_goes_back,
        CHOOSE,
    ),
    Rule(
        "result-told-twice",
        "A result whose acknowledgement was lost is not told under another number.",
        AFTER_A_CUT,
        vends.result_twice,
        stream_plays.result_twice,
        CHOOSE,
    ),
    Rule(
        "gap",
        "After OUT_OF_ORDER all frames from expected_seq on come again, in order, once.",
        NUMBERS,
        streams.gap,
        stream_plays.gap,
        CHANGE_MIND,
    ),
    Rule(
        "refused-frame",
        "A refused frame does not come again, and the customer can choose again.",
        NUMBERS,
        streams.refused,
        stream_plays.refused,
        CHOOSE,
    ),
    Rule(
        "every-complaint",
        "A ProtocolError of each code, and of one to come, is survived.",
        NUMBERS,
        streams.every_complaint,
        stream_plays.every_complaint,
    ),
    Rule(
        "number-reused",
        "After SEQ_REUSED the firmware restarts under a new boot_id.",
        NUMBERS,
        streams.restarted,
        stream_plays.number_reused,
    ),
    Rule(
        "boot-reused",
        "A Welcome with numbers that were never given restarts the firmware under a new boot_id.",
        STREAM,
        streams.restarted,
        stream_plays.boot_reused,
    ),
    Rule(
        "heartbeat",
        "A Heartbeat is sent whenever heartbeat_interval_ms went by without another frame.",
        CONNECTED,
        streams.quiet,
        stream_plays.quiet,
    ),
    Rule(
        "dead-connection",
        "When nothing is heard for three intervals the machine hangs up and comes back.",
        CONNECTED,
        streams.dead,
        stream_plays.dead,
    ),
    Rule(
        "move",
        "After MoveRequest the second stream comes in time; the first is closed once that is "
        "welcome.",
        CONNECTED,
        streams.move,
        stream_plays.move,
    ),
    Rule(
        "move-in-vend",
        "The machine does not move while a request is open.",
        CONNECTED,
        streams.move_in_vend,
        stream_plays.move_in_vend,
        CHOOSE,
    ),
    Rule(
        "move-fails",
        "When the second stream fails the first is kept, and the move is tried again.",
        CONNECTED,
        streams.move_fails,
        stream_plays.move_fails,
    ),
    Rule(
        "command-again",
        "A command that comes again is answered again; one of an unknown kind is not answered.",
        COMMANDS,
        streams.commands,
        stream_plays.commands,
    ),
    Rule(
        "reboot-once",
        "A reboot that is ordered twice restarts once; the boot that follows says APPLIED.",
        COMMANDS,
        streams.reboot,
        stream_plays.reboot,
    ),
    Rule(
        "new-boot",
        "After a power cut boot_id is new and numbers begin at 1.",
        IDENTITY,
        streams.boots,
        stream_plays.boots,
        CUT,
    ),
    Rule(
        "resume-token",
        "Hello returns the token of the last Welcome, also after a power cut right behind it.",
        TOKEN,
        streams.tokens,
        stream_plays.tokens,
        CUT,
    ),
    Rule(
        "journal-result",
        "A result that was not acknowledged is in the tail after a power cut, until Welcome came.",
        JOURNAL,
        vends.power_cut_with_result,
        vend_plays.power_cut_with_result,
        CHOOSE_AND_CUT,
    ),
    Rule(
        "journal-motor-on",
        "Power cut with the motor on: the tail has the vend; a repeated approval moves nothing.",
        JOURNAL,
        vends.power_cut_with_motor_on,
        vend_plays.power_cut_with_motor_on,
        CHOOSE_AND_CUT,
    ),
    Rule(
        "approval-of-earlier-boot",
        "An approval for a request of an earlier boot is VendFailure(NOT_WAITING).",
        DISPENSING,
        vends.late,
        vend_plays.power_cut_before_approval,
        CHOOSE_AND_CUT,
    ),
    Rule(
        "journal-lost",
        "An erased journal is said in every Hello until a Welcome came, over power cuts.",
        AFTER_A_CUT,
        vends.flash_erased,
        vend_plays.flash_erased,
        CUT | {HandAct.ERASE},
    ),
    Rule(
        "back-off",
        "While the gateway is away waits are drawn from 0 to a range that doubles up to max_ms.",
        CONNECTED,
        streams.away,
        stream_plays.away,
    ),
    Rule(
        "retry-info",
        "The delay of RetryInfo is added to the wait.",
        CONNECTED,
        streams.told_when,
        stream_plays.told_when,
    ),
    Rule(
        "taken-over",
        "After ABORTED the machine waits half to all of max_ms.",
        CONNECTED,
        streams.taken_over,
        stream_plays.taken_over,
    ),
    Rule(
        "boot-superseded",
        "After BOOT_SUPERSEDED another boot comes back.",
        TOKEN,
        streams.boot_superseded,
        stream_plays.boot_superseded,
    ),
    Rule(
        "pings",
        "HTTP/2 pings come 10 s apart or more.",
        CONNECTED,
        streams.idle,
        stream_plays.idle,
    ),
    Rule(
        "slow-welcome",
        "The machine waits for Welcome when thousands come at once.",
        CONNECTED,
        streams.slow_welcome,
        stream_plays.slow_welcome,
    ),
    Rule(
        "response-time",
        "A request that nobody answers is given up after response_time_ms, and not before.",
        SELLING,
        vends.never_answered,
        vend_plays.never_answered,
        CHOOSE,
    ),
    Rule(
        "window",
        "Of 40 sales for coins at most 32 wait for an acknowledgement, and all are told.",
        NUMBERS,
        streams.many_sales,
        stream_plays.many_sales,
        frozenset({HandAct.CASH}),
    ),
    Rule(
        "unknown-machine",
        "After NOT_FOUND the machine waits half to all of a minute.",
        CONNECTED,
        streams.unknown_machine,
        stream_plays.unknown_machine,
    ),
    Rule("hello", "Each stream begins with Hello, then waits for Welcome.", STREAM, whole.hellos),
    Rule(
        "reader",
        "The first numbered frame of a boot is ReaderEnable or ReaderDisable.",
        STREAM,
        whole.readers,
    ),
    Rule(
        "numbers",
        "Frames count 1, 2, 3 from each boot, and a number means one frame.",
        NUMBERS,
        whole.numbers,
    ),
    Rule(
        "acknowledgements",
        "What the machine acknowledges was said on that stream.",
        NUMBERS,
        whole.acknowledgements,
    ),
    Rule(
        "bounds",
        "Each text, list, id and number keeps its bound.",
        "code-in-your-language",
        whole.fields,
    ),
    Rule(
        "rate",
        "No more than 50 frames a second are sent over time, and no more than 200 at once.",
        NUMBERS,
        whole.rates,
    ),
    Rule(
        "evidence",
        "No result is denied by its own sensors.",
        DISPENSING,
        whole.evidence,
        needs=CHOOSE,
        shows=vend_plays.pay_first,
    ),
    Rule(
        "request-ids",
        "A request_id is never used again.",
        SELLING,
        whole.requests,
        needs=CHOOSE,
        shows=vend_plays.two_choices,
    ),
)


def chosen_rules(names: Iterable[str]) -> tuple[Rule, ...]:
    """Return the rules of these names, all without names. Raises ValueError, which names them all,
    for a name that is none.
    """
    wanted = list(names)
    known = [rule.name for rule in RULES]
    if unknown := [name for name in wanted if name not in known]:
        raise ValueError(f"there is no rule {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(rule for rule in RULES if not wanted or rule.name in wanted)
