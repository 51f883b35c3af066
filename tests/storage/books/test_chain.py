"""Digests: what is hashed is what is documented, and nothing can be moved about in it."""

import hashlib
import json

import hypothesis.strategies as st
import pytest
from hypothesis import given
from sqlalchemy import Table

from storage.books import chain
from storage.tables import audit, journal, machine_states, transfers
from tests.storage import verifier

LINE = (
    "VM-1",
    2,
    3,
    4,
    1_767_225_600_000,
    "TopUpPaid",
    None,
    "[]",
    '["paid \N{POUND SIGN}5 \\u0001"]',
    '{"kind": "X", "body": {}}',
)
TOP_UP = (
    *("VM-1", 2, 0, 1_767_225_600_000, "TOP_UP", "t1"),
    *("RECEIVABLE", "", "CUSTOMER_FUNDS", "t1", "t1", 500, "HKD"),
)

texts = st.text()
plain = st.none() | texts | st.integers(-(2**63), 2**63 - 1)
values = st.recursive(
    plain | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(plain, min_size=7, max_size=7)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (journal, chain.LINE_COLUMNS),
        (transfers, chain.TRANSFER_COLUMNS),
        (audit, chain.AUDIT_COLUMNS),
    ],
    ids=["journal", "transfers", "audit"],
)
def test_every_column_is_sealed(table: Table, columns: tuple[str, ...]) -> None:
    """All but the number that the database counts up and the digest itself, in the order in which
    rows are written.
    """
    assert [column.name for column in table.columns if column.name not in {"id", "digest"}] == list(
        columns
    )


def test_a_digest_stands_last() -> None:
    """That is where the writer puts it."""
    assert ["digest", "digest"] == [table.columns.keys()[-1] for table in (journal, machine_states)]


def test_the_content_is_what_is_documented() -> None:
    """One example, spelled out byte by byte."""
    told = (
        '[["VM-1",2,3,4,1767225600000,"TopUpPaid",null,[],["paid £5 \\u0001"],'
        '{"body":{},"kind":"X"}],'
        '[["VM-1",2,0,1767225600000,"TOP_UP","t1",'
        '"RECEIVABLE","","CUSTOMER_FUNDS","t1","t1",500,"HKD"]]]'
    )
    assert hashlib.sha256(told.encode()).hexdigest() == chain.line_content(LINE, [TOP_UP])
    act = '[7,"ann","disable","VM-1","why"]'
    assert hashlib.sha256(act.encode()).hexdigest() == chain.audit_content(
        (7, "ann", "disable", "VM-1", "why")
    )


def test_a_digest_is_made_of_the_one_before_it() -> None:
    """Of both texts behind one another; the first has nothing before it."""
    assert hashlib.sha256(b"c" * 64).hexdigest() == chain.digest("", "c" * 64)
    assert hashlib.sha256(b"b" * 64 + b"c" * 64).hexdigest() == chain.digest("b" * 64, "c" * 64)


@given(rows, st.lists(values, max_size=2), values, st.lists(rows, max_size=2))
def test_another_program_comes_to_the_same(
    line: list[object], notes: list[object], body: object, transfers: list[list[object]]
) -> None:
    """Whatever stands in the columns, and however the database writes its JSON."""
    stored = [*line, "[]", json.dumps(notes), json.dumps(body, indent=2)]
    compact = [*line, "[ ]", verifier.as_json(notes), verifier.as_json(body)]
    assert (
        verifier.line_content(stored, transfers)
        == chain.line_content(stored, transfers)
        == chain.line_content(compact, transfers)
    )


@pytest.mark.parametrize(
    ("line", "transfers"),
    [
        ((*LINE[:5], "TopUpPai", "d", *LINE[7:]), [TOP_UP]),
        ((*LINE[:7], LINE[8], "[]", LINE[9]), [TOP_UP]),
        ((LINE[0], "2", *LINE[2:]), [TOP_UP]),
        ((*LINE[:6], "", *LINE[7:]), [TOP_UP]),
        (LINE, []),
        (LINE, [TOP_UP, TOP_UP]),
        (LINE, [(*TOP_UP[:11], 501, "HKD")]),
    ],
    ids=[
        "moved",
        "exchanged",
        "a text for a number",
        "empty for NULL",
        "no transfer",
        "twice",
        "another amount",
    ],
)
def test_what_differs_has_another_content(
    line: tuple[object, ...], transfers: list[tuple[object, ...]]
) -> None:
    """Nothing can be moved from one column or row to another."""
    assert chain.line_content(LINE, [TOP_UP]) != chain.line_content(line, transfers)


@pytest.mark.parametrize("broken", ["", "{", "nothing", None, 5, "[" * 100_000, '"\ud800"'])
def test_what_is_no_json_has_no_content(broken: object) -> None:
    """Whoever reads a row that somebody has changed hears of it by one error."""
    with pytest.raises(ValueError, match="no JSON"):
        chain.line_content((*LINE[:9], broken), [TOP_UP])
