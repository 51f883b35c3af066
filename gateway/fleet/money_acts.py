"""Administrators' acts on money: a refund is tried again, asked about or given up, a vend in doubt
is settled, an item that waits for a person is closed.

A second time under the same claim: a refund is tried under its own id, which Alipay knows; what
was written off, settled, given back or closed is found so, and is the answer.
"""

from dataclasses import dataclass

from actors.machine.events import (
    RefundQueryAsked,
    RefundRetryAsked,
    RefundWrittenOff,
    VendRefundAsked,
    VendSettled,
)
from actors.machine.ids import MachineId, RefundId, VendId
from actors.machine.state import RefundStatus, VendStatus
from actors.machine.with_a_person import WITH_A_PERSON
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act, Acts, why_not
from gateway.fleet.errors import not_found, not_possible
from storage.fleet.answers import RequestInProgress
from storage.fleet.closings import Closings, HasItsOwnAct, NotWaiting
from storage.fleet.sold import SoldVends
from storage.fleet.views import ClosingView, RefundView, VendView, WorkItemKind

_ACTS = {
    WorkItemKind.REFUND_REFUSED: "RetryRefund or WriteOffRefund",
    WorkItemKind.REFUND_UNRESOLVED: "QueryRefund, RetryRefund or WriteOffRefund",
    WorkItemKind.REFUND_OVERDUE: "RetryRefund, or by itself",
    WorkItemKind.VEND_IN_REVIEW: "SettleVend",
    WorkItemKind.MACHINE_HALTED: "ReloadMachine, or by itself",
    WorkItemKind.CODE_REFUSED: "UpdateMachine, RotateCode, DisableMachine or EnableMachine",
    WorkItemKind.LOADING_UNFINISHED: "LoadColumn or ReverseMove once more",
}
"""What ends the kinds that cannot be closed."""

REFUND_VEND_TRIES = 5
_OVER = frozenset({RefundStatus.SUCCEEDED, RefundStatus.WRITTEN_OFF})
_WITH_A_PERSON = frozenset(status.value for status in WITH_A_PERSON)


