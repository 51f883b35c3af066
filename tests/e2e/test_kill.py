"""``kill -9`` of each process at a random moment, under load: nothing acknowledged is lost, every
owed refund happens once.

In scope: real processes, sockets, files and signals. The moments are drawn from a seed; what dies
when is not repeatable to the instruction, and need not be: whatever the moment, the books must
agree.
"""

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.e2e.three_books import check
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]

SEED = 11


@pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.slow)])
async def test_gateway_alipay_and_machines_die_at_random_moments(
    tmp_path: Path, times: int
) -> None:
    """Each of the three is killed in the middle of business and comes back; the books agree to the
    last minor unit.
    """
    rng = Random(SEED)
    async with System(tmp_path, ray=False, machines=8, seed=SEED) as system:
        await system.until_sales(5)
        victims = ["gateway", "alipay", "machines"] * times
        rng.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(rng.uniform(0.5, 2.5))  # the random moment, not a wait for luck
            await system.kill(victim)
            await asyncio.sleep(rng.uniform(0.0, 1.0))  # how long it stays away
            await system.start(victim)
        await system.until_sales(await system.sales() + 10)
        await check(system)


@pytest.mark.ray
@pytest.mark.slow
async def test_the_ray_host_and_its_gateway_die(tmp_path: Path) -> None:
    """Ray starts the killed host again, which takes up what was open; then the gateway dies with
    its Ray, and both come back.
    """
    async with System(tmp_path, ray=True, machines=6, seed=SEED) as system:
        await system.until_sales(5)
        system.kill_host()
        await system.until_sales(await system.sales() + 10)
        await system.kill("gateway")
        await system.start("gateway")
        await system.until_sales(await system.sales() + 5)
        await check(system)
