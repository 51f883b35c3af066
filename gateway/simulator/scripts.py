"""Customers of every kind, as plain scripts: what people really do in front of a vending machine.

Flows in: a free machine, a phone, a seeded source of chance. Flows out: what the customer saw
(:class:`Seen`). The outcome is one word; a customer judges nothing, the checker compares phone,
shelf and books afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from gateway.simulator.board import Board, CutPoint
from gateway.simulator.customer import Customer, Patience, PhoneAtHand, Seen, word_of
from gateway.simulator.happenings import (
    Denied,
    FundsChanged,
    Greeted,
    PaymentAsked,
    PowerLost,
    SessionBegan,
    VendEnded,
)
from gateway.v1 import machine_pb2 as pb

Script = Callable[[Customer], Awaitable[str]]

NOTHING_TO_BUY = "NOTHING_TO_BUY"
NOT_PAID = "NOT_PAID"
NO_SESSION = "NO_SESSION"

# --- pay first ---


async def exact_payer(customer: Customer) -> str:
    """Pay the price, buy, leave nothing behind."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    if not await customer.pay(column.price_minor):
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    word = await customer.buy(column)
    if await customer.settles() is None:
        await customer.leave()
    return word


async def tops_up_and_walks_away(customer: Customer) -> str:
    """Pay and be called away; the rest must come back by itself."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    if not await customer.pay(column.price_minor * customer.rng.randint(1, 3)):
        return NOT_PAID
    began = await customer.begins()
    if began is None:
        return NO_SESSION
    ended = await customer.ends(
        within_s=(began.expires_in_ms or 0) / 1000 + customer.patience.margin_s
    )
    return (
        "NO_END"
        if ended is None
        else pb.EndSessionReason.Name(ended.reason).removeprefix("END_SESSION_REASON_")
    )


async def tops_up_twice(customer: Customer) -> str:
    """Pay too little, see it, pay the rest, buy."""
    column = customer.pick()
    if column is None or column.price_minor < 2:
        return NOTHING_TO_BUY
    first = customer.rng.randint(1, column.price_minor - 1)
    if not await customer.pay(first):
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    if not await customer.pay(column.price_minor - first):
        return await customer.leave()
    await customer.until(FundsChanged, within_s=customer.patience.answer_s)
    word = await customer.buy(column)
    if await customer.settles() is None:
        await customer.leave()
    return word


async def buys_three(customer: Customer) -> str:
    """Pay for three and a little more, buy three, take the rest back."""
    dearest = max((column.price_minor for column in customer.columns), default=0)
    if dearest == 0:
        return NOTHING_TO_BUY
    if not await customer.pay(3 * dearest + customer.rng.randint(0, dearest)):
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    words = []
    for _ in range(3):
        column = customer.pick(at_most_minor=customer.funds_minor)
        if column is None:
            break
        words.append(await customer.buy(column))
        if words[-1] == "NO_ANSWER" or await customer.settles() is not None:
            break
    await customer.leave()
    return "+".join(words) or NOTHING_TO_BUY


async def pays_a_machine_that_jams(customer: Customer) -> str:
    """Pay the price; the motor jams; want the money back."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    customer.jam(column.column)
    if not await customer.pay(column.price_minor):
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    word = await customer.buy(column)
    await customer.settles()
    await customer.leave()
    return word


async def two_at_once(customer: Customer) -> str:
    """Pay the same machine twice in the same moment, as two people do; one of them buys."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    paid = await asyncio.gather(
        customer.pay(column.price_minor),
        customer.pay(column.price_minor, buyer=f"{customer.buyer}-friend"),
    )
    if not any(paid):
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    word = await customer.buy(column)
    if await customer.settles() is None:
        await customer.leave()
    return word


async def loses_power(customer: Customer) -> str:
    """Pay, choose, and lose the power at some point of the vend."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    point = customer.rng.choice(list(CutPoint))
    if not await customer.pay(column.price_minor * 2):
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    customer.machine.cut_power_at(point)
    await customer.think()
    customer.machine.select(column.column)
    dark = await customer.until(PowerLost, Denied, within_s=customer.patience.answer_s)
    if not isinstance(dark, PowerLost):
        await customer.leave()
        return f"NOT_CUT_AT_{point}"
    customer.note(f"dark at {point}")
    await customer.away()
    customer.machine.power_on()
    await customer.until(Greeted, within_s=customer.patience.answer_s)
    # Whether and how the stay goes on is the backend's decision; it may take the machine's journal
    # to decide.
    await customer.until(SessionBegan, within_s=customer.patience.glance_s)
    await customer.until(FundsChanged, within_s=customer.patience.glance_s)
    return f"CUT_AT_{point}:{await customer.leave()}"


