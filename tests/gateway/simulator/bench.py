"""A machine under test, with the backend's end of its stream played by hand."""

from random import Random
from typing import Any

from gateway.simulator.commands import Command, Send, Tell, Write
from gateway.simulator.happenings import Happening, NotNow, TurnedAway
from gateway.simulator.machine import Identity, Machine
from gateway.simulator.memory import Memory
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

COLUMNS = [pb.PlanogramColumn(column="A1", product="Water", price_minor=500, stock=5)]


class Bench:
    """A machine and the backend's end of its stream, played by the test."""

    def __init__(self, memory: Memory | None = None, **machine: Any) -> None:
        self.machine = Machine(
            identity=Identity(machine_id="VM-0001"),
            boot_id="b2",
            memory=memory or Memory(),
            rng=Random(1),
            **machine,
        )
        self.now_ms = 1_000
        self.seq = 0

    def say(self, *, ack: int = 0, **payload: Any) -> list[Command]:
        """Let the backend say something; carry out what is to be written."""
        self.seq += 1
        return self.do(
            self.machine.received(
                service_pb.ConnectResponse(seq=self.seq, ack=ack, **payload), self.now_ms
            )
        )

    def do(self, commands: list[Command]) -> list[Command]:
        """Carry out writes, first in, first out."""
        waiting, done = list(commands), []
        while waiting:
            command = waiting.pop(0)
            done.append(command)
            if isinstance(command, Write):
                waiting += self.machine.written(command.line, self.now_ms)
        return done

    def connect(self, *, ack: int = 0, **welcome: Any) -> list[Command]:
        """Open a stream and welcome the machine."""
        self.machine.hello()
        self.seq = 0
        told: dict[str, Any] = {
            "mode": pb.MODE_BOTH,
            "in_service": True,
            "currency": "HKD",
            "heartbeat_interval_ms": 20_000,
            "planogram_version": 7,
            "qr_payload": "qr",
        } | welcome
        commands = self.say(ack=ack, welcome=pb.Welcome(**told))
        if self.machine.online and not self.machine.columns:
            self.say(planogram_update=pb.PlanogramUpdate(planogram_version=7, columns=COLUMNS))
        return commands


def frames(commands: list[Command]) -> list[service_pb.ConnectRequest]:
    """Return the frames among the commands."""
    return [command.frame for command in commands if isinstance(command, Send)]


def kinds(commands: list[Command]) -> list[str]:
    """Return the kinds of the frames among the commands."""
    return [str(frame.WhichOneof("payload")) for frame in frames(commands)]


def happenings(commands: list[Command]) -> list[Happening]:
    """Return what the customer sees of the commands."""
    return [command.happening for command in commands if isinstance(command, Tell)]


def scold(
    bench: Bench, code: pb.ProtocolErrorCode.ValueType, seq: int, expected_seq: int
) -> list[Command]:
    """Let the backend refuse a frame."""
    return bench.say(
        protocol_error=pb.ProtocolError(code=code, seq=seq, expected_seq=expected_seq, detail="why")
    )


def why_not(commands: list[Command]) -> NotNow | None:
    """Return why a button did nothing."""
    return next(
        (each.reason for each in happenings(commands) if isinstance(each, TurnedAway)), None
    )


def vend(bench: Bench, vend_id: str = "v1") -> list[Command]:
    """Choose and be approved."""
    request = frames(bench.machine.select("A1", bench.now_ms))[0].vend_request
    approved = pb.VendApproved(
        vend_id=vend_id,
        request_id=request.request_id,
        column="A1",
        amount_minor=500,
        valid_for_ms=30_000,
    )
    return bench.say(vend_approved=approved)
