"""The rows of a table as HTML. A page has more of these than of all else, and a template takes four
times as long over them.

Flows in: a table. Flows out: markup in which each text was escaped, after what would turn a line
around, or is not seen, was replaced. Forms and pictures are left to a template.
"""

from collections.abc import Callable

from markupsafe import Markup, escape

from gateway.process.texts import plain
from gateway.web.tables import Cell, Instant, Link, Table, grouped

NONE = '<span class="none" aria-label="none">–</span>'
SHORT = 14
"""No longer text has to be broken into two lines."""
LONG = 280
"""A longer text has a bar to scroll by, so a keyboard must reach it."""

Moment = Callable[[Instant], str]
"""How a moment is written."""
Other = Callable[[Cell], Markup]
"""What writes the cells that are more than a text."""


def rows_drawn(table: Table, moment: Moment, other: Other) -> Markup:
    """Return the table's rows."""
    openings = [
        f'<td class="{_text(kind)}" data-head="{_text(head)}">'
        for kind, head in zip(table.kinds, table.heads, strict=True)
    ]
    lines = (
        "".join(
            f"{opening}{_drawn(cell, moment, other)}</td>"
            for opening, cell in zip(openings, row, strict=True)
        )
        for row in table.rows
    )
    return Markup("\n".join(f"<tr>{line}</tr>" for line in lines))  # noqa: S704 - all of it was escaped


def _text(text: str) -> str:
    return str(escape(plain(text)))


def _look(text: str) -> str:
    """Return how a text stands in its column: a word is not broken, and a long one has room."""
    if len(text) <= SHORT:
        return ' class="word"'
    return ' tabindex="0"' if len(text) > LONG else ""


def _drawn(cell: Cell, moment: Moment, other: Other) -> str:
    match cell:
        case None | "":
            return NONE
        case Link(text=text, href=href):
            return f'<a href="{_text(href)}"><bdi>{_text(text)}</bdi></a>'
        case str():
            return f"<bdi{_look(cell)}>{_text(cell)}</bdi>"
        case int():
            return grouped(cell)
        case Instant():
            return f"<time>{_text(moment(cell))}</time>"
        case _:
            return str(escape(other(cell)))
