"""What grpcurl tells, and how a console writes it: calls by their names with JSON, over a socket,
and cells as somebody types them who reads the answer. None of it is the console's own code.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message_factory import GetMessageClass

from gateway.office import services

ALL = {"all": True}
"""Of all machines."""
Told = Mapping[str, Any]
Ask = Callable[..., Awaitable[Any]]
"""``ask("TradeService/ListRefunds", open=True)`` returns the answer as ``grpcurl -emit-defaults``
prints it, by the names of the proto.
"""


@dataclass(frozen=True, slots=True)
class Lasted:
    """A time that a page tells in words, and a file in seconds."""

    seconds: int

    def __str__(self) -> str:
        for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
            if self.seconds >= 2 * length:
                return f"{self.seconds // length} {unit}"
        return f"{self.seconds} s"


Cell = str | int | Lasted
Rows = list[tuple[Cell, ...]]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a page is to show, all of it made of answers. ``tables``: by their names; ``drawn``: of
    which the page shows a picture instead. ``figures``: of each list of facts what stands beside
    what. ``pictures``: what pictures say, in their order. ``says``: sentences with a number.
    """

    tables: Mapping[str, Rows]
    drawn: frozenset[str] = frozenset()
    figures: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[str] = ()
    says: Sequence[str] = ()
    marks: Sequence[str] = ()
    """Parts of the markup: lengths in a picture that says nothing."""


def asking(channel: grpc.aio.Channel) -> Ask:
    """Return what makes calls on a channel."""
    methods = {
        f"{service.name}/{method.name}": method
        for file in services.FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }

    async def ask(name: str, **words: Any) -> Any:
        method = methods[name]
        call: Any = channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        answer = await call(ParseDict(words, GetMessageClass(method.input_type)()))
        return MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    return ask


def word(said: str, prefix: str) -> str:
    """Return a word of an enum in small letters; empty for the one that says nothing."""
    rest = said.removeprefix(prefix).replace("_", " ").lower()
    return "" if rest == "unspecified" else rest


def hkd(minor: int | str) -> str:
    """Return an amount of HKD in minor units, without groups."""
    minor = int(minor)
    return f"{'-' * (minor < 0)}{abs(minor) // 100}.{abs(minor) % 100:02} HKD"


def money(of: Told, name: str) -> str:
    """Return the amount in a field; empty if nobody told it."""
    told = of.get(name) or {"currency": ""}
    assert told["currency"] in {"", "HKD"}
    return hkd(told["minor"]) if told["currency"] else ""


def moment(of: Told, name: str) -> str:
    """Return the moment in a field, to the second; empty if nobody told it."""
    told = str(of.get(name) or "")
    return "" if told.startswith("1970-01-01T00:00:00Z") else told[:19].replace("T", " ")


def unless_zero(number: int | str) -> Cell:
    """Return a number; empty for zero."""
    return int(number) or ""


def grouped(text: str) -> str:
    """Return an amount with its groups of three, as people read it."""
    number, _, currency = text.partition(" ")
    whole, point, rest = number.partition(".")
    return f"{int(whole):,}{point}{rest} {currency}".strip()


def complete(told: Told) -> str:
    """Return the sentence that says up to where sales are told."""
    of = told["completeness"]
    behind = int(of["lines_behind"])
    more = f"; {behind} lines of the books are not in it yet" if behind else ""
    until = moment(of, "complete_until")
    return f"Sales are complete until position {of['position']}, {until}{more}."


def ago(now: dt.datetime, back: int) -> int:
    """Return the day so many days before today, as yyyymmdd."""
    return int((now.date() - dt.timedelta(days=back)).strftime("%Y%m%d"))


def span(now: dt.datetime, length: int = 28) -> dict[str, int]:
    """Return so many days before today."""
    return {"first_day": ago(now, length), "last_day": ago(now, 1)}


def sold(of: Told) -> tuple[Cell, str]:
    """Return items and money."""
    return int(of["units"]), money(of, "sales")


def day_of(d: int) -> str:
    """Return a day as people write it; empty for none."""
    return f"{d // 10_000}-{d // 100 % 100:02}-{d % 100:02}" if d else ""
