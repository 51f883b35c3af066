"""The changing calls on applications of planogram templates: all machines are looked at before
anything is kept.

Flows in: a template, which machines, from when on, and who asks. Flows out: an application that is
carried out by itself, or CallRefused; a rehearsal returns what would change.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import grpc

from actors.machine.state import Column
from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.fleet.errors import CallRefused
from gateway.fleet.machine_acts import MachineActs
from gateway.office.errors import PROBLEMS_SHOWN_MAX, deed_of, in_words
from gateway.office.import_calls import (
    FAILURES_MAX,
    IMPORT_ID_LENGTH_MAX,
    LINES_PER_S,
    LINES_PER_S_MAX,
    id_for,
)
from gateway.office.place_fields import PlaceFields
from gateway.office.price_csv import AHEAD_MS_MAX
from gateway.office.v1 import planogram_service_pb2 as wire
from gateway.rpc.statuses import Refusal
from storage.fleet.changes import newly_had
from storage.fleet.planogram_words import differences, said_without_place
from storage.office.imports import ImportLine, Imports, ImportView
from storage.office.pars import Pars, ParView
from storage.office.selectors import Selector, Selectors
from storage.office.templates import (
    NoPlanogram,
    Templates,
    TemplateView,
    check_in_use,
    columns_of,
)

MACHINES_MAX = 10_000
_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What an application comes to for one machine. ``problem``: why it cannot be done at all.
    ``removed``: columns of which goods have no place any more, whose ``stock`` is how many; the
    machine's line fails for them unless they ``may_be_removed``.
    """

    machine_id: str
    differences: Sequence[str] = ()
    problem: str = ""
    removed: Sequence[Column] = ()
    may_be_removed: bool = False

    @property
    def fails(self) -> str:
        """Why the machine's line would fail as it is now; empty if it would not."""
        if self.problem or self.may_be_removed or not self.removed:
            return self.problem
        return said_without_place(self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Each machine of a selector, and the application that is carried out; None if it was only
    checked.
    """

    planned: Sequence[Planned]
    view: ImportView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``.
    ``begun`` is called when there is something to carry out; ``new_id`` names an application.
    """

    applications: Imports
    templates: Templates
    selectors: Selectors
    pars: Pars
    acts: MachineActs
    begun: Callable[[], None]
    new_id: Callable[[], str]

    async def begin(self, request: wire.ApplyPlanogramRequest, act: Act) -> Applied:
        """ApplyPlanogram. What would change is not said of one that is kept already."""
        if act.kept:
            with in_words():
                kept = await self.applications.get(id_for(act, self.new_id))
            return Applied(planned=(), view=kept)
        deed = deed_of(named(act), "ApplyPlanogram", self.acts.clock)
        fields = PlaceFields()
        fields.product(request.template, field="template")
        selector = fields.selector(request.selector)
        if request.machines_per_second > LINES_PER_S_MAX:
            fields.wrong("machines_per_second", f"must be at most {LINES_PER_S_MAX}")
        if request.failures_max > FAILURES_MAX:
            fields.wrong("failures_max", f"must be at most {FAILURES_MAX}")
        from_ms = deed.now_ms
        if request.HasField("effective_time"):
            from_ms = fields.time_ms("effective_time", request.effective_time)
            if not deed.now_ms <= from_ms <= deed.now_ms + AHEAD_MS_MAX:
                said = "must be a moment to come, two years ahead at most; leave it out for now"
                fields.wrong("effective_time", said)
        fields.done()
        with in_words():
            template = await self.templates.get(request.template)
            check_in_use(template)
        machine_ids = await self._all_of(selector, from_ms)
        planned = [
            replace(one, may_be_removed=request.goods_may_be_removed)
            for one in await self._planned(machine_ids, template, from_ms)
        ]
        if act.validate_only:
            return Applied(planned=planned)
        _check(planned)
        with in_words():
            view = await self.applications.begin(
                id_for(act, self.new_id),
                [
                    ImportLine(line=number, machine_id=one.machine_id, content="")
                    for number, one in enumerate(planned, 1)
                ],
                deed,
                lines_per_s=request.machines_per_second or LINES_PER_S,
                failures_max=request.failures_max,
                from_ms=from_ms,
                about=template.kept(goods_may_be_removed=request.goods_may_be_removed),
            )
        self.begun()
        return Applied(planned=planned, view=view)

    async def stop(self, request: wire.StopPlanogramApplicationRequest, act: Act) -> ImportView:
        """StopPlanogramApplication."""
        fields = PlaceFields()
        fields.reason(request.reason)
        application_id(fields, request.application_id).done()
        with in_words():
            return await self.applications.stop(
                request.application_id,
                deed_of(act, "StopPlanogramApplication", self.acts.clock),
                reason=request.reason or f"{act.actor} stopped it",
            )

    async def _all_of(self, selector: Selector, at_ms: int) -> list[str]:
        found: list[str] = []
        position = ""
        while True:
            with in_words():
                held = await self.selectors.page(selector, at_ms, position=position, limit=_AT_ONCE)
            found += held.machine_ids
            if len(found) > MACHINES_MAX:
                raise _refused(f"the selector holds more than {MACHINES_MAX} machines", len(found))
            if not (position := held.position):
                break
        if not found:
            raise _refused(
                "the selector holds no machine at that time: look at how its names are spelt, and "
                "with ListMachineProfiles at which machines it holds",
                0,
            )
        return sorted(set(found))

    async def _planned(
        self, machine_ids: Sequence[str], template: TemplateView, at_ms: int
    ) -> list[Planned]:
        prices: dict[str, dict[str, int]] = {}
        archived = await self.templates.archived(template)
        planned = []
        for start in range(0, len(machine_ids), _AT_ONCE):
            some = machine_ids[start : start + _AT_ONCE]
            pars = await self.pars.of_some(some)
            wanted: dict[str, tuple[Column, ...]] = {}
            views = await self.acts.queries.some_machines(some)
            for view in views:
                currency = view.currency
                if currency not in prices:
                    prices[currency] = await self.templates.prices(
                        template.content.price_list, template.listed(), currency, at_ms
                    )
                try:
                    wanted[view.machine_id] = columns_of(template, currency, prices[currency])
                except NoPlanogram as error:
                    planned.append(Planned(machine_id=view.machine_id, problem=str(error)))
            # By the books, as SetPlanogram is: behind one that waits there may be others.
            foreseen = await self.acts.registry.foreseen(wanted)
            for view in views:
                if (after := wanted.get(view.machine_id)) is None:
                    continue
                there, gone = foreseen[view.machine_id]
                have = pars.get(view.machine_id, ())
                changed = differences(there, after) or differences(view.columns, after)
                one = Planned(
                    machine_id=view.machine_id,
                    differences=(*changed, *_par_differences(have, template)),
                    removed=gone,
                )
                new = sorted(newly_had(there, after).intersection(archived))
                planned.append(_without(new, view.machine_id) if new else one)
        return planned


def application_id(fields: PlaceFields, value: str) -> PlaceFields:
    """Check the name of an application."""
    if not 1 <= len(value) <= IMPORT_ID_LENGTH_MAX or not value.isalnum():
        fields.wrong("application_id", "must be the application_id that ApplyPlanogram answered")
    return fields


def _without(archived: Sequence[str], machine_id: str) -> Planned:
    named = ", ".join(archived)
    said = f"has not had {named}, which the catalogue has archived: RestoreProduct"
    return Planned(machine_id=machine_id, problem=said)


def _par_differences(pars: Sequence[ParView], template: TemplateView) -> Iterator[str]:
    """Return which pars the template changes: one of another product says nothing."""
    there = {(one.column, one.product): one.par for one in pars}
    for one in template.content.columns:
        was = there.get((one.column, one.product), 0)
        if one.par is not None and one.par != was:
            yield f"{one.column}: par {was or 'none'} -> {one.par or 'none'}"


def _check(planned: Sequence[Planned]) -> None:
    wrong = [f"machine {one.machine_id}: {one.problem}" for one in planned if one.problem]
    if wrong:
        more = len(wrong) - PROBLEMS_SHOWN_MAX
        behind = f"; and {more} more, which validate_only shows" if more > 0 else ""
        raise _refused(f"{'; '.join(wrong[:PROBLEMS_SHOWN_MAX])}{behind}", len(wrong))


def _refused(said: str, problems: int) -> CallRefused:
    return CallRefused(
        Refusal(
            code=grpc.StatusCode.FAILED_PRECONDITION,
            reason="APPLICATION_REFUSED",
            message=f"nothing was applied: {said}",
            metadata={"problems": str(problems)},
        )
    )
