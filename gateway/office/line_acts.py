"""What a line of an import comes to: the calls that an administrator would make for it, as they
would make them.

Flows in: a line and its import. Flows out: the line, done or failed, or waiting still if somebody
was away. Each call has a request id of its line's, and asks only for what is not so already: a line
that is carried out again, because a gateway died over it, changes nothing twice.
"""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from gateway.fleet import enums
from gateway.fleet import views as fleet_views
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.idempotence import Requests, content_sha256
from gateway.fleet.machine_acts import MachineActs
from gateway.fleet.machine_calls import MachineCalls
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.office import place_views
from gateway.office.machine_csv import (
    DEFAULT_MODE,
    LABEL,
    LIMITS,
    OF_REGISTRY,
    POLICY,
    MachineWish,
)
from gateway.office.profile_calls import ProfileCalls
from gateway.office.v1 import machine_profile_pb2
from gateway.office.v1 import machine_profile_service_pb2 as wire
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet.views import MachineView
from storage.office.imports import ImportLine, ImportView, LineState
from storage.office.profiles import Profiles, ProfileView
from storage.office.stays import Stays
from storage.office.words import word

WITHIN_S = 10.0
"""A call of a line waits no longer for anybody."""
SAID_LENGTH_MAX = 500
_MODE = enums.descriptor_of(machines_wire.Mode)

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
View = TypeVar("View")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineActs:
    """Carries lines out. Nobody waits for a machine's code: its actor asks for it by itself."""

    acts: MachineActs
    profiles: Profiles
    stays: Stays

    async def carry_out(self, line: ImportLine, of: ImportView) -> ImportLine:
        """Return what became of the line. Raises StoreError."""
        request_id = f"{of.import_id}.{line.line}"
        try:
            await self._do(MachineWish.read(line.content), act_of(of), request_id)
        except CallRefused as error:
            return refused(line, error)
        return replace(line, state=LineState.DONE, said="")

    async def _do(self, wish: MachineWish, act: Act, request_id: str) -> None:
        view = await self.acts.queries.machine(wish.machine_id)
        machines = MachineCalls(acts=replace(self.acts, code_wait_s=0.0), look_alikes=True)
        if view is None:
            await once(
                self.acts,
                registration(wish),
                fleet_service_pb2.RegisterMachineResponse,
                act,
                request_id,
                machines.register,
                lambda made: fleet_service_pb2.RegisterMachineResponse(
                    machine=fleet_views.machine(made)
                ),
            )
        elif (changed := update(wish, view)) is not None:
            await once(
                self.acts,
                changed,
                fleet_service_pb2.UpdateMachineResponse,
                act,
                request_id,
                machines.update,
                lambda made: fleet_service_pb2.UpdateMachineResponse(
                    machine=fleet_views.machine(made)
                ),
            )
        await self._profile(wish, act, request_id)

    async def _profile(self, wish: MachineWish, act: Act, request_id: str) -> None:
        calls = ProfileCalls(
            profiles=self.profiles, stays=self.stays, acts=self.acts, clock=self.acts.clock
        )
        if (changed := profile(wish)) is not None:
            await once(
                self.acts,
                changed,
                wire.UpdateMachineProfileResponse,
                act,
                request_id,
                functools.partial(calls.update, keep_labels=True),
                lambda made: wire.UpdateMachineProfileResponse(profile=place_views.profile(made)),
            )
        if (placed := placement(wish)) is not None:
            await once(
                self.acts,
                placed,
                wire.PlaceMachineResponse,
                act,
                request_id,
                calls.place,
                lambda made: wire.PlaceMachineResponse(placements=place_views.placements(made)),
            )


def act_of(of: ImportView) -> Act:
    """Return in whose name a line is carried out."""
    return Act(
        actor=of.actor.name,
        claimed=of.actor.claimed,
        proven=of.actor.proven,
        within_s=WITHIN_S,
        person=f"{of.kind.noun} {of.import_id}",
    )


def refused(line: ImportLine, error: CallRefused) -> ImportLine:
    """Return the line that a call refused: failed, or waiting still if somebody was away."""
    said = error.refusal.message[:SAID_LENGTH_MAX]
    if error.refusal.retry_after_ms is not None:
        return replace(line, said=said)
    return replace(line, state=LineState.FAILED, said=said)


