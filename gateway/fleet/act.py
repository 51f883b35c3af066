"""What administrators' acts share: who does it, the way to the machine's actor, and the audit row.

Flows in: checked values. Flows out: what SQL has afterwards, or CallRefused. An act on money or
stock is a command to the actor, never a statement beside it; the registry is changed in one
transaction with its audit row, then the actor hears of it. With ``validate_only`` an act is checked
against what SQL has now, and nothing is written or told. All waits are bounded by what is left of
the caller's own deadline.

An act may come a second time under the same ``Claim``, because the first one was cut off. Then the
registry is not changed again (the claim says so), and what an actor has to decide is told again,
which each act below is made for.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Protocol

import structlog

from actors.link import AdminEvent, CloseReason, CommandDone, Reload
from actors.machine.ids import MachineId
from actors.ports import Clock, MachineStore
from gateway.fleet import errors as fleet_errors
from gateway.fleet.errors import not_found, not_possible
from gateway.links.commands import HostUnavailable
from gateway.rpc.roles import NOBODY, Roles
from storage.books.audit_rows import Actor, Outcome
from storage.fleet.answers import Answers, Claim
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.fleet.views import MachineView

_log = structlog.get_logger()


class Commands(Protocol):
    """The way to the actors; ``gateway.links.links.HostLinks`` is one."""

    async def command(
        self, machine_id: MachineId, event: AdminEvent | Reload, *, timeout_s: float
    ) -> CommandDone:
        """Return once the actor's decision is saved. Raises HostUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does it and how many seconds the caller waits at most. ``person`` tells two people apart;
    empty: ``actor`` does. ``proven``: the name in their certificate or token; ``told_by``: which of
    both tells the person; ``claimed``: the name that they give; ``roles``: what they are trusted
    with.

    ``validate_only``: it is only checked. ``claim``: its request has an id, and this is the right
    to do it.
    """

    actor: str
    within_s: float
    person: str = ""
    claimed: str = ""
    proven: str = ""
    told_by: str = ""
    validate_only: bool = False
    claim: Claim | None = None
    roles: Roles = NOBODY

    @property
    def by(self) -> Actor:
        """Who it is, for the audit log: what is proven and what is claimed apart."""
        return Actor(name=self.actor, claimed=self.claimed, proven=self.proven)

    @property
    def resumed(self) -> bool:
        """The same request was begun before, and may have been done."""
        return self.claim is not None and self.claim.resumed

    def cause(self, kind: str) -> str:
        """Return the name of what is done: that of its request, if it has an id, for ever."""
        if self.claim is None:
            return secrets.token_hex(16)
        asked = self.claim.asked
        name = f"{kind}\n{asked.caller}\n{asked.request_id}"
        return hashlib.sha256(name.encode()).hexdigest()[:32]

    @property
    def kept(self) -> bool:
        """The same request was begun before and its change is saved: only its answer is wanted,
        whatever would refuse it by now.
        """
        return self.claim is not None and self.claim.done


@dataclass(frozen=True, kw_only=True)
class Acts:
    """What every act needs."""

    registry: Registry
    queries: Queries
    answers: Answers
    store: MachineStore
    commands: Commands
    clock: Clock
    command_timeout_s: float = 10.0

    async def machine(self, machine_id: str) -> MachineView:
        """Return the machine as SQL has it."""
        view = await self.queries.machine(machine_id)
        if view is None:
            raise not_found("machine", machine_id)
        return view

    async def _audited(self, act: Act, action: str, machine_id: str, detail: str) -> None:
        await self.registry.audit(
            actor=act.by,
            action=action,
            machine_id=machine_id,
            detail=detail,
            now_ms=self.clock.now_ms(),
            outcome=Outcome.ORDERED,
        )

    async def _told(
        self,
        machine_id: MachineId,
        event: AdminEvent | Reload,
        act: Act,
        *,
        saved: bool,
        beforehand: bool = False,
    ) -> tuple[str, ...]:
        """Hand the event to the actor, wait until its decision is saved, and return the decision's
        notes. ``saved``: the registry has what the act is to change. ``beforehand``: the event is
        not the act yet, of which nothing is done if it fails. Raises CallRefused.
        """
        timeout_s = max(0.1, min(self.command_timeout_s, act.within_s - 0.5))
        try:
            done = await self.commands.command(machine_id, event, timeout_s=timeout_s)
        except HostUnavailable as error:
            _log.warning(
                "host away during an administrator's call",
                machine_id=machine_id,
                event_kind=type(event).__name__,
                error=str(error),
            )
            sent = error.sent and not beforehand
            raise fleet_errors.host_away(machine_id, saved=saved, sent=sent) from None
        match done.refusal:
            case "":
                return done.notes
            case CloseReason.HALTED if isinstance(event, Reload):
                raise not_possible(
                    "MACHINE_HALTED_AGAIN", _why_again(machine_id, done.notes), machine=machine_id
                )
            case CloseReason.HALTED:
                raise fleet_errors.halted(machine_id)
            case CloseReason.UNKNOWN_MACHINE:
                raise not_found("machine", machine_id)
            case why:  # the host has no room or no database: as good as away
                _log.warning(
                    "host did not take an administrator's act",
                    machine_id=machine_id,
                    event_kind=type(event).__name__,
                    why=why,
                )
                raise fleet_errors.host_away(machine_id, saved=saved, sent=False)


def _why_again(machine_id: str, notes: tuple[str, ...]) -> str:
    error = "; ".join(notes) or "the host gave no reason"
    return (
        f"machine {machine_id} was loaded and halted again: {error}; nothing of it is lost; "
        "mend the cause, by another version or in "
        "the database, and repeat the call; it also tries again by itself"
    )


def why_not(notes: tuple[str, ...]) -> str:
    """Return why the actor did not do what was asked, in its own words."""
    return (
        f"the machine's actor decided otherwise: {'; '.join(notes) or 'it gave no reason'}; look "
        "again before you repeat the call"
    )
