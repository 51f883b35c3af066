"""What is asked of places, labels, days and selectors."""

from typing import Any

import pytest

from gateway.fleet import enums
from gateway.office.place_calls import SITE_PATHS
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import machine_profile_pb2, place_pb2
from gateway.office.v1.selector_pb2 import Selector
from storage.fleet.changes import Maintenance
from storage.office import selectors
from storage.office.sites import SiteType


def wrong(fields: PlaceFields) -> list[str]:
    """Return what is wrong, by the names of the fields."""
    return [one.field for one in fields.problems]


def test_words_of_the_wire_are_words_of_storage() -> None:
    """No type of a site and no state of maintenance is known to one of them alone."""
    assert [str(one) for one in SiteType] == enums.words_of(enums.descriptor_of(place_pb2.SiteType))
    assert [str(one) for one in Maintenance] == enums.words_of(
        enums.descriptor_of(machine_profile_pb2.Maintenance)
    )


@pytest.mark.parametrize("code", ["", "a b", "ü", "x" * 65, "a/b"])
def test_a_code_is_plain(code: str) -> None:
    """It is part of positions in lists, and of commands that people type."""
    assert ["x"] == wrong(PlaceFields().code("x", code))
    assert [] == wrong(PlaceFields().code("x", "HK-1_a.b").code("x", "", needed=False))


@pytest.mark.parametrize("day", ["", "2026-2-1", "2026-02-30", "1999-12-31", "2200-01-01", "today"])
def test_a_day_is_one(day: str) -> None:
    """Of this century or the next."""
    assert ["from_day"] == wrong(PlaceFields().day(day))
    assert [] == wrong(PlaceFields().day("2028-02-29"))


def test_a_site_is_checked_whole() -> None:
    """Every problem of it is said, by its field."""
    fields = PlaceFields()
    site = place_pb2.Site(
        type=place_pb2.SITE_TYPE_OTHER,
        position=place_pb2.Position(latitude_e6=90_000_001, longitude_e6=180_000_000),
        time_zone="Asia/Kowloon",
        address_lines=["", "two\nlines"],
        contact=place_pb2.Contact(phone="1" * 41),
    )
    fields.site_content(site, SITE_PATHS)
    assert [
        "site.name",
        "site.district",
        "site.type_word",
        "site.position.latitude_e6",
        "site.time_zone",
        "site.address_lines[0]",
        "site.address_lines[1]",
        "site.contact.phone",
    ] == wrong(fields)
    fields = PlaceFields()
    paths = ["type", "type_word", "address_lines"]
    fields.site_content(place_pb2.Site(address_lines=["x"] * 7), paths)
    assert ["site.type", "site.address_lines"] == wrong(fields)
    said = fields.problems[0].description
    assert said.startswith("must be one of SITE_TYPE_OFFICE, ")
    assert said.endswith(", SITE_TYPE_OTHER")


def test_no_position_is_none() -> None:
    """0° 0' is one."""
    fields = PlaceFields()
    nowhere = fields.site_content(place_pb2.Site(), ["position"])
    assert {"latitude_e6": None, "longitude_e6": None} == nowhere
    middle = fields.site_content(place_pb2.Site(position=place_pb2.Position()), ["position"])
    assert {"latitude_e6": 0, "longitude_e6": 0} == middle


def test_a_mask_names_what_can_be_changed() -> None:
    """Nothing, and what cannot, is refused."""
    fields = PlaceFields()
    assert {"name"} == set(fields.mask(["name"], ["name"]))
    assert [] == wrong(fields)
    nothing: list[str] = []
    for paths in (nothing, ["name", "code"]):
        fields = PlaceFields()
        fields.mask(paths, ["name"])
        assert ["update_mask"] == wrong(fields)


@pytest.mark.parametrize(
    "labels", [{"Route": "7"}, {"": "7"}, {"route": ""}, {"route": "7\n"}, {"r" * 33: "7"}]
)
def test_a_label_is_a_plain_name_and_a_short_text(labels: dict[str, str]) -> None:
    """So that it can be asked for."""
    fields = PlaceFields().labels("labels", labels)
    assert 1 == len(fields.problems)
    many = {f"l{number}": "x" for number in range(17)}
    assert ["labels"] == wrong(PlaceFields().labels("labels", many))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "selector"),
        ({"machine_ids": ["a b"]}, "selector.machine_ids[0]"),
        ({"machine_ids": ["VM-1"] * 501}, "selector.machine_ids"),
        ({"district": "a b"}, "selector.district"),
        ({"site": "a b"}, "selector.site"),
        ({"site_type": "PIER"}, "selector.site_type"),
        ({"model": " x"}, "selector.model"),
        ({"labels": {f"l{number}": "x" for number in range(9)}}, "selector.labels"),
    ],
)
def test_a_selector_says_what_is_meant(given: dict[str, Any], field: str) -> None:
    """Nothing at all is not everything."""
    fields = PlaceFields()
    fields.selector(Selector(**given))
    assert [field] == wrong(fields)


def test_a_selector_is_told_to_storage_as_it_is() -> None:
    """Each field, and each machine once."""
    given = Selector(
        machine_ids=["VM-2", "VM-1", "VM-2"],
        district="hk",
        site="pier",
        site_type="STATION",
        model="Snack 40",
        labels={"route": "7"},
        all=True,
    )
    fields = PlaceFields()
    assert selectors.Selector(
        machine_ids=("VM-1", "VM-2"),
        district="hk",
        site="pier",
        site_type="STATION",
        model="Snack 40",
        labels={"route": "7"},
        all=True,
    ) == fields.selector(given)
    assert [] == fields.problems
