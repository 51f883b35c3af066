"""What it costs to save a decision: CPU of the SQL store for each turn, with everything a commit
writes.

Run by hand: ``python -m tests.benchmarks.bench_store [--machines 64] [--seconds 5] [--batch 128]
[--profile]``. Whole purchases of many machines (five turns each: paid, requested, sold, ended,
refunded) are decided beforehand and committed to a new SQLite file in batches.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import tempfile
import time
from collections.abc import Iterator

from actors.ports import Change
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from tests.storage.owner import Owner


def turns(owner: Owner, machine_ids: list[str]) -> Iterator[Change]:
    """Decide purchases without end, the machines' events one after the other."""
    number = 0
    while True:
        number += 1
        stories = [owner.purchase(machine_id, number) for machine_id in machine_ids]
        for step in zip(*stories, strict=True):
            for machine_id, event in zip(machine_ids, step, strict=True):
                yield owner.decide(machine_id, event)
        for machine_id in machine_ids:  # the shelves are filled again
            owner.refill(machine_id)


async def run(
    machines_count: int, seconds: float, batch: int, profile: cProfile.Profile | None
) -> tuple[int, float]:
    """Return the number of turns and the seconds of CPU that saving them took."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/vendgate.db"
        migrate.upgrade(url)
        database = await Database.open(StorageConfig(url=url))
        machine_ids = [f"VM-{number}" for number in range(machines_count)]
        owner = await Owner.of(database, *machine_ids)
        saved, cpu_s = 0, 0.0
        source = turns(owner, machine_ids)
        gc.collect()
        gc.freeze()
        while cpu_s < seconds:
            changes = [next(source) for _ in range(batch)]
            began = time.process_time()
            if profile is not None:
                profile.enable()
            await owner.commit(changes)
            if profile is not None:
                profile.disable()
            cpu_s += time.process_time() - began
            saved += batch
        await database.close()
    return saved, cpu_s


def main() -> None:
    """Run it and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0, help="of CPU")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    profile = cProfile.Profile() if given.profile else None
    saved, cpu_s = asyncio.run(run(given.machines, given.seconds, given.batch, profile))
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    print(f"{saved:,} turns, {cpu_s / saved * 1e6:.1f} us of CPU per turn")


if __name__ == "__main__":
    main()
