"""What people wrote is shown as text, wherever it is: pages, spreadsheets, posters, terminals.

Each row of SHOWN is one place. It is given all the words, as if they stood in the database already,
whatever let them in; and returns what somebody reads there.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stderr
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pypdfium2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from rich.console import Console
from sqlalchemy import insert, update

from alipay_client.simulator import page as counter
from alipay_client.simulator import phone
from alipay_client.simulator.screens import Shown
from gateway.alipay.reconciliation import report
from gateway.alipay.reconciliation.run import Outcome
from gateway.books import audit
from gateway.demo.screen import Picture
from gateway.posters.layout import Sheet, Size
from gateway.posters.press import Press
from gateway.process import endings
from gateway.process.texts import plain_lines
from gateway.web.app import PAGES
from storage.auditing.findings import Finding
from storage.database import migrate
from storage.insight import days
from storage.office.screen_plans import PlanContent, PlanView, row_of
from storage.office.selectors import Selector
from storage.reconciliation.runs import Reconciliation, RunView
from storage.tables import (
    districts,
    incidents,
    machines,
    planogram_columns,
    playlists,
    product_names,
    products,
    screen_plans,
    sites,
)
from tests.alipay_client.simulator.merchant import world
from tests.alipay_client.wire import Pair
from tests.gateway.demo import test_screen as demo
from tests.gateway.office import placing
from tests.gateway.posters.pages import line, settings
from tests.gateway.web.signed_in import signed_in
from tests.storage.reconciliation.differences import RUN, difference
from tests.support.fleet_calls import refunded, registered
from tests.support.site import PARTITIONS, Site, a_site
from tests.support.sold_items import half_past, have_sold

MARKUP = "</bdi></td>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
LONG = "y" * 10_000
WORDS = (
    MARKUP,
    "<script>alert(2)</script>&lt;b&gt;javascript:alert(3)",
    "\x1b[2J\x1b[31mred\x07\x9b31m \u202egnp.exe\u2066\u200b a\x00b\r\nset-cookie: c",
    "=1+2|' /C calc'!A0",
    LONG,
)
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
"""What moves a cursor, turns a line around, or is not seen."""
_TAGS = """
html head meta title link style script noscript body a header nav ul li form input span bdi button
main h1 h2 h3 p dl dt dd div figure figcaption svg g rect circle text path table thead tbody tr th
td time select option datalist label footer code strong br img
"""
PLAIN_TAGS = frozenset(_TAGS.split())


OUR_SCRIPTS = {"/page.js", "/static/zoom.js", "/static/uplot/uPlot.iife.min.js"}


class Read(HTMLParser):
    """A page as a browser takes it; what is wrong with it is gathered."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.wrong = "", [f"unseen {one!r}" for one in UNSEEN.findall(page)]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        leads = [told[name] for name in ("href", "src", "action") if name in told]
        if tag not in PLAIN_TAGS or any(name.startswith("on") for name in told):
            self.wrong.append(f"<{tag} {told}>")
        if tag == "script" and told.get("src") not in OUR_SCRIPTS:
            self.wrong.append(f"a script: {told}")
        self.wrong += [one for one in leads if not one.startswith(("/", "#", "data:,"))]

    def handle_data(self, data: str) -> None:
        self.text += data


def of_page(page: str) -> str:
    """Return what somebody reads on a page that obeys nobody."""
    read = Read(page)
    assert [] == read.wrong
    return read.text


def of_csv(file: str) -> str:
    """Return the cells of a file of which a spreadsheet makes no formula."""
    rows = list(csv.reader(io.StringIO(file.removeprefix("\ufeff"))))
    for cell in (cell for row in rows for cell in row):
        assert not UNSEEN.findall(cell), cell
        assert not cell.startswith(("=", "+", "@", "\t")), cell
        assert not cell.startswith("-") or re.fullmatch(r"-[0-9.]+", cell), cell
    return "\n".join(cell for row in rows for cell in row)


def of_terminal(text: str) -> str:
    """Return what a terminal shows that obeys nobody."""
    assert not UNSEEN.findall(text)
    return text


