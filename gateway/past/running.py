"""A whole past: settings and a size in, a database, a book and machines' files out, and what was
found in them.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from actors import collector
from gateway.past.life import Life, begins_ms
from gateway.past.parts import parts_open, switched_on
from gateway.past.plan import PastFailed, PastPlan, planned
from gateway.past.told import PastTold
from gateway.past.virtual import PastClock, PastLoop
from gateway.process import logs
from gateway.process.configs import Configs, configs
from gateway.process.development import make_keys
from gateway.process.settings import load
from storage.database.migrate import current, upgrade


def live(
    config_file: Path, state_dir: Path, keys: Path, *, seed: int, weeks: int, machines: int
) -> PastTold:
    """Live it into the database of the settings, which must be empty, until now. The files of
    machines come below ``state_dir``, those of the pretend Alipay into ``keys``. Raises PastFailed,
    Refused, SettingsRefused or StoreError.
    """
    logs.set_up(level="warning", line_format="json")
    plan = planned(seed=seed, weeks=weeks, machines=machines)
    make_keys(keys)
    made = configs(load(config_file))
    return lived(made, plan, state_dir, keys, now_ms=time.time_ns() // 1_000_000)


def lived(made: Configs, plan: PastPlan, state_dir: Path, keys: Path, *, now_ms: int) -> PastTold:
    """Live a plan until now. Raises as ``live``."""
    url = made.storage.url
    if current(url) is not None:
        raise PastFailed(
            f"there is a database at {url} already, and a past begins with none: leave the past "
            "away to go on with it, or choose another folder"
        )
    upgrade(url)
    with asyncio.Runner(loop_factory=PastLoop) as runner, collector.seldom():
        return runner.run(_lived(made, plan, state_dir, keys, now_ms))


async def _lived(
    made: Configs, plan: PastPlan, state_dir: Path, keys: Path, now_ms: int
) -> PastTold:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PastLoop)
    clock = PastClock(loop, begins_ms(plan, now_ms))
    names = [place.machine_id for place in plan.places]
    async with parts_open(made, state_dir, keys, names, clock=clock, seed=plan.seed) as parts:
        life = Life(parts=parts, plan=plan, until_ms=now_ms, say=say)
        await life.open_the_business()
        async with switched_on(parts.machines):
            return await life.live()


def say(message: str) -> None:
    """Tell how far it is, as a line of a log."""
    print(json.dumps({"message": message}), file=sys.stderr, flush=True)
