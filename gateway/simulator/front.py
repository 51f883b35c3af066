"""What the page on the machine's screen shows, worked out from the model. Pure.

Flows in: the machine, what somebody before it saw happen, and the time in milliseconds of its own
monotonic clock. Flows out: the state of the page as values for JSON. Amounts are integers in minor
units with the currency's decimals; texts are texts, which the page never reads as markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import segno

from gateway.simulator.happenings import (
    Denied,
    Happening,
    IdentityShown,
    PaymentAsked,
    PowerLost,
    SessionBegan,
    SessionEnded,
    VendAsked,
    VendEnded,
    VendStarted,
)
from gateway.simulator.machine import Machine
from gateway.simulator.screen import DARK, Screen, Show, decimals_of, screen_of
from gateway.v1 import machine_pb2 as pb

LANGUAGES = ("zh-Hant", "zh-Hans", "en")
THANKS_MS = 4_000
TOLD_MS = 8_000
"""For so long it stands on the screen what goes back, or why a choice was denied."""
QUIET_ZONE = 4
"""Modules of white around a code, as its standard wants."""


class View(StrEnum):
    """Which view of the page is up."""

    DARK = "DARK"
    IDLE = "IDLE"
    CHOOSE = "CHOOSE"
    WAITING = "WAITING"
    PAY = "PAY"
    VENDING = "VENDING"
    THANKS = "THANKS"
    FAILED = "FAILED"
    REFUNDING = "REFUNDING"
    DENIED = "DENIED"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"


_VIEWS = {
    Show.DARK: View.DARK,
    Show.NO_CONNECTION: View.IDLE,
    Show.OUT_OF_SERVICE: View.OUT_OF_SERVICE,
    Show.READY: View.IDLE,
    Show.CREDIT: View.CHOOSE,
    Show.WAITING: View.WAITING,
    Show.PAY: View.PAY,
    Show.DISPENSING: View.VENDING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What stands on the screen for a while, because it just happened."""

    view: View
    until_ms: int
    refund_minor: int = 0
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Front:
    """What one page remembers of what just happened."""

    languages: Sequence[str] = LANGUAGES
    _told: Told | None = None
    _thanks: Told | None = None
    _identity_until_ms: int = 0

    def see(self, happening: Happening, now_ms: int) -> None:
        """Something happened."""
        match happening:
            case VendAsked() | PaymentAsked() | SessionBegan() | VendStarted() | PowerLost():
                self._told = self._thanks = None
            case VendEnded(delivered=True):
                self._thanks = Told(view=View.THANKS, until_ms=now_ms + THANKS_MS)
            case VendEnded():
                self._told = Told(view=View.FAILED, until_ms=now_ms + TOLD_MS)
            case SessionEnded(refund_minor=int(refund_minor)) if refund_minor > 0:
                self._told = Told(
                    view=View.REFUNDING, until_ms=now_ms + TOLD_MS, refund_minor=refund_minor
                )
            case Denied():
                name = pb.VendDeniedReason.Name(happening.reason)
                reason = name.removeprefix("VEND_DENIED_REASON_")
                self._told = Told(view=View.DENIED, until_ms=now_ms + TOLD_MS, reason=reason)
            case IdentityShown():
                self._identity_until_ms = now_ms + happening.for_ms
            case _:
                pass

    def state(self, machine: Machine | None, now_ms: int) -> dict[str, Any]:
        """Return what the page is to show at ``now_ms``."""
        screen = DARK if machine is None else screen_of(machine, now_ms)
        told, thanks = self._standing(self._told, now_ms), self._standing(self._thanks, now_ms)
        view = _VIEWS[screen.show]
        if view in {View.IDLE, View.CHOOSE, View.OUT_OF_SERVICE}:
            # What the backend wants shown comes before what just happened.
            shown = told or thanks
            view = view if shown is None else shown.view
        state: dict[str, Any] = {
            "view": view,
            "online": machine is not None and machine.online,
            "languages": list(self.languages),
            "currency": screen.currency,
            "decimals": decimals_of(screen.currency),
            "amount_minor": screen.amount_minor,
            "funds_minor": screen.funds_minor,
            "left_ms": screen.left_ms,
            "refund_minor": 0 if told is None else told.refund_minor,
            "delivered": thanks is not None,
            "reason": "" if told is None else told.reason,
            "machine": "",
            "product": "",
            "columns": [],
            "chooses": False,
            "code": _code(screen, view),
        }
        if machine is None:
            return state
        return state | {
            "machine": machine.identity.machine_id if now_ms < self._identity_until_ms else "",
            "product": _product(machine),
            "columns": _columns(machine),
            "chooses": machine.session is not None
            or machine.service.mode != pb.MODE_AUTHORIZATION_FIRST,
        }

    @staticmethod
    def _standing(told: Told | None, now_ms: int) -> Told | None:
        return told if told is not None and now_ms < told.until_ms else None


def settled(state: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Return the state with the moment at which an offer ends, in seconds, instead of what is left
    of it: it changes only when something else happens than that time goes by.
    """
    left_ms, playlist = state["left_ms"], state.get("playlist")
    ends = None if left_ms is None else round((now_ms + left_ms) / 1_000)
    items = [playlist["manifest"], *(one["item"] for one in playlist["items"])] if playlist else []
    return {**state, "left_ms": None, "ends_at_s": ends, "playlist": items}


def _code(screen: Screen, view: View) -> dict[str, Any] | None:
    """Return the code to show: none where nobody could honour a payment, or where it would stand
    beside something else.
    """
    if not screen.qr_payload or view not in {View.PAY, View.IDLE, View.CHOOSE}:
        return None
    if view is View.PAY and not screen.left_ms:
        return None
    return drawn(screen.qr_payload)


@lru_cache(maxsize=8)
def drawn(payload: str) -> dict[str, Any] | None:
    """Return a code as the path of a picture ``size`` modules wide, its quiet zone too; None if it
    is too long for one.
    """
    try:
        code = segno.make(payload, error="m", micro=False)
    except ValueError:
        return None
    runs = []
    for y, row in enumerate(code.matrix):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                runs.append(f"M{start + QUIET_ZONE} {y + QUIET_ZONE}h{x - start}v1h{start - x}z")
            x += 1
    return {"size": len(code.matrix) + 2 * QUIET_ZONE, "path": "".join(runs)}


def _product(machine: Machine) -> str:
    vending = machine.vending
    wanted = vending.vend or vending.request
    column = None if wanted is None else machine.columns.get(wanted.column)
    return "" if column is None else column.product


def _columns(machine: Machine) -> list[dict[str, Any]]:
    """Return what can be chosen; what is sold out or blocked stands there too, and says so."""
    closed = machine.blocked | machine.orders.memory.locked
    return [
        {
            "column": one.column,
            "product": one.product,
            "price_minor": one.price_minor,
            "sold_out": one.stock == 0 or one.column in closed,
        }
        for one in machine.columns.values()
    ]
