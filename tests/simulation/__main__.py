"""Soak and replay: ``python -m tests.simulation --seeds N --jobs J`` or ``--seed N --trace``.

Flows out: seeds a second, sessions lived through, and every truth that did not hold, with the command that shows it again. The exit
status is 1 if there is any.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from tests.simulation.world import Outcome, live

TAIL = 60


def report(outcome: Outcome) -> str:
    """Return what a failing seed has to say."""
    failure = outcome.failure
    assert failure is not None
    lines = outcome.story[-TAIL:] or live(outcome.seed, traced=True).story[-TAIL:]
    head = f"seed {outcome.seed}, commit {failure.commits}, {failure.at_s:.3f} s: {failure.truth}: {failure.detail}"
    return "\n".join([head, *(f"  {line[:400]}" for line in lines), f"replay: python -m tests.simulation --seed {outcome.seed} --trace"])


def lived(seeds: list[int], jobs: int) -> Iterator[Outcome]:
    """Run worlds side by side; return what became of each as it ends."""
    if jobs <= 1:
        yield from map(live, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(live, seeds, chunksize=4)


def soak(seeds: list[int], jobs: int) -> int:
    """Run many seeds; return how many failed."""
    started, failures = time.perf_counter(), 0
    sessions = visits = commits = done = 0
    virtual_s = 0.0
    for outcome in lived(seeds, jobs):
        done += 1
        sessions, visits, commits = sessions + outcome.sessions, visits + outcome.visits, commits + outcome.commits
        virtual_s += outcome.virtual_s
        if outcome.failure is not None:
            failures += 1
            print(report(outcome), flush=True)
    took_s = time.perf_counter() - started
    print(
        f"{done} seeds in {took_s:.1f} s: {done / took_s:.1f} seeds/s, {visits} visits, {sessions} sessions, {commits} commits, "
        f"{virtual_s / 3600:.1f} virtual hours, {failures} violations"
    )
    return failures


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one")
    parser.add_argument("--trace", action="store_true", help="print its story")
    parser.add_argument("--seeds", type=int, default=100, help="run so many")
    parser.add_argument("--start", type=int, default=0, help="from this one on")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="so many side by side")
    options = parser.parse_args()
    if options.seed is None:
        return 1 if soak(list(range(options.start, options.start + options.seeds)), options.jobs) else 0
    outcome = live(options.seed, traced=True)
    if options.trace:
        print("\n".join(outcome.story))
    print(report(outcome) if outcome.failure else f"seed {options.seed}: all truths hold, {outcome.sessions} sessions")
    return 1 if outcome.failure else 0


if __name__ == "__main__":
    sys.exit(main())
