"""The documents can be read and reviewed as they are: a change shows in the lines that it changes.

In scope: every Markdown file of the project, but for its blocks of code. They are printed as they
are typed or sent, whatever their width.
"""

import re
import subprocess
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
CELL_MAX = 120
LINE_MAX = 200
"""A sentence has a line of its own; one that is longer than this wants to be two."""

_BAR = re.compile(r"(?<!\\)\|")


def documents() -> list[Path]:
    """Every Markdown file of the project that is tracked or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (ROOT / line for line in listed.stdout.splitlines())
    return sorted(path for path in paths if path.is_file())


def outside_code(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is in no fenced block."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def too_wide(text: str) -> list[int]:
    """Return the lines that are too long, or whose table holds a cell that wants to be text."""
    found = []
    for number, line in outside_code(text):
        cells = _BAR.split(line.strip().strip("|")) if line.lstrip().startswith("|") else []
        if len(line) > LINE_MAX or any(len(cell.strip()) > CELL_MAX for cell in cells):
            found.append(number)
    return found


def test_no_line_and_no_cell_of_a_document_is_too_wide() -> None:
    """A table's cell has at most 120 columns, and a line of prose or of a table at most 200."""
    pages = documents()
    assert ROOT / "README.md" in pages
    assert [] == [
        f"{path.relative_to(ROOT)}:{number}"
        for path in pages
        for number in too_wide(path.read_text())
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("short\n" + "x" * 200, []),
        ("short\n" + "x" * 201, [2]),
        ("| a | " + "x" * 120 + " |", []),
        ("| a | " + "x" * 121 + " |", [1]),
        ("| " + "x" * 60 + r" \| " + "y" * 60 + " |", [1]),
        ("| " + " | ".join(["x" * 70] * 3) + " |", [1]),
        ("```\n" + "x" * 300 + "\n```\n" + "x" * 201, [4]),
    ],
    ids=["prose", "long prose", "cell", "long cell", "bar in a cell", "long row", "code"],
)
def test_what_is_too_wide(text: str, lines: list[int]) -> None:
    """Widths count outside code, each cell by itself; a bar that is escaped belongs to its cell."""
    assert lines == too_wide(text)


def _site() -> ModuleType:
    """What builds the site, without Sphinx."""
    made = spec_from_file_location("conf", ROOT / "docs" / "site" / "conf.py")
    assert made is not None
    assert made.loader is not None
    site = module_from_spec(made)
    made.loader.exec_module(site)
    return site


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ('<script async src="https://cdn.example/a.js">', True),
        ("<img alt='' src=//cdn.example/a.png>", True),
        ('<link rel="stylesheet" href="https://fonts.example/a.css">', True),
        ("@import url(https://fonts.example/a.css);", True),
        ("src: url('//fonts.example/a.woff2')", True),
        ('<a class="reference external" href="https://nginx.org/">', False),
        ('<script src="../_static/doctools.js"></script><img src="a.png">', False),
        ("url(data:image/svg+xml;base64,PHN2Zw==)", False),
    ],
    ids=["script", "picture", "style", "import", "font", "link", "ours", "data"],
)
def test_a_page_loads_nothing_from_outside(text: str, *, wants: bool) -> None:
    """What a browser would fetch by itself is refused; what a reader may follow is not."""
    assert wants is bool(_site().OUTSIDE.search(text))


def test_each_page_is_in_one_of_the_four_parts() -> None:
    """The shelf names each page once, under its part; the records have a list of their own, and
    what is shipped with a font is no page.
    """
    folder, site = ROOT / "docs", _site()
    parts = site.pages_of((folder / "README.md").read_text())
    named = [(folder / page).resolve() for pages in parts.values() for page in pages]
    others = {folder / "README.md", *folder.glob("decisions/0*.md")}
    pages = [page for page in documents() if not page.is_relative_to(ROOT / "gateway")]

    assert list(site.PARTS) == list(parts)
    assert sorted(named) == sorted(set(pages) - others)


def test_no_document_keeps_both_sides_of_a_merge() -> None:
    """What a merge asked is answered before a page is read."""
    assert [] == [
        f"{path.relative_to(ROOT)}:{number}"
        for path in documents()
        for number, line in outside_code(path.read_text())
        if line.startswith(("<<<<<<< ", "=======", ">>>>>>> "))
    ]


def test_what_one_computer_holds_was_measured() -> None:
    """Each number of the first table of the capacity page stands in the page of measurements, and a
    command is beside it.
    """
    folder = ROOT / "docs"
    measured = (folder / "performance.md").read_text()
    table = (folder / "capacity.md").read_text().partition("## Reckon for yours")[0]
    rows = [_BAR.split(line)[1:-1] for line in table.splitlines() if line.startswith("| ")][1:]

    assert 12 < len(rows)
    for _, figures, command in rows:
        assert "`" in command or "the same" in command, command
        for number in re.findall(r"[0-9][0-9.,]*[0-9]|[0-9]", figures):
            assert re.search(rf"(?<![0-9.,]){re.escape(number)}(?![0-9])", measured), figures
