"""What an experiment with an offer could see, before it begins: the payers who would be in it, each
with their arm, and the smallest lift that so many find in four of five tries, by how much payers
differed in the past, when nothing of it was tried.
"""

import asyncio
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from storage.database.engine import Database
from storage.experiments.content import Arm, Content
from storage.experiments.history import DaySpan
from storage.experiments.offered import BEGINS_WITHIN_DAYS, TriedOffer, to_be_tried
from storage.experiments.payers import PayersAsked, PayerSum, read_payers
from storage.insight import days, lease
from storage.insight.follower import NAME
from storage.insight.suppression import Gate
from storage.insight.tagging import day_that_is_over
from storage.lift.estimate import permille
from storage.lift.payers import ARM_MIN, PayerSpent, detectable
from storage.office.deeds import NotPossible

STEP_PERMILLE = 5
"""What can be seen is told in such steps, rounded up: no two answers differ by one payer's."""


SEEN_WITHIN_DAYS = 2
"""A payer's last day is known no more exactly than that, by the clocks of all sites."""


class PayerUnit(NamedTuple):
    """A payer who would be in it, in which arm, and what they spent before, in minor units."""

    payer_id: str
    arm: Arm
    before_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayerForesight:
    """``payers`` is how many are told of; None: too few. ``detectable_permille`` is None if their
    past is too short, or they are too few.
    """

    tried: TriedOffer
    units: tuple[PayerUnit, ...]
    pre: DaySpan
    payers: int | None
    detectable_permille: int | None

    def number(self, arm: Arm) -> int:
        """Return how many are in an arm; never to be told as it is."""
        return sum(unit.arm is arm for unit in self.units)


class PayerForeseeing:
    """Asks a database; ``gate`` is what figures of payers go out through. Who has not paid for
    ``unused_days`` is forgotten; None: nobody is. Every method raises StoreError when it does not
    answer.
    """

    def __init__(self, db: Database, gate: Gate, *, unused_days: int | None = None) -> None:
        self._db = db
        self._gate = gate
        self._unused_days = unused_days

    async def foreseen(self, content: Content, now_ms: int) -> PayerForesight:
        """Return what it would be. Raises NotThere, NotPossible (as ``to_be_tried``, NOT_TOLD_YET,
        TOO_FEW_PAYERS, PAYERS_FORGOTTEN).
        """
        self._check_kept(content)

        def read(connection: Connection) -> tuple[TriedOffer, int]:
            standing = lease.read_standing(connection, NAME)
            if standing.making_again or not standing.at_ms:
                raise NotPossible(
                    "NOT_TOLD_YET",
                    "nothing is told of sales yet, or all of it is being told again: try again "
                    "when GetSales says that it is complete",
                )
            tried = to_be_tried(connection, content.offer, now_ms)
            return tried, day_that_is_over(connection, standing.at_ms)

        tried, over = await self._db.read(read)
        pre = DaySpan(first=days.moved(over, 1 - content.pre_days), last=over)
        during = DaySpan(first=days.moved(over, 1 - content.days), last=over)
        now = PayersAsked(offer=tried.content, pre=pre, during=None, now_ms=now_ms)
        then = PayersAsked(
            offer=tried.content, pre=during.before(content.pre_days), during=during, now_ms=now_ms
        )
        there = await read_payers(self._db, now)
        past = await read_payers(self._db, then)
        return await asyncio.to_thread(self._told, tried, pre, there, past)

    def _check_kept(self, content: Content) -> None:
        """Refuse what would be told of those alone who go on buying: whom an offer brings back and
        who stays away is what it is to tell.
        """
        longest = content.pre_days + BEGINS_WITHIN_DAYS + content.days + SEEN_WITHIN_DAYS
        if self._unused_days is not None and self._unused_days < longest:
            raise NotPossible(
                "PAYERS_FORGOTTEN",
                f"who has not paid for {self._unused_days} days is forgotten (payer_unused_days), "
                "and would not count although they are in it: choose fewer days or pre_days, "
                f"which come to {longest} with those until the offer begins, or keep payers for "
                "longer",
            )

    def _told(
        self, tried: TriedOffer, pre: DaySpan, there: list[PayerSum], past: list[PayerSum]
    ) -> PayerForesight:
        units = tuple(PayerUnit(one.payer_id, tried.arm(one.payer_id), one.before) for one in there)
        control = sum(unit.arm is Arm.CONTROL for unit in units)
        treated = len(units) - control
        check_enough(min(treated, control), self._gate)
        spent = [PayerSpent(one.before, one.during) for one in past]
        smallest = detectable(spent, treated, control)
        return PayerForesight(
            tried=tried,
            units=units,
            pre=pre,
            payers=self._gate.count(len(units)),
            detectable_permille=None if smallest is None else _in_steps(permille(smallest)),
        )


def check_enough(smaller_arm: int, gate: Gate) -> None:
    """Raise NotPossible (TOO_FEW_PAYERS) if of so many nothing can be said, or may be."""
    least = max(ARM_MIN, gate.least)
    if smaller_arm < least:
        raise NotPossible(
            "TOO_FEW_PAYERS",
            f"fewer than {least} payers who bought in the days before at the offer's machines, "
            "where customers can pay first, would be offered it, or would be held out, and fewer "
            "say nothing: make an offer to more payers, at more machines, or with another "
            "holdout_percent, or choose more pre_days",
        )


def _in_steps(of: int) -> int:
    return max(STEP_PERMILLE, -(-of // STEP_PERMILLE) * STEP_PERMILLE)
