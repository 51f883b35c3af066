"""The customer who asked for goods and waits: how long at most, and what is said then.

Flows in: that a request was read, and what the host says. Flows out: the denial of a request of
which the host has said nothing for too long, because it is away or overloaded. Times are seconds of
a monotonic clock.
"""

import math
from collections.abc import Callable

from actors.machine.effects import (
    ApproveVend,
    BeginSession,
    DenyVend,
    EndSession,
    MachineCommand,
    ShowQr,
    UpdateFunds,
    Welcome,
)
from actors.machine.ids import RequestId
from actors.machine.state import DenyReason
from gateway.machines.window import Window

_ANSWERS = {ApproveVend: "approved", DenyVend: "denied", ShowQr: "payment_asked"}
_OF_A_REQUEST = (ApproveVend, DenyVend, ShowQr)
_OF_FUNDS = (Welcome, BeginSession, UpdateFunds, DenyVend)


class Asking:
    """Of one stream. ``within_s``: a host that is there answers, or saves the request, sooner.
    ``answered`` is told what a request was answered first, and after how many seconds.
    """

    __slots__ = ("_answered", "_asked_at", "_ends_at", "_funds_minor", "_window", "_within_s")

    def __init__(
        self,
        window: Window,
        *,
        within_s: float,
        answered: Callable[[str, float], None] = lambda _answer, _seconds: None,
    ) -> None:
        self._window = window
        self._answered = answered
        # When the request was read of which the machine has heard nothing yet.
        self._asked_at: float | None = None
        self._within_s = within_s
        # What the customer has, as far as the host told it; a denial says it again.
        self._funds_minor = 0
        # When each request that waits is denied.
        self._ends_at: dict[RequestId, float] = {}

    @property
    def ends_at(self) -> float:
        """When the first request that waits is denied; infinite if none does."""
        return min(self._ends_at.values(), default=math.inf)

    def began(self, request_id: RequestId, at: float) -> None:
        """A request for goods was read."""
        self._asked_at = at
        self._ends_at.setdefault(request_id, at + self._within_s)

    def heard(self, command: MachineCommand, now: float) -> None:
        """The machine is told something."""
        if self._asked_at is not None and (answer := _ANSWERS.get(type(command))):
            self._answered(answer, now - self._asked_at)
            self._asked_at = None
        if isinstance(command, _OF_A_REQUEST):
            self._ends_at.pop(command.request_id, None)
        if isinstance(command, _OF_FUNDS):
            self._funds_minor = command.funds_minor
        elif isinstance(command, EndSession):
            self._funds_minor = 0

    def acknowledged(self) -> None:
        """The host has saved frames: a request among them has its own deadline now."""
        if self._ends_at:
            asked = self._window.requests()
            self._ends_at = {one: at for one, at in self._ends_at.items() if one in asked}

    def denials(self, now: float) -> list[DenyVend]:
        """Return what the machine is told now. Its request is over; should the host have approved
        it all the same, the machine answers that it does not wait for it.
        """
        over = {request_id for request_id, at in self._ends_at.items() if at <= now}
        for request_id in over:
            del self._ends_at[request_id]
        reason = DenyReason.BACKEND_UNAVAILABLE
        return [
            DenyVend(request_id=request_id, reason=reason, funds_minor=self._funds_minor)
            for request_id in self._window.turn_away(over, reason)
        ]
