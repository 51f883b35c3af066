"""Every figure of the console is the one that grpcurl prints at the same position: in tables, in
files, in pictures and beside them. A page, a table or a figure that nobody compares fails.
"""

import csv
import datetime as dt
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.web.app import PAGES
from storage.database import migrate
from tests.alipay_client.wire import Pair
from tests.e2e.console_calls import Cell, Expected, Lasted, Rows, asking
from tests.e2e.console_fleet import HeldClock, furnish
from tests.e2e.console_told import COMPARED
from tests.gateway.office.giving import BY_TWO
from tests.gateway.web.signed_in import cells, signed_in
from tests.support.site import PARTITIONS, Site, a_site

_GROUPED = re.compile(r"(-?\d{1,3}(?:,\d{3})+)((?:\.\d+)?(?: [A-Z]{3})?)")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z")


@dataclass(frozen=True)
class Installation:
    """One that is furnished and stands still, and somebody who looks at it."""

    site: Site
    browser: httpx.AsyncClient
    now: dt.datetime


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="seen")
async def _seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One for all pages."""
    folder = tmp_path_factory.mktemp("figures")
    migrate.upgrade(f"sqlite:///{folder / 'upgraded.db'}", partition_count=PARTITIONS)
    pair = Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
    clock = HeldClock()
    upgraded = folder / "upgraded.db"
    async with a_site(folder, upgraded, pair, clock=clock, decided=BY_TWO) as site:
        await furnish(site)
        clock.held_at_ms = clock.now_ms()
        now = dt.datetime.fromtimestamp(clock.held_at_ms / 1_000, dt.UTC)
        async with signed_in(site) as browser:
            yield Installation(site, browser, now)
        clock.held_at_ms = None


class _Page(HTMLParser):
    """What stands outside tables: pictures' words, facts, and all text as it is read."""

    def __init__(self, page: httpx.Response) -> None:
        super().__init__()
        self.pictures: list[str] = []
        self.facts: list[list[str]] = []
        self.text = ""
        self.files: list[str] = []
        self._open: list[str] = []
        self._into: list[str] = []
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if "csv" in (query := parse_qs(urlsplit(told.get("href") or "").query)):
            self.files += query["csv"]
        if tag in {"svg", "title", "text", "dt", "dd"}:
            self._open.append(tag)
        in_picture = "svg" in self._open
        says = tag == "title" or (tag == "text" and told.get("class") == "said")
        if in_picture and says:
            self.pictures.append("")
            self._into = self.pictures
        elif tag == "dt":
            self.facts.append([""])
            self._into = self.facts[-1]
        elif tag == "dd":
            self.facts[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
            self._into = self._into if tag == "dt" else []

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._into:
            self._into[-1] += data


def typed(cell: str) -> str:
    """Return a cell of a page or a file as somebody would type it: without groups, and nothing
    where nothing is known.
    """
    if found := _GROUPED.fullmatch(cell):
        return found[1].replace(",", "") + found[2]
    if found := _MOMENT.fullmatch(cell):
        return f"{found[1]} {found[2]}"
    return "" if cell == "–" else cell


def _of_file(text: str) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of a file; an amount and its currency are one cell again."""
    heads, *lines = csv.reader(text.removeprefix("\ufeff").splitlines())
    rows = []
    for line in lines:
        row: list[str] = []
        for head, cell in zip(heads, line, strict=True):
            if head.endswith(", currency"):
                row[-1] = f"{row[-1]} {cell}".strip()
            elif re.match("'[=+@-]", cell):
                row.append(cell[1:])
            else:
                row.append(typed(cell))
        rows.append(row)
    return [head for head in heads if not head.endswith(", currency")], rows


def _in_file(rows: Rows) -> list[list[str]]:
    return [[str(x.seconds if isinstance(x, Lasted) else x) for x in row] for row in rows]


def _on_page(row: Iterable[Cell]) -> list[str]:
    return [str(one) for one in row]


def _kept(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> list[list[str]]:
    """Return the rows of a table on a page, in those columns only that a file has too: not forms
    and small pictures.
    """
    places = [place for place, head in enumerate(rows[0]) if head in heads]
    assert list(heads) == [rows[0][place] for place in places]
    return [[typed(row[place]) for place in places] for row in rows[1:]]


def test_every_page_is_compared() -> None:
    """Who makes a page says here what its figures are."""
    assert PAGES.keys() == COMPARED.keys()


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.xdist_group("console_figures")
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_says_what_grpcurl_says(seen: Installation, path: str) -> None:
    """In each of its tables, alone, on the page and as a file; in its pictures and beside them."""
    position = await seen.site.queries.settled_position()
    query, told = COMPARED[path]
    address = path.replace("{name}", "VM-1")
    words = dict(one.split("=") for one in query.split("&") if one)
    page = await seen.browser.get(address, params=words)
    expected = await told(asking(seen.site.channel), seen.now)
    assert 200 == page.status_code, page.text
    whole: list[tuple[str, ...]] = []
    for name, rows in expected.tables.items():
        assert rows, f"nothing is compared: {name} is empty"
        file = await seen.browser.get(address, params={**words, "csv": name})
        heads, lines = _of_file(file.text)
        assert _in_file(rows) == lines, name
        alone = await seen.browser.get(address, params={**words, "table": name})
        assert [_on_page(row) for row in rows] == _kept(cells(alone), heads), name
        if name not in expected.drawn:
            whole += map(tuple, cells(alone))
    assert Counter(whole) == Counter(map(tuple, cells(page)))
    _beside_tables(_Page(page), page, expected)
    assert f"Complete until position {position}, {seen.now:%Y-%m-%d %H:%M:%S}." in page.text
    assert position == await seen.site.queries.settled_position()


def _beside_tables(found: _Page, page: httpx.Response, expected: Expected) -> None:
    assert expected.tables.keys() == set(found.files)
    assert list(expected.pictures) == found.pictures
    facts = {name.strip(): value.strip() for name, value in found.facts}
    assert {name: value or "–" for name, value in expected.figures.items()} == facts
    text = " ".join(found.text.split())
    assert [] == [sentence for sentence in expected.says if sentence not in text]
    assert [] == [mark for mark in expected.marks if mark not in page.text]
