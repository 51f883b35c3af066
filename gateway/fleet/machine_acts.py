"""Administrators' acts on machines: into the fleet, how each is to work, out of it again.

A second time under the same claim: the registry is changed once; a count that the actor has decided
on since the first time is not given to it again, because what was sold meanwhile would be
forgotten; loading a machine again changes nothing of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from actors.link import Reload
from actors.machine.code import CodeStatus
from actors.machine.events import ConfigurationChanged, StockCounted
from actors.machine.ids import MachineId
from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column, Phase
from actors.machine.stock import keep_counts
from actors.placement import partition_of
from gateway.fleet import errors as fleet_errors
from gateway.fleet.act import Act, Acts
from gateway.fleet.codes import CodeWatch
from gateway.fleet.errors import CallRefused, invalid, not_found, not_possible
from gateway.rpc.statuses import FieldProblem
from storage.codec import CodecError
from storage.database.gathering import Gathered
from storage.fleet import changes
from storage.fleet.answers import RequestInProgress
from storage.fleet.changes import ChangeRefused, MachineChange, Making
from storage.fleet.joining import AlreadyRegistered, LooksLike, NewMachine
from storage.fleet.lists import NO_CODE_YET
from storage.fleet.planogram_words import goods_of, said_without_place
from storage.fleet.views import MachineView

_LOOKS_AT_ONCE = 50
_NAMED_MAX = 10
"""A refusal names at most this many open things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanogramSet:
    """A machine with its new planogram, and the columns out of which goods are removed for it;
    their ``stock`` is how many. ``not_in_catalogue``: products that it sells all the same.
    """

    machine: MachineView
    removed: Sequence[Column]
    not_in_catalogue: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class MachineActs(Acts):
    """Carries them out. ``code_wait_s``: how long a registration waits for Alipay's code."""

    code_wait_s: float = 8.0

    @cached_property
    def _codes(self) -> CodeWatch:
        return CodeWatch(self.queries.codes_answered)

    @cached_property
    def _looks(self) -> Gathered[str, MachineView]:
        """Those who wait for codes hear of them at the same moment, and look together."""
        return Gathered(self._look, most=_LOOKS_AT_ONCE)

    async def register(self, new: NewMachine, act: Act, *, unlike: bool = False) -> MachineView:
        """Take a machine into the fleet and wait a little for its code, which may stay PENDING.
        ``unlike``: none that looks like another one which joins at the same moment.
        """
        now_ms = self.clock.now_ms()
        try:
            if act.validate_only:
                if await self.registry.check_new(new):
                    count = await self.registry.partition_count()
                    return _as_it_would_join(new, partition_of(new.machine_id, count), now_ms)
                return await self.machine(new.machine_id)
            _check_proven(new.overrides.write_off_second_person_above_minor, act)
            made = await self.registry.register(
                new, actor=act.by, now_ms=now_ms, claim=act.claim, unlike=unlike
            )
        except ChangeRefused as error:
            raise _refused(new.machine_id, error) from None
        except AlreadyRegistered as error:
            raise fleet_errors.already_registered(new.machine_id, error.detail) from None
        except LooksLike as error:
            raise fleet_errors.looks_like(new.machine_id, error.other) from None
        except RequestInProgress:
            raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None
        if made.joined:
            await self._told(new.machine_id, new.configuration, act, saved=True)
        else:
            view = await self.machine(new.machine_id)
            if view.code_status not in NO_CODE_YET:
                return view
            await self._configured(new.machine_id, act)
        await self._codes.wait(new.machine_id, min(self.code_wait_s, act.within_s - 1.0))
        return await self._looks.do(new.machine_id)

    async def _look(self, machine_ids: Sequence[str]) -> Sequence[MachineView | Exception]:
        found = await self.queries.some_machines(machine_ids)
        views = {view.machine_id: view for view in found}
        return [views.get(one) or not_found("machine", one) for one in machine_ids]

    async def change(
        self,
        machine_id: str,
        change: MachineChange | Making,
        act: Act,
        *,
        action: str,
        etag: str = "",
        detail: str = "",
    ) -> MachineView:
        """Change what is set in ``change`` and return the machine once its actor knows. A change
        that is made in its transaction cannot be only checked, and raises what it refuses.
        """
        changed = await self.change_goods(
            machine_id, change, act, action=action, etag=etag, detail=detail
        )
        return changed.machine

    async def change_goods(
        self,
        machine_id: str,
        change: MachineChange | Making,
        act: Act,
        *,
        action: str,
        etag: str = "",
        detail: str = "",
    ) -> PlanogramSet:
        """Do as ``change``, and return which goods a new planogram removes, too."""
        known, now_ms = MachineId(machine_id), self.clock.now_ms()
        try:
            if act.validate_only:
                assert isinstance(change, MachineChange)
                checked = await self.registry.check(known, change, etag=etag, now_ms=now_ms)
                view = await self.machine(machine_id)
                return PlanogramSet(
                    machine=_as_it_would_be(view, change, checked.told, now_ms),
                    removed=checked.gone,
                )
            if isinstance(change, MachineChange):
                wanted = PolicyOverrides() if change.overrides is None else change.overrides
                name = "write_off_second_person_above_minor"
                _check_proven(change.limits.get(name, getattr(wanted, name)), act)
            doing = partial(
                self.registry.change,
                known,
                change,
                actor=act.by,
                person=act.person,
                action=action,
                now_ms=now_ms,
                etag=etag,
                detail=detail,
                claim=act.claim,
            )
            try:
                changed = await doing()
            except changes.GoodsUnheard:
                await self._configured(known, act, beforehand=True)
                changed = await doing()
        except ChangeRefused as error:
            raise _refused(machine_id, error) from None
        except RequestInProgress:
            raise CallRefused(fleet_errors.REQUEST_IN_PROGRESS) from None
        await self._configured(known, act)
        return PlanogramSet(machine=await self.machine(machine_id), removed=changed.gone)

    async def _configured(
        self, machine_id: MachineId, act: Act, *, beforehand: bool = False
    ) -> None:
        """Tell the actor how the registry wants the machine now: all of it, so that acts which
        overtake each other lose nothing. ``beforehand``: without what the act is to change. Raises
        CallRefused, also if the machine's state cannot be read: then its host has halted it.
        """
        try:
            loaded = await self.store.load(machine_id)
        except CodecError:
            raise fleet_errors.halted(machine_id) from None
        if loaded is not None:
            wanted = loaded.configuration
            await self._told(machine_id, wanted, act, saved=not beforehand, beforehand=beforehand)

    async def count_stock(self, machine_id: str, column: str, stock: int, act: Act) -> MachineView:
        """Tell the actor how many items are in a column."""
        view = await self.machine(machine_id)
        if view.retired_at_ms is not None:
            raise fleet_errors.retired(machine_id)
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
        # An id that is used once more, when its answer is forgotten, names another count.
        since = 0 if act.claim is None else act.claim.machine_version
        cause = act.cause(f"SetStock@{since}")
        counted = StockCounted(column=column, stock=stock, actor=act.actor, cause=cause)
        if act.validate_only or await self._decided_before(machine_id, counted, act):
            return view
        said = f"column {column} stock {known[column].stock} -> {stock}"
        await self._audited(act, "SetStock", machine_id, said)
        await self._told(MachineId(machine_id), counted, act, saved=False)
        return await self.machine(machine_id)

    async def _decided_before(self, machine_id: str, event: StockCounted, act: Act) -> bool:
        """Tell whether the actor has decided on this very count since the request first came."""
        return (
            act.claim is not None
            and act.resumed
            and await self.answers.decided(act.claim, machine_id, event)
        )

    async def reload_machine(self, machine_id: str, reason: str, act: Act) -> MachineView:
        """Have the machine's host load it anew, halted or not, and return it once all that waited
        for it is decided.
        """
        await self.machine(machine_id)
        await self._audited(act, "ReloadMachine", machine_id, reason)
        await self._told(MachineId(machine_id), Reload(), act, saved=False)
        return await self.machine(machine_id)


