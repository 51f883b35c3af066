"""What a page is made of: somebody's question, the answers, and what is shown of them.

Flows in: a request's own words and the way to ask. Flows out: a ``ConsolePage``, which the
templates write down. A page that cannot have one of its answers shows the others, and in its place
the sentence of the refusal.
"""

import asyncio
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from gateway.web.asking import LocalCalls, Person, Refused
from gateway.web.tables import Form, Table, with_acts

ROWS_MAX = 2_000
"""No table and no picture has more."""
TEXT_LENGTH_MAX = 200
"""Of one word of the address."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Somebody looks at a page. ``words``: what stands in the query; ``name``: what the path
    names; ``zone``: the time zone by which it is today here.
    """

    asking: LocalCalls
    person: Person
    now_ms: int
    words: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    zone: str = "UTC"

    def word(self, name: str) -> str:
        """Return a word of the query; empty if it is not there."""
        return self.words.get(name, "").strip()[:TEXT_LENGTH_MAX]

    def token(self, name: str) -> str:
        """Return the token of a page, as it was given out."""
        return self.words.get(name, "")

    def local(self) -> dt.datetime:
        """Return what the clock on the wall says here."""
        return dt.datetime.fromtimestamp(self.now_ms // 1_000, ZoneInfo(self.zone))

    async def ask(self, request: Message) -> Any:
        """Return the response. Raises Refused."""
        return await self.asking.ask(self.person, request)

    async def all(self, *requests: Message) -> list[Any]:
        """Return the responses, in the order of the requests. Raises Refused."""
        return list(await asyncio.gather(*map(self.ask, requests)))

    async def attempt(self, request: Message) -> "Any | Missing":
        """Return the response, or why it is not to be had."""
        try:
            return await self.ask(request)
        except Refused as refused:
            return Missing(str(refused))


@dataclass(frozen=True, slots=True)
class Missing:
    """What is shown where an answer should be."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """One page. ``tables`` are those that can be had as CSV, by their names; ``values`` are the
    template's own, ``forms`` those outside tables. ``more``: the words of the query that show what
    follows, by table.
    """

    title: str
    template: str
    tables: Sequence[Table] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    forms: Sequence[Form] = ()
    more: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def with_acts(self, allowed: Collection[str]) -> "ConsolePage":
        """Return the page with those forms only that somebody may use."""
        return replace(
            self,
            tables=[with_acts(one, allowed) for one in self.tables],
            forms=[one for one in self.forms if one.act in allowed],
        )

    def table(self, name: str) -> Table | None:
        """Return a table; None if the page has none of that name."""
        return next((one for one in self.tables if one.name == name), None)
