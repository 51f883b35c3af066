"""Places and profiles are said as they are kept."""

from gateway.office import place_views as views
from gateway.office.v1 import machine_profile_pb2, place_pb2
from storage.office.districts import DistrictContent, DistrictView
from storage.office.profiles import ProfileView
from storage.office.sites import SiteContent, SiteType, SiteView
from storage.office.stays import Stay


def test_no_text_turns_a_line_around() -> None:
    """What people wrote is shown without control characters."""
    evil = "a\u202eb\nc"
    content = SiteContent(
        name=evil,
        district="hk",
        site_type=SiteType.SHOP,
        time_zone="UTC",
        type_word=evil,
        address_lines=(evil,),
        contact_name=evil,
    )
    site = views.site(
        SiteView(site="s", content=content, revision=1, created_at_ms=1, updated_at_ms=1)
    )
    district = views.district(
        DistrictView(
            district="d",
            content=DistrictContent(name=evil),
            revision=1,
            created_at_ms=1,
            updated_at_ms=1,
        )
    )
    profile = views.profile(ProfileView(machine_id="VM-1", reason=evil, set_by=evil))
    for text in (
        *(site.name, site.type_word, site.address_lines[0], site.contact.name),
        *(district.name, profile.maintenance_reason, profile.maintenance_by),
    ):
        assert text.isprintable()
    assert place_pb2.SITE_TYPE_SHOP == site.type


def test_what_nobody_said_is_absent() -> None:
    """A profile without a word has no time, and the last placement has no end."""
    profile = views.profile(ProfileView(machine_id="VM-1"))
    assert (False, False, "0", machine_profile_pb2.MAINTENANCE_IN_SERVICE) == (
        profile.HasField("updated_at"),
        profile.HasField("maintenance_since"),
        profile.etag,
        profile.maintenance,
    )
    last, first = views.placements(
        [
            Stay(machine_id="VM-1", site="", from_day="2026-01-02", from_at_ms=2_000),
            Stay(
                machine_id="VM-1",
                site="s",
                from_day="2026-01-01",
                from_at_ms=1_000,
                until_at_ms=2_000,
            ),
        ]
    )
    assert (False, 2) == (last.HasField("until"), first.until.seconds)
    assert 1 == getattr(first, "from").seconds