def _refused(machine_id: str, error: ChangeRefused) -> CallRefused:
    """Return why the registry did not make the change, in words that say what to do."""
    match error:
        case changes.UnknownMachine():
            return not_found("machine", machine_id)
        case changes.EtagStale(etag=etag):
            return fleet_errors.etag_stale("machine", machine_id, etag)
        case changes.MachineRetired():
            return fleet_errors.retired(machine_id)
        case changes.LimitsContradict(found=found):
            return invalid(
                *(
                    FieldProblem(field=f"policy.{one.rule.longer}", description=one.demand)
                    for one in found
                )
            )
        case changes.SecondPersonNeeded(limits=limits, proposed=True):
            return not_possible(
                "SECOND_PERSON_NEEDED",
                f"this raises {limits} of machine {machine_id}, which takes two people: nothing "
                "was changed, and your wish is written down; another person must make the same "
                "call before anything else of the machine is changed",
                machine=machine_id,
                limits=limits,
            )
        case changes.SecondPersonNeeded(limits=limits):
            return not_possible(
                "LIMIT_ABOVE_THE_FLEETS",
                f"this sets {limits}, above the fleet's, which takes two people: register machine "
                f"{machine_id} without it, then let two people make the same UpdateMachine",
                machine=machine_id,
                limits=limits,
            )
        case changes.InMaintenance(maintenance=maintenance):
            return not_possible(
                "MACHINE_OUT_OF_SERVICE",
                f"machine {machine_id} is out of service ({maintenance}): SetMaintenance puts it "
                "back, and then it sells as it did before",
                machine=machine_id,
            )
        case changes.ProductsArchived(products=products):
            named = ", ".join(products[:_NAMED_MAX])
            return not_possible(
                "PRODUCTS_ARCHIVED",
                f"no new planogram may have {named}, because the catalogue has archived it: name "
                f"another product for machine {machine_id}, or RestoreProduct",
                machine=machine_id,
                products=named,
            )
        case changes.GoodsWithoutPlace(gone=gone, coming=coming):
            later = ", ".join(f"{one.product} of {one.column}" for one in coming[:_NAMED_MAX])
            when = ", once its planogram is in force (ListConvergence tells what it waits for)"
            return not_possible(
                "GOODS_WITHOUT_PLACE",
                f"{said_without_place(gone)} in this planogram of machine {machine_id}: "
                "mend its product or capacity, or take the goods out (UnloadColumn, CountColumn)"
                f"{later and f', {later}{when}'}; "
                "with goods_may_be_removed they go to REMOVED:" + machine_id,
                machine=machine_id,
                columns=", ".join(one.column for one in gone[:_NAMED_MAX]),
            )
        case changes.GoodsUnheard(unheard=unheard):
            return fleet_errors.goods_unheard(machine_id, goods_of(unheard))
        case changes.MachineInUse(what=what):
            listed = "; ".join(what[:_NAMED_MAX])
            more = f"; and {len(what) - _NAMED_MAX} more" if len(what) > _NAMED_MAX else ""
            return not_possible(
                "MACHINE_IN_USE",
                f"of machine {machine_id} is open: {listed}{more}; DisableMachine, let it end and "
                "the money go back, then repeat the call",
                machine=machine_id,
                open=f"{listed}{more}",
            )
    raise AssertionError(f"no words are known for {type(error).__name__}")


