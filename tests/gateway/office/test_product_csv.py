"""What was written as a file is read as it was."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fleet.errors import CallRefused
from gateway.office import product_csv
from gateway.office.csv_files import no_amount
from gateway.office.product_csv import read, written
from storage.office.product_content import ProductContent
from storage.office.product_rows import ProductView
from storage.office.products import Wish

HEAD = (
    "product,name en,category,tax_class,barcode,shelf_life_days,unit_cost_minor,unit_cost_currency"
)


def a_view(product: str = "cola", *, archived: bool = False, **content: Any) -> ProductView:
    return ProductView(
        product=product,
        content=ProductContent(**content),
        revision=1,
        created_at_ms=1,
        updated_at_ms=1,
        archived_at_ms=5 if archived else None,
    )


TEXTS = (
    st.text(alphabet="=+-@＝'\",;aé可 ", max_size=12)
    .map(str.strip)
    .filter(lambda text: text.isprintable())
)
CONTENTS = st.fixed_dictionaries(
    {
        "names": st.dictionaries(st.sampled_from(["en", "zh-HK"]), TEXTS.filter(bool)),
        "category": TEXTS,
        "tax_class": TEXTS,
        "barcode": st.sampled_from(["", "4006381333931", "96385074"]),
        "shelf_life_days": st.integers(0, 3_650),
        "image_sha256": st.sampled_from(["", "a" * 64]),
    }
)
COSTS = st.one_of(
    st.just((None, "")), st.tuples(st.integers(0, 1_000_000), st.sampled_from(["HKD", "JPY"]))
)


@given(TEXTS.filter(bool), CONTENTS, COSTS, st.booleans())
def test_what_is_written_is_read(
    product: str, content: dict[str, Any], cost: tuple[int | None, str], archived: bool
) -> None:
    """Whatever the texts are, an export changes nothing when it is imported."""
    minor, currency = cost
    view = a_view(
        product,
        archived=archived,
        unit_cost_minor=minor,
        unit_cost_currency=currency,
        **content,
    )
    (line,) = read(written([view])[0])
    assert ((), product) == (line.problems, line.product)
    assert line.wish is not None
    assert view.content == line.wish.change.of(view.content)
    assert view.content == line.wish.change.of(ProductContent())
    assert archived == line.wish.change.archived


@given(TEXTS.filter(bool), TEXTS)
def test_no_cell_is_a_formula(product: str, category: str) -> None:
    """A spreadsheet takes none of our cells for one."""
    content = written([a_view(product, category=category)])[0].decode()
    rows = list(csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline="")))
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+-@＝＋－＠")]


def one_line(cells: str, head: str = HEAD, *, encoding: str = "utf-8") -> product_csv.FileLine:
    (line,) = read(f"{head}\n{cells}\n".encode(encoding))
    return line


def wish_of(line: product_csv.FileLine) -> Wish:
    assert () == line.problems
    assert line.wish is not None
    return line.wish


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_byte_order_mark_and_line_ends_do_not_matter(encoding: str, ends: str) -> None:
    """As the programs of three systems write them."""
    text = ends.join(["product,name en", "cola,Cöla", "", "tea,Tea", ""])
    assert [(2, "cola", {"en": "Cöla"}), (4, "tea", {"en": "Tea"})] == [
        (line.number, line.product, wish_of(line).change.some_names)
        for line in read(text.encode(encoding))
    ]


def test_a_column_that_is_not_there_leaves_what_it_is_about() -> None:
    """An empty cell empties it."""
    change = wish_of(one_line("cola,", "product,category")).change
    assert ({"category": ""}, {}, None) == (change.plain, change.some_names, change.archived)


def test_an_apostrophe_of_a_name_is_kept() -> None:
    """Only that before a formula is ours."""
    names = [
        wish_of(one_line(f"cola,{cell}", "product,name en")).change.some_names["en"]
        for cell in ("'Nduja", "'=x", "''=x", "'")
    ]
    assert ["'Nduja", "=x", "'=x", "'"] == names


def test_numbers_that_cannot_be_are_told_apart() -> None:
    """Below 0, too long, and no number at all."""
    for cell, said in (
        ("-5", "unit_cost_minor: must not be below 0, as -5 is"),
        ("1" * 20, "unit_cost_minor: must have 15 digits at most, and has 20"),
        ("2.10", f"unit_cost_minor: {no_amount('2.10')}"),
        ("-", "unit_cost_minor: must be a whole number, not '-'"),
    ):
        assert (said,) == one_line(f"cola,,,,,,{cell},HKD").problems


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        (",Cola,,,,,,", ["product"]),
        (" cola,,,,,,,", ["product"]),
        ("cola,,,,4006381333930,,,", ["barcode"]),
        ("cola,,,,4.00638E+12,,,", ["barcode"]),
        ("cola,,,,,9.5,,", ["shelf_life_days"]),
        ("cola,,,,,9999,,", ["shelf_life_days"]),
        ("cola,,,,,,2.10,HKD", ["unit_cost_minor"]),
        ("cola,,,,,,,HKD", ["unit_cost_minor"]),
        ("cola,,,,,,5,", ["unit_cost_currency"]),
        ("cola,,,,,,-5,HKD", ["unit_cost_minor"]),
        ("cola,a\tb,c\x01,,1,,,", ["name en", "category", "barcode"]),
        ("cola,Cola", ["line"]),
    ],
)
def test_what_is_wrong_with_a_line_is_said(cells: str, columns: list[str]) -> None:
    """All of it, by the names of the columns."""
    line = one_line(cells)
    assert line.wish is None
    assert columns == [said.partition(":")[0] for said in line.problems]


def test_a_product_is_in_a_file_once() -> None:
    """Nobody could say which line counts: each of them is refused."""
    lines = read(b"product,category\ncola,a\ntea,b\ncola,c\n")
    assert [True, False, True] == [bool(line.problems) for line in lines]


def test_a_record_over_several_lines_is_named_by_its_first() -> None:
    """A name with a line break is refused, and where it stands is right; so is what follows."""
    lines = read(b'product,name en\ncola,"two\nlines"\ntea,"x\n"\n')
    assert [2, 4] == [line.number for line in lines]
    assert all(line.problems for line in lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"product\tcategory\ncola\ta", "parted by commas"),
        (b"product,colour\n", "cannot have the column 'colour'"),
        (b"category\nx\n", "must have the column product"),
        (b"product,category,category\n", "more than once"),
        (b"product,unit_cost_minor\n", "or neither"),
        ("product,name en\ncola,Cöla".encode("latin-1"), "is not UTF-8 at byte 22"),
        (b'product\n"cola', "line 2 is no CSV"),
        (b'product\n"co"la\n', "line 2 is no CSV"),
        (b"product\n" + b"x" * (2 * 1_024 * 1_024), "must have at most 2097152 bytes"),
        (b"product\n" + b"x\n" * 5_001, "must have at most 5000 lines"),
        (b"product\n" + b"x" * 200_000, "line 2 is no CSV"),
    ],
)
def test_a_file_that_cannot_be_taken_apart_is_refused(content: bytes, says: str) -> None:
    """With a sentence that says what to change."""
    with pytest.raises(CallRefused) as refused:
        read(content)
    assert says in refused.value.refusal.message


def test_a_page_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is on the next one; one product always fits."""
    views = [a_view(f"p{number}", category="x" * 64) for number in range(9)]
    monkeypatch.setattr(product_csv, "PAGE_BYTES_MAX", 400)
    content, count = written(views)
    assert len(content) <= 400
    assert [f"p{number}" for number in range(count)] == [line.product for line in read(content)]
    assert 1 <= count < 9
    monkeypatch.setattr(product_csv, "PAGE_BYTES_MAX", 1)
    assert 1 == written(views)[1]
