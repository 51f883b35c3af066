"""Customers of every kind, each one visit to a machine.

Flows in: a machine, Alipay, a seeded generator. Flows out: buttons and payments. A customer reacts
to what the screen shows and gives up after a while; what becomes of the money is nobody's business
but the checker's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

from gateway.simulator.happenings import (
    Denied,
    PaymentAsked,
    SessionBegan,
    SessionEnded,
    TurnedAway,
    VendEnded,
)
from tests.simulation.machines import SimMachine

if TYPE_CHECKING:
    from tests.simulation.world import World

ENOUGH = 10_000


class Customer:
    """One visit. ``name`` is the buyer at Alipay."""

    def __init__(self, world: "World", machine: SimMachine, name: str, rng: Random) -> None:
        self._world = world
        self._machine = machine
        self._name = name
        self._rng = rng

    async def visit(self) -> None:
        """Come, do what one does, go."""
        world = self._machine.world
        pays_first = world.pays_first(self._machine.machine_id, self._rng)
        pay_first = QUICK if world.quick else INSISTENT if world.insistent else PAY_FIRST
        kinds = pay_first if pays_first else CHOOSE_FIRST
        kind = self._rng.choice(kinds)
        self._world.note(f"{self._name} comes to {self._machine.machine_id}: {kind.__name__}")
        await kind(self)

    # --- what one can do ---

    def pay(self, amount_minor: int, *, name: str = "") -> bool:
        """Scan the code and pay."""
        return (
            self._world.provider.pay(self._machine.sticker, amount_minor, name or self._name)
            is not None
        )

    def column(self) -> str:
        """Choose; now and then what is not there."""
        machine = self._machine.machine
        columns = list(machine.columns) if machine is not None else []
        return self._rng.choice(columns) if columns else "A1"

    def price(self, column: str) -> int:
        """Read the price."""
        machine = self._machine.machine
        return (
            machine.columns[column].price_minor
            if machine is not None and column in machine.columns
            else 500
        )

    async def wait(self, least_s: float, most_s: float) -> None:
        """Do nothing for a while."""
        await asyncio.sleep(least_s + self._rng.random() * (most_s - least_s))

    async def buy(self, column: str) -> bool:
        """Press a button with money in the machine; return whether goods came."""
        with self._machine.watch() as watch:
            self._machine.select(column)
            while (
                seen := await watch.until(VendEnded, Denied, TurnedAway, within_s=70)
            ) is not None:
                return isinstance(seen, VendEnded) and seen.delivered
        return False

    async def credited(self) -> bool:
        """Wait until the machine shows credit."""
        if self._machine.machine is not None and self._machine.machine.session is not None:
            return True
        with self._machine.watch() as watch:
            return await watch.until(SessionBegan, within_s=30) is not None

    async def asked_to_pay(self, column: str) -> int:
        """Press a button without money; return what the screen asks for, 0 if nothing."""
        with self._machine.watch() as watch:
            self._machine.select(column)
            seen = await watch.until(PaymentAsked, Denied, TurnedAway, within_s=30)
            return seen.amount_minor if isinstance(seen, PaymentAsked) else 0

    async def goods(self) -> bool:
        """Wait for the goods of a choice that was paid."""
        with self._machine.watch() as watch:
            seen = await watch.until(VendEnded, Denied, SessionEnded, TurnedAway, within_s=60)
            return isinstance(seen, VendEnded) and seen.delivered


# --- pay first ---


async def pays_exactly(one: Customer) -> None:
    """Pays a price and takes the goods."""
    column = one.column()
    if one.pay(one.price(column)) and await one.credited():
        await one.wait(1, 5)
        await one.buy(column)


async def buys_three(one: Customer) -> None:
    """Pays plenty, buys up to three things, takes the rest back or lets it lie."""
    if not (one.pay(2_000) and await one.credited()):
        return
    for _ in range(3):
        await one.wait(1, 10)
        await one.buy(one.column())
    if one._rng.random() < 0.7:
        one._machine.complete()


async def walks_away(one: Customer) -> None:
    """Pays and goes."""
    one.pay(one._rng.choice((1, 300, 1_000)))


async def pays_twice(one: Customer) -> None:
    """Tops up twice and buys once."""
    if one.pay(300) and await one.credited():
        await one.wait(0, 8)
        one.pay(400)
        await one.wait(1, 8)
        await one.buy(one.column())
        one._machine.complete()


async def pays_too_little(one: Customer) -> None:
    """Pays less than anything costs, and tries."""
    if one.pay(100) and await one.credited():
        await one.buy(one.column())
        await one.wait(1, 20)
        one._machine.complete()


async def is_overtaken(one: Customer) -> None:
    """Has credit when somebody else pays into the same machine."""
    if one.pay(1_000):
        await one.wait(0, 6)
        one.pay(one._rng.choice((200, 500)), name=f"{one._name}x")
        await one.credited()
        await one.buy(one.column())
        await one.wait(0, 4)
        one.pay(100, name=f"{one._name}y")
        one._machine.complete()


async def two_at_once(one: Customer) -> None:
    """Two people pay in the same moment."""
    one.pay(500)
    one.pay(500, name=f"{one._name}x")
    if await one.credited():
        await one.buy(one.column())


# --- choose first ---


async def chooses_and_pays(one: Customer) -> None:
    """Chooses, pays what is asked, takes the goods."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(2, 15)
        one.pay(amount)
        await one.goods()


