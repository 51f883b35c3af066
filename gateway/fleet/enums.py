"""Words of the core and numbers of the wire, by name: ``REFUSED`` of the enum ``RefundStatus`` is
``REFUND_STATUS_REFUSED``. No word on either side is written down here.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import cast

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
UNSPECIFIED = 0


def descriptor_of(enum: object) -> EnumDescriptor:
    """Return the descriptor of a generated enum, which its stub does not tell of."""
    return cast("EnumTypeWrapper", enum).DESCRIPTOR


def prefix_of(enum: EnumDescriptor) -> str:
    """Return what every name of the enum begins with."""
    return f"{_WORD_BEGINS.sub('_', enum.name).upper()}_"


def number_of(enum: EnumDescriptor, word: str) -> int:
    """Return the number of a word. None and a word that this version does not know are
    UNSPECIFIED: a list is shown even if a newer version has written one of its rows.
    """
    return _numbers(enum).get(word, UNSPECIFIED)


@cache
def _numbers(enum: EnumDescriptor) -> Mapping[str, int]:
    return {word: enum.values_by_name[prefix_of(enum) + word].number for word in words_of(enum)}


def word_of(enum: EnumDescriptor, number: int) -> str:
    """Return the word of a number, empty for UNSPECIFIED and for a number that is not there."""
    value = enum.values_by_number.get(number)
    if value is None or number == UNSPECIFIED:
        return ""
    return value.name.removeprefix(prefix_of(enum))


def words_of(enum: EnumDescriptor) -> list[str]:
    """Return all words of an enum in the order of their numbers, without UNSPECIFIED."""
    return [word for number in sorted(enum.values_by_number) if (word := word_of(enum, number))]


def names_of(enum: EnumDescriptor) -> list[str]:
    """Return all names of an enum as a caller writes them, without UNSPECIFIED."""
    return [f"{prefix_of(enum)}{word}" for word in words_of(enum)]


def names_said(enum: EnumDescriptor) -> str:
    """Return all names of an enum in words, for whoever gave another."""
    return f"one of {', '.join(names_of(enum))}"