async def once(
    acts: MachineActs,
    request: Request,
    kind: type[Answer],
    act: Act,
    request_id: str,
    do: Callable[[Request, Act], Awaitable[View]],
    answer: Callable[[View], Answer],
) -> None:
    """Make a call of a line, once for its content. ``request_id`` is the line's."""

    async def done(claimed: Act) -> Answer:
        return answer(await do(request, claimed))

    # The id is this very call's: what is asked again otherwise, because somebody changed the
    # machine meanwhile, is another call.
    digest = content_sha256(request)[:8]
    setattr(request, "request_id", f"{request_id}.{digest}")  # noqa: B010 - every change has it, which no type says
    requests = Requests(answers=acts.answers, clock=acts.clock)
    await requests.once(request, kind, act, done)


def registration(wish: MachineWish) -> fleet_service_pb2.RegisterMachineRequest:
    """Return the call that registers the machine."""
    cells = wish.cells
    return fleet_service_pb2.RegisterMachineRequest(
        machine_id=wish.machine_id,
        store_name=cells.get("store_name", ""),
        currency=cells.get("currency", ""),
        country_code=cells.get("country_code", ""),
        address=cells.get("address", ""),
        mode=enums.number_of(_MODE, wish.mode),  # type: ignore[arg-type]  # of this very enum
        policy=wish.policy,
    )


def update(wish: MachineWish, view: MachineView) -> fleet_service_pb2.UpdateMachineRequest | None:
    """Return the call that changes what the line wants otherwise; None if it is so."""
    cells = wish.cells
    paths = [
        name
        for name in OF_REGISTRY
        if name not in {"currency", "mode"} and name in cells and cells[name] != getattr(view, name)
    ]
    if "mode" in cells and wish.mode != view.mode:
        paths.append("mode")
    for name in LIMITS:
        given = wish.policy
        wanted = getattr(given, name) if given.HasField(name) else None  # type: ignore[arg-type]  # the wire has each of them
        if name in wish.limits and wanted != getattr(view.overrides, name):
            paths.append(f"policy.{name}")
    if not paths:
        return None
    return fleet_service_pb2.UpdateMachineRequest(
        machine=machine_pb2.Machine(
            machine_id=wish.machine_id,
            store_name=cells.get("store_name", ""),
            country_code=cells.get("country_code", ""),
            address=cells.get("address", ""),
            mode=enums.number_of(_MODE, wish.mode),  # type: ignore[arg-type]  # of this very enum
            policy=wish.policy,
        ),
        update_mask=FieldMask(paths=paths),
    )


def profile(wish: MachineWish) -> wire.UpdateMachineProfileRequest | None:
    """Return the call that changes the profile. It names the labels of the file alone: the others
    stay, as they are when it is made.
    """
    paths = [name for name in ("serial", "model") if wish.has(name)]
    if wish.labels:
        paths.append("labels")
    if not paths:
        return None
    return wire.UpdateMachineProfileRequest(
        profile=machine_profile_pb2.MachineProfile(
            machine_id=wish.machine_id,
            serial=wish.cells.get("serial", ""),
            model=wish.cells.get("model", ""),
            labels=wish.labels,
        ),
        update_mask=FieldMask(paths=paths),
    )


def difference(
    wish: MachineWish, view: MachineView, there: ProfileView, site_that_day: str | None
) -> str:
    """Return what the line changes, column by column, in the words of the audit log; empty if all
    is so already. ``site_that_day``: where a stay puts the machine from that very day on.
    """
    cells, said = wish.cells, []
    if (changed := update(wish, view)) is not None:
        for path in changed.update_mask.paths:
            column = path.replace("policy.", POLICY)
            old = getattr(view.overrides if column != path else view, path.rpartition(".")[2])
            new = cells[column] or (DEFAULT_MODE if path == "mode" else "")
            said.append(f"{column} {word(_cell(old))} -> {word(new)}")
    content = there.content
    pairs = [(name, getattr(content, name), cells.get(name)) for name in ("serial", "model")]
    pairs += [
        (f"{LABEL}{label}", content.labels.get(label, ""), value)
        for label, value in wish.labels.items()
    ]
    said += [
        f"{column} {word(old)} -> {word(new)}"
        for column, old, new in pairs
        if new is not None and new != old
    ]
    site, from_day = cells.get("site", ""), cells.get("from_day", "")
    if from_day and site_that_day != site:
        before = there.site if site_that_day is None else site_that_day
        said.append(f"site {word(before)} -> {word(site)} from {from_day} on")
    return "; ".join(said)


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def placement(wish: MachineWish) -> wire.PlaceMachineRequest | None:
    """Return the call that puts the machine somewhere; a day without a site means nowhere."""
    site, from_day = wish.cells.get("site", ""), wish.cells.get("from_day", "")
    if not from_day:
        return None
    return wire.PlaceMachineRequest(
        machine_id=wish.machine_id,
        site=site,
        nowhere=not site,
        from_day=from_day,
        reason=wish.reason,
    )
