"""Tasks on a real Ray: each argument is answered, also when a worker dies over it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from actors.ray_jobs import NICENESS, TasksFailed, done_on_ray
from actors.ray_node import RaySettings, start_ray, stop_ray
from tests.support.patience import HANGS_AFTER_S

PROGRAM = """
import sys
from tests.actors.test_ray_jobs import program
program(sys.argv[1])
"""
"""A process of its own, because one can have a Ray of its own only once."""
Argument = tuple[str, int]


class Unfit(Exception):
    """What a task raises."""


def _told(argument: Argument) -> tuple[int, int]:
    """Die the first time, or always, or raise, or answer."""
    mark, number = argument
    if number == 2 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 8:
        raise Unfit("eight")
    if number == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return number, os.nice(0)


async def _answers(mark: str, *numbers: int) -> list[tuple[int, int]]:
    arguments = [(mark, number) for number in numbers]
    return [one async for one in done_on_ray(_told, arguments, at_once=2)]


async def _raised(mark: str, number: int) -> str:
    try:
        await _answers(mark, number)
    except (Unfit, TasksFailed) as error:
        return type(error).__name__
    return ""


def program(folder: str) -> None:
    """Print what came of tasks that answer, of none, of one that raises, and of one that dies."""
    mark = f"{folder}/mark"
    start_ray(RaySettings(run_dir=Path(folder) / "run"))
    try:
        answers = sorted(asyncio.run(_answers(mark, 0, 1, 2, 3, 4)))
        raised = [asyncio.run(_raised(mark, number)) for number in (8, 9)]
        print(json.dumps([answers, asyncio.run(_answers(mark)), raised]))
    finally:
        stop_ray()


@pytest.mark.ray
@pytest.mark.slow
def test_each_argument_is_answered_once(tmp_path: Path) -> None:
    """The worker that died over one of them is replaced; all leave the processor to others. What a
    task raises comes out as it is, and a worker that dies each time is a sentence.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=2 * HANGS_AFTER_S,
        env={**clean, "PYTHONPATH": os.pathsep.join((str(Path.cwd()), *sys.path))},
    )
    (line,) = (one for one in ended.stdout.splitlines() if one.startswith("[["))
    answers, of_none, raised = json.loads(line)
    assert [[number, NICENESS] for number in range(5)] == answers
    assert [] == of_none
    assert ["Unfit", "TasksFailed"] == raised
    assert (tmp_path / "mark").exists()