def _check_proven(limit: int | None, act: Act) -> None:
    """Raise CallRefused if two people are wanted where nobody proves who they are."""
    if limit is not None and not act.proven:
        raise not_possible(
            "IDENTITIES_NOT_PROVEN",
            "policy.write_off_second_person_above_minor wants two people, and nobody here proves "
            "who they are: give administrators certificates (admin.client_ca_file) or tokens "
            "([admin.tokens]), and set it with one",
        )


def _as_it_would_be(
    view: MachineView, change: MachineChange, told: ConfigurationChanged, now_ms: int
) -> MachineView:
    """Return the machine as the change would leave it, before anything else happens to it."""
    after = told.configuration
    return replace(
        view,
        store_name=view.store_name if change.store_name is None else change.store_name,
        address=view.address if change.address is None else change.address,
        country_code=view.country_code if change.country_code is None else change.country_code,
        enabled=after.enabled,
        mode=after.mode.value,
        overrides=after.overrides,
        planogram_version=after.planogram_version,
        columns=view.columns
        if change.columns is None
        else keep_counts(view.columns, change.columns),
        revision=after.revision,
        retired_at_ms=view.retired_at_ms or (now_ms if after.retired else None),
    )


def _as_it_would_join(new: NewMachine, partition: int, now_ms: int) -> MachineView:
    return MachineView(
        machine_id=new.machine_id,
        store_name=new.store_name,
        currency=new.currency,
        country_code=new.country_code,
        address=new.address,
        enabled=True,
        mode=new.mode.value,
        overrides=new.overrides,
        planogram_version=1 if new.columns else 0,
        columns=new.columns,
        code_status=CodeStatus.PENDING.value,
        qr_payload="",
        qr_image_url="",
        code_error="",
        phase=Phase.INACTIVE.value,
        online=False,
        connection_changed_at_ms=None,
        firmware="",
        session_id="",
        funds_minor=0,
        open_refund_count=0,
        last_fault="",
        host="",
        partition=partition,
        registered_at_ms=now_ms,
        revision=1,
        retired_at_ms=None,
    )
