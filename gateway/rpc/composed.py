"""One form for each text: "é" as one character or as a letter with an accent behind it looks the
same, and is the same code, name or label here. Pure, but for the message that it is given.

Flows in: what a caller wrote, in whichever form their keyboard or computer makes. Flows out: the
composed form of Unicode (NFC), in which everything is checked, kept and looked for. What no
language writes, heaps of marks upon one letter, is refused: to put n of them in order takes n * n
steps, in which the gateway would do nothing else.
"""

import unicodedata
from itertools import groupby
from typing import Any, Literal

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

MARKS_MAX = 30
"""So many marks may stand behind one letter (UAX 15, Stream-Safe Text Format)."""
_FORM: Literal["NFC"] = "NFC"


class NotComposed(ValueError):
    """``said`` says why a text, of the field ``field`` ('' where no message is asked), has no form
    here.
    """

    def __init__(self, said: str, field: str = "") -> None:
        self.field = field
        self.said = said
        super().__init__(f"{field} {said}".strip())


class KeyTwice(NotComposed):
    """Two keys of the map ``field`` are one text, which ``said`` says."""

    def __init__(self, field: str, key: str) -> None:
        super().__init__(f"has {key!r} twice, in two forms of Unicode", field)


class MarksHeaped(NotComposed):
    """More than MARKS_MAX marks stand behind one letter."""

    def __init__(self, field: str = "") -> None:
        super().__init__(
            f"has more than {MARKS_MAX} marks upon one letter, as no language has: take them out",
            field,
        )


def composed(text: str) -> str:
    """Return the text in the one form that it has here. Raises MarksHeaped."""
    if unicodedata.is_normalized(_FORM, text):
        return text
    for marks, run in groupby(map(unicodedata.combining, text), bool):
        if marks and sum(1 for _ in run) > MARKS_MAX:
            raise MarksHeaped
    return unicodedata.normalize(_FORM, text)


def compose(message: Message) -> None:
    """Give every text in the message, however deep, its one form. Raises NotComposed."""
    for field, value in message.ListFields():
        try:
            _compose_field(message, field, value)
        except MarksHeaped as error:
            raise error if error.field else MarksHeaped(field.name) from None


def _compose_field(message: Message, field: FieldDescriptor, value: Any) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _compose_map(field, value)
    elif field.type == FieldDescriptor.TYPE_STRING:
        if not field.is_repeated:
            setattr(message, field.name, composed(value))
        elif not all(unicodedata.is_normalized(_FORM, one) for one in value):
            value[:] = [composed(one) for one in value]
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        for one in value if field.is_repeated else (value,):
            compose(one)


def _compose_map(field: FieldDescriptor, value: object) -> None:
    """Give the keys and the values of a map of texts their form; other maps nobody asks with."""
    assert hasattr(value, "items")
    there = dict(value.items())
    if not all(isinstance(text, str) for pair in there.items() for text in pair):
        raise TypeError(field.full_name)
    made: dict[str, str] = {}
    for key, one in there.items():
        if composed(key) in made:
            raise KeyTwice(field.name, composed(key))
        made[composed(key)] = composed(one)
    if made != there:
        value.clear()  # type: ignore[attr-defined]  # a map of protobuf has no type of its own
        value.update(made)  # type: ignore[attr-defined]  # as above
