"""The changing calls of CommandService: each request is checked whole, then decided by the
machine's actor; SQL tells what it decided.

A command bears a name that its request makes, so that it is ordered once however often it is told
(``actors.machine.ordering``). What the actor would refuse now is refused before it is asked.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from actors.machine.command import (
    OF_A_COLUMN,
    CommandCancelled,
    CommandKind,
    CommandOrdered,
    CommandStatus,
)
from actors.machine.ids import MachineId
from actors.machine.ordering import Refusal as Why
from actors.machine.ordering import not_taken, why_not
from actors.machine.values import replace
from gateway.fleet import enums
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act, Acts
from gateway.fleet.errors import CallRefused, not_found, not_possible
from gateway.office.command_views import KIND
from gateway.office.errors import refused
from gateway.office.fields import OfficeFields
from gateway.office.v1 import command_service_pb2 as wire
from gateway.rpc.statuses import Refusal
from storage.fleet.answers import Claim
from storage.office.commands import Commands, CommandView, Seen
from storage.office.deeds import used_before

VALID_FOR_S_DEFAULT = 600
VALID_FOR_S_MAX = 604_800
SHOW_FOR_S_DEFAULT = 60
SHOW_FOR_S_MAX = 3_600
TRIES = 5
_TODO = {
    Why.COMMANDS_UNKNOWN: "update its firmware, and see to it by hand until then",
    Why.COLUMN_NOT_LOCKED: "ListLockedColumns shows what recalls lock",
    Why.COMMAND_EXPIRED: "order it again, for longer",
}


@dataclass(frozen=True, kw_only=True)
class CommandCalls(Acts):
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``.
    ``new_id`` names a command whose request has no id.
    """

    ordered: Commands
    new_id: Callable[[], str]

    async def order(self, request: wire.OrderCommandRequest, act: Act) -> CommandView:
        """OrderCommand."""
        event = self._event(request, act)
        machine_id = MachineId(request.machine_id)
        machine = await self.machine(machine_id)
        seen = await self.ordered.seen(machine_id, event.command_id)
        if seen.command is not None:
            if act.claim is not None and not await self._ordered_by(act.claim, machine_id, event):
                raise refused(used_before(act.claim.asked.request_id))
            return seen.command
        if machine.retired_at_ms is not None:
            raise fleet_errors.retired(machine_id)
        if seen.state is not None:
            why = why_not(seen.state, event, self.clock.now_ms())
            if why is not None:
                raise _refused(machine_id, event, *why)
        if act.validate_only:
            return _rehearsed(machine_id, event)
        said = f"{event.kind}" + (f" of column {event.column}" if event.column else "")
        said += f": {request.reason}" if request.reason else ""
        await self._audited(act, "OrderCommand", machine_id, said)
        return await self._taken(machine_id, event, seen, act)

    async def _ordered_by(self, claim: Claim, machine_id: MachineId, event: CommandOrdered) -> bool:
        """Tell whether the command was ordered since the claim's request first came."""
        since = await self.answers.decided_since(claim, machine_id, event)
        return any(
            isinstance(one, CommandOrdered) and one.command_id == event.command_id for one in since
        )

    async def _taken(
        self, machine_id: MachineId, event: CommandOrdered, seen: Seen, act: Act
    ) -> CommandView:
        """Tell the actor until it has decided. Raises CallRefused."""
        begins = not_taken(event.command_id)
        for _ in range(TRIES):
            version = 0 if seen.state is None else seen.state.version
            told = replace(event, version=version)
            notes = await self._told(machine_id, told, act, saved=False)
            seen = await self.ordered.seen(machine_id, event.command_id)
            if seen.command is not None:
                return seen.command
            for note in notes:
                why, found, sentence = note.removeprefix(begins).partition(": ")
                if note.startswith(begins) and found:
                    raise _refused(machine_id, event, Why(why), sentence)
        # It took and refused nothing: so much else was ordered that it may have forgotten.
        raise fleet_errors.host_away(machine_id, saved=False, sent=True)

    def _event(self, request: wire.OrderCommandRequest, act: Act) -> CommandOrdered:
        """Return what is asked for, checked. Raises CallRefused."""
        fields = OfficeFields().machine_id(request.machine_id)
        word = enums.word_of(KIND, request.kind)
        if not word:
            fields.wrong("kind", f"must be {enums.names_said(KIND)}")
        kind = CommandKind(word) if word else None
        if kind in OF_A_COLUMN:
            fields.text("column", request.column, least=1, most=16)
        elif request.column:
            fields.wrong("column", "must be empty: this kind is about no column")
        if not 0 <= request.valid_for_s <= VALID_FOR_S_MAX:
            fields.wrong("valid_for_s", f"must be 1 to {VALID_FOR_S_MAX}, or 0 for 600")
        if not 0 <= request.show_for_s <= SHOW_FOR_S_MAX:
            fields.wrong("show_for_s", f"must be 1 to {SHOW_FOR_S_MAX}, or 0 for 60")
        shows = kind is CommandKind.SHOW_IDENTITY
        if request.show_for_s and not shows:
            fields.wrong("show_for_s", "must be 0: this kind shows nothing")
        fields.reason(request.reason).done()
        assert kind is not None
        now_ms = self.clock.now_ms()
        return CommandOrdered(
            command_id=self._id_for(act),
            kind=kind,
            version=0,
            ordered_at_ms=now_ms,
            expires_at_ms=now_ms + 1_000 * (request.valid_for_s or VALID_FOR_S_DEFAULT),
            column=request.column,
            show_for_ms=1_000 * (request.show_for_s or SHOW_FOR_S_DEFAULT) if shows else 0,
            actor=act.actor,
        )

    def _id_for(self, act: Act) -> str:
        """Return the command's name: the same each time for the same request. Its content is in it:
        a machine answers a name that it knows without obeying, also when our books have forgotten.
        """
        if act.claim is None:
            return self.new_id()
        asked = act.claim.asked
        name = f"{asked.caller}\n{asked.request_id}\n{asked.content_sha256}"
        return hashlib.sha256(name.encode()).hexdigest()[:16]

    async def cancel(self, request: wire.CancelCommandRequest, act: Act) -> CommandView:
        """CancelCommand."""
        fields = OfficeFields().some_id("command_id", request.command_id)
        fields.reason(request.reason).done()
        there = await self.named(request.command_id)
        if act.resumed and there.status == CommandStatus.CANCELLED:
            return there
        _may_be_cancelled(there)
        if act.validate_only:
            return there
        said = f"command {there.command_id}, {there.kind}" + (
            f": {request.reason}" if request.reason else ""
        )
        await self._audited(act, "CancelCommand", there.machine_id, said)
        event = CommandCancelled(command_id=there.command_id, actor=act.actor)
        await self._told(MachineId(there.machine_id), event, act, saved=False)
        done = await self.named(request.command_id)
        if done.status != CommandStatus.CANCELLED:
            _may_be_cancelled(done)
            raise fleet_errors.host_away(there.machine_id, saved=False, sent=True)
        return done

    async def named(self, command_id: str) -> CommandView:
        """Return a command. Raises CallRefused if there is none."""
        view = await self.ordered.named(command_id)
        if view is None:
            raise not_found("command", command_id)
        return view


