"""A price list that was written as a file is read as it was."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fleet.errors import CallRefused
from gateway.office import price_csv
from gateway.office.price_csv import AHEAD_MS_MAX, moment, read, written
from storage.office.price_files import PriceLine
from storage.office.prices import NewPrice, PriceView

NOW_MS = 1_800_000_000_000
HEAD = "product,currency,price_minor,from,withdrawn"
CODES = (
    st.text(alphabet="=+-@＝'\",;aé可 ", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: bool(text) and text.isprintable())
)


def a_view(
    product: str = "cola", price_minor: int | None = 500, from_ms: int = NOW_MS
) -> PriceView:
    return PriceView(
        row=1,
        price_list="day",
        product=product,
        currency="HKD",
        from_ms=from_ms,
        price_minor=price_minor,
        set_at_ms=1,
        set_by="ann",
    )


@given(
    CODES, st.one_of(st.none(), st.integers(1, 1_000_000)), st.integers(0, NOW_MS + AHEAD_MS_MAX)
)
def test_what_is_written_is_read(product: str, price_minor: int | None, from_ms: int) -> None:
    """Whatever the code is, to the millisecond; and no cell is a formula."""
    content = written([a_view(product, price_minor, from_ms)])[0]
    (line,) = read(content, now_ms=NOW_MS)
    price = NewPrice(product=product, currency="HKD", price_minor=price_minor)
    assert ((), PriceLine(price=price, from_ms=from_ms)) == (line.problems, line.wish)
    rows = csv.reader(io.StringIO(content.decode().removeprefix("\ufeff"), newline=""))
    assert not [cell for row in rows for cell in row if cell[:1] in set("=+-@＝＋－＠")]


@given(st.binary(max_size=200))
def test_any_bytes_are_lines_or_a_refusal(content: bytes) -> None:
    """Nothing else comes of a file, whatever it holds."""
    for head in (b"", HEAD.encode() + b"\n"):
        try:
            lines = read(head + content, now_ms=NOW_MS)
        except CallRefused:
            continue
        assert all((line.wish is None) is bool(line.problems) for line in lines)


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        (",HKD,5,,", ["product"]),
        ("cola,XXX,5,,", ["currency"]),
        ("cola,HKD,,,", ["price_minor"]),
        ("cola,HKD,0,,", ["price_minor"]),
        ("cola,HKD,-5,,", ["price_minor"]),
        ("cola,HKD,5.00,,", ["price_minor"]),
        ("cola,HKD,999999999999999,,", ["price_minor"]),
        ("cola,HKD,5,,yes", ["price_minor"]),
        ("cola,HKD,5,,maybe", ["withdrawn"]),
        ("cola,HKD,5,tomorrow,", ["from"]),
        ("cola,HKD,5,2027-01-31,", ["from"]),
        ("cola,HKD,5,2027-01-31T08:00:00,", ["from"]),
        ("cola,HKD,5,1969-12-31T00:00:00Z,", ["from"]),
        ("cola,HKD,5,0001-01-01T00:00:00+14:00,", ["from"]),
        ("cola,HKD,5,9999-12-31T00:00:00Z,", ["from"]),
        (" cola,hkd,x,x,x", ["product", "currency", "withdrawn", "from"]),
        ("cola,HKD", ["line"]),
    ],
)
def test_what_is_wrong_with_a_line_is_said(cells: str, columns: list[str]) -> None:
    """All of it, by the names of the columns."""
    (line,) = read(f"{HEAD}\n{cells}\n".encode(), now_ms=NOW_MS)
    assert line.wish is None
    assert columns == [said.partition(":")[0] for said in line.problems]


def test_a_product_has_one_price_at_a_moment() -> None:
    """Nobody could say which counts; an empty moment is now."""
    text = (
        "cola,HKD,5,,\ncola,HKD,6,2027-01-15T08:00:00Z,\n"
        "cola,JPY,7,,\ncola,HKD,8,2028-01-15T08:00:00Z,\n"
    )
    lines = read(f"{HEAD}\n{text}".encode(), now_ms=NOW_MS)
    assert [True, True, False, False] == [bool(line.problems) for line in lines]


def test_moments_are_those_of_one_clock() -> None:
    """In whatever zone they are written; less than a millisecond counts as a whole one."""
    assert NOW_MS == moment("2027-01-15T08:00:00Z") == moment("2027-01-15T16:00:00+08:00")
    assert NOW_MS + 1 == moment("2027-01-15T08:00:00.000001Z")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"product\tcurrency\n", "parted by commas"),
        (b"product,currency,price\n", "cannot have the column 'price'"),
        (b"product,price_minor\n", "must have the column currency"),
        (b"product,currency,price_minor,from,from\n", "more than once"),
        (f"{HEAD}\ncöla".encode("latin-1"), "is not UTF-8"),
        (HEAD.encode() + b"\n" + b"x\n" * 5_001, "must have at most 5000 lines"),
        (b"x" * (2 * 1_024 * 1_024 + 1), "must have at most 2097152 bytes"),
    ],
)
def test_a_file_that_cannot_be_taken_apart_is_refused(content: bytes, says: str) -> None:
    """With a sentence that says what to change."""
    with pytest.raises(CallRefused) as refused:
        read(content, now_ms=NOW_MS)
    assert says in refused.value.refusal.message


def test_a_page_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is on the next one; one price always fits."""
    views = [a_view(f"p{number}") for number in range(9)]
    monkeypatch.setattr(price_csv, "PAGE_BYTES_MAX", 200)
    content, count = written(views)
    assert len(content) <= 200
    assert 1 <= count < 9
    assert [f"p{n}" for n in range(count)] == [one.product for one in read(content, now_ms=NOW_MS)]
    monkeypatch.setattr(price_csv, "PAGE_BYTES_MAX", 1)
    assert 1 == written(views)[1]