async def pays_an_offline_machine(customer: Customer) -> str:
    """Pay a machine that has lost its network, by the code that is glued to it."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    customer.machine.unplug()
    paid = await customer.pay(column.price_minor)
    await customer.away()
    customer.machine.plug()
    if not paid:
        return NOT_PAID
    if await customer.begins() is None:
        return NO_SESSION
    word = await customer.buy(column)
    if await customer.settles() is None:
        await customer.leave()
    return word


# --- purchase first ---


async def purchase_first(customer: Customer) -> str:
    """Choose, pay what the screen asks for, get the goods."""
    return await _choose_and_pay(customer, lambda asked_minor: asked_minor)


async def overpays(customer: Customer) -> str:
    """Choose and pay more than asked; the rest must come back."""
    return await _choose_and_pay(
        customer, lambda asked_minor: asked_minor + customer.rng.randint(1, 500)
    )


async def underpays(customer: Customer) -> str:
    """Choose, pay less than asked, and wait in vain."""
    asked = await _asked(customer)
    if not isinstance(asked, PaymentAsked):
        return asked
    if asked.amount_minor < 2 or not await customer.pay(
        customer.rng.randint(1, asked.amount_minor - 1), qr_payload=asked.qr_payload
    ):
        customer.machine.cancel()
    within_s = asked.expires_in_ms / 1000 + customer.patience.margin_s
    word = word_of(await customer.until(Denied, VendEnded, within_s=within_s))
    await customer.ends()
    return word


async def pays_late(customer: Customer) -> str:
    """Choose, fumble with the phone until the machine has given up, pay all the same."""
    asked = await _asked(customer)
    if not isinstance(asked, PaymentAsked):
        return asked
    denied = await customer.until(
        Denied, within_s=asked.expires_in_ms / 1000 + customer.patience.margin_s
    )
    if not await customer.pay(asked.amount_minor, qr_payload=asked.qr_payload):
        return NOT_PAID
    if await customer.until(SessionBegan, within_s=customer.patience.glance_s) is not None:
        return f"SESSION:{await customer.leave()}"
    return f"LATE:{word_of(denied)}"


async def cancels(customer: Customer) -> str:
    """Choose, and cancel before paying."""
    asked = await _asked(customer)
    if not isinstance(asked, PaymentAsked):
        return asked
    await customer.think()
    customer.machine.cancel()
    return word_of(await customer.until(Denied, VendEnded, within_s=customer.patience.answer_s))


async def _asked(customer: Customer) -> PaymentAsked | str:
    """Choose a column and wait to be asked for money; return one word if something else happens."""
    column = customer.pick()
    if column is None:
        return NOTHING_TO_BUY
    answer = await customer.choose(column.column)
    return answer if isinstance(answer, PaymentAsked) else word_of(answer)


async def _choose_and_pay(customer: Customer, amount: Callable[[int], int]) -> str:
    asked = await _asked(customer)
    if not isinstance(asked, PaymentAsked):
        return asked
    await customer.think()
    if not await customer.pay(amount(asked.amount_minor), qr_payload=asked.qr_payload):
        customer.machine.cancel()
        await customer.until(Denied, within_s=customer.patience.answer_s)
        return NOT_PAID
    within_s = asked.expires_in_ms / 1000 + customer.patience.answer_s
    word = word_of(await customer.until(VendEnded, Denied, PowerLost, within_s=within_s))
    await customer.ends()
    return word


# --- who comes ---

_PAY_FIRST = frozenset({pb.MODE_AUTHORIZATION_FIRST, pb.MODE_BOTH})
_PURCHASE_FIRST = frozenset({pb.MODE_SELECTION_FIRST, pb.MODE_BOTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerKind:
    """A kind of customer: the script, the modes of a machine that it makes sense at, how often it
    comes.
    """

    script: Script
    modes: frozenset[pb.Mode.ValueType]
    weight: int = 1


KINDS: dict[str, CustomerKind] = {
    "exact_payer": CustomerKind(script=exact_payer, modes=_PAY_FIRST, weight=4),
    "tops_up_and_walks_away": CustomerKind(script=tops_up_and_walks_away, modes=_PAY_FIRST),
    "tops_up_twice": CustomerKind(script=tops_up_twice, modes=_PAY_FIRST),
    "buys_three": CustomerKind(script=buys_three, modes=_PAY_FIRST, weight=2),
    "pays_a_machine_that_jams": CustomerKind(script=pays_a_machine_that_jams, modes=_PAY_FIRST),
    "two_at_once": CustomerKind(script=two_at_once, modes=_PAY_FIRST),
    "loses_power": CustomerKind(script=loses_power, modes=_PAY_FIRST),
    "pays_an_offline_machine": CustomerKind(script=pays_an_offline_machine, modes=_PAY_FIRST),
    "purchase_first": CustomerKind(script=purchase_first, modes=_PURCHASE_FIRST, weight=4),
    "overpays": CustomerKind(script=overpays, modes=_PURCHASE_FIRST, weight=2),
    "underpays": CustomerKind(script=underpays, modes=_PURCHASE_FIRST),
    "pays_late": CustomerKind(script=pays_late, modes=_PURCHASE_FIRST),
    "cancels": CustomerKind(script=cancels, modes=_PURCHASE_FIRST),
}


def kind_for(mode: pb.Mode.ValueType, rng: Random, wanted: tuple[str, ...] = ()) -> str | None:
    """Return the name of the next customer's kind at a machine in this mode; None if none of
    ``wanted`` fits.
    """
    fitting = {
        name: kind
        for name, kind in KINDS.items()
        if mode in kind.modes and (not wanted or name in wanted)
    }
    if not fitting:
        return None
    return rng.choices(list(fitting), weights=[kind.weight for kind in fitting.values()])[0]


async def serve(
    kind: str,
    machine: Board,
    phone: PhoneAtHand,
    *,
    rng: Random,
    buyer: str,
    patience: Patience | None = None,
) -> Seen:
    """Let one customer of this kind use the machine, which must be free."""
    with Customer(
        kind=kind,
        machine=machine,
        phone=phone,
        rng=rng,
        buyer=buyer,
        patience=patience or Patience(),
    ) as customer:
        outcome = await KINDS[kind].script(customer)
        return customer.seen(outcome)