@asynccontextmanager
async def an_installation(folder: Path) -> AsyncIterator[Site]:
    """Real SQL and real actors."""
    migrate.upgrade(f"sqlite:///{folder / 'upgraded.db'}", partition_count=PARTITIONS)
    merchant, alipay = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    pair = Pair(merchant=merchant, alipay=alipay)
    async with a_site(folder, folder / "upgraded.db", pair) as site:
        yield site


@asynccontextmanager
async def a_fleet(site: Site) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """A console over a fleet in which every word stands in every text."""
    await refunded(site)
    for number, _ in enumerate(WORDS[1:], 2):
        await registered(site, f"VM-{number}")
    today = half_past(site, 11)
    await placing.a_district(site)
    await placing.a_site(site)
    for number, word in enumerate(WORDS, 1):
        named = f"VM-{number}"
        difference_ = replace(difference(f"t{number}"), said=word, cause=word, advice=word)
        run = replace(RUN, day=f"2026-01-{number:02}", file_sha256=f"{number:064}", file_name=word)
        await Reconciliation(site.database).record(run, [difference_], now_ms=number)
        await have_sold(site, [(named, days.moved(today, -back), 9, word, 500) for back in (0, 1)])
        code = f"p{number}"
        product = {
            **dict.fromkeys(("category", "tax_class", "barcode", "image_sha256"), word),
            **dict.fromkeys(("revision", "created_at_ms", "updated_at_ms"), 1),
            "product": code,
            "shelf_life_days": 0,
            "unit_cost_currency": "",
        }
        fault = {
            **dict.fromkeys(("detail", "ended_by", "reason"), word),
            **dict.fromkeys(("times", "opened_at_ms", "last_at_ms"), 1),
            "incident_id": f"{named}-i1",
            "machine_id": named,
            "code": "EJB",
            "ending": "",
            "column": "A1",
        }
        of_machine = machines.c.machine_id == named
        shown = {
            **dict.fromkeys(("created_at_ms", "updated_at_ms", "revision"), 1),
            "playlist": code,
            "name": word,
            "items": "[]",
        }
        meant = Selector(district=word, model=word, labels={word: word}, machine_ids=(word,))
        content = PlanContent(
            selector=meant,
            playlist=code,
            days=3,
            from_minute=0,
            to_minute=60,
            priority=0,
            not_after_ms=1,
        )
        plan = PlanView(plan=code, content=content, created_by=word, created_at_ms=1)
        for statement in (
            update(machines).where(of_machine).values(store_name=word, address=word),
            update(planogram_columns)
            .where(planogram_columns.c.machine_id == named)
            .values(product=word),
            insert(products).values(product),
            insert(product_names).values(product=code, language="en", name=word),
            insert(incidents).values(fault),
            update(sites).values(name=word, type_word=word),
            update(districts).values(name=word),
            insert(playlists).values(shown),
            insert(screen_plans).values(row_of(plan)),
        ):
            await site.database.write(lambda connection, to=statement: connection.execute(to))  # type: ignore[misc]
    async with signed_in(site) as browser:

        async def ask(path: str) -> str:
            answer = await browser.get(path)
            assert 200 == answer.status_code, (path, answer.text)
            return answer.text

        yield ask


def _paths() -> list[str]:
    names = [f"VM-{number}" for number, _ in enumerate(WORDS, 1)]
    pages = [path for path in PAGES if "{name}" not in path]
    return [*pages, *(f"/machines/{name}" for name in names)]


async def the_console(folder: Path) -> str:
    """Every page of it, each machine's too, and every table as CSV."""
    paths = [path.replace("{name}", "VM-1") for path in PAGES]
    paths += ["/screens/plans?open=p1", "/screens/plans?from_time=%22%3E%3Ci%3E&machines=%1B%5B2J"]
    paths += [f"/machines/VM-{number}" for number in range(2, len(WORDS) + 1)]
    told = ""
    async with an_installation(folder) as site, a_fleet(site) as ask:
        for number, path in enumerate(paths):
            page = await ask(path)
            told += of_page(page)
            if number < len(PAGES):  # the other machines' tables are the first one's
                for name in sorted(set(re.findall(r"csv=([a-z-]+)", page))):
                    told += of_csv(await ask(f"{path}?csv={name}"))
    return told


