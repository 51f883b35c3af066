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
from gateway.simulator.orders import (
    Denied,
    FundsChanged,
    Greeted,
    PaymentAsked,
    PowerLost,
    SessionBegan,
    VendEnded,
)
from gateway.simulator.visit import Patience, PhoneAtHand, Seen, Visit, word_of
from gateway.v1 import machine_pb2 as pb

Script = Callable[[Visit], Awaitable[str]]

NOTHING_TO_BUY = "NOTHING_TO_BUY"
NOT_PAID = "NOT_PAID"
NO_SESSION = "NO_SESSION"

# --- pay first ---


async def exact_payer(visit: Visit) -> str:
    """Pays the price, buys, leaves nothing behind."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    if not await visit.pay(column.price_minor):
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    word = await visit.buy(column)
    if await visit.settles() is None:
        await visit.leave()
    return word


async def tops_up_and_walks_away(visit: Visit) -> str:
    """Pays and is called away; the rest must come back by itself."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    if not await visit.pay(column.price_minor * visit.rng.randint(1, 3)):
        return NOT_PAID
    began = await visit.begins()
    if began is None:
        return NO_SESSION
    ended = await visit.ends(within_s=(began.expires_in_ms or 0) / 1000 + visit.patience.margin_s)
    return (
        "NO_END"
        if ended is None
        else pb.EndSessionReason.Name(ended.reason).removeprefix("END_SESSION_REASON_")
    )


async def tops_up_twice(visit: Visit) -> str:
    """Pays too little, sees it, pays the rest, buys."""
    column = visit.pick()
    if column is None or column.price_minor < 2:
        return NOTHING_TO_BUY
    first = visit.rng.randint(1, column.price_minor - 1)
    if not await visit.pay(first):
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    if not await visit.pay(column.price_minor - first):
        return await visit.leave()
    await visit.until(FundsChanged, within_s=visit.patience.answer_s)
    word = await visit.buy(column)
    if await visit.settles() is None:
        await visit.leave()
    return word


async def buys_three(visit: Visit) -> str:
    """Pays for three and a little more, buys three, takes the rest back."""
    dearest = max((column.price_minor for column in visit.columns), default=0)
    if dearest == 0:
        return NOTHING_TO_BUY
    if not await visit.pay(3 * dearest + visit.rng.randint(0, dearest)):
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    words = []
    for _ in range(3):
        column = visit.pick(at_most_minor=visit.funds_minor)
        if column is None:
            break
        words.append(await visit.buy(column))
        if words[-1] == "NO_ANSWER" or await visit.settles() is not None:
            break
    await visit.leave()
    return "+".join(words) or NOTHING_TO_BUY


async def pays_a_machine_that_jams(visit: Visit) -> str:
    """Pays the price; the motor jams; wants the money back."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    visit.jam(column.column)
    if not await visit.pay(column.price_minor):
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    word = await visit.buy(column)
    await visit.settles()
    await visit.leave()
    return word


async def two_at_once(visit: Visit) -> str:
    """Two people pay the same machine in the same moment; one of them buys."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    paid = await asyncio.gather(
        visit.pay(column.price_minor), visit.pay(column.price_minor, buyer=f"{visit.buyer}-friend")
    )
    if not any(paid):
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    word = await visit.buy(column)
    if await visit.settles() is None:
        await visit.leave()
    return word


async def loses_power(visit: Visit) -> str:
    """Pays, chooses, and the street goes dark at some point of the vend."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    point = visit.rng.choice(list(CutPoint))
    if not await visit.pay(column.price_minor * 2):
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    visit.machine.cut_power_at(point)
    await visit.think()
    visit.machine.select(column.column)
    dark = await visit.until(PowerLost, Denied, within_s=visit.patience.answer_s)
    if not isinstance(dark, PowerLost):
        await visit.leave()
        return f"NOT_CUT_AT_{point}"
    visit.note(f"dark at {point}")
    await visit.away()
    visit.machine.power_on()
    await visit.until(Greeted, within_s=visit.patience.answer_s)
    # Whether and how the stay goes on is the backend's decision; it may take the machine's journal
    # to decide.
    await visit.until(SessionBegan, within_s=visit.patience.glance_s)
    await visit.until(FundsChanged, within_s=visit.patience.glance_s)
    return f"CUT_AT_{point}:{await visit.leave()}"


async def pays_an_offline_machine(visit: Visit) -> str:
    """Pays a machine that has lost its network, by the code that is glued to it."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    visit.machine.unplug()
    paid = await visit.pay(column.price_minor)
    await visit.away()
    visit.machine.plug()
    if not paid:
        return NOT_PAID
    if await visit.begins() is None:
        return NO_SESSION
    word = await visit.buy(column)
    if await visit.settles() is None:
        await visit.leave()
    return word


# --- purchase first ---


