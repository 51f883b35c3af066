"""What is asked of the fields of requests about places and profiles: codes, days, positions, labels
and selectors.
"""

import re
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Self

from gateway.fleet import enums
from gateway.office.fields import OfficeFields
from gateway.office.v1 import machine_profile_pb2, place_pb2, selector_pb2
from storage.fleet.changes import Maintenance
from storage.office.selectors import Selector
from storage.office.sites import SiteType

CODE_WORDS = "1 to 64 letters, digits, '.', '_' and '-'"
NAME_LENGTH_MAX = 100
TYPE_WORD_LENGTH_MAX = 64
ADDRESS_LINES_MAX = 6
CONTACT_LENGTHS = {"name": 100, "phone": 40, "email": 100}
SERIAL_LENGTH_MAX = 64
MODEL_LENGTH_MAX = 64
LABELS_MAX = 16
LABEL_LENGTH_MAX = 64
SELECTED_LABELS_MAX = 8
SELECTED_MACHINES_MAX = 500
LATITUDE_E6_MAX = 90_000_000
LONGITUDE_E6_MAX = 180_000_000

_CODE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LABEL = re.compile(r"[a-z0-9._-]{1,32}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS = (date(2000, 1, 1), date(2199, 12, 31))
_SITE_TYPE = enums.descriptor_of(place_pb2.SiteType)
_MAINTENANCE = enums.descriptor_of(machine_profile_pb2.Maintenance)


class PlaceFields(OfficeFields):
    """Collects what is wrong with the fields of one request about places."""

    def code(self, field: str, value: str, *, needed: bool = True) -> Self:
        """Check a district's or a site's code."""
        if (needed or value) and not _CODE.fullmatch(value):
            self.wrong(field, f"must be {CODE_WORDS}")
        return self

    def day(self, value: str, *, field: str = "from_day") -> Self:
        """Check a day."""
        try:
            right = bool(_DAY.fullmatch(value)) and (
                _DAYS[0] <= date.fromisoformat(value) <= _DAYS[1]
            )
        except ValueError:
            right = False
        if not right:
            self.wrong(field, "must be a day of 2000 to 2199, such as 2026-11-28")
        return self

    def time_zone(self, field: str, value: str) -> Self:
        """Check a time zone."""
        if value not in _time_zones():
            self.wrong(field, "must be a time zone of the IANA's, such as Asia/Hong_Kong")
        return self

    def site_type(self, field: str, value: int) -> SiteType:
        """Return the type of a site."""
        word = enums.word_of(_SITE_TYPE, value)
        if not word:
            self.wrong(field, f"must be one of {', '.join(enums.names_of(_SITE_TYPE))}")
        return SiteType(word) if word else SiteType.OTHER

    def site_type_word(self, field: str, value: str) -> Self:
        """Check the word of a type of site by which machines are chosen; empty is right."""
        words = enums.words_of(_SITE_TYPE)
        if value and value not in words:
            self.wrong(field, f"must be one of {', '.join(words)}")
        return self

    def maintenance(self, value: int) -> Maintenance:
        """Return whether a machine is to be in service."""
        word = enums.word_of(_MAINTENANCE, value)
        if not word:
            self.wrong("maintenance", f"must be one of {', '.join(enums.names_of(_MAINTENANCE))}")
        return Maintenance(word) if word else Maintenance.IN_SERVICE

    def position(self, field: str, value: place_pb2.Position) -> Self:
        """Check a position."""
        for name, most in (("latitude_e6", LATITUDE_E6_MAX), ("longitude_e6", LONGITUDE_E6_MAX)):
            if not -most <= getattr(value, name) <= most:
                self.wrong(
                    f"{field}.{name}", f"must be {-most} to {most}, in millionths of a degree"
                )
        return self

    def address(self, field: str, lines: Sequence[str]) -> Self:
        """Check an address."""
        if len(lines) > ADDRESS_LINES_MAX:
            self.wrong(field, f"must be at most {ADDRESS_LINES_MAX}")
            return self
        for index, line in enumerate(lines):
            self.line(f"{field}[{index}]", line, least=1, most=NAME_LENGTH_MAX)
        return self

    def contact(self, field: str, value: place_pb2.Contact) -> Self:
        """Check whom to call."""
        for name, most in CONTACT_LENGTHS.items():
            self.line(f"{field}.{name}", getattr(value, name), most=most)
        return self

    def labels(self, field: str, labels: Mapping[str, str], *, most: int = LABELS_MAX) -> Self:
        """Check labels."""
        if len(labels) > most:
            self.wrong(field, f"must be at most {most}")
            return self
        for label, value in sorted(labels.items()):
            if not _LABEL.fullmatch(label):
                self.wrong(
                    field,
                    f"{label[:40]!r} is no name of a label: 1 to 32 lower-case letters, digits, "
                    "'.', '_' and '-' are",
                )
            else:
                self.line(f"{field}[{label}]", value, least=1, most=LABEL_LENGTH_MAX)
        return self

    def selector(self, value: selector_pb2.Selector, *, field: str = "selector") -> Selector:
        """Return which machines are meant."""
        if len(value.machine_ids) > SELECTED_MACHINES_MAX:
            self.wrong(f"{field}.machine_ids", f"must be at most {SELECTED_MACHINES_MAX}")
        else:
            for index, machine_id in enumerate(value.machine_ids):
                self.machine_id(machine_id, field=f"{field}.machine_ids[{index}]")
        self.code(f"{field}.district", value.district, needed=False)
        self.code(f"{field}.site", value.site, needed=False)
        self.site_type_word(f"{field}.site_type", value.site_type)
        self.line(f"{field}.model", value.model, most=MODEL_LENGTH_MAX)
        self.labels(f"{field}.labels", value.labels, most=SELECTED_LABELS_MAX)
        wanted = Selector(
            machine_ids=tuple(sorted(set(value.machine_ids))),
            district=value.district,
            site=value.site,
            site_type=value.site_type,
            model=value.model,
            labels=dict(sorted(value.labels.items())),
            all=value.all,
        )
        if wanted.is_empty:
            self.wrong(field, "must say which machines are meant; all says that all are")
        return wanted

    def site_content(self, site: place_pb2.Site, paths: Collection[str]) -> dict[str, Any]:
        """Return those fields of a site's content that ``paths`` names."""
        found: dict[str, Any] = {}
        if "name" in paths:
            self.line("site.name", site.name, least=1, most=NAME_LENGTH_MAX)
            found["name"] = site.name
        if "district" in paths:
            self.code("site.district", site.district)
            found["district"] = site.district
        if "type" in paths:
            found["site_type"] = self.site_type("site.type", site.type)
        if "type_word" in paths:
            other = "type" in paths and enums.word_of(_SITE_TYPE, site.type) == SiteType.OTHER
            self.line("site.type_word", site.type_word, least=int(other), most=TYPE_WORD_LENGTH_MAX)
            found["type_word"] = site.type_word
        if "position" in paths:
            said = site.HasField("position")
            self.position("site.position", site.position)
            found["latitude_e6"] = site.position.latitude_e6 if said else None
            found["longitude_e6"] = site.position.longitude_e6 if said else None
        if "time_zone" in paths:
            self.time_zone("site.time_zone", site.time_zone)
            found["time_zone"] = site.time_zone
        if "address_lines" in paths:
            self.address("site.address_lines", site.address_lines)
            found["address_lines"] = tuple(site.address_lines)
        if "contact" in paths:
            self.contact("site.contact", site.contact)
            found |= {f"contact_{name}": getattr(site.contact, name) for name in CONTACT_LENGTHS}
        return found


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
