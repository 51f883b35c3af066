"""Commands: what a person orders of a machine, and what becomes of it.

A command is sent after it was saved, and again under the same id at each Hello, until it ended. It
is done when the machine says so, and by nothing else; without a word from it, it expires, which its
answer still changes, however late. A reboot waits until nobody is at the machine; so does a test
vend, while which nothing is sold. A lock of a column is ours at once, whether the machine follows
or not.
"""

from enum import StrEnum
from typing import assert_never

from actors.machine import alarms, commands, incidents, stock, vending
from actors.machine.command import (
    COMMANDS_MAX,
    ENDED_COMMANDS_KEPT,
    LOCKING,
    LOCKS_MAX,
    OF_A_COLUMN,
    Command,
    CommandAnswered,
    CommandCancelled,
    CommandKind,
    CommandOrdered,
    CommandOutcome,
    CommandStatus,
)
from actors.machine.command_waits import may_go
from actors.machine.draft import Draft
from actors.machine.effects import SendCommand
from actors.machine.evidence import fell
from actors.machine.policy import Policy
from actors.machine.state import AlarmKind, MachineState, column_named
from actors.machine.values import replace


class Refusal(StrEnum):
    """Why a command is not taken."""

    MACHINE_RETIRED = "MACHINE_RETIRED"
    COMMANDS_UNKNOWN = "COMMANDS_UNKNOWN"
    COLUMN_NOT_FOUND = "COLUMN_NOT_FOUND"
    COLUMN_NOT_LOCKED = "COLUMN_NOT_LOCKED"
    TOO_MANY_COMMANDS = "TOO_MANY_COMMANDS"
    COMMAND_EXPIRED = "COMMAND_EXPIRED"


_OLD_FIRMWARE = "its firmware knows no commands"
_ENDINGS = {
    CommandOutcome.APPLIED: CommandStatus.APPLIED,
    CommandOutcome.REJECTED: CommandStatus.REJECTED,
}
_SAID = frozenset(_ENDINGS.values())

# --- ordering ---


def why_not(state: MachineState, wanted: CommandOrdered, now_ms: int) -> tuple[Refusal, str] | None:
    """Return why a command would not be taken in this state, and a sentence that says it; None if
    it would be.
    """
    if state.configuration.retired:
        return Refusal.MACHINE_RETIRED, "the machine was retired"
    if state.link.boot_id and not state.link.knows_commands and not _unlocks(state, wanted):
        return Refusal.COMMANDS_UNKNOWN, _OLD_FIRMWARE
    others = sum(one.kind not in LOCKING for one in state.commands)
    if wanted.kind not in LOCKING and others >= COMMANDS_MAX:
        return Refusal.TOO_MANY_COMMANDS, f"{COMMANDS_MAX} commands are open at the machine"
    if wanted.expires_at_ms <= now_ms:
        return Refusal.COMMAND_EXPIRED, "its time was over before it was heard of"
    if wanted.kind is CommandKind.UNLOCK_COLUMN and state.ordered_locks is None:
        # Once there was one, the machine may keep a lock that it did not hear the end of.
        return Refusal.COLUMN_NOT_LOCKED, f"no command ever locked column {wanted.column}"
    named = wanted.kind not in OF_A_COLUMN or column_named(state, wanted.column) is not None
    if not named and not _unlocks(state, wanted):
        return Refusal.COLUMN_NOT_FOUND, f"column {wanted.column} is not in the planogram"
    if wanted.kind is CommandKind.LOCK_COLUMN and len(state.ordered_locks or ()) >= LOCKS_MAX:
        return Refusal.TOO_MANY_COMMANDS, f"{LOCKS_MAX} columns are locked"
    return None


def _unlocks(state: MachineState, wanted: CommandOrdered) -> bool:
    """Tell whether it ends a lock that is ours, whatever became of the column or the firmware."""
    locks = state.ordered_locks or ()
    return wanted.kind is CommandKind.UNLOCK_COLUMN and wanted.column in locks


def by_person(draft: Draft, event: CommandOrdered | CommandCancelled) -> None:
    """Somebody orders something, or takes it back."""
    match event:
        case CommandOrdered():
            _order(draft, event)
        case CommandCancelled():
            _cancel(draft, event)
        case _:
            assert_never(event)


