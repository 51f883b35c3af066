"""Bugs of firmware, planted into the reference machine, each with the rule that must find it.

A bug takes the place of a method or a property; it gets the sound one first, then what that would
get.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import grpc
import pytest

from gateway.certify.moments import MomentKind
from gateway.simulator.backoff import Backoff
from gateway.simulator.commands import Command, Redial, Restart, Send
from gateway.simulator.connection import Connection
from gateway.simulator.journal import Journal
from gateway.simulator.line import Ended
from gateway.simulator.machine import Machine
from gateway.simulator.machine_client import MachineClient
from gateway.simulator.memory import CommandLine, Token, VendLine
from gateway.simulator.orders import APPLIED, Orders
from gateway.simulator.outbox import MachineOutbox
from gateway.simulator.vending import Request, Vending
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.examined import MemoryLine

Sound = Callable[..., Any]
Frame = service_pb.ConnectRequest
DECADES_AHEAD_MS = 4_000_000_000_000


@dataclass(frozen=True, slots=True)
class Planted:
    """``rule`` must fail, and no other."""

    rule: str
    of: type
    methods: tuple[str, ...]
    bug: Callable[..., Any]

    def plant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the bug in."""
        for method in self.methods:
            sound, bug = getattr(self.of, method), self.bug
            ask = sound.fget if isinstance(sound, property) else sound

            def instead(*args: Any, sound: Any = ask, bug: Any = bug, **named: Any) -> Any:
                return bug(sound, *args, **named)

            is_value = isinstance(sound, property)
            monkeypatch.setattr(self.of, method, property(instead) if is_value else instead)


BUGS: dict[str, Planted] = {}


def plants(rule: str, of: type, *methods: str) -> Callable[[Callable[..., Any]], None]:
    """Put the function below on the list, under its name."""

    def listed(bug: Callable[..., Any]) -> None:
        BUGS[bug.__name__] = Planted(rule, of, methods, bug)

    return listed


@plants("repeated-after-result", Vending, "approved")
def turns_again(
    sound: Sound, self: Vending, message: pb.VendApproved, now_ms: int
) -> list[Command]:
    """A vend that this boot has settled is forgotten: its repeated approval is a new one."""
    known = self.memory._settled.get(message.vend_id)
    if known is None or known.boot_id != self._boot_id:
        return sound(self, message, now_ms)  # type: ignore[no-any-return]
    if known.ended and known.request_id == message.request_id:
        del self.memory._settled[message.vend_id]
        self.request = Request(
            request_id=message.request_id, column=message.column, price_minor=0, asked_at_ms=now_ms
        )
    return sound(self, message, now_ms)  # type: ignore[no-any-return]


@plants("known-id-other-request", Vending, "_used_before")
def gives_the_old_result(
    sound: Sound, self: Vending, message: pb.VendApproved, now_ms: int
) -> list[Command]:
    """A known vend_id is answered by what it came to, whoever asks."""
    known = self.memory.known(message.vend_id)
    assert known is not None
    return self._repeat(known, now_ms)


@plants("late-after-cancel", Vending, "approved")
def obeys_after_cancel(
    sound: Sound, self: Vending, message: pb.VendApproved, now_ms: int
) -> list[Command]:
    """An approval that crosses with the cancellation is obeyed."""
    if self.request is not None:
        self.request = replace(self.request, given_up_at_ms=None)
    return sound(self, message, now_ms)  # type: ignore[no-any-return]


def _copy(message: pb.VendApproved, valid_for_ms: int) -> pb.VendApproved:
    copy = pb.VendApproved()
    copy.CopyFrom(message)
    copy.valid_for_ms = valid_for_ms
    return copy


@plants("valid-for", Vending, "approved")
def holds_for_ever(
    sound: Sound, self: Vending, message: pb.VendApproved, now_ms: int
) -> list[Command]:
    """``valid_for_ms`` is not looked at."""
    return sound(self, _copy(message, 30_000), now_ms)  # type: ignore[no-any-return]


@plants("strange-code", Vending, "show_qr")
def ignores_strange_codes(
    sound: Sound, self: Vending, message: pb.ShowQr, now_ms: int
) -> list[Command]:
    """A code for nobody is not answered, and the backend holds the machine for its customer."""
    mine = self.request is not None and self.request.request_id == message.request_id
    return sound(self, message, now_ms) if mine else []


@plants("window", MachineOutbox, "_number")
def sends_without_bound(sound: Sound, self: MachineOutbox) -> tuple[Frame, ...]:
    """Whatever waits gets a number and leaves."""
    numbered: list[Frame] = []
    while self._waiting:
        unacked, self._unacked = self._unacked, deque[Frame]()
        numbered += sound(self)
        self._unacked = deque([*unacked, *self._unacked])
    return tuple(numbered)


