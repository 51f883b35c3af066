"""Amounts as Alipay writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alipay_client.simulator.amounts import (
    cny_text,
    exponent,
    is_currency,
    rate_text,
    to_minor,
    to_text,
)


@given(minor=some.integers(1, 10**10), currency=some.sampled_from(["HKD", "EUR", "JPY", "KRW"]))
def test_text_and_back(minor: int, currency: str) -> None:
    """Every amount survives being written and read."""
    if minor < 10 ** (9 + exponent(currency)):
        assert minor == to_minor(to_text(minor, currency), currency)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("5", "HKD", 500), ("5.1", "HKD", 510), ("0.01", "EUR", 1), ("100", "JPY", 100)],
)
def test_readable(text: str, currency: str, minor: int) -> None:
    """Up to two decimals may be left out."""
    assert minor == to_minor(text, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("100.00", "JPY"),
        ("1.0", "KRW"),
        ("0.00", "HKD"),
        ("-1", "HKD"),
        ("1.001", "HKD"),
        ("1e3", "HKD"),
        ("", "HKD"),
        ("١", "HKD"),
        ("1.", "HKD"),
    ],
)
def test_unreadable(text: str, currency: str) -> None:
    """JPY and KRW have no decimals; nothing but a positive plain number is an amount."""
    with pytest.raises(ValueError, match=r"."):
        to_minor(text, currency)


def test_in_cny() -> None:
    """Rates are exact and rounded half up to the fen; unknown currencies go one to one."""
    assert "11.76" == cny_text(150, "EUR")
    assert "7.84239700" == rate_text("EUR")
    assert "4.78" == cny_text(100, "JPY")
    assert "1.23" == cny_text(123, "XTS")


def test_currencies() -> None:
    """Three capital letters."""
    assert is_currency("HKD")
    assert not is_currency("hkd")
    assert not is_currency("HK")
