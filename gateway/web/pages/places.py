"""Places: districts, sites on a map that is drawn without tiles, and what stands there."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from gateway.office.v1 import (
    machine_profile_service_pb2,
    place_pb2,
    place_service_pb2,
    sales_service_pb2,
    selector_pb2,
)
from gateway.web.charts import Spot, dots, outlines
from gateway.web.sales import SPAN_DAYS, complete
from gateway.web.tables import Link, Table, grouped, money
from gateway.web.view import ConsolePage, Looking, Missing
from gateway.web.waiting import machine_link
from gateway.web.words import said
from storage.insight import days

PAGE = 500
"""Of more machines than this it is not counted where they stand, unless a district or a site is
chosen.
"""
CELL_SIZES = ((6, "36"), (7, "5.2"), (8, "0.74"), (9, "0.11"))
"""What can be chosen: resolutions, and how many square kilometres a cell has on average."""
USUAL_CELLS = 7
CELLS_LENGTH_MAX = 4
"""So many digits are none of them; what is shorter the call itself refuses."""
SITES_NAMED = 3
"""So many sites of a cell are named beside it."""
_Hot = sales_service_pb2.GetHotDistrictsResponse | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class HotTold:
    """What was answered, and of what: the resolution of cells, or 0 of districts. Where districts
    are too few to tell of, and cells were asked for in their stead: why there are none.
    """

    answer: _Hot
    cells: int = 0
    why_no_cells: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnCell:
    """A cell on the map: its index, what it is, and its corners."""

    index: str
    label: str
    corners: Sequence[Spot]

    def holds(self, spot: Spot) -> bool:
        """Tell whether a place is in it: whether a line from it to the east leaves it once."""
        return any(self._holds(spot[0], spot[1] + turn) for turn in (-_TURN, 0, _TURN))

    def _holds(self, north: int, east: int) -> bool:
        is_in = False
        for (north_a, east_a), (north_b, east_b) in pairwise((*self.corners, self.corners[0])):
            if (north_a > north) != (north_b > north):
                side = (east_b - east_a) * (north - north_a) - (east - east_a) * (north_b - north_a)
                is_in ^= (side > 0) == (north_b > north_a)
        return is_in


async def places(looking: Looking) -> ConsolePage:
    """Return the page; of one site or district, if the query names it."""
    site, district = looking.word("site"), looking.word("district")
    (districts, sites, found), told = await asyncio.gather(
        looking.all(
            place_service_pb2.ListDistrictsRequest(page_size=PAGE),
            place_service_pb2.ListSitesRequest(page_size=PAGE, district=district),
            machine_profile_service_pb2.ListMachineProfilesRequest(
                page_size=PAGE,
                page_token=looking.token("page"),
                selector=selector_pb2.Selector(
                    site=site, district=district, all=not (site or district)
                ),
            ),
        ),
        _hot(looking),
    )
    profiles, more = found.profiles, found.next_page_token
    # Of a part of the machines nobody counts where they stand: it would look like all of them.
    is_counted = not (more or looking.token("page"))
    counts = Counter(one.site for one in profiles if one.site) if is_counted else None
    placed = [one for one in sites.sites if one.HasField("position")]
    spots = [(one.position.latitude_e6, one.position.longitude_e6) for one in placed]
    cells = cells_around(told.answer, spots)
    names = sites_in(cells, [(one.name, spot) for one, spot in zip(placed, spots, strict=True)])
    return ConsolePage(
        title="Places",
        template="places.html",
        tables=(
            hot_districts(told, names),
            _districts(districts.districts),
            _sites(sites.sites, counts),
            _machines(profiles),
        ),
        values={
            "dots": dots(
                [(one.name, one.code, *spot) for one, spot in zip(placed, spots, strict=True)],
                counts or {},
                around=[corner for one in cells for corner in one.corners],
            ),
            "outlines": outlines(
                [(one.label, f"{one.index} is {one.label}", one.corners) for one in cells],
                around=spots,
            ),
            "by_districts": _chosen(looking, "0"),
            "by_cells": [(_chosen(looking, str(of)), size) for of, size in CELL_SIZES],
            "words": {"site": site, "district": district},
            "is_counted": is_counted,
            "labels": labels_of(told.answer, cells, placed),
            "sales_complete": complete(told.answer),
            "is_whole": not (districts.next_page_token or sites.next_page_token),
            "unplaced": len(sites.sites) - len(placed),
        },
        more={
            "machines": {
                "site": site,
                "district": district,
                "currency": looking.word("currency"),
                "cells": looking.word("cells"),
                "page": more,
            }
        }
        if more
        else {},
    )


def _chosen(looking: Looking, cells: str) -> str:
    """Return the address of this page, told otherwise."""
    said = {name: looking.word(name) for name in ("site", "district", "currency")}
    return "/places?" + urlencode(
        {name: word for name, word in said.items() if word} | {"cells": cells}
    )


async def _hot(looking: Looking) -> HotTold:
    """Ask in the currency that the query names, or in the one in which most was sold; by what it
    names, or else by districts, and by cells where districts are too few to tell of.
    """
    chosen = looking.word("cells")
    if chosen and not (chosen.isdecimal() and len(chosen) < CELLS_LENGTH_MAX):
        why = f"{chosen} is no size of cells: choose one below, or districts."
        return HotTold(answer=Missing(why))
    last = days.moved(days.as_number(looking.local().date()), -1)
    first = days.moved(last, 1 - SPAN_DAYS)
    currency = looking.word("currency")
    if not currency:
        sold = await looking.attempt(
            sales_service_pb2.GetSalesRequest(
                first_day=first, last_day=last, by=sales_service_pb2.SALES_BY_SITE_TYPE
            )
        )
        if isinstance(sold, Missing):
            return HotTold(answer=sold)
        units: Counter[str] = Counter()
        for line in sold.lines:
            units[line.now.sales.currency] += line.now.units
        currency = max(units, key=lambda one: (units[one], one), default="")
    if not currency:
        return HotTold(answer=Missing("Nothing was sold in this time, as far as is known."))
    wanted = sales_service_pb2.GetHotDistrictsRequest(
        first_day=first,
        last_day=last,
        currency=currency,
        cell_resolution=int(chosen or 0),
    )
    told: _Hot = await looking.attempt(wanted)
    if chosen or isinstance(told, Missing) or told.districts:
        return HotTold(answer=told, cells=wanted.cell_resolution)
    wanted.cell_resolution = USUAL_CELLS
    by_cells: _Hot = await looking.attempt(wanted)
    if _lines(by_cells):
        return HotTold(answer=by_cells, cells=USUAL_CELLS)
    why = _nothing(by_cells, USUAL_CELLS)
    if isinstance(by_cells, Missing):
        why = f"Nor are cells told instead: {why}"
    return HotTold(answer=told, why_no_cells=why)


def cells_around(of: _Hot, spots: Sequence[Spot]) -> list[DrawnCell]:
    """Return the cells in which any of the sites is that are drawn; one on the line where days
    begin is drawn on each side on which one is.
    """
    return [
        DrawnCell(
            index=one.cell.index,
            label=said(sales_service_pb2.DistrictLabel, one.label),
            corners=there,
        )
        for one in _lines(of)
        if (corners := _corners(one.cell))
        for turn in (-_TURN, 0, _TURN)
        if any(_is_within(spot, there := _turned(corners, turn)) for spot in spots)
    ]


def _turned(corners: Sequence[Spot], turn: int) -> list[Spot]:
    return [(north, east + turn) for north, east in corners]


def sites_in(
    cells: Sequence[DrawnCell], sites: Sequence[tuple[str, Spot]]
) -> Mapping[str, Sequence[str]]:
    """Return by the index of each cell which of the sites, by name and place, are in it."""
    found: dict[str, list[str]] = {one.index: [] for one in cells}
    for one in cells:
        found[one.index] += [name for name, spot in sites if one.holds(spot)]
    return found


def labels_of(
    of: _Hot, cells: Sequence[DrawnCell], placed: Sequence[place_pb2.Site]
) -> Mapping[str, str]:
    """Return what the cell, or else the district, of each site is, by the site's code; without
    sites of which that is not told.
    """
    told = {
        one.district: said(sales_service_pb2.DistrictLabel, one.label)
        for one in _lines(of)
        if not one.HasField("cell")
    }
    by_cells = {
        one.code: cell.label
        for one in placed
        for cell in cells
        if cell.holds((one.position.latitude_e6, one.position.longitude_e6))
    }
    return {one.code: told[one.district] for one in placed if one.district in told} | by_cells


def _corners(of: sales_service_pb2.HotCell) -> list[Spot]:
    """Return the corners of a cell, on its middle's side of the line where days begin."""
    middle = of.middle.longitude_e6
    return [
        (one.latitude_e6, one.longitude_e6 + turn)
        for one in of.corners
        for turn in (-_TURN, 0, _TURN)
        if abs(one.longitude_e6 + turn - middle) <= _TURN // 2
    ]