@dataclass(frozen=True, kw_only=True)
class MoneyActs(Acts):
    """Carries them out."""

    closings: Closings
    sold: SoldVends

    async def retry_refund(self, refund_id: str, reason: str, act: Act) -> RefundView:
        """Let the actor try a refund now, under its own id."""
        refund = await self.refund(refund_id)
        if act.resumed and refund.status in _OVER:
            return refund
        _not_over(refund, "try")
        if act.validate_only:
            return refund
        event = RefundRetryAsked(refund_id=RefundId(refund_id), actor=act.actor, reason=reason)
        return await self._tried("RetryRefund", refund, event, act)

    async def query_refund(self, refund_id: str, reason: str, act: Act) -> RefundView:
        """Let the actor ask Alipay what became of a refund. No money is asked for."""
        refund = await self.refund(refund_id)
        if act.resumed and refund.status in _OVER:
            return refund
        _not_over(refund, "ask about")
        if act.validate_only:
            return refund
        event = RefundQueryAsked(refund_id=RefundId(refund_id), actor=act.actor, reason=reason)
        return await self._tried("QueryRefund", refund, event, act)

    async def _tried(
        self,
        action: str,
        refund: RefundView,
        event: RefundRetryAsked | RefundQueryAsked,
        act: Act,
    ) -> RefundView:
        about = f"refund {refund.refund_id}, {refund.status}"
        detail = f"{about}: {event.reason}" if event.reason else about
        await self._audited(act, action, refund.machine_id, detail)
        await self._told(MachineId(refund.machine_id), event, act, saved=False)
        return await self.refund(refund.refund_id)

    async def write_off_refund(self, refund_id: str, reason: str, act: Act) -> RefundView:
        """Let the actor give up a refund that is a person's. A large one needs a second person:
        then the first is refused, and noted.
        """
        refund = await self.refund(refund_id)
        if act.resumed and refund.status == RefundStatus.WRITTEN_OFF:
            return refund
        _not_over(refund, "write off")
        if refund.status not in _WITH_A_PERSON:
            raise not_possible(
                "REFUND_NOT_REFUSED",
                f"refund {refund_id} is {refund.status}: its money may still go back, or be "
                "back already, so only a REFUSED or UNRESOLVED one can be "
                "written off; wait, or QueryRefund to learn what Alipay says now",
                refund=refund_id,
                status=refund.status,
            )
        if act.validate_only:
            return refund
        await self._audited(
            act,
            "WriteOffRefund",
            refund.machine_id,
            f"refund {refund_id}, {refund.status} -> WRITTEN_OFF: {reason}",
        )
        event = RefundWrittenOff(
            refund_id=RefundId(refund_id), actor=act.actor, reason=reason, person=act.person
        )
        notes = await self._told(MachineId(refund.machine_id), event, act, saved=False)
        after = await self.refund(refund_id)
        if after.status in _WITH_A_PERSON and after.proposed_by:
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
                "REFUND_NOT_WRITTEN_OFF", why_not(notes), refund=refund_id, status=after.status
            )
        return after

    async def settle_vend(
        self, vend_id: str, reason: str, act: Act, *, delivered: bool
    ) -> VendView:
        """Tell the actor how a vend in doubt, or in review, really ended."""
        vend = await self.vend(vend_id)
        wanted = VendStatus.SUCCEEDED if delivered else VendStatus.VOIDED
        if act.resumed and vend.status == wanted:
            return vend
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
        if act.validate_only:
            return vend
        outcome = "delivered" if delivered else "not delivered"
        await self._audited(
            act,
            "SettleVend",
            vend.machine_id,
            f"vend {vend_id} {outcome}, {vend.status} -> {wanted}: {reason}",
        )
        event = VendSettled(
            vend_id=VendId(vend_id), delivered=delivered, actor=act.actor, reason=reason
        )
        notes = await self._told(MachineId(vend.machine_id), event, act, saved=False)
        after = await self.vend(vend_id)
        if after.status != wanted:
            raise not_possible(
                "VEND_NOT_SETTLED", why_not(notes), vend=vend_id, status=after.status
            )
        return after

    async def refund_vend(self, vend_id: str, reason: str, act: Act) -> tuple[VendView, list[str]]:
        """Let the actor give the price of sold goods back; return the vend and the refunds' ids.

        What paid for it is read from SQL, and believed by the actor only if it decided on nothing
        since: so a busy machine may need more than one reading. If this was the only decision
        since, the actor believed it and said no.
        """
        vend = await self.vend(vend_id)
        notes: tuple[str, ...] = ()
        decided = -1  # the version that the machine has if it believed what it was last told
        for again in range(REFUND_VEND_TRIES):
            sold = await self.sold.find(VendId(vend_id))
            if sold is not None and sold.refund_ids:
                if again or act.resumed:
                    return await self.vend(vend_id), list(sold.refund_ids)
                raise not_possible(
                    "VEND_REFUNDED",
                    f"vend {vend_id} was refunded already, by {', '.join(sold.refund_ids)}: "
                    "GetRefund tells how far that is",
                    vend=vend_id,
                )
            if sold is not None and sold.archived and vend.status == VendStatus.SUCCEEDED:
                raise not_possible(
                    "VEND_ARCHIVED",
                    f"what paid for vend {vend_id} is in the archive of the books: give the money "
                    "back at Alipay; ListTrades of its session names the trades",
                    vend=vend_id,
                )
            if vend.status != VendStatus.SUCCEEDED or sold is None or not sold.parts:
                raise not_possible(
                    "VEND_NOT_SOLD",
                    f"vend {vend_id} is {vend.status} {vend.reason}".rstrip()
                    + ": nothing of it was sold, so nothing is there to be given back",
                    vend=vend_id,
                    status=vend.status,
                )
            if act.validate_only:
                return vend, []
            if sold.version == decided:
                break
            if not again:
                await self._audited(act, "RefundVend", vend.machine_id, f"vend {vend_id}: {reason}")
            event = VendRefundAsked(
                vend_id=VendId(vend_id),
                version=sold.version,
                parts=sold.parts,
                actor=act.actor,
                reason=reason,
            )
            notes = await self._told(MachineId(vend.machine_id), event, act, saved=False)
            decided = sold.version + 1
        sold = await self.sold.find(VendId(vend_id))
        if sold is None or not sold.refund_ids:
            raise not_possible("VEND_NOT_REFUNDED", why_not(notes), vend=vend_id)
        return await self.vend(vend_id), list(sold.refund_ids)

    async def close_work_item(self, item_id: str, reason: str, act: Act) -> ClosingView:
        """End what waits for a person and needs no act on money. SQL alone decides: no actor knows
        of these.
        """
        try:
            return await self.closings.close(
                item_id,
                actor=act.by,
                reason=reason,
                now_ms=self.clock.now_ms(),
                claim=act.claim,
                only_check=act.validate_only,
            )
        except RequestInProgress:
            raise fleet_errors.CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None
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


def _not_over(refund: RefundView, act: str) -> None:
    if refund.status in _OVER:
        over = "succeeded" if refund.status == RefundStatus.SUCCEEDED else "was written off"
        raise not_possible(
            f"REFUND_{refund.status}",
            f"refund {refund.refund_id} {over} already: nothing is left to {act}",
            refund=refund.refund_id,
            status=refund.status,
        )
