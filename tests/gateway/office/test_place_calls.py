"""A change of a place is checked whole before anything is asked of storage."""

import dataclasses

from gateway.office.place_calls import DISTRICT_PATHS, SITE_PATHS
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import place_pb2
from storage.office.districts import DistrictContent
from storage.office.sites import SiteContent


def test_every_field_can_be_changed() -> None:
    """What is kept of a place and set at its creation can be set later."""
    kept = {field.name for field in dataclasses.fields(SiteContent)}
    assert kept == set(PlaceFields().site_content(place_pb2.Site(), SITE_PATHS))
    assert {field.name for field in dataclasses.fields(DistrictContent)} == set(DISTRICT_PATHS)


def test_what_is_not_named_is_not_changed() -> None:
    """A field that was forgotten destroys nothing."""
    fields = PlaceFields()
    assert {"name": "Pier"} == fields.site_content(place_pb2.Site(name="Pier"), ["name"])
    assert [] == fields.problems
