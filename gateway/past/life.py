"""The past as it is lived: day by day, customer by customer, until now.

Flows in: the parts and a plan. Flows out: ``PastTold``. At night is done what the real program
does all day: tried prices are set and taken back, the follower tells of what was sold, tags are
evaluated.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from gateway.demo.stage import CURRENCY
from gateway.office.v1 import (
    experiment_pb2,
    experiment_service_pb2,
    sales_service_pb2,
)
from gateway.past import deeds
from gateway.past.demand import Visit, visits
from gateway.past.parts import PastParts
from gateway.past.plan import HOT, TRIAL, ZONE, PastFailed, PastPlan
from gateway.past.told import HotFound, PastTold
from gateway.simulator.customer import Customer, Patience
from gateway.simulator.happenings import PaymentAsked, SessionEnded, VendEnded
from gateway.v1 import machine_pb2 as pb
from storage.insight import days
from storage.machines.rows import DAY_MS

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
MORNING_MS = 4 * HOUR_MS
"""By then each machine has sent a heartbeat since midnight, and no customer has come."""
OFFICE_MS = 9 * HOUR_MS
"""When people come to the office."""
FORTNIGHT = 14
HOT_DAYS = 28
WEEK = 7


def begins_ms(plan: PastPlan, now_ms: int) -> int:
    """Return when the first day of a plan begins whose last day is the one before today."""
    here = dt.datetime.fromtimestamp(now_ms / 1_000, ZoneInfo(ZONE))
    today = here.replace(hour=0, minute=0, second=0, microsecond=0)
    return round((today - dt.timedelta(days=plan.days)).timestamp() * 1_000)


@dataclass(slots=True, kw_only=True)
class Life:
    """``live`` once. ``until_ms`` is now; ``say`` is told how far it is."""

    parts: PastParts
    plan: PastPlan
    until_ms: int
    say: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)

    async def live(self) -> PastTold:
        """Live it. Raises PastFailed, or Refused if a call of the office is."""
        began_s, clock = time.monotonic(), self.parts.clock
        first_ms = clock.began_ms
        for day in range(self.plan.days + 1):
            midnight_ms = first_ms + day * DAY_MS
            if midnight_ms + MORNING_MS > self.until_ms:
                break  # it has only just begun
            await clock.until(midnight_ms + MINUTE_MS)
            await self._night(day, midnight_ms + MORNING_MS)
            if day % WEEK == 0 and day:
                week = f"week {day // WEEK} of {self.plan.weeks}"
                self.say(f"{week}, {self.counts['sold']} sales")
            await self._office(day, midnight_ms)
            await self._day(day, midnight_ms)
        await clock.until(self.until_ms)
        await self._night(self.plan.days, self.until_ms)
        self.say("proving the books")
        await self.parts.audited()
        return await self._told(time.monotonic() - began_s)

    async def open_the_business(self) -> None:
        """Take the fleet in, before its first customer. Raises Refused."""
        today = days.as_date(self._d(0))
        for request in deeds.opening(self.plan, today):
            await self.parts.ask(request)

    def _d(self, day: int) -> int:
        """Return a day of the plan as 20260131."""
        here = dt.datetime.fromtimestamp(self.parts.clock.began_ms / 1_000, ZoneInfo(ZONE))
        return days.moved(int(here.strftime("%Y%m%d")), day)

    async def _office(self, day: int, midnight_ms: int) -> None:
        """Do what people come to the office for."""
        asked: list[Message] = []
        if day == self.plan.trial_day:
            asked += deeds.trial(self.plan)
        if day == self.plan.tags_day:
            asked += deeds.tags()
        if asked:
            await self.parts.clock.until(midnight_ms + OFFICE_MS)
        for request in asked:
            await self.parts.ask(request)

    async def _night(self, day: int, morning_ms: int) -> None:
        """Set tried prices, and hear until the morning that machines have them. What was sold is
        told once a week before anybody asks for it, as if the program had been busy.
        """
        worker = self.parts.gateway.office.experimenting
        await worker.once()
        await self.parts.clock.until(morning_ms)
        if day % WEEK == 0 or day == self.plan.trial_day or day >= self.plan.tags_day:
            await self.parts.caught_up()
        await worker.once()

    async def _day(self, day: int, midnight_ms: int) -> None:
        weekday = days.as_date(self._d(day)).weekday()
        for visit in visits(self.plan, day, weekday):
            at_ms = midnight_ms + visit.at_s * 1_000
            if at_ms >= self.until_ms - MINUTE_MS:
                return
            await self.parts.clock.until(at_ms)
            self.counts[await self._visit(visit)] += 1

    async def _visit(self, visit: Visit) -> str:
        """Let one customer buy; return how that ended."""
        board = self.parts.machines[visit.place]
        machine = board.machine
        column = None if machine is None else machine.columns.get(visit.column)
        if machine is None or column is None:
            return "lost"
        if not visit.pays(column.price_minor):
            return "went away"
        with Customer(
            kind="past",
            machine=board,
            phone=self.parts,
            rng=Random(f"past visit {visit}"),  # noqa: S311 - it may be lived again
            buyer=visit.buyer,
            patience=Patience(),
        ) as customer:
            if machine.service.mode == pb.MODE_AUTHORIZATION_FIRST:
                return await _pays_first(customer, column)
            return await _chooses_first(customer, column)

    async def _told(self, seconds: float) -> PastTold:
        request = experiment_service_pb2.GetExperimentRequest(code=TRIAL)
        trial = (await self.parts.ask(request)).experiment
        if trial.state != experiment_pb2.EXPERIMENT_STATE_ENDED:
            raise PastFailed(f"the trial has not ended: {trial.sentence}")
        result = trial.result
        return PastTold(
            weeks=self.plan.weeks,
            machines=len(self.plan.places),
            sales=self.counts["sold"],
            went_away=self.counts["went away"],
            lost=self.counts["lost"],
            seconds=round(seconds, 1),
            first_day=self._d(0),
            hot=await self._hot(),
            trial=trial.sentence,
            lift_permille=result.lift_permille,
            low_permille=result.low_permille,
            high_permille=result.high_permille,
            true_lift_permille=round(1_000 * self.plan.lift),
        )

    async def _hot(self) -> list[HotFound]:
        last = self._d(self.plan.days - 1)
        names = {one.district.code: one.district.name for one in self.plan.places}
        now = await self._labels(days.moved(last, 1 - HOT_DAYS), last)
        since: dict[str, int] = {}
        # Backwards, as long as it was so each day.
        standing = set(now)
        for back in range(self.plan.days - FORTNIGHT):
            if not standing:
                break
            d = days.moved(last, -back)
            standing &= set(await self._labels(days.moved(d, 1 - FORTNIGHT), d))
            since |= dict.fromkeys(standing, d)
        return [
            HotFound(
                name=names[code],
                above_percent=sure,
                since_day=since.get(code, last),
                turned_day=self._d(self.plan.hot_day) if code == HOT else 0,
                factor=self.plan.hot_factor,
            )
            for code, sure in now.items()
        ]

    async def _labels(self, first: int, last: int) -> dict[str, int]:
        """Return the districts that were HOT in some days, and how sure that is."""
        request = sales_service_pb2.GetHotDistrictsRequest(
            first_day=first, last_day=last, currency=CURRENCY
        )
        found = (await self.parts.ask(request)).districts
        hot = sales_service_pb2.DISTRICT_LABEL_HOT
        return {one.district: one.above_percent for one in found if one.label == hot}


async def _pays_first(customer: Customer, column: pb.PlanogramColumn) -> str:
    if not await customer.pay(column.price_minor) or await customer.begins() is None:
        return "lost"
    delivered = await customer.buy(column) == "DELIVERED"
    await customer.until(SessionEnded, within_s=customer.patience.answer_s)
    return "sold" if delivered else "lost"


async def _chooses_first(customer: Customer, column: pb.PlanogramColumn) -> str:
    asked = await customer.choose(column.column)
    if not isinstance(asked, PaymentAsked):
        return "lost"
    if not await customer.pay(asked.amount_minor, qr_payload=asked.qr_payload):
        return "lost"
    ended = await customer.until(VendEnded, within_s=customer.patience.answer_s)
    return "sold" if isinstance(ended, VendEnded) and ended.delivered else "lost"