async def purchase_first(visit: Visit) -> str:
    """Chooses, pays what the screen asks for, gets the goods."""
    return await _choose_and_pay(visit, lambda asked_minor: asked_minor)


async def overpays(visit: Visit) -> str:
    """Chooses and pays more than asked; the rest must come back."""
    return await _choose_and_pay(visit, lambda asked_minor: asked_minor + visit.rng.randint(1, 500))


async def underpays(visit: Visit) -> str:
    """Chooses, pays less than asked, and waits in vain."""
    asked = await _asked(visit)
    if not isinstance(asked, PaymentAsked):
        return asked
    if asked.amount_minor < 2 or not await visit.pay(
        visit.rng.randint(1, asked.amount_minor - 1), qr_payload=asked.qr_payload
    ):
        visit.machine.cancel()
    within_s = asked.expires_in_ms / 1000 + visit.patience.margin_s
    word = word_of(await visit.until(Denied, VendEnded, within_s=within_s))
    await visit.ends()
    return word


async def pays_late(visit: Visit) -> str:
    """Chooses, fumbles with the phone until the machine has given up, pays all the same."""
    asked = await _asked(visit)
    if not isinstance(asked, PaymentAsked):
        return asked
    denied = await visit.until(
        Denied, within_s=asked.expires_in_ms / 1000 + visit.patience.margin_s
    )
    if not await visit.pay(asked.amount_minor, qr_payload=asked.qr_payload):
        return NOT_PAID
    if await visit.until(SessionBegan, within_s=visit.patience.glance_s) is not None:
        return f"SESSION:{await visit.leave()}"
    return f"LATE:{word_of(denied)}"


async def cancels(visit: Visit) -> str:
    """Chooses, and changes their mind before paying."""
    asked = await _asked(visit)
    if not isinstance(asked, PaymentAsked):
        return asked
    await visit.think()
    visit.machine.cancel()
    return word_of(await visit.until(Denied, VendEnded, within_s=visit.patience.answer_s))


async def _asked(visit: Visit) -> PaymentAsked | str:
    """Choose a column and wait to be asked for money; one word if that is not what happens."""
    column = visit.pick()
    if column is None:
        return NOTHING_TO_BUY
    answer = await visit.choose(column.column)
    return answer if isinstance(answer, PaymentAsked) else word_of(answer)


async def _choose_and_pay(visit: Visit, amount: Callable[[int], int]) -> str:
    asked = await _asked(visit)
    if not isinstance(asked, PaymentAsked):
        return asked
    await visit.think()
    if not await visit.pay(amount(asked.amount_minor), qr_payload=asked.qr_payload):
        visit.machine.cancel()
        await visit.until(Denied, within_s=visit.patience.answer_s)
        return NOT_PAID
    within_s = asked.expires_in_ms / 1000 + visit.patience.answer_s
    word = word_of(await visit.until(VendEnded, Denied, PowerLost, within_s=within_s))
    await visit.ends()
    return word


# --- who comes ---

_PAY_FIRST = frozenset({pb.MODE_AUTHORIZATION_FIRST, pb.MODE_BOTH})
_PURCHASE_FIRST = frozenset({pb.MODE_SELECTION_FIRST, pb.MODE_BOTH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of customer: the script, the modes of a machine that it makes sense at, how often it
    comes.
    """

    script: Script
    modes: frozenset[pb.Mode.ValueType]
    weight: int = 1


KINDS: dict[str, Kind] = {
    "exact_payer": Kind(script=exact_payer, modes=_PAY_FIRST, weight=4),
    "tops_up_and_walks_away": Kind(script=tops_up_and_walks_away, modes=_PAY_FIRST),
    "tops_up_twice": Kind(script=tops_up_twice, modes=_PAY_FIRST),
    "buys_three": Kind(script=buys_three, modes=_PAY_FIRST, weight=2),
    "pays_a_machine_that_jams": Kind(script=pays_a_machine_that_jams, modes=_PAY_FIRST),
    "two_at_once": Kind(script=two_at_once, modes=_PAY_FIRST),
    "loses_power": Kind(script=loses_power, modes=_PAY_FIRST),
    "pays_an_offline_machine": Kind(script=pays_an_offline_machine, modes=_PAY_FIRST),
    "purchase_first": Kind(script=purchase_first, modes=_PURCHASE_FIRST, weight=4),
    "overpays": Kind(script=overpays, modes=_PURCHASE_FIRST, weight=2),
    "underpays": Kind(script=underpays, modes=_PURCHASE_FIRST),
    "pays_late": Kind(script=pays_late, modes=_PURCHASE_FIRST),
    "cancels": Kind(script=cancels, modes=_PURCHASE_FIRST),
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
    with Visit(
        kind=kind,
        machine=machine,
        phone=phone,
        rng=rng,
        buyer=buyer,
        patience=patience or Patience(),
    ) as visit:
        outcome = await KINDS[kind].script(visit)
        return visit.seen(outcome)
