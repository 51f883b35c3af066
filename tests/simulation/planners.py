"""People who write planogram templates and apply them to machines that sell, and click twice.

Flows in: a world whose gateways carry applications out. Flows out: requests through them, some of
which are lost or whose answers are. C-xiii: each line of an application sets its machine's
planogram at most once, to what the template said when the application began, and says that it did
so only if it did.
"""

import asyncio
import json
from random import Random
from typing import TYPE_CHECKING, Any

from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.idempotence import Requests
from gateway.office.application_calls import ApplicationCalls
from gateway.office.template_calls import TemplateCalls
from gateway.office.v1 import planogram_pb2, selector_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from storage.office.deeds import Deed
from storage.office.product_content import ProductContent
from tests.simulation.processes import Died

if TYPE_CHECKING:
    from tests.simulation.backend import GatewayProcess
    from tests.simulation.world import World

TEMPLATE = "lobby"
PRICES = (300, 350, 500, 550)
ONCE = "an application is carried out once"
Request = (
    wire.CreatePlanogramTemplateRequest
    | wire.UpdatePlanogramTemplateRequest
    | wire.ApplyPlanogramRequest
    | wire.StopPlanogramApplicationRequest
)
Said = wire.GetPlanogramApplicationRequest
_APPLICATIONS = (
    "SELECT import_id, state, about FROM machine_imports WHERE kind = 'PLANOGRAMS' "
    "ORDER BY import_id"
)
_CHANGED = (
    "SELECT machine_id, detail FROM audit WHERE action = 'ApplyPlanogram' "
    "AND machine_id <> '' AND detail LIKE ?"
)
_DONE = (
    "SELECT machine_id, import_id FROM machine_import_lines JOIN machine_imports "
    "USING (import_id) WHERE kind = 'PLANOGRAMS' AND machine_import_lines.state = 'DONE'"
)
_TOLD_EVER = (
    "SELECT json_extract(body, '$[1]') FROM journal WHERE kind = 'ConfigurationChanged' "
    "AND machine_id = ? AND json_extract(body, '$[1]') IS NOT NULL"
)
_LEFT = (
    "SELECT substr(to_place, 9), version, quantity, product FROM goods_moves "
    "WHERE kind = 'UNLOADED' AND to_place LIKE 'REMOVED:%'"
)
_AGREED = (
    "SELECT json_extract(body, '$[2]') FROM journal WHERE kind = 'ConfigurationChanged' "
    "AND machine_id = ? AND version <= ? AND json_extract(body, '$[1]') IS NOT NULL "
    "ORDER BY json_extract(body, '$[0].planogram_version') DESC LIMIT 1"
)
_KEPT_BACK = (
    "SELECT json_extract(body, '$.columns') FROM machine_states JOIN planogram_waits "
    "USING (machine_id) WHERE machine_id = ? AND NOT goods_may_be_removed "
    "AND json_extract(body, '$.next_planogram.kept_back')"
)
_TOLD = (
    "SELECT json_extract(body, '$[1]') FROM journal WHERE kind = 'ConfigurationChanged' "
    "AND machine_id = ? AND json_extract(body, '$[0].planogram_version') = ? "
    "AND json_extract(body, '$[1]') IS NOT NULL"
)


