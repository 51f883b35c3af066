"""What the back office asks of the fields of its requests, beside what all administrators' requests
are asked (``gateway.fleet.requests``).
"""

import re
from collections.abc import Mapping
from typing import Self

from actors.machine.ids import Currency
from actors.machine.policy import AMOUNT_MINOR_MAX
from alipay_client.currencies import SETTLED
from gateway.fleet.requests import Fields
from gateway.v1 import money_pb2
from storage.office.product_content import NAMES_MAX

PRODUCT_BYTES_MAX = 64
CATEGORY_LENGTH_MAX = 64
TAX_CLASS_LENGTH_MAX = 32
NAME_LENGTH_MAX = 100
SHOWN_MAX = 40
SHELF_LIFE_DAYS_MAX = 3_650
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
_GTIN_LENGTHS = frozenset({8, 12, 13, 14})
_TAG = re.compile(r"[A-Z][A-Z0-9_:]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class OfficeFields(Fields):
    """Collects what is wrong with the fields of one request of the back office."""

    def line(self, field: str, value: str, *, most: int, least: int = 0) -> Self:
        """Check a text of people's own: one line that can be shown, with nothing empty around
        it.
        """
        if not self._shown(field, value):
            return self
        if not least <= len(value) <= most:
            self.wrong(field, f"must have {least} to {most} characters")
        elif value != value.strip():
            self.wrong(field, "must not begin or end with a space")
        return self

    def product(self, value: str, *, field: str = "product") -> Self:
        """Check a product's code."""
        if not self._shown(field, value):
            return self
        if not 1 <= len(value.encode()) <= PRODUCT_BYTES_MAX:
            self.wrong(field, f"must have 1 to {PRODUCT_BYTES_MAX} bytes")
        elif value != value.strip():
            self.wrong(field, "must not begin or end with a space")
        return self

    def tag(self, value: str, *, field: str = "tag", needed: bool = True) -> Self:
        """Check a tag's name."""
        if (needed or value) and not _TAG.fullmatch(value):
            self.wrong(field, "must be up to 32 of A to Z, 0 to 9, _ and :, a letter first")
        return self

    def names(self, names: Mapping[str, str], *, field: str = "names") -> Self:
        """Check what something is called, by language."""
        if len(names) > NAMES_MAX:
            self.wrong(field, f"must be at most {NAMES_MAX}")
            return self
        for language, name in sorted(names.items()):
            if not _LANGUAGE.fullmatch(language):
                self.wrong(field, f"{language[:SHOWN_MAX]!r} is no language: en or zh-HK is one")
            else:
                self.line(f"{field}[{language}]", name, least=1, most=NAME_LENGTH_MAX)
        return self

    def barcode(self, value: str, *, field: str = "barcode") -> Self:
        """Check a GTIN, its last digit too; empty is right."""
        if not value:
            return self
        digits = value.isascii() and value.isdecimal()
        if not digits or len(value) not in _GTIN_LENGTHS:
            self.wrong(field, "must be a GTIN of 8, 12, 13 or 14 digits, or empty")
        elif gtin_check_digit(value[:-1]) != value[-1]:
            self.wrong(
                field,
                f"has a mistake: behind {value[:-1]} the last digit is "
                f"{gtin_check_digit(value[:-1])}",
            )
        return self

    def shelf_life(self, days: int, *, field: str = "shelf_life_days") -> Self:
        """Check how long something keeps; 0 is right."""
        if not 0 <= days <= SHELF_LIFE_DAYS_MAX:
            self.wrong(field, f"must be 0 to {SHELF_LIFE_DAYS_MAX}")
        return self

    def sha256(self, value: str, *, field: str) -> Self:
        """Check a digest; empty is right."""
        if value and not _SHA256.fullmatch(value):
            self.wrong(field, "must be 64 hexadecimal digits in lower case, or empty")
        return self

    def money(self, value: money_pb2.Money, *, field: str) -> tuple[int, Currency]:
        """Return an amount, which may be 0, and its currency."""
        if not 0 <= value.minor <= AMOUNT_MINOR_MAX:
            self.wrong(f"{field}.minor", f"must be 0 to {AMOUNT_MINOR_MAX} minor units")
        self.currency(value.currency, field=f"{field}.currency")
        return value.minor, Currency(value.currency)

    def currency(self, value: str, *, field: str = "currency") -> Self:
        """Check a currency, which is one of those that machines may have."""
        if value not in SETTLED:
            self.wrong(field, f"must be one that Alipay settles: {', '.join(sorted(SETTLED))}")
        return self


def gtin_check_digit(digits: str) -> str:
    """Return the digit that stands behind these in a GTIN: from the right, the digits count three
    times and once by turns (GS1 General Specifications 7.9).
    """
    total = sum(int(one) * (3, 1)[place % 2] for place, one in enumerate(reversed(digits)))
    return str(-total % 10)