_TURN = 360_000_000
"""Once around the earth, in millionths of a degree."""


def _is_within(spot: Spot, corners: Sequence[Spot]) -> bool:
    """Tell whether a place is in the box around a cell."""
    norths, easts = [one[0] for one in corners], [one[1] for one in corners]
    return min(norths) <= spot[0] <= max(norths) and min(easts) <= spot[1] <= max(easts)


def _lines(of: _Hot) -> Sequence[sales_service_pb2.HotDistrict]:
    return () if isinstance(of, Missing) else of.districts


def hot_districts(told: HotTold, sites: Mapping[str, Sequence[str]] | None = None) -> Table:
    """Return which districts, or cells, sell more, those of which most is believed first.
    ``sites`` are the names of those in each cell, by its index.
    """
    of, what = told.answer, _called(told.cells)
    return Table(
        name="hot",
        title=f"What {what} sell a sellable machine-day, {SPAN_DAYS} days before today",
        heads=(
            *(("Cell", "Sites") if told.cells else ("District",)),
            *("Is", "Above the fleet: how sure, %", "Machines", "As sold", "Believed"),
            *("At least", "At most", "A new machine", "New, at least", "New, at most"),
        ),
        rows=[
            (
                *(
                    (one.cell.index, _named((sites or {}).get(one.cell.index, ())))
                    if told.cells
                    else (Link(one.district or "nowhere", f"/places?district={one.district}"),)
                ),
                said(sales_service_pb2.DistrictLabel, one.label),
                one.above_percent,
                one.machines,
                money(one.raw),
                *(money(getattr(one.believed, end)) for end in ("middle", "low", "high")),
                money(one.new_machine.middle),
                money(one.new_machine.low),
                money(one.new_machine.high),
            )
            for one in sorted(
                _lines(of),
                key=lambda one: (-one.believed.middle.minor, one.district, one.cell.index),
            )
        ],
        empty=" ".join(filter(None, (_nothing(of, told.cells), told.why_no_cells))),
        note="Hot and cold are said where that is 90 in 100 sure, of a "
        f"{'cell' if told.cells else 'district'}'s own machines; above says how sure it is that it "
        "sells more than the fleet's level, not by how much. "
        f"Believed: drawn towards all {'cells' if told.cells else 'districts'}, the more the fewer "
        "machines; in 95 of 100 it is between the two beside it. Places without machines say "
        "nothing." + _in_no_cell(of),
    )