async def phone_pages(folder: Path) -> str:
    """The pretend Alipay's phone and its counter."""
    here = world(book_path=folder / "book.db")
    alipay, told = here.alipay, ""
    for number, word in enumerate(WORDS):
        name = WORDS[1][:40]
        qrcode = await here.create(store_id=f"VM_{number}", store_name=name)
        alipay.context.screens.tell(qrcode, Shown(text=word, amount=word))
        trade = alipay.pay(qrcode, "5.00", name)
        code = alipay.context.book.code(qrcode)
        assert code is not None
        told += of_page(phone.sheet(alipay.context, code, word, word))
        told += of_page(phone.receipt(alipay.context, trade, (), ()))
    found, paid = await alipay.reader.codes(50), await alipay.reader.trades(50)
    told += of_page(phone.scanner(alipay.context, found, WORDS[0]))
    told += of_page(phone.payments(alipay.context, paid))
    return told + of_page(counter.render(alipay.context, paid, WORDS[0]))


async def posters(_folder: Path) -> str:
    """What is printed, or the sentence that says why nothing is."""
    file = io.BytesIO()
    lines = [line(f"VM-{number}", place=word) for number, word in enumerate(WORDS)]
    pressed = Press(settings(), Sheet(size=Size.A4, bleed=False)).pdf(file, lines)
    assert len(WORDS) == len(pressed.printed) + len(pressed.refused)
    told = [str(one) for one in pressed.refused]
    with pypdfium2.PdfDocument(file.getvalue()) as document:
        for sheet in document:
            text = sheet.get_textpage().get_text_bounded()
            told.append(" ".join(text.split()))
    return of_terminal("\n".join(told))


async def the_demos_terminal(_folder: Path) -> str:
    """Machines and events of the demo."""
    shown = replace(
        demo.scene(),
        machines=[replace(demo.machine(1), last_fault=word) for word in WORDS],
        events=[replace(demo.event(1), text=word[:999]) for word in WORDS],
    )
    file = io.StringIO()
    Console(file=file, width=200, height=500).print(Picture(shown))
    return of_terminal(file.getvalue())


async def the_reconciliations_terminal(_folder: Path) -> str:
    """What "vendgate reconcile" prints."""
    run = RunView(
        run_id=1,
        day=RUN.day,
        file_sha256=RUN.file_sha256,
        file_name=WORDS[2],
        row_count=1,
        read_at_ms=1,
        totals=RUN.totals,
        latest=True,
        differences=tuple(replace(difference("t"), said=word, cause=word) for word in WORDS),
    )
    outcome = Outcome(run=run, day_is_over=True)
    return of_terminal(plain_lines(report.as_text(outcome)))


async def the_audits_terminal(_folder: Path) -> str:
    """What "vendgate audit" prints of what it found."""
    file = io.StringIO()
    findings = [("check", Finding(sentence=word)) for word in WORDS]
    audit._list(Console(file=file, width=200), "Found", findings, "red")
    return of_terminal(file.getvalue())


async def an_endings_terminal(_folder: Path) -> str:
    """The sentence with which a command ends."""
    file = io.StringIO()
    with redirect_stderr(file):
        for word in WORDS:
            endings.complain(word)
    return of_terminal(file.getvalue())


SHOWN: Mapping[Callable[[Path], Awaitable[str]], Sequence[str]] = {
    the_console: (MARKUP, LONG, "javascript:alert(3)", "&lt;b&gt;", "'=1+2|"),
    phone_pages: (MARKUP[:60], "javascript:alert(3)"),
    posters: ("\\u202egnp.exe",),
    the_demos_terminal: ("onerror",),
    the_reconciliations_terminal: ("onerror",),
    the_audits_terminal: (MARKUP, LONG),
    an_endings_terminal: (MARKUP, LONG),
}
"""Each place, and what of the words is read there letter by letter."""


@pytest.mark.parametrize("place", SHOWN, ids=lambda place: place.__name__)
async def test_what_people_wrote_is_text(
    tmp_path: Path, place: Callable[[Path], Awaitable[str]]
) -> None:
    """Nothing of it is markup, a formula, or an order to a terminal; and it is all there."""
    read = await place(tmp_path)
    for word in SHOWN[place]:
        assert word in read, word[:80]
