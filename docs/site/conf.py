"""How ``make docs`` builds the documents as one static site with a search page.

The pages are those of the repository, where they lie. Which of the four parts a page belongs to
says docs/README.md alone: its headings are the parts, and its links their pages. A warning is an
error (a link or an anchor that leads nowhere, a page in no part), and so is a built page that wants
anything from an outside address.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SHELF = "docs/README"
PARTS = ("Tutorial", "How-to guides", "Reference", "Explanation")

project = "Vendgate"
html_title = "Vendgate"
extensions = ["myst_parser"]
root_doc = SHELF
source_suffix = {".md": "markdown"}
include_patterns = [
    *("README.md", "CHANGELOG.md", "SECURITY.md", "docs/**.md"),
    *("deploy/README.md", "deploy/kit/c/README.md", "tests/README.md"),
]
exclude_patterns = [".venv", ".git", ".tools", "dist", "run", "**/node_modules"]
myst_heading_anchors = 4
html_theme = "furo"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
highlight_language = "none"
suppress_warnings = ["misc.highlighting_failure"]

_LINK = re.compile(r"\]\((?!https?:)([^)#\s]+\.md)(?:#[^)]*)?\)")
_TO_A_FOLDER = re.compile(r"\[([^\]]+)\]\(((?!https?:)[^)#\s]+)\)")
OUTSIDE = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\ssrc\s*=\s*["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\shref\s*=\s*["']?(?:https?:)?//(?![^>]*rel=["']?canonical)"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def pages_of(shelf: str) -> dict[str, list[str]]:
    """Return the pages of each part, as links from the shelf, each once."""
    parts = {}
    for chapter in re.split(r"^## ", shelf, flags=re.MULTILINE)[1:]:
        title, _, text = chapter.partition("\n")
        if title in PARTS:
            parts[title] = list(dict.fromkeys(_LINK.findall(text)))
    return parts


def _navigation(_app: Any, name: str, source: list[str]) -> None:
    """Write the parts into the shelf, and the records into their list, for Sphinx alone; a site has
    no folders to look into, so what leads to one is text.
    """
    folder = (ROOT / name).parent
    source[0] = _TO_A_FOLDER.sub(
        lambda link: link[1] if (folder / link[2]).is_dir() else link[0], source[0]
    )
    if name == SHELF:
        for part, pages in pages_of(source[0]).items():
            source[0] += _tree(pages, part)
    if name == "docs/decisions/README":
        records = sorted(path.name for path in (ROOT / "docs/decisions").glob("0*.md"))
        source[0] += _tree(records, "")


def _tree(pages: Sequence[str], caption: str) -> str:
    listed = "\n".join(page.removesuffix(".md") for page in pages)
    named = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{named}\n{listed}\n```\n"


def _nothing_from_outside(app: Any, failure: Exception | None) -> None:
    """Refuse a page that loads anything from elsewhere, and lay out the way in."""
    if failure is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir)
    found = [
        f"{path.relative_to(folder)}: {match[0]}"
        for path in (*folder.rglob("*.html"), *folder.rglob("*.css"))
        if (match := OUTSIDE.search(path.read_text("utf-8")))
    ]
    if found:
        raise SystemExit("wants something from outside: " + "; ".join(found[:5]))
    way = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={SHELF}.html">'
    (folder / "index.html").write_text(
        f'<!doctype html>{way}<title>Vendgate</title><a href="{SHELF}.html">Vendgate</a>\n', "utf-8"
    )


def setup(app: Any) -> None:
    """Tell Sphinx of the two."""
    app.connect("source-read", _navigation)
    app.connect("build-finished", _nothing_from_outside)
