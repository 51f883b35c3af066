"""Lets out what a saved batch of turns ordered: frames for streams, calls to Alipay, answers to
commands, receipts.

Called after the COMMIT that justifies it, and only then. All frames of one stream leave as one
message with one acknowledgement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from actors.host.attachment import Attachment
from actors.host.calls import Calls
from actors.host.gateways import Reception
from actors.host.runner import Runner, Turn
from actors.link import CommandDone, StreamClosed, ToMachine
from actors.machine.effects import (
    ChangeCodeStatus,
    CloseStream,
    CreateCode,
    MachineCommand,
    QueryRefund,
    SendRefund,
)
from actors.machine.events import Connected, Disconnected, FrameReceived
from actors.machine.ids import MachineId, StreamId

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class _Frames:
    """What goes to one stream at the end of a batch."""

    attachment: Attachment | None
    ack: int | None = None
    commands: list[MachineCommand] = field(default_factory=list)


class Dispatch:
    """Knows the way to gateways and to Alipay."""

    def __init__(self, reception: Reception, calls: Calls) -> None:
        self._reception = reception
        self._calls = calls

    def release(self, turns: Sequence[Turn]) -> None:
        """Let out what these turns ordered, in their order. They are saved."""
        frames: dict[tuple[MachineId, StreamId], _Frames] = {}
        closings: list[tuple[Runner, Attachment | None, CloseStream]] = []
        for turn in turns:
            self._sort(turn, frames, closings)
        for (machine_id, stream_id), found in frames.items():
            message = ToMachine(
                machine_id=machine_id,
                stream_id=stream_id,
                ack=found.ack,
                commands=tuple(found.commands),
            )
            self._reception.send(found.attachment, message)
        for runner, attachment, order in closings:
            closed = StreamClosed(
                machine_id=runner.machine_id, stream_id=order.stream_id, reason=order.reason
            )
            self._reception.send(attachment, closed)
            self._reception.leave(runner, order.stream_id)
        for turn in turns:
            self._answer(turn)

    def _sort(
        self,
        turn: Turn,
        frames: dict[tuple[MachineId, StreamId], _Frames],
        closings: list[tuple[Runner, Attachment | None, CloseStream]],
    ) -> None:
        runner, letter, state = turn.runner, turn.letter, turn.decision.state
        stream_id = state.link.stream_id
        event = letter.event
        if (
            isinstance(event, FrameReceived | Connected)
            and event.stream_id == stream_id
            and state.link.online
        ):
            self._frames(turn, stream_id, frames).ack = state.link.last_seq
        for effect in turn.decision.effects:
            match effect:
                case CloseStream():
                    closings.append((runner, self._way(turn, effect.stream_id), effect))
                case SendRefund() | QueryRefund() | CreateCode() | ChangeCodeStatus():
                    assert runner.place is not None, "a machine that takes turns is loaded"
                    self._calls.start(runner.machine_id, effect, runner.place, state.currency)
                case _:
                    self._frames(turn, stream_id, frames).commands.append(effect)
        if isinstance(event, Disconnected):
            self._reception.leave(runner, event.stream_id)

    def _frames(
        self, turn: Turn, stream_id: StreamId, frames: dict[tuple[MachineId, StreamId], _Frames]
    ) -> _Frames:
        key = (turn.runner.machine_id, stream_id)
        found = frames.get(key)
        if found is None:
            found = frames[key] = _Frames(attachment=self._way(turn, stream_id))
        return found

    @staticmethod
    def _way(turn: Turn, stream_id: StreamId) -> Attachment | None:
        door = turn.runner.doors.get(stream_id)
        if door is not None:
            return door.attachment
        event = turn.letter.event
        return (
            turn.letter.attachment
            if isinstance(event, FrameReceived | Connected) and event.stream_id == stream_id
            else None
        )

    def _answer(self, turn: Turn) -> None:
        letter, notes = turn.letter, turn.decision.notes
        if letter.command_id:
            self._reception.send(
                letter.attachment, CommandDone(command_id=letter.command_id, notes=notes)
            )
        if notes:
            log.info(
                "noted",
                machine_id=turn.runner.machine_id,
                fact=type(letter.event).__name__,
                notes=notes,
            )
        letter.settle()
