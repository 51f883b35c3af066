"""Whatever people and machines write stands on the page as text."""

from hashlib import sha256

import pytest

from gateway.web.asking import Person
from gateway.web.people import Present
from gateway.web.shown import HERE, Templates, static_files
from gateway.web.tables import Form, Instant, Link, Table
from gateway.web.view import ConsolePage

STATIC_UPLOT = HERE / "static" / "uplot"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE machines; --",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
]
NOWHERE_SEEN = ["\u202egnp.exe", "a\u200bb", "\x1b[2J\x1b[31m", "\x00", "a\nb"]


def _page(text: str) -> str:
    rows = [
        (text, Link(text, "/machines/VM-1"), Form(act="refill", label=text, fields={"of": text})),
        (text, None, None),
    ]
    table = Table(name="machines", title=text, heads=("A", text, "C"), rows=rows, note=text)
    view = ConsolePage(title=text, template="machines.html", tables=(table,))
    return Templates("Asia/Hong_Kong", request_ids=lambda: "an-id").html(
        view.template,
        {
            "title": view.title,
            "tables": {"machines": table},
            "csv": {"machines": "/machines?csv=machines"},
            "more": {},
            "present": Present(person=Person(claimed=text), form_key="k", session="s"),
            "path": "/machines",
            "here": "/machines",
            "done": text,
            "position": 7,
            "now": Instant(0),
            "states": {"": text},
            "words": {"state": "", "text": text, "retired": ""},
            "sales_complete": None,
        },
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_is_text(text: str) -> None:
    """In every place of a page: titles, heads, cells, fields, forms and names."""
    page = _page(text)
    plain = _page("x" * len(text))
    assert plain.count("<") == page.count("<")
    assert plain.count('"') == page.count('"')
    assert "49" not in page.replace("2049", "")


@pytest.mark.parametrize("text", NOWHERE_SEEN)
def test_what_is_not_seen_is_replaced(text: str) -> None:
    """Nothing turns a line around or moves a cursor, and it is seen that something was there."""
    page = _page(text)
    assert text not in page
    assert not any(letter in page for letter in ("\u202e", "\u200b", "\x1b", "\x00"))


def test_a_long_note_is_whole() -> None:
    """Ten thousand characters are there, and the page ends as every page does."""
    page = _page("x" * 10_000)
    assert "x" * 10_000 in page
    assert page.rstrip().endswith("</html>")


def test_moments_are_told_in_the_time_zone() -> None:
    """Which the page names."""
    page = _page("x")
    assert (
        "Complete until position 7, 1970-01-01 08:00:00. Times are those of Asia/Hong_Kong." in page
    )


def test_each_form_has_an_id_of_its_own() -> None:
    """Sent twice it is one request; another form is another."""
    ids = iter(["one", "two"])
    look = Templates("UTC", request_ids=lambda: next(ids))
    form = Form(act="refill", label="Refill", fields={})
    table = Table(name="machines", title="T", heads=("A",), rows=[(form,), (form,)])
    values = {"tables": {"machines": table}, "csv": {"machines": ""}, "more": {}, "here": "/"}
    present = Present(person=Person(claimed="ann"), form_key="k")
    page = look.html(
        "machines.html",
        {
            **values,
            "title": "T",
            "present": present,
            "path": "/",
            "done": "",
            "position": 0,
            "now": Instant(0),
            "states": {},
            "words": {"state": "", "text": "", "retired": ""},
            "sales_complete": None,
        },
    )
    assert 'value="one"' in page
    assert 'value="two"' in page


def test_what_pages_load_is_ours() -> None:
    """And loads nothing itself."""
    for name, (content, _) in static_files().items():
        assert b"@import" not in content, name
        assert b"url(" not in content, name
        assert b"<script" not in content, name


UPLOT = {
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""Version 1.6.32, as ``npm pack uplot`` brings it."""


def test_what_is_not_ours_is_as_it_was_published() -> None:
    """With its licence, and nothing else of it."""
    found = {one.name: sha256(one.read_bytes()).hexdigest() for one in STATIC_UPLOT.iterdir()}
    assert UPLOT == found
