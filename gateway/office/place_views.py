"""Places and profiles, as administrators read them: frozen views in, messages of
``gateway.office.v1`` out. Pure and total.
"""

from collections.abc import Sequence

from gateway.fleet import enums
from gateway.fleet.views import timestamp
from gateway.office.v1 import machine_profile_pb2, place_pb2
from gateway.process.texts import plain
from storage.fleet.changes import etag_of
from storage.office.districts import DistrictView
from storage.office.profiles import ProfileView
from storage.office.sites import SiteView
from storage.office.stays import Stay

_SITE_TYPE = enums.descriptor_of(place_pb2.SiteType)
_MAINTENANCE = enums.descriptor_of(machine_profile_pb2.Maintenance)


def district(view: DistrictView) -> place_pb2.District:
    """Return one district."""
    made = place_pb2.District(
        code=view.district,
        name=plain(view.content.name),
        parent=view.content.parent,
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
        etag=etag_of(view.revision),
    )
    if view.archived_at_ms is not None:
        made.archived_at.CopyFrom(timestamp(view.archived_at_ms))
    return made


def site(view: SiteView) -> place_pb2.Site:
    """Return one site."""
    content = view.content
    made = place_pb2.Site(
        code=view.site,
        name=plain(content.name),
        district=content.district,
        type=enums.number_of(_SITE_TYPE, content.site_type),  # type: ignore[arg-type]  # of this very enum
        type_word=plain(content.type_word),
        time_zone=content.time_zone,
        address_lines=map(plain, content.address_lines),
        contact=place_pb2.Contact(
            name=plain(content.contact_name),
            phone=plain(content.contact_phone),
            email=plain(content.contact_email),
        ),
        created_at=timestamp(view.created_at_ms),
        updated_at=timestamp(view.updated_at_ms),
        etag=etag_of(view.revision),
    )
    if content.latitude_e6 is not None and content.longitude_e6 is not None:
        made.position.latitude_e6 = content.latitude_e6
        made.position.longitude_e6 = content.longitude_e6
    if view.archived_at_ms is not None:
        made.archived_at.CopyFrom(timestamp(view.archived_at_ms))
    return made


def profile(view: ProfileView) -> machine_profile_pb2.MachineProfile:
    """Return what is known of one machine."""
    made = machine_profile_pb2.MachineProfile(
        machine_id=view.machine_id,
        serial=plain(view.content.serial),
        model=plain(view.content.model),
        labels={label: plain(value) for label, value in view.content.labels.items()},
        maintenance=enums.number_of(_MAINTENANCE, view.maintenance),  # type: ignore[arg-type]  # of this very enum
        maintenance_reason=plain(view.reason),
        maintenance_by=plain(view.set_by),
        site=view.site,
        district=view.district,
        etag=etag_of(view.revision),
    )
    if view.since_at_ms is not None:
        made.maintenance_since.CopyFrom(timestamp(view.since_at_ms))
    if view.updated_at_ms is not None:
        made.updated_at.CopyFrom(timestamp(view.updated_at_ms))
    return made


def placements(stays: Sequence[Stay]) -> list[machine_profile_pb2.Placement]:
    """Return where a machine stands, and when."""
    return [_placement(one) for one in stays]


def _placement(stay: Stay) -> machine_profile_pb2.Placement:
    made = machine_profile_pb2.Placement(site=stay.site, from_day=stay.from_day)
    getattr(made, "from").CopyFrom(timestamp(stay.from_at_ms))
    if stay.until_at_ms is not None:
        made.until.CopyFrom(timestamp(stay.until_at_ms))
    return made
