"""Five minutes of ``kill -9`` and SIGSTOP at random under load, with the hosts on Ray; then quiet;
then three books that agree.

Longer than the suite may be: ``make soak`` runs it. ``VENDGATE_TEST_CHAOS_SECONDS`` and
``VENDGATE_TEST_CHAOS_SEED`` choose another storm.
"""

import asyncio
import os
import signal
import time
from pathlib import Path
from random import Random

import pytest

from tests.e2e.three_books import check
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1_800)]

SECONDS = int(os.environ.get("VENDGATE_TEST_CHAOS_SECONDS", "300"))
SEED = int(os.environ.get("VENDGATE_TEST_CHAOS_SEED", "5"))
KILLED = ("gateway", "alipay", "machines")


async def test_three_books_agree_after_a_storm(tmp_path: Path) -> None:
    """Whatever dies or freezes, and when: ledger, Alipay's book and the machines' shelves tell the
    same story afterwards.
    """
    rng = Random(SEED)
    async with System(tmp_path, ray=True, machines=10, seed=SEED) as system:
        await system.until_sales(5)
        over_at = time.monotonic() + SECONDS
        blows = 0
        while time.monotonic() < over_at:
            await asyncio.sleep(rng.uniform(1.0, 6.0))  # the random moment
            blows += 1
            match rng.choice(["kill", "kill host", "freeze"]):
                case "kill":
                    victim = rng.choice(KILLED)
                    await system.kill(victim)
                    await asyncio.sleep(rng.uniform(0.0, 2.0))
                    await system.start(victim)
                case "kill host":
                    system.kill_host()
                case _:
                    victim = rng.choice(KILLED)
                    system.tell(victim, signal.SIGSTOP)
                    await asyncio.sleep(rng.uniform(0.5, 8.0))
                    system.tell(victim, signal.SIGCONT)
        print(f"{blows} blows, {await system.sales()} sales")
        await check(system)
