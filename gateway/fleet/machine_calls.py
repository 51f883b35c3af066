"""The changing calls of FleetService: each request is checked whole, then done by the acts.

Flows in: a request of ``gateway.fleet.v1`` and who asks. Flows out: the machine, or CallRefused
with every problem of the request. A field that was forgotten destroys nothing: no columns, no count
and no mask are refused.
"""

from dataclasses import dataclass, replace

from actors.machine.ids import MachineId
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.fleet.errors import CallRefused
from gateway.fleet.machine_acts import MachineActs, PlanogramSet
from gateway.fleet.masks import machine_change, sets_guards
from gateway.fleet.requests import Fields, new_machine
from gateway.fleet.v1 import fleet_service_pb2 as wire
from gateway.rpc.roles import Role, may, words
from storage.fleet.changes import MachineChange
from storage.fleet.limits import GUARDS
from storage.fleet.registry import Registry
from storage.fleet.views import MachineView


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    acts: MachineActs
    look_alikes: bool = False
    """Take new ids that could be taken for others': somebody has looked already."""

    async def register(self, request: wire.RegisterMachineRequest, act: Act) -> MachineView:
        """RegisterMachine."""
        new = new_machine(request)
        if any(request.policy.HasField(name) for name in GUARDS):  # type: ignore[arg-type]  # the wire has each
            _require_owner(act)
        if not self.look_alikes:
            await self._check_alike(new.machine_id)
        return await self.acts.register(new, act, unlike=not self.look_alikes)

    async def _check_alike(self, machine_id: str) -> None:
        """Raise CallRefused if people take a new id for another one. Two that are there from before
        may stay; of two that come at one moment the registry takes one.
        """
        queries = self.acts.queries
        other = (await queries.taken_for([machine_id])).get(machine_id)
        if other is not None and not await queries.some_machines([machine_id], columns=False):
            raise fleet_errors.looks_like(machine_id, other)

    async def update(self, request: wire.UpdateMachineRequest, act: Act) -> MachineView:
        """UpdateMachine. The audit row says what was changed, before and after."""
        fields = Fields().machine_id(request.machine.machine_id, field="machine.machine_id")
        change = machine_change(fields, request.machine, request.update_mask)
        etag = fields.etag_of(request.etag, request.machine.etag, field="machine.etag")
        fields.done()
        if sets_guards(request.update_mask):
            _require_owner(act)
        return await self.acts.change(
            request.machine.machine_id, change, act, action="UpdateMachine", etag=etag
        )

    async def set_planogram(self, request: wire.SetPlanogramRequest, act: Act) -> PlanogramSet:
        """SetPlanogram. No columns are meant only if the request says so in words, and goods leave
        their columns only if it says that, too.
        """
        fields = Fields().machine_id(request.machine_id).etag(request.etag)
        columns = fields.columns(request.columns)
        if not request.columns and not request.remove_all:
            fields.wrong("columns", "must be 1 to 128; remove_all says that there shall be none")
        if request.columns and request.remove_all:
            fields.wrong("remove_all", "must not be set beside columns")
        fields.done()
        removes = request.goods_may_be_removed or request.remove_all
        done = await self.acts.change_goods(
            request.machine_id,
            MachineChange(columns=columns, goods_may_be_removed=removes),
            act,
            action="SetPlanogram",
            etag=request.etag,
        )
        named = {one.product for one in columns}
        return replace(done, not_in_catalogue=await self.acts.queries.not_in_catalogue(named))

    async def set_stock(self, request: wire.SetStockRequest, act: Act) -> MachineView:
        """SetStock. A count that is not there is no count of 0."""
        fields = Fields().machine_id(request.machine_id).stock(request.column, request.stock)
        if not request.HasField("stock"):
            fields.wrong("stock", "must be there, 0 if the column is empty")
        fields.done()
        return await self.acts.count_stock(request.machine_id, request.column, request.stock, act)

    async def enable(self, request: wire.EnableMachineRequest, act: Act) -> MachineView:
        """EnableMachine."""
        Fields().machine_id(request.machine_id).etag(request.etag).done()
        return await self.acts.change(
            request.machine_id,
            MachineChange(enabled=True),
            act,
            action="EnableMachine",
            etag=request.etag,
        )

    async def disable(self, request: wire.DisableMachineRequest, act: Act) -> MachineView:
        """DisableMachine."""
        fields = Fields().machine_id(request.machine_id).etag(request.etag)
        fields.reason(request.reason).done()
        return await self.acts.change(
            request.machine_id,
            MachineChange(enabled=False),
            act,
            action="DisableMachine",
            etag=request.etag,
            detail=request.reason,
        )

    async def retire(self, request: wire.RetireMachineRequest, act: Act) -> MachineView:
        """RetireMachine."""
        fields = Fields().machine_id(request.machine_id).etag(request.etag)
        fields.reason(request.reason, needed=True).done()
        return await self.acts.change(
            request.machine_id,
            MachineChange(retire=True),
            named(act),
            action="RetireMachine",
            etag=request.etag,
            detail=request.reason,
        )

    async def rotate(self, request: wire.RotateCodeRequest, act: Act) -> MachineView:
        """RotateCode. Which token and which store, nobody but the registry says."""
        fields = Fields().machine_id(request.machine_id).etag(request.etag)
        fields.reason(request.reason, needed=True).done()
        change = Registry.rotation(MachineId(request.machine_id), new_code=request.new_code)
        return await self.acts.change(
            request.machine_id,
            change,
            named(act),
            action="RotateCode",
            etag=request.etag,
            detail=request.reason,
        )

    async def reload(self, request: wire.ReloadMachineRequest, act: Act) -> MachineView:
        """ReloadMachine."""
        Fields().machine_id(request.machine_id).reason(request.reason, needed=True).done()
        return await self.acts.reload_machine(request.machine_id, request.reason, named(act))


def _require_owner(act: Act) -> None:
    """Refuse limits that guard money from whoever is no owner. Raises CallRefused."""
    if not may(act.roles, Role.OWNER):
        raise CallRefused(
            fleet_errors.GUARD_OF_OWNERS.about(caller=act.actor, roles=words(act.roles))
        )
