"""What the examiner saw: moments, one after the other, and what a judge makes of them. Pure.

Flows in: frames, streams that come and go, what the tester was asked for; each with its time.
Flows out: verdicts that name the moments they rest on. Times are milliseconds of the examiner's
monotonic clock since it began.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

Frame = service_pb.ConnectRequest | service_pb.ConnectResponse
NOTHING_HEARD = service_pb.ConnectRequest()
NOTHING_SAID = service_pb.ConnectResponse()
"""What a moment without such a frame says; nobody changes them."""


class MomentKind(StrEnum):
    """What a moment is about."""

    OPENED = "OPENED"
    """The machine opened a stream."""
    HEARD = "HEARD"
    """A frame of the machine."""
    SAID = "SAID"
    """A frame of the examiner."""
    ENDED = "ENDED"
    """The examiner ended the stream."""
    CLOSED = "CLOSED"
    """The machine hung up."""
    HAND = "HAND"
    """The tester was asked for something."""
    COUNTED = "COUNTED"
    """Somebody counted how often motors have turned so far."""
    NAMELESS = "NAMELESS"
    """Somebody hung up who had not said Hello: nobody knows who that was."""
    TAPPED = "TAPPED"
    """A stream begins on a connection whose HTTP/2 pings can be seen."""
    PINGED = "PINGED"
    """The machine sent an HTTP/2 ping; the text is ``pings.PingWatch``'s."""
    UNREAD = "UNREAD"
    """The machine sent what the gateway cannot read; the text says why, the frame has its number.
    """
    STRANGER = "STRANGER"
    """Another machine opened a stream and was turned away; the text is its id."""


ENDS = frozenset({MomentKind.ENDED, MomentKind.CLOSED, MomentKind.NAMELESS})
"""Each stream has one of them at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMoment:
    """``number`` counts all moments of a run from 1; ``stream`` counts streams from 1, 0: none.
    ``text``: the status of an end, the tester's act, or what was counted.
    """

    number: int
    at_ms: int
    kind: MomentKind
    stream: int = 0
    frame: Frame | None = None
    text: str = ""

    @property
    def payload(self) -> str:
        """Return the name of what the frame says; empty for an acknowledgement."""
        return "" if self.frame is None else self.frame.WhichOneof("payload") or ""

    @property
    def said_by_machine(self) -> service_pb.ConnectRequest:
        """Return the machine's frame; an empty one if this is none."""
        return self.frame if isinstance(self.frame, service_pb.ConnectRequest) else NOTHING_HEARD

    @property
    def said_by_us(self) -> service_pb.ConnectResponse:
        """Return the examiner's frame; an empty one if this is none."""
        return self.frame if isinstance(self.frame, service_pb.ConnectResponse) else NOTHING_SAID

    @property
    def result_of(self) -> str:
        """Return the vend whose result the machine tells here; empty if it tells none."""
        frame = self.said_by_machine
        return frame.vend_success.vend_id or frame.vend_failure.vend_id


class RuleOutcome(StrEnum):
    """What became of a rule."""

    PASS = "PASS"  # noqa: S105  no password
    FAIL = "FAIL"
    NOT_TRIED = "NOT_TRIED"


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """``why`` is a sentence for the machine's maker; ``at`` the numbers of the moments that it
    rests on.
    """

    outcome: RuleOutcome
    why: str
    at: tuple[int, ...] = ()


class NotSeen(Exception):
    """What a judge looks for is not in the recording, so it proves nothing."""


def first(moments: Sequence[MachineMoment]) -> MachineMoment:
    """Return the first of them. Raises NotSeen."""
    if not moments:
        raise NotSeen
    return moments[0]


def last(moments: Sequence[MachineMoment]) -> MachineMoment:
    """Return the last of them. Raises NotSeen."""
    if not moments:
        raise NotSeen
    return moments[-1]


def kept(why: str, *at: MachineMoment) -> RuleVerdict:
    """The machine keeps the rule."""
    return RuleVerdict(RuleOutcome.PASS, why, tuple(moment.number for moment in at))


def broken(why: str, *at: MachineMoment) -> RuleVerdict:
    """The machine breaks the rule."""
    return RuleVerdict(RuleOutcome.FAIL, why, tuple(moment.number for moment in at))


def untried(why: str, *at: MachineMoment) -> RuleVerdict:
    """Nobody knows."""
    return RuleVerdict(RuleOutcome.NOT_TRIED, why, tuple(moment.number for moment in at))


