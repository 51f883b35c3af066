"""What is told of one purchase, so that a person can see it as one trace. Pure.

A trace is of a session: one customer's stay, with its payments, vends and refunds; or of a payment
that belongs to no session. Its id, and those of its spans, derive from ours, so that gateways and
hosts agree without a word on the wire, and what is told twice is one thing. No span names a person.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that began and ended, in milliseconds since 1970 UTC. ``trace`` is the session's
    id, or Alipay's number of a payment without one.

    ``key`` names the span within its trace, and is empty for the whole of it; ``parent`` is the key
    of what it is part of.
    """

    trace: str
    key: str
    name: str
    began_ms: int
    ended_ms: int
    parent: str = ""
    attributes: Mapping[str, str | int] = field(default_factory=dict)


Tell = Callable[[Iterable[Span]], None]
"""Takes spans, and raises and waits for nothing."""


def trace_id(trace: str) -> int:
    """Return the 16 bytes of a trace's id: the first 32 digits of ``sha256sum`` over the session's
    id.
    """
    return int.from_bytes(hashlib.sha256(trace.encode()).digest()[:16])


def span_id(trace: str, key: str) -> int:
    """Return the 8 bytes of a span's id."""
    return int.from_bytes(hashlib.sha256(f"{trace}/{key}".encode()).digest()[:8])
