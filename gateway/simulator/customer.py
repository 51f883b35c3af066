"""One customer in front of a machine: what hands, eyes and phone can do.

Flows in: steps of a script (``scripts``). Flows out: presses and payments, and in the end what
the customer saw. Waits follow what the machine tells (``expires_in_ms``); only where nobody tells
anything does :class:`Patience` decide.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Protocol, Self

from gateway.simulator.board import Board
from gateway.simulator.happenings import (
    Denied,
    FundsChanged,
    Happening,
    PaymentAsked,
    PowerLost,
    SessionBegan,
    SessionEnded,
    TurnedAway,
    VendEnded,
    one_line,
)
from gateway.simulator.phone import NotPaid, Paid
from gateway.simulator.screen import amount_text
from gateway.v1 import machine_pb2 as pb

STORY_MAX = 100


class PhoneAtHand(Protocol):
    """What a customer needs of a phone."""

    async def pay(
        self, *, qr_payload: str, amount_minor: int, currency: str, buyer: str
    ) -> Paid | NotPaid:
        """Scan and pay once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long customers wait where the machine tells no time, in seconds."""

    answer_s: float = 20.0
    """For the machine to react to a payment or a press."""
    margin_s: float = 15.0
    """Beyond a time that the machine told."""
    glance_s: float = 1.0
    """To see that nothing happens."""
    think_s: float = 0.3
    """At most, between two steps."""
    away_s: float = 1.5
    """At most, without power or network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one customer saw. ``refund_minor``: what the machine said goes back, None if it did not
    say.
    """

    kind: str
    machine_id: str
    outcome: str
    currency: str
    paid_minor: int
    refund_minor: int | None
    trades: tuple[str, ...]
    delivered: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float
    story: tuple[str, ...]


class Customer:
    """One customer in front of one machine. Use as a context: whatever happens, the machine is left
    as others need it.
    """

    def __init__(
        self,
        *,
        kind: str,
        machine: Board,
        phone: PhoneAtHand,
        rng: Random,
        buyer: str,
        patience: Patience,
    ) -> None:
        self.machine = machine
        self.rng = rng
        self.buyer = buyer
        self.patience = patience
        self.trades: list[str] = []
        self.paid_minor = 0
        self._kind = kind
        self._currency = machine.machine.service.currency if machine.machine is not None else ""
        self._phone = phone
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._watch = machine.watch()
        self._story: list[str] = []
        self._delivered: list[str] = []
        self._failed: list[str] = []
        self._refund_minor: int | None = None
        self._repairs: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.__exit__(None, None, None)
        self.machine.cut_power_at(None)
        self.machine.power_on()
        self.machine.plug()
        for column in self._repairs:
            self.machine.repair(column)

    # --- eyes ---

    @property
    def columns(self) -> list[pb.PlanogramColumn]:
        """The columns that the machine offers, cheapest first."""
        machine = self.machine.machine
        if machine is None:
            return []
        return sorted(
            (each for each in machine.columns.values() if each.column not in machine.blocked),
            key=lambda each: each.price_minor,
        )

    def pick(
        self, *, at_most_minor: int | None = None, but: Iterable[str] = ()
    ) -> pb.PlanogramColumn | None:
        """Choose a column, by taste."""
        offered = [
            each
            for each in self.columns
            if at_most_minor is None or each.price_minor <= at_most_minor
        ]
        offered = [each for each in offered if each.column not in but]
        return self.rng.choice(offered) if offered else None

    @property
    def funds_minor(self) -> int:
        """What the screen says can be spent."""
        machine = self.machine.machine
        return (
            machine.session.funds_minor
            if machine is not None and machine.session is not None
            else 0
        )

    async def until(self, *kinds: type[Happening], within_s: float) -> Happening | None:
        """Return the next happening of one of these kinds; what is seen on the way is
        remembered.
        """
        deadline = self._clock() + within_s
        while True:
            happening = await self._watch.until(within_s=max(0.0, deadline - self._clock()))
            if happening is None:
                return None
            self._remember(happening)
            if isinstance(happening, kinds):
                return happening

    def note(self, text: str) -> None:
        """Remember a step."""
        if len(self._story) < STORY_MAX:
            self._story.append(text)

    def _remember(self, happening: Happening) -> None:
        self.note(one_line(happening))
        if isinstance(happening, VendEnded):
            (self._delivered if happening.delivered else self._failed).append(happening.vend_id)
        elif isinstance(happening, SessionEnded) and happening.refund_minor is not None:
            self._refund_minor = (self._refund_minor or 0) + happening.refund_minor

    # --- hands ---

    async def think(self) -> None:
        """Hesitate."""
        await asyncio.sleep(self.rng.uniform(0, self.patience.think_s))

    async def away(self) -> None:
        """Let some time pass without power or network."""
        await asyncio.sleep(self.rng.uniform(0, self.patience.away_s))

    def jam(self, column: str) -> None:
        """Block a motor until this customer has gone."""
        self._repairs.add(column)
        self.machine.jam(column)

    async def pay(self, amount_minor: int, *, qr_payload: str = "", buyer: str = "") -> bool:
        """Scan the code on the screen, or else the glued one, and pay; False if Alipay took
        nothing, or nobody knows.
        """
        currency = self._currency
        payment = await self._phone.pay(
            qr_payload=qr_payload or self.machine.sticker,
            amount_minor=amount_minor,
            currency=currency,
            buyer=buyer or self.buyer,
        )
        if isinstance(payment, NotPaid):
            self.note(f"not paid: {payment.reason}")
            return False
        self.note(f"paid {amount_text(amount_minor, currency)} {currency} as {payment.trade_no}")
        self.trades.append(payment.trade_no)
        self.paid_minor += payment.amount_minor
        return True

    async def begins(self) -> SessionBegan | None:
        """Wait until the machine knows of the money."""
        began = await self.until(SessionBegan, within_s=self.patience.answer_s)
        return began if isinstance(began, SessionBegan) else None

    async def choose(
        self, column: str
    ) -> PaymentAsked | Denied | TurnedAway | VendEnded | PowerLost | None:
        """Press a button and wait for the machine to ask for money, to say no, or to deliver at
        once.
        """
        await self.think()
        self.machine.select(column)
        answer = await self.until(
            PaymentAsked, Denied, TurnedAway, VendEnded, PowerLost, within_s=self.patience.answer_s
        )
        return (
            answer
            if isinstance(answer, PaymentAsked | Denied | TurnedAway | VendEnded | PowerLost)
            else None
        )

    async def buy(self, column: pb.PlanogramColumn) -> str:
        """With funds: press, and wait for goods; when a column is sold out or dearer by now, try
        others. Returns one word.
        """
        tried: set[str] = set()
        answer: Happening | None = None
        while True:
            answer = await self.choose(column.column)
            tried.add(column.column)
            if not isinstance(answer, Denied) or answer.reason not in _TRY_ANOTHER:
                break
            other = self.pick(at_most_minor=self.funds_minor, but=tried)
            if other is None:
                break
            column = other
        if isinstance(answer, PaymentAsked):  # the stay was over before the button was pressed
            self.machine.cancel()
            await self.until(Denied, within_s=self.patience.answer_s)
            return "ASKED_TO_PAY"
        return word_of(answer)

    async def settles(self) -> SessionEnded | None:
        """After a vend: wait until the machine says what is left; None if the stay goes on."""
        news = await self.until(FundsChanged, SessionEnded, within_s=self.patience.answer_s)
        return news if isinstance(news, SessionEnded) else None

    async def ends(self, within_s: float | None = None) -> SessionEnded | None:
        """Wait for the end of the stay."""
        ended = await self.until(
            SessionEnded, within_s=self.patience.answer_s if within_s is None else within_s
        )
        return ended if isinstance(ended, SessionEnded) else None

    async def leave(self) -> str:
        """Ask for the rest, if there is any, and wait until the machine is free. Returns one
        word.
        """
        machine = self.machine.machine
        if machine is None or machine.session is None:
            return "LEFT"
        await self.think()
        self.machine.complete()
        ended = await self.ends()
        return (
            "NO_END"
            if ended is None
            else pb.EndSessionReason.Name(ended.reason).removeprefix("END_SESSION_REASON_")
        )

    def seen(self, outcome: str) -> Seen:
        """Return what this customer saw."""
        return Seen(
            kind=self._kind,
            machine_id=self.machine.identity.machine_id,
            outcome=outcome,
            currency=self._currency,
            paid_minor=self.paid_minor,
            refund_minor=self._refund_minor,
            trades=tuple(self.trades),
            delivered=tuple(self._delivered),
            failed=tuple(self._failed),
            seconds=round(self._clock() - self._began, 3),
            story=tuple(self._story),
        )


_TRY_ANOTHER = {
    pb.VEND_DENIED_REASON_SOLD_OUT,
    pb.VEND_DENIED_REASON_PRICE_STALE,
    pb.VEND_DENIED_REASON_UNKNOWN_COLUMN,
    pb.VEND_DENIED_REASON_COLUMN_LOCKED,
}


def word_of(answer: Happening | None) -> str:
    """Return one word for how a choice ended."""
    match answer:
        case VendEnded():
            return (
                "DELIVERED"
                if answer.delivered
                else pb.VendFailureCause.Name(answer.cause).removeprefix("VEND_FAILURE_CAUSE_")
            )
        case Denied():
            return pb.VendDeniedReason.Name(answer.reason).removeprefix("VEND_DENIED_REASON_")
        case TurnedAway():
            return str(answer.reason)
        case PowerLost():
            return "POWER_LOST"
        case _:
            return "NO_ANSWER"
