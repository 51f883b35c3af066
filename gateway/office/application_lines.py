"""What one machine's line of an application comes to: its planogram, then its pars, as an
administrator would set them.

Flows in: a line and its application. Flows out: the line, done or failed, or waiting still if
somebody was away. A line that is carried out again, because a gateway died over it, changes nothing
twice, not even what somebody changed in between. One whose application was stopped while it was
about to be carried out changes nothing any more.
"""

import functools
from dataclasses import dataclass, replace

from gateway.fleet import views as fleet_views
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused, invalid
from gateway.fleet.machine_acts import MachineActs
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office import stock_views
from gateway.office.errors import in_words
from gateway.office.line_acts import act_of, once, refused
from gateway.office.stock_calls import StockCalls
from gateway.office.v1 import stock_service_pb2
from gateway.rpc.statuses import FieldProblem
from storage.fleet.changes import MachineChange
from storage.fleet.views import MachineView
from storage.office import import_turns
from storage.office.imports import ImportLine, ImportView, LineState
from storage.office.pars import Pars, ParsView
from storage.office.templates import (
    NoPlanogram,
    Templates,
    TemplateView,
    columns_of,
    may_remove,
    read,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationLines:
    """Carries the lines of applications out."""

    acts: MachineActs
    templates: Templates
    pars: Pars

    async def carry_out(self, line: ImportLine, of: ImportView) -> ImportLine:
        """Return what became of the line. Raises StoreError."""
        act = act_of(of)
        try:
            template = read(of.about)
            view = await self.acts.machine(line.machine_id)
            await self._planogram(view, template, line, of, act)
            await self._pars(view, template, line, of, act)
        except CallRefused as error:
            if error.refusal.reason == import_turns.LINE_ENDED:
                return line
            return refused(line, error)
        return replace(line, state=LineState.DONE, said="")

    async def _planogram(
        self, view: MachineView, template: TemplateView, line: ImportLine, of: ImportView, act: Act
    ) -> None:
        content = template.content
        prices = await self.templates.prices(
            content.price_list, template.listed(), view.currency, of.from_ms
        )
        try:
            columns = columns_of(template, view.currency, prices)
        except NoPlanogram as error:
            raise invalid(FieldProblem(field="template", description=str(error))) from None

        async def do(request: fleet_service_pb2.SetPlanogramRequest, act: Act) -> MachineView:
            change = MachineChange(
                columns=columns, goods_may_be_removed=request.goods_may_be_removed
            )
            with in_words():
                return await self.acts.change(
                    request.machine_id,
                    import_turns.while_it_goes_on(of.import_id, line.line, change),
                    act,
                    action="ApplyPlanogram",
                    detail=f"template {template.template}, application {of.import_id}",
                )

        await once(
            self.acts,
            fleet_service_pb2.SetPlanogramRequest(
                machine_id=view.machine_id,
                columns=[
                    machine_pb2.Column(
                        column=one.column,
                        product=one.product,
                        price_minor=one.price_minor,
                        capacity=one.capacity,
                    )
                    for one in columns
                ],
                goods_may_be_removed=may_remove(of.about),
            ),
            fleet_service_pb2.SetPlanogramResponse,
            act,
            request_id(line, of),
            do,
            lambda made: fleet_service_pb2.SetPlanogramResponse(machine=fleet_views.machine(made)),
        )

    async def _pars(
        self, view: MachineView, template: TemplateView, line: ImportLine, of: ImportView, act: Act
    ) -> None:
        wanted = [
            stock_service_pb2.ColumnPar(column=one.column, par=one.par)
            for one in template.content.columns
            if one.par is not None
        ]
        if not wanted:
            return

        calls = StockCalls(
            pars=self.pars,
            clock=self.acts.clock,
            check=functools.partial(
                import_turns.check_goes_on, import_id=of.import_id, line=line.line
            ),
        )

        def answer(made: ParsView) -> stock_service_pb2.SetParsResponse:
            pars = map(stock_views.par, made.pars)
            return stock_service_pb2.SetParsResponse(pars=pars, etag=made.etag)

        await once(
            self.acts,
            stock_service_pb2.SetParsRequest(machine_id=view.machine_id, pars=wanted),
            stock_service_pb2.SetParsResponse,
            act,
            request_id(line, of),
            calls.set_pars,
            answer,
        )


def request_id(line: ImportLine, of: ImportView) -> str:
    """Return the id under which a line is carried out, however often it is."""
    return f"{of.import_id}.{line.line}"
