"""Amounts: exact both ways, or refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alipay_client import amounts

CURRENCIES = st.sampled_from(["HKD", "EUR", "CNY", "JPY", "KRW"])


@settings(deadline=None)  # the machine may be busy
@given(st.integers(min_value=0, max_value=10**15 - 1), CURRENCIES)
def test_amounts_round_trip(amount_minor: int, currency: str) -> None:
    """What we write we read back."""
    assert amount_minor == amounts.to_minor(amounts.to_text(amount_minor, currency), currency)


@settings(deadline=None)  # the machine may be busy
@given(st.text())
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    """No text gives anything but a whole number of minor units or ValueError."""
    try:
        amount_minor = amounts.to_minor(text, "HKD")
    except ValueError:
        return
    assert amount_minor >= 0


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (1230, "HKD", "12.30"),
        (5, "EUR", "0.05"),
        (0, "EUR", "0.00"),
        (100, "JPY", "100"),
        (1, "KRW", "1"),
    ],
)
def test_amounts_are_written_as_documented(amount_minor: int, currency: str, text: str) -> None:
    """JPY and KRW have no decimals, all others two."""
    assert text == amounts.to_text(amount_minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [
        ("5", "HKD", 500),
        ("5.5", "HKD", 550),
        ("5.500", "HKD", 550),
        ("100.00", "JPY", 100),
        ("0.01", "USD", 1),
        ("007.10", "USD", 710),
    ],
)
def test_other_spellings_of_an_exact_amount_are_read(
    text: str, currency: str, amount_minor: int
) -> None:
    """Missing and additional zeros change nothing."""
    assert amount_minor == amounts.to_minor(text, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("", "HKD"),
        ("-1.00", "HKD"),
        ("+1.00", "HKD"),
        ("1.001", "HKD"),
        ("100.5", "JPY"),
        ("1e3", "HKD"),
        ("1,000.00", "HKD"),
        (" 1.00", "HKD"),
        (".50", "HKD"),
        ("1.", "HKD"),
        ("١", "HKD"),
        ("NaN", "HKD"),
        ("9" * 16, "HKD"),
    ],
)
def test_what_is_not_an_exact_amount_is_refused(text: str, currency: str) -> None:
    """Nothing is rounded and nothing is guessed."""
    with pytest.raises(ValueError, match=r"decimal amount|finer than"):
        amounts.to_minor(text, currency)


def test_a_negative_amount_is_refused() -> None:
    """Money has no sign on this wire."""
    with pytest.raises(ValueError, match="below zero"):
        amounts.to_text(-1, "HKD")