def _order(draft: Draft, event: CommandOrdered) -> None:
    """Take a command, once for its id, or note why not."""
    state = draft.state
    if _named(state, event.command_id) is not None:
        draft.note(f"command {event.command_id} was ordered before")
        return
    ended = state.ended_commands
    forgotten = len(ended) >= ENDED_COMMANDS_KEPT and event.version < min(
        one.version for one in ended
    )
    if forgotten or event.version > draft.before.version:
        # It may have been ordered since, and be forgotten again.
        draft.note(f"command {event.command_id} was read at version {event.version}: read again")
        return
    if (refused := why_not(state, event, draft.now_ms)) is not None:
        draft.note(f"{not_taken(event.command_id)}{refused[0]}: {refused[1]}")
        return
    column = column_named(state, event.column)
    command = Command(
        command_id=event.command_id,
        kind=event.kind,
        column=event.column,
        show_for_ms=event.show_for_ms,
        status=CommandStatus.QUEUED,
        ordered_by=event.actor,
        ordered_at_ms=event.ordered_at_ms,
        expires_at_ms=event.expires_at_ms,
        deadline_at_ms=event.expires_at_ms,
        version=draft.before.version + 1,
        product="" if column is None or event.kind in LOCKING else column.product,
    )
    draft.record_command(command)
    if command.kind in LOCKING:
        _supersede(draft, command)
        _lock(draft, command.column, locked=command.kind is CommandKind.LOCK_COLUMN)
        _make_room(draft, command)
    draft.update(commands=(*draft.state.commands, command))


def not_taken(command_id: str) -> str:
    """Return how a note begins that says why a command was not taken; its ``Refusal`` follows."""
    return f"command {command_id} is not taken, "


def _cancel(draft: Draft, event: CommandCancelled) -> None:
    """Take a command back that was not sent. A lock is ours already, and is ended by another
    command.
    """
    command = next(
        (one for one in draft.state.commands if one.command_id == event.command_id), None
    )
    if command is None:
        draft.note(f"command {event.command_id} is not open")
    elif command.status is not CommandStatus.QUEUED:
        draft.note(f"command {event.command_id} is {command.status}: the machine may have it")
    elif command.kind in LOCKING:
        draft.note(f"command {event.command_id} is in force here since it was ordered")
    else:
        _end(draft, command, CommandStatus.CANCELLED, f"by {event.actor}" if event.actor else "")


def _supersede(draft: Draft, by: Command) -> None:
    """Let what an earlier command says of the same column not reach the machine any more."""
    for one in draft.state.commands:
        if one.kind not in LOCKING or one.column != by.column:
            continue
        if one.status is CommandStatus.QUEUED:
            _end(draft, one, CommandStatus.CANCELLED, f"by command {by.command_id}")
        else:
            _keep(draft, replace(one, superseded=True))


def _make_room(draft: Draft, by: Command) -> None:
    """End the oldest that locks or unlocks if there are too many: what it says holds here, whatever
    its machine does, and its answer still counts.
    """
    locking = [one for one in draft.state.commands if one.kind in LOCKING]
    locking.sort(key=lambda one: not one.superseded)
    for one in locking[: max(0, len(locking) - COMMANDS_MAX + 1)]:
        said = "no answer" if one.status is CommandStatus.SENT else "was not sent"
        said = f"{said} before command {by.command_id}{_holds_here(draft.state, one)}"
        _end(draft, one, CommandStatus.EXPIRED, said)


def _lock(draft: Draft, column: str, *, locked: bool) -> None:
    """Sell nothing out of the column from now on, or let it be sold as far as no recall says
    otherwise.
    """
    others = tuple(one for one in draft.state.ordered_locks or () if one != column)
    draft.update(ordered_locks=(*others, column) if locked else others)
    draft.tell(commands.planogram(draft.state))
    vending.stop_locked(draft)


# --- sending ---


def connected(draft: Draft) -> None:
    """A stream is welcome: whatever is open is sent on it."""
    if any(one.told for one in draft.state.commands):
        draft.update(commands=tuple(replace(one, told=False) for one in draft.state.commands))