class Recording(Sequence[MachineMoment]):
    """The moments of one play, or of the whole run. ``earlier``: what was seen before the play."""

    def __init__(
        self, moments: Sequence[MachineMoment], earlier: Sequence[MachineMoment] = ()
    ) -> None:
        self._moments = tuple(moments)
        self._earlier = tuple(earlier)

    def __len__(self) -> int:
        return len(self._moments)

    def __getitem__(self, at: int) -> MachineMoment:  # type: ignore[override]
        return self._moments[at]

    def __iter__(self) -> Iterator[MachineMoment]:
        return iter(self._moments)

    def heard(self, *payloads: str) -> list[MachineMoment]:
        """Return the machine's frames of these kinds; without kinds all."""
        return [
            each
            for each in self
            if each.kind is MomentKind.HEARD and (not payloads or each.payload in payloads)
        ]

    def said(self, *payloads: str) -> list[MachineMoment]:
        """Return the examiner's frames of these kinds; without kinds all."""
        return [
            each
            for each in self
            if each.kind is MomentKind.SAID and (not payloads or each.payload in payloads)
        ]

    def of(self, *kinds: MomentKind) -> list[MachineMoment]:
        """Return the moments of these kinds."""
        return [each for each in self if each.kind in kinds]

    def after(self, moment: MachineMoment) -> "Recording":
        """Return what came later."""
        return Recording([each for each in self if each.number > moment.number])

    def before(self, moment: MachineMoment) -> "Recording":
        """Return what came earlier."""
        return Recording([each for each in self if each.number < moment.number], self._earlier)

    def on(self, stream: int) -> "Recording":
        """Return what was on this stream."""
        return Recording([each for each in self if each.stream == stream])

    def first(self, wanted: Callable[[MachineMoment], bool]) -> MachineMoment | None:
        """Return the first moment that is wanted."""
        return next((each for each in self if wanted(each)), None)

    def hellos(self) -> list[MachineMoment]:
        """Return the first frame of each stream, if it was a Hello."""
        return self.heard("hello")

    def all_of(self, *kinds: MomentKind) -> list[MachineMoment]:
        """Return the moments of these kinds, of the play and of what was before it."""
        return [each for each in (*self._earlier, *self._moments) if each.kind in kinds]

    def present_hello(self) -> MachineMoment:
        """Return the last Hello of the play, or the last one before it. Raises NotSeen."""
        return last(self.all_hellos())

    def all_hellos(self) -> list[MachineMoment]:
        """Return the Hellos of the play and those before it."""
        known = (*self._earlier, *self._moments)
        return [each for each in known if each.payload == "hello"]

    def results(self, vend_id: str) -> list[MachineMoment]:
        """Return the machine's frames that tell how this vend ended."""
        return [each for each in self.heard() if vend_id and each.result_of == vend_id]

    def answers(self, command_id: str) -> list[MachineMoment]:
        """Return the machine's frames that answer this command."""
        return [
            each
            for each in self.heard("command_result")
            if each.said_by_machine.command_result.command_id == command_id
        ]

    def cancels(self, request_id: str) -> list[MachineMoment]:
        """Return the VendCancels of this request."""
        return [
            each
            for each in self.heard("vend_cancel")
            if each.said_by_machine.vend_cancel.request_id == request_id
        ]

    def turned(self) -> int | None:
        """Return how often motors turned between the first and the last count; None if nobody
        counted.
        """
        counts = [each.text for each in self.of(MomentKind.COUNTED)]
        if len(counts) < 2 or not all(text.isdigit() for text in (counts[0], counts[-1])):
            return None
        return int(counts[-1]) - int(counts[0])


class NamedEnum(Protocol):
    """An enum of the protos."""

    def Name(self, number: Any) -> str:  # noqa: N802  the name is protobuf's
        """Return the name of this number. Raises ValueError."""


def name_of(enum: NamedEnum, number: int) -> str:
    """Return the name of a number that a machine said; the number itself if it has none."""
    try:
        return enum.Name(number)
    except ValueError:
        return str(number)


def same_words(one: MachineMoment, other: MachineMoment) -> bool:
    """Return whether two frames of a machine say the same under the same number. ``ack`` is not
    content.
    """
    first, second = service_pb.ConnectRequest(), service_pb.ConnectRequest()
    first.CopyFrom(one.said_by_machine)
    second.CopyFrom(other.said_by_machine)
    first.ack = second.ack = 0
    return first == second


def refused_waiting(moment: MachineMoment) -> bool:
    """Return whether the machine says that nobody waited and that no motor ran."""
    failure = moment.said_by_machine.vend_failure
    return (
        failure.cause == pb.VEND_FAILURE_CAUSE_NOT_WAITING
        and failure.evidence.motor == pb.MOTOR_EVIDENCE_NOT_RUN
    )