def _may_be_cancelled(there: CommandView) -> None:
    if there.status != CommandStatus.QUEUED:
        raise not_possible(
            "COMMAND_NOT_QUEUED",
            f"command {there.command_id} is {there.status}: only what was not sent yet is taken "
            "back; GetCommand tells what becomes of it",
            command=there.command_id,
            status=there.status,
        )
    if there.kind in {CommandKind.LOCK_COLUMN, CommandKind.UNLOCK_COLUMN}:
        raise not_possible(
            "COMMAND_IN_FORCE",
            f"command {there.command_id} holds here since it was ordered, whether or not its "
            "machine has heard of it: order the opposite",
            command=there.command_id,
        )


def _rehearsed(machine_id: str, event: CommandOrdered) -> CommandView:
    """Return what would be ordered; it has no name, because this one will never be one."""
    return CommandView(
        command_id="",
        machine_id=machine_id,
        kind=event.kind,
        column=event.column,
        show_for_ms=event.show_for_ms,
        status=CommandStatus.QUEUED,
        ordered_by=event.actor,
        ordered_at_ms=event.ordered_at_ms,
        expires_at_ms=event.expires_at_ms,
        sent_at_ms=None,
        ended_at_ms=None,
        dropped=False,
        detail="",
        evidence="",
        report=None,
    )


def _refused(machine_id: str, event: CommandOrdered, why: Why, sentence: str) -> CallRefused:
    """Return why a command is not taken, and what to do."""
    about = {"machine": machine_id}
    match why:
        case Why.MACHINE_RETIRED:
            return fleet_errors.retired(machine_id)
        case Why.COLUMN_NOT_FOUND:
            return not_found("column", f"{machine_id}/{event.column}")
        case Why.TOO_MANY_COMMANDS:
            return CallRefused(
                Refusal(
                    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
                    reason=why,
                    message=(
                        f"machine {machine_id} takes no more: {sentence}; ListCommands shows them, "
                        "CancelCommand takes back what was not sent"
                    ),
                    metadata=about,
                )
            )
        case _:
            said = f"machine {machine_id}: {sentence}; {_TODO[why]}"
            return not_possible(why, said, **about)