class Planners:
    """All that was asked for in a world."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun: set[str] = set()
        """Applications that somebody was told of."""

    async def somebody(self, world: "World", rng: Random) -> None:
        """Somebody writes the template, applies it, or stops an application, and clicks once or
        twice.
        """
        self.asked += 1
        request = self._wish(world, rng)
        await asyncio.gather(
            *(self._ask(world, request, rng) for _ in range(rng.choice((1, 1, 2))))
        )

    def _wish(self, world: "World", rng: Random) -> Request:
        name, what = f"p{self.asked}", rng.random()
        written = world.disk.rows("SELECT template FROM planogram_templates")
        if not written:
            return wire.CreatePlanogramTemplateRequest(
                template=_template(world, rng), request_id=name
            )
        running = [row[0] for row in world.disk.rows(_APPLICATIONS) if row[1] == "RUNNING"]
        if running and what < 0.15:
            return wire.StopPlanogramApplicationRequest(
                application_id=rng.choice(running), request_id=name
            )
        if what < 0.5:
            return wire.UpdatePlanogramTemplateRequest(
                template=_template(world, rng), request_id=name
            )
        machines = sorted(world.machines)
        request = wire.ApplyPlanogramRequest(
            template=TEMPLATE,
            selector=selector_pb2.Selector(all=True)
            if rng.random() < 0.5
            else selector_pb2.Selector(machine_ids=[rng.choice(machines)]),
            machines_per_second=rng.choice((0, 1)),
            # A template with less room removes goods, which worlds are to see: mostly as agreed.
            goods_may_be_removed=self.asked % 16 > 0,
            request_id=name,
        )
        if rng.random() < 0.3:
            request.effective_time.FromMilliseconds(world.clock.now_ms() + rng.randrange(120_000))
        return request

    async def _ask(self, world: "World", request: Request, rng: Random) -> None:
        gateway = world.some_gateway(rng)
        if gateway is None:
            return
        try:
            said = await gateway.process.ask(_asked(gateway, request))
        except (CallRefused, Died, StoreError) as error:
            world.note(f"{request.request_id} is refused, or nobody knows: {error}")
            return
        world.note(f"{request.request_id} is done: {said.application_id or TEMPLATE}")
        if isinstance(request, wire.ApplyPlanogramRequest):
            self.begun.add(said.application_id)


def _template(world: "World", rng: Random) -> planogram_pb2.PlanogramTemplate:
    """Return it with other prices; now and then a column is gone, is new, or holds fewer."""
    names = [name for name in ("A1", "A2", "A3", "A4") if rng.random() < 0.9] or ["A1"]
    return planogram_pb2.PlanogramTemplate(
        code=TEMPLATE,
        name="Lobby",
        currency=world.currency,
        columns=[
            planogram_pb2.TemplateColumn(
                column=name,
                product=rng.choice(("cola",) * 9 + ("tea",)),
                price_minor=rng.choice(PRICES),
                capacity=rng.choice((10, 10, 4)),
                par=4,
            )
            for name in names
        ],
    )


async def _asked(gateway: "GatewayProcess", request: Request) -> Said:
    """Have it done, as the gateway's service would, and return the application that it is about."""
    acts, office = gateway.acts, gateway.office
    templates = TemplateCalls(templates=office.templates, clock=acts.clock)
    calls = ApplicationCalls(
        applications=office.applications,
        templates=office.templates,
        selectors=office.selectors,
        pars=office.pars,
        acts=acts,
        begun=office.applying.wake,
        new_id=lambda: "unnamed",
    )

    async def do(act: Act) -> Said:
        application_id = ""
        match request:
            case wire.CreatePlanogramTemplateRequest():
                await _products(gateway)
                await templates.create(request, act)
            case wire.UpdatePlanogramTemplateRequest():
                await templates.update(request, act)
            case wire.ApplyPlanogramRequest():
                applied = await calls.begin(request, act)
                application_id = applied.view.import_id if applied.view else ""
            case wire.StopPlanogramApplicationRequest():
                application_id = (await calls.stop(request, act)).import_id
        return Said(application_id=application_id)

    act = Act(actor="ann", within_s=30.0)
    once = Requests(answers=acts.answers, clock=acts.clock)
    return await once.once(request, Said, act, do)


async def _products(gateway: "GatewayProcess") -> None:
    for product in ("cola", "tea"):
        deed = Deed(actor="ann", action="CreateProduct", now_ms=gateway.clock.now_ms())
        await gateway.office.products.create(product, ProductContent(), deed)


