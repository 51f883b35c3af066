"""From views to HTML. Jinja escapes every text; before that what would turn a line around, or is
not seen, is replaced. There is no way around either: no template marks a text as safe, and
``gateway.web.cells`` does the same for the rows of tables.

Flows in: a view, and what stands on every page. Flows out: the page's text.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gateway.process.texts import plain
from gateway.web import charts, series
from gateway.web.cells import Other, rows_drawn
from gateway.web.people import new_secret
from gateway.web.tables import Instant, Table, grouped, led_back, place_of

HERE = Path(__file__).parent
NAVIGATION = (
    ("/", "Today"),
    ("/machines", "Machines"),
    ("/stock", "Stock and routes"),
    ("/products", "Products"),
    ("/places", "Places"),
    ("/customers", "Customers"),
    ("/campaigns", "Campaigns"),
    ("/offers", "Offers"),
    ("/screens", "Screens"),
    ("/money", "Money"),
)
STATIC = {
    "console.css": "text/css; charset=utf-8",
    "console.svg": "image/svg+xml",
    "zoom.js": "text/javascript; charset=utf-8",
    "uplot/uPlot.iife.min.js": "text/javascript; charset=utf-8",
    "uplot/uPlot.min.css": "text/css; charset=utf-8",
}
"""``uplot``: uPlot 1.6.32 as npm has it (MIT, its LICENSE beside it), 51 KB, or 22 KB packed; pages
load it that have days to look closer at, and say the same without it.
"""


def written(value: object) -> object:
    """Return a value as a template writes it."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value)
    return value


def clock_of(zone: ZoneInfo) -> Callable[[Instant | None], str]:
    """Return what writes moments, to the second, in a time zone."""

    def moment(value: Instant | None) -> str:
        if value is None:
            return ""
        at = dt.datetime.fromtimestamp(value.at_ms // 1_000, zone)
        return at.isoformat(sep=" ", timespec="seconds").rpartition("+")[0] or at.isoformat(
            sep=" ", timespec="seconds"
        )

    return moment


class Templates:
    """The templates, loaded once. ``zone``: the time zone in which pages tell moments."""

    def __init__(self, zone: str, *, request_ids: Callable[[], str] = new_secret) -> None:
        self.zone = zone
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=written,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        moment = clock_of(ZoneInfo(zone))

        def drawn(table: Table, other: Other) -> Markup:
            return rows_drawn(table, moment, lambda cell: other(led_back(cell, table.name)))

        self._templates.filters.update(
            moment=moment,
            rows=drawn,
            kind=lambda value: type(value).__name__,
            short=charts.short,
            grouped=grouped,
            place=place_of,
        )
        self._templates.globals.update(
            navigation=NAVIGATION,
            zone=zone,
            bar_length=charts.BAR_LENGTH,
            map_width=charts.MAP_WIDTH,
            map_height=charts.MAP_HEIGHT,
            column_height=charts.COLUMN_HEIGHT,
            series_height=series.HEIGHT,
            spark_width=charts.SPARK_WIDTH,
            spark_height=charts.SPARK_HEIGHT,
            request_id=request_ids,
        )

    def html(self, template: str, values: Mapping[str, object]) -> str:
        """Return a page."""
        return self._templates.get_template(template).render(values)


def static_files() -> dict[str, tuple[bytes, str]]:
    """Return what pages load beside themselves: content and kind, by name."""
    return {name: ((HERE / "static" / name).read_bytes(), kind) for name, kind in STATIC.items()}
