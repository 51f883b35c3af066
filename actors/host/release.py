"""What leaves a host: after a COMMIT what the turns ordered, and without one only refusals.

Flows in: saved turns, or letters that are not decided on. Flows out: messages to gateways, calls to
Alipay. ``Release`` sends frames, calls, answers and receipts of a saved batch, and only of a saved
one; all that one stream gets leaves as one message with one acknowledgement. ``Refusals`` answers
letters that are not decided on, now or ever: it closes streams, refuses commands, denies requests.
That needs no COMMIT, because nothing came of these letters; none is dropped silently.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import structlog

from actors.host.attachment import Attachment
from actors.host.calls import Calls
from actors.host.gateways import Gateways
from actors.host.runner import Letter, Runner, Turn
from actors.link import MOVED, CloseReason, CommandDone, StreamClosed, ToMachine
from actors.machine.effects import CloseStream, DenyVend, MachineCommand, ProviderCall
from actors.machine.events import (
    Connected,
    Disconnected,
    FrameReceived,
    PlanogramAcknowledged,
    VendTurnedAway,
)
from actors.machine.ids import MachineId, StreamId
from actors.machine.paying import funds

log = structlog.get_logger()


class _Frames:
    """What goes to one stream at the end of a batch."""

    __slots__ = ("ack", "attachment", "commands")

    def __init__(self, attachment: Attachment | None) -> None:
        self.attachment = attachment
        self.ack: int | None = None
        self.commands: list[MachineCommand] = []


_FROM_STREAM = (FrameReceived, Connected)
"""A union in place of this tuple would be made anew at each question."""


class Release:
    """Sends what saved turns ordered, to gateways and to Alipay."""

    def __init__(self, gateways: Gateways, calls: Calls) -> None:
        self._gateways = gateways
        self._calls = calls

    def release(self, turns: Sequence[Turn]) -> None:
        """Send what these turns ordered, in their order. They are saved."""
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
            self._gateways.send(found.attachment, message)
        for runner, attachment, order in closings:
            closed = StreamClosed(
                machine_id=runner.machine_id, stream_id=order.stream_id, reason=order.reason
            )
            self._gateways.send(attachment, closed)
            self._gateways.leave(runner, order.stream_id)
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
        found: _Frames | None = None
        if isinstance(event, _FROM_STREAM) and event.stream_id == stream_id and state.link.online:
            found = self._frames(turn, stream_id, frames)
            found.ack = state.link.last_seq
        for effect in turn.decision.effects:
            if isinstance(effect, CloseStream):
                closings.append((runner, self._way(turn, effect.stream_id), effect))
            elif isinstance(effect, ProviderCall):
                assert runner.place is not None, "a machine that takes turns is loaded"
                self._calls.start(runner.machine_id, effect, runner.place, state.currency)
            else:
                if found is None:
                    found = self._frames(turn, stream_id, frames)
                found.commands.append(effect)
        if isinstance(event, Disconnected):
            self._gateways.leave(runner, event.stream_id)

    def _frames(
        self, turn: Turn, stream_id: StreamId, frames: dict[tuple[MachineId, StreamId], _Frames]
    ) -> _Frames:
        key = (turn.runner.machine_id, stream_id)
        found = frames.get(key)
        if found is None:
            found = frames[key] = _Frames(self._way(turn, stream_id))
        return found

    @staticmethod
    def _way(turn: Turn, stream_id: StreamId) -> Attachment | None:
        route = turn.runner.routes.get(stream_id)
        if route is not None:
            return route.attachment
        event = turn.letter.event
        return (
            turn.letter.attachment
            if isinstance(event, _FROM_STREAM) and event.stream_id == stream_id
            else None
        )

    def _answer(self, turn: Turn) -> None:
        letter, notes = turn.letter, turn.decision.notes
        if letter.command_id:
            self._gateways.send(
                letter.attachment, CommandDone(command_id=letter.command_id, notes=notes)
            )
        if notes:
            log.info(
                "noted",
                machine_id=turn.runner.machine_id,
                fact=type(letter.event).__name__,
                notes=notes,
            )
        if letter.receipt is not None:
            letter.receipt.settle()


class Refusals:
    """Answers letters without a decision. ``inbox_waiting``: the notifications that wait in a
    mailbox or are being saved; one that is refused may come again.
    """

    def __init__(self, gateways: Gateways, counts: Counter[str]) -> None:
        self.inbox_waiting: set[int] = set()
        self._gateways = gateways
        self._counts = counts

    def refuse(self, runner: Runner, letters: Iterable[Letter], reason: str) -> None:
        """Answer letters that will not be decided on. A notification stays untaken in the
        inbox.
        """
        for letter in letters:
            self._counts["refused"] += 1
            event = letter.event
            if letter.command_id:
                notes = (runner.halt_reason,) if runner.halted else ()
                self._gateways.send(
                    letter.attachment,
                    CommandDone(command_id=letter.command_id, refusal=reason, notes=notes),
                )
            elif (
                isinstance(event, FrameReceived | Connected | PlanogramAcknowledged)
                and letter.attachment is not None
            ):
                closed = StreamClosed(
                    machine_id=runner.machine_id, stream_id=event.stream_id, reason=reason
                )
                self._gateways.send(letter.attachment, closed)
            elif isinstance(event, Disconnected):
                self._gateways.leave(runner, event.stream_id)
            if letter.inbox_id is not None:
                self.inbox_waiting.discard(letter.inbox_id)
                log.warning(
                    "a notification stays in the inbox",
                    machine_id=runner.machine_id,
                    inbox_id=letter.inbox_id,
                    reason=reason,
                )
            letter.settle()

    def let_go(self, letters: Iterable[Letter]) -> None:
        """Leave these letters to whoever owns their machine next: gateways repeat frames there, and
        find notifications in the inbox; who asked for an act hears that nothing was done.
        """
        for letter in letters:
            if letter.command_id:
                self._gateways.send(
                    letter.attachment, CommandDone(command_id=letter.command_id, refusal=MOVED)
                )
            if letter.inbox_id is not None:
                self.inbox_waiting.discard(letter.inbox_id)
            letter.settle()

    def halt(self, runner: Runner, words: str, letters: Sequence[Letter]) -> None:
        """Halt the machine, close its streams and refuse these letters. Its saved state stays as it
        is; its streams must say Hello again afterwards.
        """
        runner.halt(words)
        self._counts["halted"] += 1
        for stream_id, route in list(runner.routes.items()):
            closed = StreamClosed(
                machine_id=runner.machine_id, stream_id=stream_id, reason=CloseReason.HALTED
            )
            self._gateways.send(route.attachment, closed)
            self._gateways.leave(runner, stream_id)
        self.refuse(runner, letters, CloseReason.HALTED)
        self._gateways.announce()

    def turn_away(self, runner: Runner, letters: Sequence[Letter]) -> list[Letter]:
        """Deny new requests for goods, and return the letters to keep, denied ones replaced.

        A letter that takes a denied one's place uses the frame's number up later; until then the
        frame is not acknowledged. A request of a lost attachment is left out: its gateway repeats
        it through the next one.
        """
        kept: list[Letter] = []
        for letter in letters:
            away = runner.turned_away(letter)
            if away is None:
                kept.append(letter)
                continue
            self._counts["turned_away"] += 1
            if letter.attachment is None or letter.attachment.broken:
                letter.settle()
                continue
            event = away.event
            assert isinstance(event, FrameReceived)
            assert isinstance(event.fact, VendTurnedAway)
            known_minor = 0 if runner.saved is None else funds(runner.saved)
            denial = DenyVend(
                request_id=event.fact.request_id, reason=event.fact.reason, funds_minor=known_minor
            )
            message = ToMachine(
                machine_id=runner.machine_id,
                stream_id=event.stream_id,
                ack=None,
                commands=(denial,),
            )
            self._gateways.send(letter.attachment, message)
            kept.append(away)
        return kept
