"""What administrators change: first the registry (one transaction with its audit row), then word to
the machine's actor.

Flows in: checked values. Flows out: the machine or refund as SQL has it afterwards, or CallRefused.
An act on money or stock is a command to the actor, never a statement beside it. All waits are
bounded by what is left of the caller's own deadline.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from actors.link import AdminEvent, CloseReason, CommandDone, Reload
from actors.machine.events import RefundRetryAsked, RefundWrittenOff, StockCounted, VendSettled
from actors.machine.ids import MachineId, RefundId, VendId
from actors.machine.policy import PolicyOverrides
from actors.machine.state import CodeStatus, Column, Mode, RefundStatus, VendStatus
from actors.ports import Clock, MachineStore
from gateway.fleet import errors as fleet_errors
from gateway.fleet.errors import CallRefused, invalid, not_found, not_possible
from gateway.links.links import HostUnavailable
from gateway.rpc import statuses
from gateway.rpc.statuses import FieldProblem
from storage.fleet.closings import Closings, HasItsOwnAct, NotWaiting
from storage.fleet.queries import Queries
from storage.fleet.registry import AlreadyRegistered, NewMachine, Registry, UnknownMachine
from storage.fleet.views import ClosingView, MachineView, RefundView, VendView, WorkItemKind

_log = structlog.get_logger()
_POLL_S = 0.1
_ACTS = {
    WorkItemKind.REFUND_REFUSED: "RetryRefund or WriteOffRefund",
    WorkItemKind.REFUND_OVERDUE: "RetryRefund, or by itself",
    WorkItemKind.VEND_IN_REVIEW: "SettleVend",
    WorkItemKind.MACHINE_HALTED: "ReloadMachine, or by itself",
}
"""What ends the kinds that cannot be closed."""


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
    empty: ``actor`` does.
    """

    actor: str
    within_s: float
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetActs:
    """Carries out changes. ``code_wait_s``: how long a registration waits for Alipay's code."""

    registry: Registry
    queries: Queries
    closings: Closings
    store: MachineStore
    commands: Commands
    clock: Clock
    command_timeout_s: float = 10.0
    code_wait_s: float = 8.0

    async def register(self, new: NewMachine, act: Act) -> MachineView:
        """Take a machine into the fleet and wait a little for its code, which may stay PENDING."""
        try:
            await self.registry.register(new, actor=act.actor, now_ms=self.clock.now_ms())
        except AlreadyRegistered as error:
            raise fleet_errors.already_registered(new.machine_id, error.detail) from None
        view = await self.machine(new.machine_id)
        if view.code_status != CodeStatus.PENDING:
            return view
        await self._configured(new.machine_id, act)
        return await self._with_code(new.machine_id, min(self.code_wait_s, act.within_s - 1.0))

    async def _with_code(self, machine_id: str, wait_s: float) -> MachineView:
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while True:
            view = await self.machine(machine_id)
            if view.code_status != CodeStatus.PENDING or loop.time() >= until:
                return view
            await asyncio.sleep(_POLL_S)

    async def machine(self, machine_id: str) -> MachineView:
        """Return the machine as SQL has it."""
        view = await self.queries.machine(machine_id)
        if view is None:
            raise not_found("machine", machine_id)
        return view

    async def change(
        self,
        machine_id: str,
        act: Act,
        *,
        action: str,
        mode: Mode | None = None,
        overrides: PolicyOverrides | None = None,
        enabled: bool | None = None,
        columns: tuple[Column, ...] | None = None,
        detail: str = "",
    ) -> MachineView:
        """Change what is not None, each of them whole, and return the machine once its actor
        knows.
        """
        try:
            await self.registry.change(
                MachineId(machine_id),
                actor=act.actor,
                action=action,
                now_ms=self.clock.now_ms(),
                mode=mode,
                overrides=overrides,
                enabled=enabled,
                columns=columns,
                detail=detail,
            )
        except UnknownMachine:
            raise not_found("machine", machine_id) from None
        await self._configured(MachineId(machine_id), act)
        return await self.machine(machine_id)

    async def _configured(self, machine_id: MachineId, act: Act) -> None:
        """Tell the actor how the registry wants the machine now: all of it, so that acts which
        overtake each other lose nothing.
        """
        loaded = await self.store.load(machine_id)
        if loaded is not None:
            await self._told(machine_id, loaded.configuration, act, saved=True)

    async def count_stock(self, machine_id: str, column: str, stock: int, act: Act) -> MachineView:
        """Tell the actor how many items are in a column."""
        view = await self.machine(machine_id)
        known = {one.column: one for one in view.columns}
        if column not in known:
            raise not_possible(
                "UNKNOWN_COLUMN",
                f"machine {machine_id} has no column {column!r}: SetPlanogram makes columns",
                machine=machine_id,
                column=column,
            )
        if stock > known[column].capacity:
            raise invalid(
                FieldProblem(
                    field="stock",
                    description=f"must not be above the capacity {known[column].capacity}",
                )
            )
        await self._audited(act, "SetStock", machine_id, f"column {column} stock {stock}")
        await self._told(
            MachineId(machine_id),
            StockCounted(column=column, stock=stock, actor=act.actor),
            act,
            saved=False,
        )
        return await self.machine(machine_id)

    async def reload_machine(self, machine_id: str, reason: str, act: Act) -> MachineView:
        """Have the machine's host load it anew, halted or not, and return it once all that waited
        for it is decided.
        """
        await self.machine(machine_id)
        await self._audited(act, "ReloadMachine", machine_id, reason)
        await self._told(MachineId(machine_id), Reload(), act, saved=False)
        return await self.machine(machine_id)

    async def retry_refund(self, refund_id: str, reason: str, act: Act) -> RefundView:
        """Let the actor try a refund now, under its own id."""
        refund = await self.refund(refund_id)
        _not_over(refund, "try")
        await self._audited(
            act,
            "RetryRefund",
            refund.machine_id,
            f"refund {refund_id}: {reason}" if reason else f"refund {refund_id}",
        )
        event = RefundRetryAsked(refund_id=RefundId(refund_id), actor=act.actor, reason=reason)
        await self._told(MachineId(refund.machine_id), event, act, saved=False)
        return await self.refund(refund_id)

    async def write_off_refund(self, refund_id: str, reason: str, act: Act) -> RefundView:
        """Let the actor give up a refund that Alipay refused. A large one needs a second person:
        then the first is refused, and noted.
        """
        refund = await self.refund(refund_id)
        _not_over(refund, "write off")
        if refund.status != RefundStatus.REFUSED:
            raise not_possible(
                "REFUND_NOT_REFUSED",
                f"refund {refund_id} is {refund.status}: its money may still go back, or be "
                "back already, so only a REFUSED one can be "
                "written off; wait, or RetryRefund to learn what Alipay says now",
                refund=refund_id,
                status=refund.status,
            )
        await self._audited(
            act, "WriteOffRefund", refund.machine_id, f"refund {refund_id}: {reason}"
        )
        event = RefundWrittenOff(
            refund_id=RefundId(refund_id), actor=act.actor, reason=reason, person=act.person
        )
        notes = await self._told(MachineId(refund.machine_id), event, act, saved=False)
        after = await self.refund(refund_id)
        if after.status == RefundStatus.REFUSED and after.proposed_by:
            raise not_possible(
                "SECOND_PERSON_NEEDED",
                f"refund {refund_id} is not written off yet: it takes two people, and "
                f"{after.proposed_by} is the first, which is saved; "
                "now another person must call WriteOffRefund for it, under their own name and "
                "certificate; RetryRefund takes it back",
                refund=refund_id,
                proposed_by=after.proposed_by,
            )
        if after.status != RefundStatus.WRITTEN_OFF:
            raise not_possible(
                "REFUND_NOT_WRITTEN_OFF", _why_not(notes), refund=refund_id, status=after.status
            )
        return after

    async def settle_vend(
        self, vend_id: str, reason: str, act: Act, *, delivered: bool
    ) -> VendView:
        """Tell the actor how a vend in doubt, or in review, really ended."""
        vend = await self.vend(vend_id)
        if vend.status not in {VendStatus.IN_DOUBT, VendStatus.IN_REVIEW}:
            raise not_possible(
                "VEND_NOT_IN_DOUBT",
                (
                    f"vend {vend_id} is {vend.status}: only one that is IN_DOUBT or IN_REVIEW is a "
                    "person's to settle"
                ),
                vend=vend_id,
                status=vend.status,
            )
        outcome = "delivered" if delivered else "not delivered"
        await self._audited(
            act, "SettleVend", vend.machine_id, f"vend {vend_id} {outcome}: {reason}"
        )
        event = VendSettled(
            vend_id=VendId(vend_id), delivered=delivered, actor=act.actor, reason=reason
        )
        notes = await self._told(MachineId(vend.machine_id), event, act, saved=False)
        after = await self.vend(vend_id)
        if after.status != (VendStatus.SUCCEEDED if delivered else VendStatus.VOIDED):
            raise not_possible(
                "VEND_NOT_SETTLED", _why_not(notes), vend=vend_id, status=after.status
            )
        return after

    async def close_work_item(self, item_id: str, reason: str, act: Act) -> ClosingView:
        """End what waits for a person and needs no act on money. SQL alone decides: no actor knows
        of these.
        """
        try:
            return await self.closings.close(
                item_id, actor=act.actor, reason=reason, now_ms=self.clock.now_ms()
            )
        except NotWaiting:
            raise fleet_errors.no_work_item(item_id) from None
        except HasItsOwnAct as error:
            ends = _ACTS[error.item.kind]
            raise not_possible(
                "WORK_ITEM_HAS_ITS_OWN_ACT",
                (
                    f"{item_id} is {error.item.kind} and is about money of ours, which closing "
                    f"would leave where it is: it ends by {ends}"
                ),
                item=item_id,
                kind=error.item.kind,
                ends_by=ends,
            ) from None

    async def vend(self, vend_id: str) -> VendView:
        """Return the vend as SQL has it."""
        view = await self.queries.vend(vend_id)
        if view is None:
            raise not_found("vend", vend_id)
        return view

    async def refund(self, refund_id: str) -> RefundView:
        """Return the refund as SQL has it."""
        view = await self.queries.refund(refund_id)
        if view is None:
            raise not_found("refund", refund_id)
        return view

    async def _audited(self, act: Act, action: str, machine_id: str, detail: str) -> None:
        await self.registry.audit(
            actor=act.actor,
            action=action,
            machine_id=machine_id,
            detail=detail,
            now_ms=self.clock.now_ms(),
        )

    async def _told(
        self, machine_id: MachineId, event: AdminEvent | Reload, act: Act, *, saved: bool
    ) -> tuple[str, ...]:
        """Hand the event to the actor, wait until its decision is saved, and return the decision's
        notes. Raises CallRefused.
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
            raise fleet_errors.host_away(machine_id, saved=saved, sent=error.sent) from None
        match done.refusal:
            case "":
                return done.notes
            case CloseReason.HALTED if isinstance(event, Reload):
                raise not_possible(
                    "MACHINE_HALTED_AGAIN", _why_again(machine_id, done.notes), machine=machine_id
                )
            case CloseReason.HALTED:
                raise CallRefused(
                    statuses.HALTED.about(machine_id=machine_id).because(
                        "ReloadMachine tries it again"
                    )
                )
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


def _not_over(refund: RefundView, act: str) -> None:
    if refund.status in {RefundStatus.SUCCEEDED, RefundStatus.WRITTEN_OFF}:
        over = "succeeded" if refund.status == RefundStatus.SUCCEEDED else "was written off"
        raise not_possible(
            f"REFUND_{refund.status}",
            f"refund {refund.refund_id} {over} already: nothing is left to {act}",
            refund=refund.refund_id,
            status=refund.status,
        )


def _why_again(machine_id: str, notes: tuple[str, ...]) -> str:
    error = "; ".join(notes) or "the host gave no reason"
    return (
        f"machine {machine_id} was loaded and halted again: {error}; nothing of it is lost; "
        "mend the cause, by another version or in "
        "the database, and repeat the call; it also tries again by itself"
    )


def _why_not(notes: tuple[str, ...]) -> str:
    return (
        f"the machine's actor decided otherwise: {'; '.join(notes) or 'it gave no reason'}; look "
        "again before you repeat the call"
    )
