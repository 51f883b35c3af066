"""``vendgate bench``: options in, a table out, files where they are wanted, and a status that says
whether anything got slower.
"""

import asyncio
import fcntl
import json
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gateway.bench.figures import Results
    from gateway.bench.options import BenchOptions

# The parts are imported by the command: "vendgate --help" should not wait for gRPC.

INTERRUPTED = 130
_PREFIX = "vendgate-bench-"
_LOCK = "lock"


def bench(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two minutes instead of a quarter of an hour or more.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="This measurement; may be repeated."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", help="no-ray, ray or postgres; may be repeated."),
    ] = None,
    machines: Annotated[
        int | None, typer.Option(min=1, max=5_000, help="How many machines buy.")
    ] = None,
    connected: Annotated[
        int | None, typer.Option(min=1, max=20_000, help="How many machines are connected.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.5, max=600, help="How long each measurement looks.")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=20, help="How often product and echo take turns.")
    ] = None,
    database_url: Annotated[
        str, typer.Option(metavar="URL", help="An empty PostgreSQL to be filled.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, metavar="FOLDER", help="Write bench.json and bench.svg there."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, metavar="FOLDER", help="Leave books and logs in a new folder."
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Compare the ratios with those of an earlier run.",
        ),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(min=0.01, max=10, help="By how much a ratio may be worse.")
    ] = None,
) -> None:
    """Measure what a vend costs, beside the least that gRPC can do. Status 0: done; 1: a ratio got
    worse by more than the margin, or it cannot be measured here.
    """
    from gateway.bench.options import QUICK, BenchOptions

    given = {
        "machines": machines,
        "connected": connected,
        "seconds": seconds,
        "rounds": rounds,
        "database_url": database_url or None,
        "only": frozenset(only) if only else None,
        "settings": tuple(setting) if setting else None,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options = replace(QUICK if quick else BenchOptions(), **changes)
    raise typer.Exit(run(options, out=out, keep=keep, check=check, margin=margin))


def run(
    options: "BenchOptions",
    *,
    out: Path | None,
    keep: Path | None,
    check: Path | None,
    margin: float | None,
) -> int:
    """Measure, tell, write, compare; return the exit status."""
    from rich.console import Console

    from gateway.bench import compare
    from gateway.bench.load import LoadFailed
    from gateway.bench.table import shown
    from gateway.demo.children import ChildFailed

    if problems := _problems(options):
        print("\n".join(problems), file=sys.stderr)
        return 1
    try:
        recorded = json.loads(check.read_text(encoding="utf-8")) if check else {}
        for folder in (out, keep):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # said now, not after a quarter of an hour
        print(f"A file or folder that was named cannot be used: {error}", file=sys.stderr)
        return 1
    try:
        results = asyncio.run(_measured(options, keep))
    except (ChildFailed, LoadFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        return INTERRUPTED
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(shown(results))
    if out is not None:
        _write(results, out)
    if results.failures:
        return 1
    if not check:
        return 0
    verdict = compare.compare(
        results.ratios(),
        compare.recorded_ratios(recorded),
        margin=margin,
    )
    for title, sentences in (
        ("slower", verdict.slower),
        ("quicker", verdict.quicker),
        ("not compared", verdict.missing),
    ):
        for sentence in sentences:
            print(f"{title}: {sentence}")
    if not verdict.slower:
        print("nothing got slower than the margin allows")
    return 1 if verdict.slower else 0


def _problems(options: "BenchOptions") -> list[str]:
    """Return why this cannot be measured here, as sentences."""
    from gateway.bench.options import Measurement
    from gateway.demo import processes
    from gateway.process.descriptors import raise_limit

    found = [
        f"{name} is no measurement; there are: {', '.join(Measurement)}"
        for name in sorted(options.only - set(Measurement))
    ]
    found += [
        f"{name} is no setting; there are: no-ray, ray, postgres"
        for name in options.settings
        if name not in {"no-ray", "ray", "postgres"}
    ]
    if not processes.counts_are_there():
        found.append("Processor time is read from /proc, which this system does not have.")
    if (limit := raise_limit()) < options.connected + 100:
        found.append(
            f"{options.connected} connections need as many open files; this process may have "
            f"{limit}: raise the limit (ulimit -n), or ask for fewer with --connected"
        )
    return found


async def _measured(options: "BenchOptions", keep: Path | None) -> "Results":
    """Run in a folder that is gone afterwards, if nobody wants to keep it. Whatever asks for an end
    cancels the run, so that all processes are ended in order.
    """
    from gateway.bench.run import Run
    from gateway.process.signals import end_signals

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "asyncio.run makes a task of this"
    for number in end_signals():
        loop.add_signal_handler(number, task.cancel)
    folder, lock = (keep, None) if keep is not None else new_folder()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return await Run(options, folder, say=_say).measure()
    finally:
        for number in end_signals():
            loop.remove_signal_handler(number)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def new_folder() -> tuple[Path, int]:
    """Make a folder for one run and lock it, until the descriptor is closed or this process ends;
    remove those of runs that were killed.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if old.lstat().st_uid == os.geteuid() and not old.is_symlink():
                _remove_if_dead(old)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Locked under another name first: whoever finds a lock finds it held, or its owner gone.
    unfinished = folder / f"{_LOCK}.new"
    lock = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unfinished.rename(folder / _LOCK)
    return folder, lock


def _remove_if_dead(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: its run lives
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _write(results: "Results", folder: Path) -> None:
    from gateway.bench.plot import plot

    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results.as_json(), indent=2, ensure_ascii=False)
    (folder / "bench.json").write_text(text + "\n", encoding="utf-8")
    (folder / "bench.svg").write_text(plot(results), encoding="utf-8")
