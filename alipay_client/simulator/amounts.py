"""Amounts as Alipay writes them (``12.30``; JPY and KRW without decimals), to and from integers in
minor units. Exact both ways.
"""

import re

_TEXT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_ZERO_DECIMALS = frozenset({"JPY", "KRW"})
_RATE_UNIT = 10**8
_CNY_RATES = {
    "CNY": 100_000_000,
    "EUR": 784_239_700,
    "GBP": 912_500_000,
    "HKD": 92_150_000,
    "JPY": 4_780_000,
    "KRW": 515_000,
    "SGD": 538_000_000,
    "THB": 20_400_000,
    "USD": 664_640_000,
}
"""CNY for one unit of the currency, in 10^-8. Any other currency is taken one to one: this world
has no rates.
"""


def is_currency(text: str) -> bool:
    """Whether the text is three capital letters; the official list could not be read, so none is
    held against a merchant.
    """
    return _CURRENCY.fullmatch(text) is not None


def exponent(currency: str) -> int:
    """Return how many decimals the currency has."""
    return 0 if currency in _ZERO_DECIMALS else 2


def to_minor(text: str, currency: str) -> int:
    """Return minor units; ValueError when the text is no positive amount of that currency (JPY
    ``100.00`` is none).
    """
    match = _TEXT.fullmatch(text)
    places = exponent(currency)
    if match is None:
        raise ValueError(f"not an amount such as {'12.50' if places else '1250'}")
    decimals = match[2] or ""
    if len(decimals) > places:
        raise ValueError(f"{currency} has {places} decimals")
    minor = int(match[1] + decimals.ljust(places, "0"))
    if minor == 0:
        raise ValueError("not above zero")
    return minor


def to_text(minor: int, currency: str) -> str:
    """Return the amount as Alipay writes it."""
    places = exponent(currency)
    if places == 0:
        return str(minor)
    return f"{minor // 10**places}.{minor % 10**places:0{places}d}"


def rate_text(currency: str) -> str:
    """Return ``exchange_rate``: CNY for one unit of the currency, eight decimals."""
    rate = _CNY_RATES.get(currency, _RATE_UNIT)
    return f"{rate // _RATE_UNIT}.{rate % _RATE_UNIT:08d}"


def cny_text(minor: int, currency: str) -> str:
    """Return the amount in CNY, rounded half up to the fen."""
    divisor = _RATE_UNIT * 10 ** exponent(currency)
    fen = (2 * minor * _CNY_RATES.get(currency, _RATE_UNIT) * 100 + divisor) // (2 * divisor)
    return to_text(fen, "CNY")