async def pays_late(one: Customer) -> None:
    """Chooses and pays about when it is too late."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(20, 45)
        one.pay(amount)
        await one.wait(0, 20)


async def underpays(one: Customer) -> None:
    """Pays a part, perhaps the rest."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(1, 8)
        one.pay(max(1, amount - 100))
        await one.wait(1, 12)
        if one._rng.random() < 0.5:
            one.pay(100)
        await one.goods()


async def overpays(one: Customer) -> None:
    """Pays more than is asked."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(1, 8)
        one.pay(amount + 250)
        await one.goods()


async def cancels(one: Customer) -> None:
    """Chooses, presses cancel, and may have paid."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(1, 12)
        if one._rng.random() < 0.5:
            one.pay(amount)
        one._machine.cancel()
        await one.wait(0, 5)


async def never_pays(one: Customer) -> None:
    """Chooses and goes; somebody else may have paid for it."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(1, 10)
        if one._rng.random() < 0.3:
            one.pay(amount, name=f"{one._name}x")


async def leaves_for_the_next(one: Customer) -> None:
    """Chooses, pays in the last second and goes; the next one chooses at once."""
    if amount := await one.asked_to_pay(one.column()):
        await one.wait(20, 24.9)
        one.pay(amount)
        await one.wait(0.5, 6)
        if await one.asked_to_pay(one.column()):
            await one.goods()


async def pays_cash(one: Customer) -> None:
    """Has coins."""
    one._machine.cash(one.column())
    await one.wait(1, 2)


async def opens_the_door(one: Customer) -> None:
    """A technician looks after the machine, perhaps while somebody has money in it."""
    one._machine.door(is_open=True)
    await one.wait(5, 90)
    one._machine.repair_all()
    one._machine.door(is_open=False)


async def goes_on_choosing(one: Customer) -> None:
    """Pays less than anything costs, and tries for as long as they can stay."""
    if one.pay(100) and await one.credited():
        while True:
            await one.buy(one.column())
            await one.wait(5, 15)


async def is_next(one: Customer) -> None:
    """Wants what somebody's leftover does not cover, and pays the price of it."""
    if one.pay(100, name=f"{one._name}x") and await one.credited():
        column = one.column()
        if not await one.buy(column):
            await one.wait(2, 30)
            one.pay(one.price(column))
            await one.wait(2, 10)
            await one.buy(column)


async def presses_while_paying(one: Customer) -> None:
    """Has a little credit, pays the price, and presses without looking whether it is there; now and
    then thinks better of it in the same moment.
    """
    if one.pay(100) and await one.credited():
        for _ in range(8):
            column = one.column()
            one.pay(one.price(column))
            await one.wait(0, 1)
            if one._rng.random() < 0.2:
                one._machine.select(column)
                one._machine.cancel()
            await one.buy(column)
        one._machine.complete()


Visit = Callable[[Customer], Awaitable[None]]
PAY_FIRST: tuple[Visit, ...] = (
    pays_exactly, pays_exactly, buys_three, buys_three, walks_away, pays_twice, pays_too_little,
    is_overtaken, two_at_once, pays_cash, opens_the_door,
)  # fmt: skip
INSISTENT: tuple[Visit, ...] = (goes_on_choosing, is_next, is_next)
QUICK: tuple[Visit, ...] = (presses_while_paying,)
CHOOSE_FIRST: tuple[Visit, ...] = (
    chooses_and_pays, chooses_and_pays, pays_late, underpays, overpays, cancels, never_pays,
    leaves_for_the_next, leaves_for_the_next, walks_away, opens_the_door,
)  # fmt: skip