def _called(cells: int) -> str:
    """Return what is told of: districts, or cells and how large they are."""
    if not cells:
        return "districts"
    size = dict(CELL_SIZES).get(cells)
    return f"cells of {size} square kilometres" if size else "cells"


def _nothing(of: _Hot, cells: int) -> str:
    """Return why nothing is told."""
    if isinstance(of, Missing):
        return of.why
    larger = " Larger ones may do." if cells else ""
    return (
        f"There are too few {_called(cells)}, or too few machines in them, to say how they differ."
        f"{larger}{_in_no_cell(of)}"
    )


def _named(sites: Sequence[str]) -> str:
    more = len(sites) - SITES_NAMED
    return "; ".join(sites[:SITES_NAMED]) + (f" and {more} more" if more > 0 else "")


def _in_no_cell(of: _Hot) -> str:
    if isinstance(of, Missing) or not of.unplaced:
        return ""
    if of.unplaced == 1:
        return " 1 machine stands at a site without a position, and is in no cell."
    machines = f"{grouped(of.unplaced)} machines"
    return f" {machines} stand at sites without a position, and are in no cell."


def _districts(of: Iterable[place_pb2.District]) -> Table:
    return Table(
        name="districts",
        title="Districts",
        heads=("District", "Name", "Within"),
        rows=[(Link(one.code, f"/places?district={one.code}"), one.name, one.parent) for one in of],
        empty="No district has been made yet.",
    )


def _sites(of: Iterable[place_pb2.Site], counts: Counter[str] | None) -> Table:
    return Table(
        name="sites",
        title="Sites",
        heads=("Site", "Name", "District", "Type", "Time zone", "Machines"),
        rows=[
            (
                Link(one.code, f"/places?site={one.code}"),
                one.name,
                one.district,
                one.type_word or said(place_pb2.SiteType, one.type),
                one.time_zone,
                None if counts is None else counts[one.code],
            )
            for one in of
        ],
        empty="No site has been made yet.",
    )


def _machines(of: Iterable[Any]) -> Table:
    return Table(
        name="machines",
        title="Machines and where they stand",
        heads=("Machine", "Site", "District", "Model", "Serial"),
        rows=[
            (machine_link(one.machine_id), one.site, one.district, one.model, one.serial)
            for one in of
        ],
        empty="No machine stands there.",
    )
