"""The changing calls of MachineProfileService: each request is checked whole, then done.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the profile or the placements,
or CallRefused with every problem of the request. Whether a machine sells is the registry's, and its
actor hears of it as of every change there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.fleet.machine_acts import MachineActs
from gateway.office.errors import deed_of, in_words
from gateway.office.place_fields import LABELS_MAX, MODEL_LENGTH_MAX, SERIAL_LENGTH_MAX, PlaceFields
from gateway.office.v1 import machine_profile_service_pb2 as wire
from storage.fleet.changes import Maintenance
from storage.office.profiles import Profiles, ProfileView, out_of_service
from storage.office.stays import Stay, Stays

PATHS = ("serial", "model", "labels")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    profiles: Profiles
    stays: Stays
    acts: MachineActs
    clock: Clock

    async def update(
        self, request: wire.UpdateMachineProfileRequest, act: Act, *, keep_labels: bool = False
    ) -> ProfileView:
        """UpdateMachineProfile. ``keep_labels``: those that it does not name stay, and one without
        a value goes.
        """
        given = request.profile
        fields = PlaceFields().machine_id(given.machine_id, field="profile.machine_id")
        paths = fields.mask(request.update_mask.paths, PATHS)
        etag = fields.etag_of(request.etag, given.etag, field="profile.etag")
        changes: dict[str, Any] = {}
        if "serial" in paths:
            fields.line("profile.serial", given.serial, most=SERIAL_LENGTH_MAX)
            changes["serial"] = given.serial
        if "model" in paths:
            fields.line("profile.model", given.model, most=MODEL_LENGTH_MAX)
            changes["model"] = given.model
        if "labels" in paths:
            named = {label: value for label, value in given.labels.items() if value}
            fields.labels("profile.labels", named if keep_labels else given.labels)
            changes["labels"] = dict(given.labels)
        fields.done()
        deed = deed_of(act, "UpdateMachineProfile", self.clock)
        with in_words():
            return await self.profiles.change(
                given.machine_id,
                changes,
                deed,
                etag=etag,
                labels_max=LABELS_MAX if keep_labels else None,
            )

    async def set_maintenance(self, request: wire.SetMaintenanceRequest, act: Act) -> ProfileView:
        """SetMaintenance."""
        fields = PlaceFields().machine_id(request.machine_id).etag(request.etag)
        wanted = fields.maintenance(request.maintenance)
        fields.reason(request.reason, needed=wanted is not Maintenance.IN_SERVICE).done()
        machine_id, reason, etag = request.machine_id, request.reason, request.etag
        now_ms = self.clock.now_ms()
        with in_words():
            if act.validate_only:
                return await self.profiles.as_it_would_be(
                    machine_id, wanted, reason=reason, by=act.actor, now_ms=now_ms, etag=etag
                )
            said = f"maintenance {wanted}"
            await self.acts.change(
                machine_id,
                out_of_service(wanted, reason=reason, by=act.actor, now_ms=now_ms, etag=etag),
                act,
                action="SetMaintenance",
                detail=f"{said}; {reason}" if reason else said,
            )
            return await self.profiles.get(machine_id, now_ms)

    async def place(self, request: wire.PlaceMachineRequest, act: Act) -> Sequence[Stay]:
        """PlaceMachine. Nowhere is meant only if the request says so in words."""
        fields = PlaceFields().machine_id(request.machine_id).day(request.from_day)
        fields.code("site", request.site, needed=not request.nowhere).reason(request.reason)
        if request.nowhere and request.site:
            fields.wrong("nowhere", "must not be set beside a site")
        fields.done()
        deed = deed_of(act, "PlaceMachine", self.clock)
        with in_words():
            return await self.stays.place(
                request.machine_id, request.site, request.from_day, deed, reason=request.reason
            )

    async def remove(self, request: wire.RemovePlacementRequest, act: Act) -> Sequence[Stay]:
        """RemovePlacement."""
        fields = PlaceFields().machine_id(request.machine_id).day(request.from_day)
        fields.reason(request.reason).done()
        deed = deed_of(act, "RemovePlacement", self.clock)
        with in_words():
            return await self.stays.remove(
                request.machine_id, request.from_day, deed, reason=request.reason
            )
