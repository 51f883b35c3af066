"""The rows of a table as HTML: every text is text."""

import pytest
from markupsafe import Markup

from gateway.web.cells import LONG, NONE, rows_drawn
from gateway.web.tables import Age, Amount, Cell, Instant, Link, Table


def _row(cell: Cell, head: str = "H") -> str:
    table = Table(name="t", title="T", heads=(head,), rows=[(cell,)])
    drawn = rows_drawn(
        table, lambda at: f"<{at.at_ms}>", lambda other: Markup("[{}]").format(other)
    )
    kind = table.kinds[0]
    opening = f'<tr><td class="{kind}" data-head="{head}">'
    text = str(drawn)
    assert text.endswith("</td></tr>")
    return text.removeprefix(opening).removesuffix("</td></tr>")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (None, NONE),
        ("", NONE),
        ("a<b>&\"'", '<bdi class="word">a&lt;b&gt;&amp;&#34;&#39;</bdi>'),
        ("a\u202eb", '<bdi class="word">a\ufffdb</bdi>'),
        (1_234_567, "1,234,567"),
        (Instant(5), "<time>&lt;5&gt;</time>"),
        (Link('"x"', '/m/"><i>'), '<a href="/m/&#34;&gt;&lt;i&gt;"><bdi>&#34;x&#34;</bdi></a>'),
        (Amount(-123_456, "HKD"), "[-1,234.56 HKD]"),
        (Age(90), "[90 s]"),
    ],
)
def test_each_kind_of_cell(cell: Cell, expected: str) -> None:
    """What people wrote is escaped; what is more than a text is another's."""
    assert expected == _row(cell)


def test_a_long_text_is_reached_by_the_keyboard() -> None:
    """It has a bar to scroll by."""
    assert " tabindex" not in _row("x" * LONG)
    assert "<bdi tabindex=" in _row("x" * (LONG + 1))


def test_a_head_is_text() -> None:
    """In each cell's attribute too."""
    table = Table(name="t", title="T", heads=('"><script>',), rows=[(1,), (2,)])
    drawn = str(rows_drawn(table, str, lambda _: Markup("")))
    assert "<script>" not in drawn
    assert 2 == drawn.count('data-head="&#34;&gt;&lt;script&gt;"')
    assert 2 == drawn.count("<tr>")