def keep_back(draft: Draft, *, known: bool) -> None:
    """A stream is welcome that may be another device's: its motor must not turn for a test vend
    that the machine may have begun. If it is ``known`` that the machine keeps tokens, so that it
    could have shown that it is itself, nothing else that was sent goes there either, and it ends
    soon: nobody takes it back, and it would keep its place from the next for as long as a week.
    """
    soon_ms = draft.now_ms + draft.policy.report_wait_ms
    for command in draft.state.commands:
        if command.status is not CommandStatus.SENT:
            continue
        if command.kind is CommandKind.TEST_VEND:
            _keep(draft, replace(command, superseded=True))
        elif known and command.kind not in LOCKING:
            at_ms = min(command.deadline_at_ms, soon_ms)
            _keep(draft, replace(command, superseded=True, deadline_at_ms=at_ms))


def send(draft: Draft) -> None:
    """At the end of a turn: send what is open, was not sent on this stream, and may be sent now."""
    link = draft.state.link
    if not draft.state.commands or not link.online or not link.knows_commands:
        return
    for command in draft.state.commands:
        if not command.told and not command.superseded and may_go(draft.state, command):
            _send(draft, command)


def _send(draft: Draft, command: Command) -> None:
    valid_for_ms = max(0, min(command.deadline_at_ms, command.expires_at_ms) - draft.now_ms)
    if command.status is CommandStatus.QUEUED:
        if command.kind is CommandKind.TEST_VEND:
            column = column_named(draft.state, command.column)
            if column is None:
                gone = f"column {command.column} is not in the planogram any more"
                _end(draft, command, CommandStatus.CANCELLED, gone)
                return
            # However soon it had expired unsent: its motor turns for as long as any other.
            command = replace(
                command,
                product=column.product,
                deadline_at_ms=draft.now_ms + draft.policy.vend_result_ms,
            )
        command = replace(
            command,
            status=CommandStatus.SENT,
            sent_at_ms=draft.now_ms,
            sent_in=draft.state.link.boot_id,
        )
        draft.record_command(command)
    if command.kind is CommandKind.TEST_VEND:
        valid_for_ms = min(valid_for_ms, draft.policy.approval_valid_ms)
    _keep(draft, replace(command, told=True))
    draft.tell(
        SendCommand(
            command_id=command.command_id,
            kind=command.kind,
            column=command.column,
            show_for_ms=command.show_for_ms,
            valid_for_ms=valid_for_ms,
        )
    )


# --- how it ended ---


def answered(draft: Draft, seq: int, fact: CommandAnswered) -> None:
    """The machine says what became of a command."""
    command = _named(draft.state, fact.command_id)
    if command is None or command.status is CommandStatus.CANCELLED:
        vending.reject(
            draft, seq, f"the command_id of a command that was sent; {fact.command_id} is none"
        )
    elif _asked_elsewhere(draft.state, command):
        draft.note(
            f"command {command.command_id} was sent to boot {command.sent_in}, and a device that "
            f"may be another one says {fact.outcome}"
        )
    elif command.status in _SAID:
        _say_again(draft, command, fact)
    elif fact.outcome is CommandOutcome.UNKNOWN:
        draft.note(f"command {command.command_id}: its machine says nothing that we can read")
    else:
        _conclude(draft, command, fact)


def _asked_elsewhere(state: MachineState, command: Command) -> bool:
    """Tell whether the command was kept back from the device that speaks now, which could have
    shown that it is the machine. A lock is ours, whoever follows it.
    """
    kept_back = command.superseded and command.kind not in LOCKING
    return kept_back and state.link.keeps_token and state.link.boot_id != command.sent_in


def _say_again(draft: Draft, command: Command, fact: CommandAnswered) -> None:
    """What was answered is answered again, and changes nothing. A person is told of an item that
    our stock does not know to have fallen.
    """
    draft.note(
        f"command {command.command_id} was {command.status} before; now its machine says "
        f"{fact.outcome}"
    )
    known = command.kind is not CommandKind.TEST_VEND or command.dropped
    if not known and fell(fact.evidence, turned=fact.outcome is CommandOutcome.APPLIED):
        alarms.ring(
            draft,
            AlarmKind.TEST_VEND_UNKNOWN,
            f"test vend of column {command.column} was {command.status} and dropped nothing, and "
            "now its machine says that an item fell; our stock counts it as not fallen",
            subject=command.command_id,
        )


