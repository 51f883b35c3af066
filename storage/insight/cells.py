"""Cells of nearly equal size into which the earth is cut (H3): the one file that imports the
library. It comes with the extra ``places``.

Flows in: positions in millionths of a degree, WGS 84, and a resolution. Flows out: names of cells,
which are the same wherever H3 is spoken, and their shapes. A finer cell is not wholly within the
coarser one that it belongs to. Nothing here is stored: a machine's cell follows from its position.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass

from storage.office.deeds import NotPossible

RESOLUTION_MIN = 4
"""1,770 square kilometres a cell, on average: a country's regions."""
RESOLUTION_MAX = 9
"""0.105 square kilometres: within a mall. A finer cell would be a machine's own."""
_MILLIONTHS = 1_000_000
Place = tuple[int, int]
"""Latitude and longitude, in millionths of a degree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellShape:
    """Where a cell is: its middle, and its five to ten corners in the order of its outline."""

    middle: Place
    corners: tuple[Place, ...]


def check_cells(resolution: int) -> None:
    """Raise NotPossible for a resolution that is not told, or if the library is not installed."""
    if not RESOLUTION_MIN <= resolution <= RESOLUTION_MAX:
        raise NotPossible(
            "NO_SUCH_RESOLUTION",
            f"cells are told in resolutions {RESOLUTION_MIN} to {RESOLUTION_MAX}; 0 is districts",
        )
    if importlib.util.find_spec("h3") is None:
        raise NotPossible(
            "NO_CELLS",
            "what cuts the earth into cells is not installed on this gateway: "
            "pip install 'vendgate[places]' (the image has it)",
        )


def cells_of(places: Mapping[str, Place], resolution: int) -> dict[str, str]:
    """Return the cell in which each place is, by the same keys. Behind ``check_cells``."""
    import h3

    return {
        key: h3.latlng_to_cell(latitude / _MILLIONTHS, longitude / _MILLIONTHS, resolution)
        for key, (latitude, longitude) in places.items()
    }


def shape_of(cell: str) -> CellShape:
    """Return where a cell is that ``cells_of`` has named."""
    import h3

    middle, *corners = (
        (int(latitude * _MILLIONTHS), int(longitude * _MILLIONTHS))
        for latitude, longitude in (h3.cell_to_latlng(cell), *h3.cell_to_boundary(cell))
    )
    return CellShape(middle=middle, corners=tuple(corners))
