"""Which currencies there are, which of them Alipay settles, and how many decimals each has."""

import pytest

from alipay_client import currencies


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [("HKD", 2), ("JPY", 0), ("KRW", 0), ("VND", 0), ("ISK", 0), ("KWD", 3), ("IDR", 2)],
)
def test_a_currency_has_the_decimals_of_the_standard(currency: str, decimals: int) -> None:
    """Otherwise an amount would be wrong by ten, a hundred or a thousand."""
    assert decimals == currencies.exponent(currency)


@pytest.mark.parametrize(
    "currency", ["", "hkd", "HK", "HKDX", "港币元", "XXX", "XTS", "XAU", "ZZZ"]
)
def test_what_is_no_money_has_no_decimals(currency: str) -> None:
    """Three capitals are not a currency, and gold is none in which anybody pays."""
    with pytest.raises(ValueError, match=r"nobody pays in|is not a valid"):
        currencies.exponent(currency)


def test_what_alipay_settles_has_decimals_that_it_can_write() -> None:
    """Its amounts have two decimals at most."""
    assert {0, 2} == {currencies.exponent(currency) for currency in currencies.SETTLED}
