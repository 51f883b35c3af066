"""Minor units and the decimal text that Alipay writes. Flows in: integers or Alipay's text; out:
the other one, exactly or not at all.
"""

import re

from alipay_client import currencies

_AMOUNT = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,15}))?")


def exponent(currency: str) -> int:
    """Return the number of decimals of ``currency``. ValueError: there is no such currency."""
    return currencies.exponent(currency)


def to_text(amount_minor: int, currency: str) -> str:
    """Return ``amount_minor`` as Alipay wants it: ``1230`` HKD is ``12.30``, ``100`` JPY is
    ``100``. ValueError: below zero.
    """
    if amount_minor < 0:
        raise ValueError(f"an amount is not below zero: {amount_minor}")
    decimals = exponent(currency)
    if decimals == 0:
        return str(amount_minor)
    whole, rest = divmod(amount_minor, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}"


def to_minor(text: str, currency: str) -> int:
    """Return the minor units that ``text`` names. ValueError: not a plain decimal number, or finer
    than the currency's minor unit.
    """
    decimals = exponent(currency)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("not a plain decimal amount")
    whole, fraction = match[1], match[2] or ""
    if fraction[decimals:].strip("0"):
        raise ValueError(f"finer than the minor unit of {currency}")
    return int(whole + fraction[:decimals].ljust(decimals, "0"))