def applications_are_carried_out_once(world: "World") -> None:
    """C-xiii, from the audit log, in which each change of a planogram says of which application."""
    applications = world.disk.rows(_APPLICATIONS)
    if missing := world.planners.begun - {row[0] for row in applications}:
        world.checker.broken(ONCE, f"begun, and nobody knows of them: {sorted(missing)}")
    set_by: set[tuple[str, str]] = set()
    for application_id, state, about in applications:
        if state == "RUNNING":
            world.checker.broken("rest within bounds", f"application {application_id} runs")
        wanted = _wanted(about)
        changes = world.disk.rows(_CHANGED, f"planogram % -> %application {application_id}%")
        machines = [machine_id for machine_id, _ in changes]
        if len(machines) != len(set(machines)):
            world.checker.broken(ONCE, f"{application_id} changed {sorted(machines)}")
        for machine_id, detail in changes:
            set_by.add((machine_id, application_id))
            version = int(detail.split(" with ")[0].split(" -> ")[1])
            told = world.disk.rows(_TOLD, machine_id, version)
            if differing := [body for (body,) in told if _prices(json.loads(body)) != wanted]:
                world.checker.broken(
                    "what is applied is the template as it was",
                    f"{application_id} of {wanted} set {differing} for {machine_id}",
                )
    contents = {application_id: _wanted(about) for application_id, _, about in applications}
    for machine_id, application_id in world.disk.rows(_DONE):
        wanted = contents[application_id]
        by_another = any(set_for == machine_id and contents[by] == wanted for set_for, by in set_by)
        if not by_another and wanted not in _had(world, machine_id):
            world.checker.broken(
                "what is done was done", f"{application_id} never set {wanted} for {machine_id}"
            )


def _wanted(about: str) -> dict[str, int]:
    return {one["column"]: one["price_minor"] for one in json.loads(about)["content"]["columns"]}


def _had(world: "World", machine_id: str) -> list[dict[str, int]]:
    """Return all that the machine was ever told to show: who has it already is not changed."""
    return [_prices(json.loads(body)) for (body,) in world.disk.rows(_TOLD_EVER, machine_id)]


def machines_show_what_is_wanted(world: "World") -> None:
    """At rest each machine shows the columns that the registry has for it, at their prices, and
    nobody is said to have another planogram; but for those of which goods keep it back.
    """
    for machine_id, machine in world.machines.items():
        if machine.machine is None or machine_id in world.gone:
            continue
        wanted = kept_back(world, machine_id) or dict(
            world.disk.rows(
                'SELECT "column", price_minor FROM planogram_columns WHERE machine_id = ?',
                machine_id,
            )
        )
        shown = {name: one.price_minor for name, one in machine.machine.columns.items()}
        waits = world.disk.rows("SELECT * FROM planogram_waits WHERE machine_id = ?", machine_id)
        if kept_back(world, machine_id):
            waits = []
        if shown != wanted or waits:
            world.checker.broken(
                "planograms are shown", f"{machine_id}: {wanted} is wanted, {shown} shown, {waits}"
            )


def kept_back(world: "World", machine_id: str) -> dict[str, int]:
    """Return what the machine shows while goods in it keep its newest planogram back, of which
    nobody said that they may be removed; empty if none do.
    """
    for (columns,) in world.disk.rows(_KEPT_BACK, machine_id):
        return _prices(json.loads(columns))
    return {}


def goods_leave_as_was_agreed(world: "World") -> None:
    """No planogram takes goods out of a column unless whoever wanted it said that it may."""
    for machine_id, version, quantity, product in world.disk.rows(_LEFT):
        if world.disk.rows(_AGREED, machine_id, version) != [(1,)]:
            world.checker.broken(
                "goods leave as was agreed", f"{quantity} {product} of {machine_id} at {version}"
            )


def _prices(columns: list[list[Any]]) -> dict[str, int]:
    return {column: price_minor for column, _, price_minor, *_ in columns}
