"""Fields of the back office keep their rules."""

import pytest

from gateway.office.fields import OfficeFields, gtin_check_digit
from gateway.v1 import money_pb2


def problems(fields: OfficeFields) -> list[str]:
    return [one.field for one in fields.problems]


@pytest.mark.parametrize("barcode", ["", "96385074", "036000291452", "4006381333931", "0" * 14])
def test_a_gtin_is_right(barcode: str) -> None:
    """Of each length, with its check digit."""
    assert [] == OfficeFields().barcode(barcode).problems


@pytest.mark.parametrize(
    "barcode", ["4006381333930", "4006381333913", "400638133393", "4.00638E+12", "٤" * 13, "1" * 9]
)
def test_a_damaged_gtin_is_found(barcode: str) -> None:
    """A wrong digit, two that changed places, what a spreadsheet makes of one."""
    assert ["barcode"] == problems(OfficeFields().barcode(barcode))


def test_the_check_digit_is_gs1s() -> None:
    """By the examples of GS1's own page."""
    assert ["3", "1", "2"] == [
        gtin_check_digit(one) for one in ("629104150021", "400638133393", "03600029145")
    ]


@pytest.mark.parametrize("code", ["cola", "可乐 330ml", "=1+1", "x" * 64])
def test_a_code_is_what_planograms_call_it(code: str) -> None:
    """Any text that a planogram may have, as long as it can be shown."""
    assert [] == OfficeFields().product(code).problems


@pytest.mark.parametrize("code", ["", " cola", "cola ", "a\nb", "x" * 65, "可" * 22, "a\u202eb"])
def test_a_code_that_cannot_be_told_apart_is_refused(code: str) -> None:
    """Neither empty, nor too long, nor with anything that is not seen."""
    assert ["product"] == problems(OfficeFields().product(code))


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ({"en": "Cola", "zh-HK": "可樂", "sr-Latn-RS": "Kola"}, []),
        ({"EN": "Cola"}, ["names"]),
        ({"": "Cola"}, ["names"]),
        ({"en": ""}, ["names[en]"]),
        ({"en": "x" * 101}, ["names[en]"]),
        ({"en": "a\tb", "de": " c"}, ["names[de]", "names[en]"]),
        ({f"a{chr(97 + place)}": "x" for place in range(17)}, ["names"]),
    ],
)
def test_names_have_a_language_each(names: dict[str, str], wrong: list[str]) -> None:
    """A tag that programs know, and a text that can be shown."""
    assert wrong == problems(OfficeFields().names(names))


def test_amounts_have_a_currency_that_is_settled() -> None:
    """0 is an amount; what Alipay does not settle no machine takes."""
    fields = OfficeFields()
    assert (0, "HKD") == fields.money(money_pb2.Money(minor=0, currency="HKD"), field="cost")
    assert [] == fields.problems
    fields.money(money_pb2.Money(minor=-1, currency="XXX"), field="cost")
    assert ["cost.minor", "cost.currency"] == problems(fields)


def test_the_rest_has_bounds() -> None:
    """Days, digests, texts."""
    fields = OfficeFields().shelf_life(3_650).sha256("a" * 64, field="image").line("c", "", most=4)
    assert [] == fields.problems
    fields.shelf_life(3_651).shelf_life(-1).sha256("A" * 64, field="image")
    fields.line("c", "abcde", most=4).line("c", "a ", most=4).line("c", "a\x00", most=4)
    assert ["shelf_life_days", "shelf_life_days", "image", "c", "c", "c"] == problems(fields)