@plants("pings", MemoryLine, "pings")
async def pings_all_the_time(sound: Sound, self: MemoryLine) -> None:
    """HTTP/2 pings come every five seconds."""
    while True:
        await asyncio.sleep(5)
        self._desk.record(MomentKind.PINGED, text="5000")


@plants("not-again", Machine, "_welcomed")
def sends_all_again(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """The outbox is sent before ``last_seq`` is looked at."""
    everything = self.outbox.unacked
    commands: list[Command] = sound(self, frame, now_ms)
    return commands + self.connection.send(everything, now_ms)


@plants("resend", Machine, "_welcomed")
def sends_the_newest(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """Of what was not acknowledged only the last frame is sent again."""
    commands: list[Command] = sound(self, frame, now_ms)
    again = [each for each in commands if isinstance(each, Send)]
    return [each for each in commands if each not in again[:-1]]


class _Highest(Random):
    def randint(self, a: int, b: int) -> int:
        return b


@plants("back-off", Backoff, "after")
def waits_without_jitter(sound: Sound, self: Backoff, code: Any) -> Any:
    """All machines wait equally long."""
    self._rng = _Highest()
    return sound(self, code)


@plants("move-in-vend", Connection, "tick", "next_tick_at_ms")
def moves_in_a_vend(sound: Sound, self: Connection, *args: int, busy: bool) -> Any:
    """The machine moves when it is asked, whoever stands before it."""
    return sound(self, *args, busy=False)


@plants("journal-result", Machine, "hello")
def tells_open_vends_alone(sound: Sound, self: Machine) -> Frame:
    """Vends that have ended are not in the tail, though nobody acknowledged how."""
    frame: Frame = sound(self)
    tail = [each for each in frame.hello.journal_tail if each.stage <= pb.JOURNAL_STAGE_MOTOR_ON]
    del frame.hello.journal_tail[:]
    frame.hello.journal_tail.extend(tail)
    return frame


@plants("journal-motor-on", Journal, "append")
def writes_results_alone(sound: Sound, self: Journal, line: object) -> None:
    """The journal is written when all is over, not before the motor turns."""
    if not isinstance(line, VendLine) or line.ended:
        sound(self, line)


@plants("resume-token", Journal, "append")
def keeps_tokens_in_memory(sound: Sound, self: Journal, line: object) -> None:
    """The token is not on flash."""
    if not isinstance(line, Token):
        sound(self, line)


@plants("journal-lost", Machine, "hello")
def says_its_loss_once(sound: Sound, self: Machine) -> Frame:
    """``journal_lost`` is taken back before any Welcome came."""
    frame: Frame = sound(self)
    self.vending.memory.lost = False
    return frame


@plants("price-change", Machine, "_take_planogram")
def keeps_its_prices(sound: Sound, self: Machine, update: pb.PlanogramUpdate) -> list[Command]:
    """A second planogram changes nothing on the screen."""
    return [] if self.columns else sound(self, update)


@plants("newer-backend", Machine, "received")
def hangs_up_over_news(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """A payload that it does not know ends the stream."""
    known = service_pb.ConnectResponse()
    known.CopyFrom(frame)
    known.DiscardUnknownFields()
    if known.ByteSize() < frame.ByteSize():
        return [Redial("what is this?")]
    return sound(self, frame, now_ms)  # type: ignore[no-any-return]


@plants("bounds", Machine, "hello")
def boasts(sound: Sound, self: Machine) -> Frame:
    """The firmware's name is longer than its bound."""
    frame: Frame = sound(self)
    frame.hello.firmware = "the best firmware there is, " * 3
    return frame


@plants("wrong-clock", Machine, "received")
def believes_the_wall(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """The backend's clock is taken for the machine's own, so that approvals are long over."""
    if frame.HasField("welcome"):
        self.manifest = "x" if frame.welcome.server_time_ms > DECADES_AHEAD_MS else ""
    if frame.HasField("vend_approved") and self.manifest:
        frame.vend_approved.valid_for_ms = 0
    return sound(self, frame, now_ms)  # type: ignore[no-any-return]


@plants("result-told-twice", Machine, "_welcomed")
def tells_the_last_result_again(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """A result that Welcome says is saved is told once more, under a new number."""
    told = [each for each in self.outbox.unacked if each.HasField("vend_success")]
    commands: list[Command] = sound(self, frame, now_ms)
    for each in told:
        if each.seq <= frame.welcome.last_seq:
            commands += self.connection.say(Frame(vend_success=each.vend_success), now_ms)
    return commands


@plants("refused-frame", Machine, "_frame_refused")
def waits_for_an_answer_to_a_refused_request(
    sound: Sound, self: Machine, error: pb.ProtocolError, now_ms: int
) -> list[Command]:
    """Who is refused a frame goes on waiting for its answer."""
    return []


@plants("evidence", Vending, "_report")
def reports_no_drop(sound: Sound, self: Vending, line: VendLine, now_ms: int) -> list[Command]:
    """Success is told with a sensor that saw nothing."""
    succeeded = line.stage == pb.JOURNAL_STAGE_SUCCEEDED
    told = replace(line, drop=pb.DROP_EVIDENCE_NOT_SEEN) if succeeded else line
    return sound(self, told, now_ms)  # type: ignore[no-any-return]


@plants("request-ids", Vending, "ask")
def counts_from_one_in_each_boot(sound: Sound, self: Vending, *args: Any) -> Any:
    """A request is named by a counter in memory alone."""
    boot_id, self._boot_id = self._boot_id, "desk"
    try:
        return sound(self, *args)
    finally:
        self._boot_id = boot_id


@plants("heartbeat", Connection, "welcomed")
def beats_too_seldom(
    sound: Sound, self: Connection, frame: service_pb.ConnectResponse, now_ms: int
) -> Any:
    """Heartbeats come at twice the interval."""
    done = sound(self, frame, now_ms)
    self._heartbeat_ms *= 2
    return done


@plants("retry-info", MachineClient, "_talk")
async def comes_when_it_likes(sound: Sound, self: MachineClient) -> Ended:
    """RetryInfo is not read."""
    ended: Ended = await sound(self)
    return replace(ended, retry_after_ms=0)


@plants("one-request", Machine, "_why_not")
def takes_two_choices(sound: Sound, self: Machine, column: str) -> Any:
    """Whoever presses again while a request is open has a second one."""
    request, self.vending.request = self.vending.request, None
    try:
        return sound(self, column)
    finally:
        self.vending.request = request


@plants("session-complete", Machine, "complete")
def keeps_the_rest(sound: Sound, self: Machine, now_ms: int) -> list[Command]:
    """The button for the rest does nothing."""
    return []


@plants("other-request", Vending, "approved")
def obeys_any_request(
    sound: Sound, self: Vending, message: pb.VendApproved, now_ms: int
) -> list[Command]:
    """Whoever waits for an answer takes any approval for it."""
    open_request = self.request
    if (
        open_request is not None
        and open_request.given_up_at_ms is None
        and not self.memory.known(message.vend_id)
    ):
        self.request = replace(open_request, request_id=message.request_id)
    return sound(self, message, now_ms)  # type: ignore[no-any-return]


@plants("other-column", Vending, "approved")
def turns_any_column(
    sound: Sound, self: Vending, message: pb.VendApproved, now_ms: int
) -> list[Command]:
    """The approval's column is not compared with the one that was chosen."""
    if self.request is not None:
        self.request = replace(self.request, column=message.column)
    return sound(self, message, now_ms)  # type: ignore[no-any-return]


@plants("settled", Machine, "hello")
def tells_settled_vends(sound: Sound, self: Machine) -> Frame:
    """What was acknowledged in this boot stays in the tail."""
    frame: Frame = sound(self)
    told = {each.vend_id for each in frame.hello.journal_tail}
    settled = [
        each for each in self.vending.memory._settled.values() if each.boot_id == self.boot_id
    ]
    more = [each.entry() for each in settled[-20:] if each.vend_id not in told]
    frame.hello.journal_tail.extend(more)
    return frame


@plants("last-acked", Machine, "hello")
def forgets_what_was_acknowledged(sound: Sound, self: Machine) -> Frame:
    """``last_acked_seq`` is always 0."""
    frame: Frame = sound(self)
    frame.hello.last_acked_seq = 0
    return frame


@plants("welcome-again", Machine, "_welcomed")
def takes_one_welcome(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """A second Welcome on the same stream is passed over."""
    return [] if self.online and frame.seq > 1 else sound(self, frame, now_ms)


@plants("other-denial", Vending, "denied")
def takes_any_denial(sound: Sound, self: Vending, message: pb.VendDenied) -> list[Command]:
    """A denial ends whatever request is open."""
    if self.request is not None:
        message = pb.VendDenied(request_id=self.request.request_id, reason=message.reason)
    return sound(self, message)  # type: ignore[no-any-return]


@plants("oldest-first", Machine, "hello")
def tells_the_newest_first(sound: Sound, self: Machine) -> Frame:
    """The tail is read from its end."""
    frame: Frame = sound(self)
    tail = [*frame.hello.journal_tail][::-1]
    del frame.hello.journal_tail[:]
    frame.hello.journal_tail.extend(tail)
    return frame


@plants("back-off", Backoff, "welcomed")
def never_forgets_a_failure(sound: Sound, self: Backoff, guidance: tuple[int, int] | None) -> None:
    """What doubled the range before a Welcome widens it behind one."""
    failures = self._failures
    sound(self, guidance)
    self._failures = failures


@plants("session-over", Machine, "_session_ended")
def keeps_a_session_that_ended(sound: Sound, self: Machine, end: pb.EndSession) -> list[Command]:
    """EndSession is shown, and the session stays."""
    before = self.session
    commands: list[Command] = sound(self, end)
    self.session = before
    return commands


@plants("session-over", Machine, "_welcomed")
def keeps_a_session_over_welcome(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """A Welcome that names no session changes nothing."""
    before = self.session
    commands: list[Command] = sound(self, frame, now_ms)
    self.session = self.session or before
    return commands


@plants("command-again", Orders, "_told")
def reports_nothing(
    sound: Sound, self: Orders, line: CommandLine, now_ms: int, report: Any = None
) -> list[Command]:
    """APPLIED is all that it says of itself."""
    return sound(self, line, now_ms)  # type: ignore[no-any-return]


def _forgets(orders: Orders, command_id: str) -> None:
    orders.memory._commands.pop(command_id, None)
    orders.memory._told.pop(command_id, None)


@plants("test-vend-once", Orders, "received")
def turns_for_each_test(
    sound: Sound, self: Orders, order: pb.Command, now_ms: int, **around: Any
) -> list[Command]:
    """A test vend that is told again is carried out again."""
    known = self.memory.command(order.command_id)
    if known is not None and known.kind == "test_vend" and known.outcome == APPLIED:
        _forgets(self, order.command_id)
    return sound(self, order, now_ms, **around)  # type: ignore[no-any-return]


@plants("test-vend-once", Machine, "_why_not")
def sells_while_it_is_tried(sound: Sound, self: Machine, column: str) -> Any:
    """Whoever chooses during a test vend is served."""
    testing, self.orders.testing = self.orders.testing, None
    try:
        return sound(self, column)
    finally:
        self.orders.testing = testing


@plants("test-vend-cut", Journal, "append")
def tests_from_memory(sound: Sound, self: Journal, line: object) -> None:
    """The id of a test vend is not on flash before the motor turns."""
    if not isinstance(line, CommandLine) or line.kind != "test_vend" or line.outcome:
        sound(self, line)


@plants("command-at-a-bad-time", Machine, "_ordered")
def restarts_whoever_stands_there(
    sound: Sound, self: Machine, order: pb.Command, now_ms: int
) -> list[Command]:
    """A reboot is obeyed in the middle of a customer's stay."""
    session, self.session = self.session, None
    try:
        return sound(self, order, now_ms)  # type: ignore[no-any-return]
    finally:
        self.session = session


@plants("command-at-a-bad-time", Orders, "received")
def forgets_what_it_refused(
    sound: Sound, self: Orders, order: pb.Command, now_ms: int, **around: Any
) -> list[Command]:
    """What was REJECTED is obeyed when it comes again."""
    known = self.memory.command(order.command_id)
    if known is not None and known.outcome == pb.COMMAND_OUTCOME_REJECTED:
        _forgets(self, order.command_id)
    return sound(self, order, now_ms, **around)  # type: ignore[no-any-return]


@plants("command-late", Orders, "received")
def obeys_what_is_over(
    sound: Sound, self: Orders, order: pb.Command, now_ms: int, **around: Any
) -> list[Command]:
    """``valid_for_ms`` is not looked at in a report."""
    copy = pb.Command()
    copy.CopyFrom(order)
    copy.valid_for_ms = order.valid_for_ms or order.HasField("report")
    return sound(self, copy, now_ms, **around)  # type: ignore[no-any-return]


@plants("lock-once", Orders, "_again")
def locks_again(sound: Sound, self: Orders, known: CommandLine, now_ms: int) -> list[Command]:
    """A lock that is told again is obeyed again."""
    self.memory.add(known)
    return sound(self, known, now_ms)  # type: ignore[no-any-return]


@plants("reboot-once", Orders, "_again")
def restarts_each_time(
    sound: Sound, self: Orders, known: CommandLine, now_ms: int
) -> list[Command]:
    """A reboot that is told again restarts again."""
    if known.kind == "reboot" and known.outcome == APPLIED:
        return [Restart("it was told to")]
    return sound(self, known, now_ms)  # type: ignore[no-any-return]


@plants("revoked-certificate", Backoff, "after")
def hammers_when_it_is_denied(sound: Sound, self: Backoff, code: Any) -> Any:
    """A certificate that was denied is shown again as if the network had failed."""
    denied = code is grpc.StatusCode.PERMISSION_DENIED
    return sound(self, grpc.StatusCode.UNAVAILABLE if denied else code)
