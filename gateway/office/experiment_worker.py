"""Gives the machines of experiments what their arm has today, keeps which of them have it, and
tells what came of an experiment once its end day is over.

Flows in: the experiments that run. Flows out: the machines that an arm's screen plan means, changes
of machines' prices, some each second, acknowledgements and results. Every gateway runs this: what
is so already differs no more, so that another goes on without knowing where one died.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import structlog

from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.machine_acts import MachineActs
from gateway.screens.compile import compiled
from storage.experiments.arms import Arms, Now
from storage.experiments.content import Channel
from storage.experiments.measuring import Measuring, Ripe
from storage.experiments.prices import PriceWish, TriedPrices, restoring, trying
from storage.fleet.answers import KeepingClock
from storage.office.screens import Screens

log = structlog.get_logger()

LOOK_EVERY_S = 15.0
SECOND_S = 1.0
MACHINES_PER_S = 20
WITHIN_S = 10.0
"""A change waits no longer for a machine's actor, which finds it by itself then."""


@dataclass(slots=True, kw_only=True)
class ExperimentWorker:
    """``screens_changed`` is told when machines may have to show something else."""

    arms: Arms
    prices: TriedPrices
    measuring: Measuring
    screens: Screens
    acts: MachineActs
    keeping: KeepingClock
    screens_changed: Callable[[], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """An experiment was started or stopped."""
        self._woken.set()

    async def run(self) -> None:
        """Look at what is due, until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.once()
            except StoreError as error:
                log.warning("experiments wait for the database", error=str(error))
            except Exception:
                log.exception("a round of the experiments failed; the next one tries again")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()

    async def once(self) -> None:
        """Do what is due. Raises StoreError; nothing is lost by it."""
        nows = await self.arms.now(await self.keeping.likely_ms())
        changed = [await self.arms.plan_screens(now) for now in nows]
        if any(changed):
            self.screens_changed()
        await self._price(await self.prices.wishes(nows))
        for now in nows:
            if now.open:
                have = await self._have(now)
                await self.arms.acknowledged(now, have, await self.keeping.likely_ms())
        for due in await self.measuring.due():
            await self._measure(due)

    async def _measure(self, due: Ripe) -> None:
        """Tell what came of one; whatever is wrong with it, the others are told."""
        try:
            view = await self.measuring.measure(due, await self.keeping.likely_ms())
        except StoreError:
            raise
        except Exception:
            log.exception("an experiment was not measured", experiment=due.view.experiment)
            return
        if view.result is not None:
            log.info(
                "an experiment has ended",
                experiment=view.experiment,
                lift_permille=view.result.lift_permille,
                significant=view.result.significant,
            )

    async def _have(self, now: Now) -> set[str]:
        """Return the machines of an experiment that have what their arm has."""
        if now.view.content.channel is Channel.PRICE:
            return await self.arms.priced(now)
        material = await self.screens.material(await self.keeping.likely_ms())
        wanted = {one: material.wanted[one] for one in now.open if one in material.wanted}
        material = replace(material, wanted=wanted)
        made = await asyncio.to_thread(compiled, material)
        applied = await self.screens.applied(sorted(wanted))
        return {one for one, manifest in made.of.items() if applied.get(one) == manifest}

    async def _price(self, wishes: Sequence[PriceWish]) -> None:
        for start in range(0, len(wishes), MACHINES_PER_S):
            some = wishes[start : start + MACHINES_PER_S]
            refusals = await asyncio.gather(*map(self._price_one, some))
            told = [one for one in refusals if one]
            if told:
                log.warning(
                    "machines have not the price of an experiment yet",
                    machines=len(told),
                    why=told[0],
                )
            if start + MACHINES_PER_S < len(wishes):
                await self.sleep(SECOND_S)

    async def _price_one(self, wish: PriceWish) -> str:
        """Return why it was not done, or is not known yet; empty if it was."""
        act = Act(
            actor=wish.by,
            claimed="",
            proven="",
            within_s=WITHIN_S,
            person=f"experiment {wish.experiment}",
        )
        said = "tries a price" if wish.tried else "gives the price back"
        try:
            now_ms = await self.keeping.likely_ms()
            change = (trying if wish.tried else restoring)(wish, now_ms)
            await self.acts.change(
                wish.machine_id,
                change,
                act,
                action="TryPrice",
                detail=f"experiment {wish.experiment} {said}",
            )
        except CallRefused as error:
            # Its host is away, and finds by itself what is saved; or goods have no place now. What
            # is not saved differs at the next look.
            return f"{wish.machine_id}: {error.refusal.message}"
        except StoreError:
            raise
        except Exception:
            # It differs at the next look too; the others must not wait for it.
            log.exception(
                "this gateway failed to change a price of an experiment; it tries again",
                machine_id=wish.machine_id,
                experiment=wish.experiment,
            )
        return ""
