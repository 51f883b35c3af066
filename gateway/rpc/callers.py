"""Who makes the call that is being answered: what of it is proven, and which roles they have.

Flows in: what the administrators' door found out, once for each call. Flows out: the same to
whoever answers the call, in the same task. Where nobody stands at the door, the certificate says
who it is, and there is no role.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from gateway.rpc.roles import NOBODY, Roles


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """``proof`` is what proves the ``name``: "certificate", "token", or nothing. ``person`` tells
    people apart; empty: what they claim to be called does. ``signed_in``: the name in the link by
    which they came to the console. ``until_ms``: when the proof ends; ``serial``: of the
    certificate.
    """

    proof: str = ""
    name: str = ""
    person: str = ""
    roles: Roles = NOBODY
    until_ms: int | None = None
    serial: str = ""
    signed_in: str = ""

    @property
    def told_by(self) -> str:
        """What tells who the ``person`` is: of a token beside a certificate the certificate."""
        beside = bool(self.serial) or self.person != self.name
        return "certificate" if self.proof and beside else self.proof


_PRESENT: ContextVar[Caller | None] = ContextVar("who makes the call that is answered here")


def present() -> Caller | None:
    """Return who makes the call that this task answers; None: nobody has looked."""
    return _PRESENT.get(None)


@contextmanager
def answering(caller: Caller) -> Iterator[None]:
    """Let everybody in this task know who is answered while the block lasts."""
    token = _PRESENT.set(caller)
    try:
        yield
    finally:
        _PRESENT.reset(token)
