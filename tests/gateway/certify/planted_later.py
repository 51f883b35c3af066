"""More bugs of firmware: those that an examination once did not see."""

from dataclasses import replace
from typing import Any

import grpc

from gateway.simulator.backoff import Backoff
from gateway.simulator.commands import Command, Send, TurnMotor, Write
from gateway.simulator.connection import Connection
from gateway.simulator.machine import Machine
from gateway.simulator.machine_client import MachineClient
from gateway.simulator.memory import CommandLine, Memory
from gateway.simulator.orders import APPLIED, Orders
from gateway.simulator.vending import Vending
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.planted import BUGS, Frame, Sound, plants

__all__ = ["BUGS"]


@plants("reboot-once", Orders, "written")
def says_that_it_restarted(
    sound: Sound, self: Orders, line: CommandLine, now_ms: int
) -> list[Command]:
    """A reboot is APPLIED as soon as it is on flash, and nothing restarts."""
    restarts = line.kind == "reboot" and not line.outcome
    return [Write(replace(line, outcome=APPLIED))] if restarts else sound(self, line, now_ms)


@plants("move-in-vend", Machine, "tick", "next_tick_at_ms")
def moves_while_a_motor_turns(sound: Sound, self: Machine, *now_ms: int) -> Any:
    """Only who waits for an answer keeps the machine where it is."""
    vend, self.vending.vend = self.vending.vend, None
    try:
        return sound(self, *now_ms)
    finally:
        self.vending.vend = vend


@plants("move-in-vend", Machine, "_welcomed")
def leaves_frames_behind(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """Who moves begins with what is new."""
    moves = self.online and frame.seq == 1
    commands: list[Command] = sound(self, frame, now_ms)
    return [each for each in commands if not (moves and isinstance(each, Send))]


@plants("window", Machine, "_welcomed")
def empties_its_waiting_room(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """What had no number yet is lost with the stream."""
    self.outbox._waiting.clear()
    return sound(self, frame, now_ms)  # type: ignore[no-any-return]


@plants("out-of-service", Machine, "_welcomed")
def sells_whatever_welcome_says(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """Of ``in_service`` only ServiceUpdate tells."""
    frame.welcome.in_service = True
    return sound(self, frame, now_ms)  # type: ignore[no-any-return]


@plants("session-resumed", Machine, "_welcomed")
def forgets_the_customer_at_a_cut(
    sound: Sound, self: Machine, frame: service_pb.ConnectResponse, now_ms: int
) -> list[Command]:
    """The session that Welcome names is not taken up."""
    commands: list[Command] = sound(self, frame, now_ms)
    self.session = None
    return commands


@plants("back-off", Backoff, "after")
def hammers_when_a_proxy_fails(sound: Sound, self: Backoff, code: grpc.StatusCode) -> Any:
    """Only UNAVAILABLE is a gateway that is away."""
    broken = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}
    return 0 if code in broken else sound(self, code)


@plants("gap", Connection, "send_again")
def sends_again_for_each_complaint(
    sound: Sound, self: Connection, error: pb.ProtocolError, now_ms: int
) -> list[Command]:
    """Complaints about frames that were on their way bring all of them once more."""
    self._resent = (0, 0)
    return sound(self, error, now_ms)  # type: ignore[no-any-return]


@plants("strange-code", Vending, "show_qr")
def knows_a_request_that_was_denied(
    sound: Sound, self: Vending, message: pb.ShowQr, now_ms: int
) -> list[Command]:
    """A code for a request of this boot is never anybody else's."""
    known = self.request is None and message.request_id.startswith(self._boot_id)
    return [] if known else sound(self, message, now_ms)


@plants("test-vend-once", Orders, "_again")
def turns_again_while_it_turns(
    sound: Sound, self: Orders, known: CommandLine, now_ms: int
) -> list[Command]:
    """A test vend that comes again before its result is a second one."""
    if known.kind == "test_vend" and not known.outcome and self.testing is not None:
        return [TurnMotor(vend_id=f"{known.command_id}-2", column=known.column)]
    return sound(self, known, now_ms)  # type: ignore[no-any-return]


@plants("command-at-a-bad-time", Machine, "_ordered")
def obeys_while_a_vend_turns(
    sound: Sound, self: Machine, order: pb.Command, now_ms: int
) -> list[Command]:
    """Only who waits for an answer is in the way of a test vend."""
    vend, self.vending.vend = self.vending.vend, None
    try:
        return sound(self, order, now_ms)  # type: ignore[no-any-return]
    finally:
        self.vending.vend = vend


@plants("answer-lost", Vending, "answer_lost")
def waits_for_a_lost_answer(sound: Sound, self: Vending, unacked: tuple[Frame]) -> list[Command]:
    """A Welcome without a session ends no request."""
    return []


@plants("known-in-the-next-boot", Memory, "__init__")
def forgets_what_was_settled(sound: Sound, self: Memory, *lines: Any) -> None:
    """Vends that were acknowledged are remembered in RAM alone."""
    sound(self, *lines)
    self._settled.clear()


@plants("boot-ids", MachineClient, "_new_boot_id")
def counts_boots_on_flash_alone(sound: Sound, self: MachineClient, number: int) -> str:
    """A flash that was erased begins to count anew."""
    return f"b{number}"


@plants("response-time", Vending, "tick", "next_tick_at_ms")
def waits_for_ever(sound: Sound, self: Vending, *now_ms: int) -> Any:
    """A request that was given up is over with VendDenied only."""
    if self.request is None or self.request.given_up_at_ms is None:
        return sound(self, *now_ms)
    return [] if now_ms else None


@plants("halted-machine", Backoff, "after")
def hammers_when_it_is_halted(sound: Sound, self: Backoff, code: grpc.StatusCode) -> Any:
    """FAILED_PRECONDITION is taken for a gateway that is away."""
    halted = code is grpc.StatusCode.FAILED_PRECONDITION
    return sound(self, grpc.StatusCode.UNAVAILABLE if halted else code)
