"""Pages of a list: the size that is asked for and an opaque token that says where the next page
begins.

A token is bound to the filters that it was made for, so that a page of another list is refused and
not silently wrong.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from gateway.fleet.errors import CallRefused, invalid
from gateway.rpc.statuses import FieldProblem

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 500
_TOKEN_LENGTH_MAX = 1_024
_DIGITS_MAX = 18
"""No number of ours has more digits than 64 bits hold; a longer one would be an error of the
database's.
"""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAsked:
    """What a list call asks for: ``limit`` rows behind ``position`` (empty: from the start).
    ``filters`` names the list.
    """

    limit: int
    position: str
    filters: str

    @property
    def rows(self) -> int:
        """How many rows to read: one more than the page, to learn whether there is a next one."""
        return self.limit + 1

    def shorter(self, limit: int) -> "PageAsked":
        """Return the same page with fewer rows, because no more fit an answer."""
        return replace(self, limit=min(limit, self.limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """The rows of one page and the token of the next; empty at the end."""

    rows: Sequence[Row]
    next_page_token: str


def asked(
    page_size: int, page_token: str, *filters: object, most: int = PAGE_SIZE_MAX
) -> PageAsked:
    """Check size and token; a page has ``most`` rows at most. Raises CallRefused."""
    if page_size < 0:
        raise invalid(
            FieldProblem(field="page_size", description="must not be below 0; 0 means 50")
        )
    name = hashlib.sha256(repr(filters).encode()).hexdigest()[:12]
    return PageAsked(
        limit=min(page_size or PAGE_SIZE_DEFAULT, most),
        position=_position(page_token, name),
        filters=name,
    )


def page(rows: Sequence[Row], wanted: PageAsked, position: Callable[[Row], str]) -> Page[Row]:
    """Cut ``rows`` (up to ``wanted.rows``) to the page and say where the next one begins."""
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return Page(
        rows=shown, next_page_token=_token(wanted.filters, position(shown[-1])) if more else ""
    )


def number(wanted: PageAsked) -> int:
    """Return the number behind which a page begins, 0 for the first one. Raises CallRefused."""
    if not wanted.position:
        return 0
    return counted(wanted.position)


def counted(position: str) -> int:
    """Return the number that a position is. Raises CallRefused."""
    if not (position.isascii() and position.isdecimal() and len(position) <= _DIGITS_MAX):
        raise wrong_token()
    return int(position)


def next_token(wanted: PageAsked, position: str) -> str:
    """Return the token of the page behind a position; empty if there is none."""
    return _token(wanted.filters, position) if position else ""


def _token(filters: str, position: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([filters, position]).encode()).decode().rstrip("=")


def wrong_token() -> CallRefused:
    """The token is none of ours, or another list's."""
    return invalid(
        FieldProblem(
            field="page_token",
            description="is not from the page before; repeat its filters and its next_page_token",
        )
    )


def _position(token: str, filters: str) -> str:
    if not token:
        return ""
    if len(token) > _TOKEN_LENGTH_MAX:
        raise wrong_token()
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, RecursionError):
        raise wrong_token() from None
    match content:
        case [str(name), str(position)] if name == filters and position and position.isprintable():
            return position
        case _:
            raise wrong_token()
