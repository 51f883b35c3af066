"""Which currencies Alipay settles in this product, and the decimals of any currency.

No official list could be read (docs/alipay.md 5.1): ``SETTLED`` are the currencies of Alipay's own
form for merchants. Decimals are those of ISO 4217, from a maintained table, but for those for which
Alipay says its own.
"""

import functools

import iso4217

SETTLED = frozenset(
    [
        "AUD",
        "CAD",
        "CHF",
        "CNY",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "JPY",
        "KRW",
        "LKR",
        "NOK",
        "NZD",
        "SEK",
        "SGD",
        "THB",
        "USD",
    ]
)
_WITHOUT_DECIMALS = frozenset({"JPY", "KRW"})
"""Alipay refuses decimals for these two (docs/alipay.md 5.1)."""


@functools.cache
def exponent(currency: str) -> int:
    """Return the number of decimals of ``currency``. ValueError: no currency in which anybody pays
    (docs/alipay.md 5.1).
    """
    if currency in _WITHOUT_DECIMALS:
        return 0
    decimals = iso4217.Currency(currency).exponent
    if decimals is None:
        raise ValueError(f"nobody pays in {currency!r}")
    return decimals
