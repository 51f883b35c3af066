"""What a host says when it cannot do what it was given: to streams, to administrators, to the
customer in front of the machine.

Flows in: letters that will not be decided upon, now or ever. Flows out: a reason for each, at once;
nothing is dropped in silence. These answers need no COMMIT, because nothing came of the letters.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import structlog

from actors.host.gateways import Reception
from actors.host.runner import Letter, Runner
from actors.link import CloseReason, CommandDone, StreamClosed, ToMachine
from actors.machine.effects import DenyVend
from actors.machine.events import Connected, Disconnected, FrameReceived, VendTurnedAway
from actors.machine.paying import funds

log = structlog.get_logger()


class Refusals:
    """``inbox_waiting`` are the notifications that wait in a mailbox or are being saved; one that
    is refused may come again.
    """

    def __init__(self, reception: Reception, counts: Counter[str]) -> None:
        self.inbox_waiting: set[int] = set()
        self._reception = reception
        self._counts = counts

    def refuse(self, runner: Runner, letters: Iterable[Letter], reason: str) -> None:
        """Answer letters that will not be decided upon. A notification stays untaken in the
        inbox.
        """
        for letter in letters:
            self._counts["refused"] += 1
            event = letter.event
            if letter.command_id:
                notes = (runner.halted,) if runner.halted else ()
                self._reception.send(
                    letter.attachment,
                    CommandDone(command_id=letter.command_id, refusal=reason, notes=notes),
                )
            elif isinstance(event, FrameReceived | Connected) and letter.attachment is not None:
                closed = StreamClosed(
                    machine_id=runner.machine_id, stream_id=event.stream_id, reason=reason
                )
                self._reception.send(letter.attachment, closed)
            elif isinstance(event, Disconnected):
                self._reception.leave(runner, event.stream_id)
            if letter.inbox_id is not None:
                self.inbox_waiting.discard(letter.inbox_id)
                log.warning(
                    "a notification stays in the inbox",
                    machine_id=runner.machine_id,
                    inbox_id=letter.inbox_id,
                    reason=reason,
                )
            letter.settle()

    def halt(self, runner: Runner, words: str, letters: Sequence[Letter]) -> None:
        """Tell everybody that the machine decides nothing now. Its saved state is untouched; its
        streams must be said anew afterwards.
        """
        runner.halted = words
        self._counts["halted"] += 1
        for stream_id, door in list(runner.doors.items()):
            closed = StreamClosed(
                machine_id=runner.machine_id, stream_id=stream_id, reason=CloseReason.HALTED
            )
            self._reception.send(door.attachment, closed)
            self._reception.leave(runner, stream_id)
        self.refuse(runner, letters, CloseReason.HALTED)
        self._reception.announce()

    def turn_away(self, runner: Runner, letters: Sequence[Letter]) -> list[Letter]:
        """Deny new requests for goods, and return the letters with what takes their place.

        The number of a denied frame is used up later, and not acknowledged until then. A frame of a
        lost attachment is left out: nobody can be told, and its gateway repeats it.
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
            told = ToMachine(
                machine_id=runner.machine_id,
                stream_id=event.stream_id,
                ack=None,
                commands=(denial,),
            )
            self._reception.send(letter.attachment, told)
            kept.append(away)
        return kept