def _conclude(draft: Draft, command: Command, fact: CommandAnswered) -> None:
    status, detail = _ENDINGS[fact.outcome], fact.detail
    late = command.status is CommandStatus.EXPIRED
    if late:
        draft.note(f"command {command.command_id} had expired, and its machine answers")
    if (
        command.kind is CommandKind.REBOOT
        and status is CommandStatus.APPLIED
        and command.sent_in == draft.state.link.boot_id
    ):
        status = CommandStatus.REJECTED
        detail = "contradiction: said to be done in the boot in which it was sent"
        draft.note(f"command {command.command_id} is a {detail}")
    dropped = command.kind is CommandKind.TEST_VEND and fell(
        fact.evidence, turned=status is CommandStatus.APPLIED
    )
    ended = replace(
        command,
        evidence=fact.evidence if command.kind is CommandKind.TEST_VEND else "",
        dropped=dropped,
        report=fact.report if command.kind is CommandKind.REPORT else None,
    )
    if dropped:
        stock.take_tested(
            draft,
            command.column,
            command.product,
            command.command_id,
            counted=late and command.counted,
        )
        stock.works(draft, command.column)
        incidents.sold(draft, command.column)
    _end(draft, ended, status, detail)
    if late and command.kind is CommandKind.TEST_VEND:
        said = "an item fell" if dropped else "nothing fell"
        alarms.tell_more(
            draft,
            AlarmKind.TEST_VEND_UNKNOWN,
            command.command_id,
            f"test vend of column {command.column} was answered after all: {said}",
        )


def expire(draft: Draft, heard: frozenset[str]) -> None:
    """End what was not answered in time. One whose machine was ``heard`` of is not ended."""
    for command in draft.state.commands:
        if command.deadline_at_ms > draft.now_ms or command.command_id in heard:
            continue
        sent = command.status is CommandStatus.SENT
        said = "no answer" if sent else _unsent(draft.state)
        said = f"{said}{_holds_here(draft.state, command)}"
        _end(draft, command, CommandStatus.EXPIRED, said)
        if sent and command.kind is CommandKind.TEST_VEND:
            alarms.ring(
                draft,
                AlarmKind.TEST_VEND_UNKNOWN,
                f"test vend of column {command.column} was sent and not answered: nobody knows "
                "whether an item fell; our stock counts it as not fallen",
                subject=command.command_id,
            )


def _unsent(state: MachineState) -> str:
    """Return why a command was not sent before its time was over."""
    if state.link.boot_id and not state.link.knows_commands:
        return f"was not sent, {Refusal.COMMANDS_UNKNOWN}: {_OLD_FIRMWARE}"
    return "was not sent"


def _holds_here(state: MachineState, command: Command) -> str:
    """Return what holds here of a command that its machine did not answer: what it says of a
    column, unless a later one says otherwise.
    """
    locked = command.column in (state.ordered_locks or ())
    match command.kind:
        case CommandKind.LOCK_COLUMN if locked:
            return f"; column {command.column} is locked here all the same"
        case CommandKind.UNLOCK_COLUMN if not locked:
            return f"; no command locks column {command.column} here any more"
        case _:
            return ""


def resumed(command: Command, now_ms: int, policy: Policy) -> Command:
    """Return the command with no wait longer than its own span, whatever clock set it."""
    span_ms = command.expires_at_ms - command.ordered_at_ms
    if command.kind is CommandKind.TEST_VEND and command.status is CommandStatus.SENT:
        span_ms = policy.vend_result_ms
    return replace(command, deadline_at_ms=min(command.deadline_at_ms, now_ms + span_ms))


def _end(draft: Draft, command: Command, status: CommandStatus, detail: str) -> None:
    ended = replace(command, status=status, detail=detail, ended_at_ms=draft.now_ms, told=False)
    draft.record_command(ended)
    known = draft.state.ended_commands
    others = tuple(one for one in known if one.command_id != ended.command_id)
    draft.update(
        commands=tuple(one for one in draft.state.commands if one.command_id != ended.command_id),
        # What the state remembers of it need not hold what its row does.
        ended_commands=(*others, replace(ended, report=None, version=draft.before.version + 1))[
            -ENDED_COMMANDS_KEPT:
        ],
    )


def _keep(draft: Draft, command: Command) -> None:
    draft.update(
        commands=tuple(
            command if one.command_id == command.command_id else one for one in draft.state.commands
        )
    )


def _named(state: MachineState, command_id: str) -> Command | None:
    return next(
        (one for one in (*state.commands, *state.ended_commands) if one.command_id == command_id),
        None,
    )
