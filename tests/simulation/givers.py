"""An operator who gives offers, and the regulars who use them.

Flows in: a world in which offers are given. Flows out: the first truth about them that does not
hold. B23: after each COMMIT no offer has given more than its budget, nobody has used one more often
than they may, and what is spent is what vends took off; the ledger moved what was paid. Who is told
that an offer is used up does not try it again for ever.
"""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from actors.machine.offer import WHOLE
from actors.ports import OffersSpent
from storage.insight.suppression import Gate
from storage.offers.content import OfferContent
from storage.offers.offers import Offers
from storage.office.deeds import Deed
from storage.office.selectors import Selector
from tests.simulation.processes import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

REGULARS = 4
REFUSED_OFTEN = 5
"""Hosts that die between a refusal and the next COMMIT are told again, and nothing else is."""
MANY = 20
"""Where budgets are to run out again and again; there are no more at once."""
_GIVEN = (
    "FROM vends v JOIN sessions s ON s.session_id = v.session_id "
    "JOIN offers o ON o.offer = v.offer "
    "WHERE v.status NOT IN ('FAILED', 'VOIDED') AND v.reason <> 'WRITTEN_OFF'"
)


def name(world: "World", machine_id: str, rng: Random) -> str:
    """Return who comes: a stranger, or where offers are given one of a few who come again."""
    if not world.gives:
        return f"buyer{world.seed}.{machine_id}.{world.visits}"
    return f"regular{world.seed}.{rng.randrange(REGULARS)}"


def _offer(world: "World", rng: Random, now_ms: int) -> OfferContent:
    share = rng.random() < 0.5
    return OfferContent(
        name="Tea time",
        selector=Selector(all=True),
        tag="",
        product="",
        category="",
        currency=world.currency,
        discount_minor=0 if share else rng.choice((1, 50, 120)),
        basis_points=rng.choice((500, 3_333, 9_000)) if share else 0,
        begins_at_ms=now_ms,
        ends_at_ms=now_ms + rng.choice((200_000, 800_000, 86_400_000)),
        budget_minor=rng.choice((60, 300, 1_000)),
        uses_per_payer=rng.choice((1, 2, 5)),
        holdout_percent=rng.choice((0, 0, 30)),
    )


async def give(world: "World") -> None:
    """Make offers whose budgets are soon used up."""
    rng = world.rng("offers")
    office = world.disk.open_for(Process("giver", lambda _: None), rng, type(world.faults)())
    offers = Offers(office, Gate())
    now_ms = world.clock.now_ms()
    some = rng.choice((1, 2, 3))
    for number in range(MANY if world.quick else some):
        content = _offer(world, rng, now_ms)
        if world.quick:  # Each is good for one who comes first.
            content = replace(content, discount_minor=50, basis_points=0, budget_minor=60)
        deed = Deed(actor="office", action="CreateOffer", now_ms=now_ms)
        await offers.create(f"offer{number}", content, deed, holdout_key=f"{world.seed}")


class Refusals:
    """Counts what the books refuse to count, by vend and offer."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._often: Counter[tuple[str, str]] = Counter()

    def __call__(self, spent: OffersSpent) -> None:
        """A COMMIT was refused: what it used is decided again without these offers."""
        for one in spent.refused:
            self._often[one.vend_id, one.offer] += 1
            if self._often[one.vend_id, one.offer] > REFUSED_OFTEN:
                self._world.checker.broken(
                    "what the books refuse is not tried for ever",
                    f"vend {one.vend_id} wants {one.offer} again and again: {one.why}",
                )


def nobody_gives_too_much(world: "World") -> None:
    """Look at the offers after a COMMIT."""
    rows = world.disk.rows
    for offer, given, budget in rows(
        f"SELECT v.offer, sum(v.discount_minor), max(o.budget_minor) {_GIVEN} GROUP BY v.offer "
        "HAVING sum(v.discount_minor) > max(o.budget_minor)"
    ):
        world.checker.broken(
            "no offer gives more than its budget", f"{offer} of {budget} gave {given}"
        )
    for offer, payer_id, uses in rows(
        f"SELECT v.offer, s.payer_id, count(*) {_GIVEN} GROUP BY v.offer, s.payer_id "
        "HAVING count(*) > max(o.uses_per_payer)"
    ):
        world.checker.broken(
            "nobody uses an offer more often than they may", f"{payer_id} used {offer} {uses} times"
        )
    for offer, spent, given in rows(
        "SELECT offer, spent_minor, (SELECT coalesce(sum(v.discount_minor), 0) FROM vends v "
        "WHERE v.offer = p.offer AND v.status NOT IN ('FAILED', 'VOIDED') "
        "AND v.reason <> 'WRITTEN_OFF') AS given FROM offer_spending p "
        "WHERE spent_minor <> given"
    ):
        world.checker.broken(
            "what is spent of an offer is what its vends took off",
            f"{offer} is spent by {spent}, and gave {given}",
        )


def what_was_paid_was_moved(world: "World") -> None:
    """At rest: what an offer took off is what it says, and the ledger sold what was paid."""
    for vend_id, price, off, minor, points, sold in world.disk.rows(
        "SELECT v.vend_id, v.price_minor, v.discount_minor, o.discount_minor, o.basis_points, "
        "(SELECT sum(t.amount_minor) FROM transfers t WHERE t.kind = 'SETTLE' "
        "AND t.debit_reference = v.vend_id) FROM vends v JOIN offers o ON o.offer = v.offer "
        "WHERE v.status = 'SUCCEEDED' AND v.reason <> 'WRITTEN_OFF'"
    ):
        shown = price + off
        wanted = min(minor or shown * points // WHOLE, shown - 1)
        if (off, sold) != (wanted, price):
            world.checker.broken(
                "who uses an offer pays what it leaves of the price",
                f"vend {vend_id}: of {shown} {off} was taken off, not {wanted}, and {sold} sold",
            )
