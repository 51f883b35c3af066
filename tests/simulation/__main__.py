"""Soak and replay: ``python -m tests.simulation --seeds N --jobs J``, the same with ``--awaits``,
``--planted``, or ``--seed N --trace``.

Flows out: seeds a second, sessions lived through, and every truth that did not hold, with the
command that shows it again. The exit status is 1 if there is any.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from tests.simulation.awaits import Death, deaths, die
from tests.simulation.hunting import hunt
from tests.simulation.planted import PLANTED
from tests.simulation.steers import AND, EACH, STEERLESS, STEERS, as_it_comes, live_steered
from tests.simulation.world import Outcome

TAIL = 60
T = TypeVar("T")


def report(outcome: Outcome) -> str:
    """Return what a failing world has to say."""
    failure = outcome.failure
    assert failure is not None
    told = outcome.story or again(outcome.seed, outcome.steer or STEERLESS, outcome.dooms).story
    head = (
        f"seed {outcome.seed}, commit {failure.commits}, {failure.at_s:.3f} s: {failure.truth}: "
        f"{failure.detail}"
    )
    how = f" --die {' '.join(outcome.dooms)}" if outcome.dooms else ""
    how += "".join(f" --steer '{name}'" for name in outcome.steer.split(AND) if name)
    replay = f"replay: python -m tests.simulation --seed {outcome.seed}{how} --trace"
    return "\n".join([head, *(f"  {line[:400]}" for line in told[-TAIL:]), replay])


def again(seed: int, steer: str, dooms: Sequence[str]) -> Outcome:
    """Live a world once more and write its story down; ``dooms``: ``name@await`` of each process
    that dies in a fault-free one.
    """
    if not dooms:
        return live_steered(seed, steer, traced=True)
    pairs = [doom.rsplit("@", 1) for doom in dooms]
    return die(Death(seed=seed, dooms=tuple((name, int(at)) for name, at in pairs)), traced=True)


def lived(world: Callable[[T], Outcome], what: list[T], jobs: int) -> Iterator[Outcome]:
    """Run worlds side by side; return what became of each as it ends."""
    if jobs <= 1:
        yield from map(world, what)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(world, what, chunksize=4)


def soak(outcomes: Iterator[Outcome]) -> int:
    """Run many worlds; return how many failed."""
    started, failures = time.perf_counter(), 0
    sessions = visits = commits = done = 0
    virtual_s = 0.0
    for outcome in outcomes:
        done += 1
        sessions, visits, commits = (
            sessions + outcome.sessions,
            visits + outcome.visits,
            commits + outcome.commits,
        )
        virtual_s += outcome.virtual_s
        if outcome.failure is not None:
            failures += 1
            print(report(outcome), flush=True)
    took_s = time.perf_counter() - started
    print(
        f"{done} worlds in {took_s:.1f} s: {done / took_s:.1f} a second, {visits} visits, "
        f"{sessions} sessions, {commits} commits, "
        f"{virtual_s / 3600:.1f} virtual hours, {failures} violations"
    )
    return failures


def hunts() -> int:
    """Hunt every planted bug and print the table of docs/reliability.md; return how many were not
    found.
    """
    missed = 0
    for planted in PLANTED:
        started = time.process_time()
        outcome = hunt(planted)
        seconds = time.process_time() - started
        name = planted.name if planted.steer is as_it_comes else f"{planted.name} \\*"
        name += " †" if planted.dear else ""
        if outcome is None or outcome.failure is None:
            missed += 1
            print(f"| {name} | {planted.sentence} | NOT FOUND | {seconds:.1f} | |", flush=True)
            continue
        found = f"{outcome.seed} (from {planted.start})" if planted.start else f"{outcome.seed}"
        print(
            f"| {name} | {planted.sentence} | {found} | {seconds:.1f} | {outcome.failure.truth} |",
            flush=True,
        )
    return missed


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one")
    parser.add_argument("--trace", action="store_true", help="print its story")
    parser.add_argument(
        "--die",
        nargs="*",
        default=(),
        metavar="NAME@AWAIT",
        help="in the fault-free world of that seed, let these die there",
    )
    parser.add_argument("--seeds", type=int, default=100, help="run so many")
    parser.add_argument("--start", type=int, default=0, help="from this one on")
    parser.add_argument(
        "--awaits",
        action="store_true",
        help="live each fault-free world again for every await at which a process can die",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="so many side by side"
    )
    parser.add_argument(
        "--planted", action="store_true", help="hunt the bugs that are planted on purpose"
    )
    parser.add_argument(
        "--steer",
        action="append",
        choices=[*STEERS, EACH],
        help=f"make something less rare in these worlds; {EACH}: one after the other, by the "
        "seed; given twice, both at once",
    )
    options = parser.parse_args()
    steer = AND.join(options.steer or [STEERLESS])
    if options.planted:
        return 1 if hunts() else 0
    if options.seed is None:
        seeds = list(range(options.start, options.start + options.seeds))
        if options.awaits:
            outcomes = lived(die, [death for seed in seeds for death in deaths(seed)], options.jobs)
        else:
            outcomes = lived(partial(live_steered, steer=steer), seeds, options.jobs)
        return 1 if soak(outcomes) else 0
    outcome = again(options.seed, steer, options.die)
    if options.trace:
        print("\n".join(outcome.story))
    print(
        report(outcome)
        if outcome.failure
        else f"seed {options.seed}: all truths hold, {outcome.sessions} sessions"
    )
    return 1 if outcome.failure else 0


if __name__ == "__main__":
    sys.exit(main())
