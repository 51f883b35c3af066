"""The frame around a cluster: its folder comes and goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.children import ChildFailed
from gateway.demo.cluster import run as module
from gateway.demo.cluster.plan import Plan
from gateway.demo.cluster.run import Cluster, play
from gateway.demo.terminal import Terminal
from tests.support.cluster_scene import scene


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans of clusters that were started, of which nothing runs."""
    plans: list[Plan] = []

    @asynccontextmanager
    async def running(plan: Plan, *_: object) -> AsyncIterator[Any]:
        plans.append(plan)
        yield plan

    monkeypatch.setattr(module, "running", running)
    return plans


@pytest.mark.parametrize("evidence", [False, True])
async def test_what_is_evidence_stays(
    started: list[Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evidence: bool
) -> None:
    """Whatever else was made goes."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(module, "PATH_BYTES_MAX", 1_000)  # nothing runs in it

    async def story(plan: Any, _interruptions: object) -> int:
        assert plan.folder.is_dir()
        return 4

    answer = await play(
        Cluster(machines=3, seed=9), story, console=None, evidence=lambda _: evidence
    )
    (plan,) = started
    assert (4, 3, 9) == (answer, len(plan.machine_ids), plan.seed)
    assert evidence == plan.folder.exists()


async def test_a_part_that_fails_is_told(started: list[Plan]) -> None:
    """It is the caller's to say."""

    async def story(_system: object, _interruptions: object) -> None:
        raise ChildFailed("ray-1 was not ready")

    with pytest.raises(ChildFailed, match="ray-1"):
        await play(Cluster(machines=1), story, console=None, evidence=lambda _: False)
    assert [] == started[1:]


def names(folder: Path) -> list[str]:
    """What is in it."""
    return [one.name for one in folder.iterdir()]


async def refused(keep: Path, said: str) -> None:
    """Nothing is started, nor put into the folder."""

    async def story(_system: object, _interruptions: object) -> None:
        raise AssertionError("it was started")

    with pytest.raises(ChildFailed, match=said):
        await play(Cluster(machines=1, keep=keep), story, console=None, evidence=lambda _: False)


async def test_what_is_somebody_else_s_is_left_alone(started: list[Plan], tmp_path: Path) -> None:
    """A folder that holds anything is refused, also what an earlier cluster left."""
    (tmp_path / "thesis.txt").write_text("mine")
    await refused(tmp_path, "is not empty: a cluster makes all that it has anew")
    assert ["thesis.txt"] == names(tmp_path)
    assert [] == started


async def test_a_path_that_has_no_room_for_sockets_is_refused(
    started: list[Plan], tmp_path: Path
) -> None:
    """In our words, before PostgreSQL says it in its own."""
    await refused(tmp_path / ("d" * 100), r"is \d+ bytes too long for the sockets of Ray and")
    assert ([], []) == (started, names(tmp_path))


async def test_without_a_terminal_what_happens_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole picture first, then what becomes of parts, once, and the figures now and then."""
    told = module._Told(Terminal(force_terminal=False, width=200, height=60))
    first = replace(scene(), happened=["10:00:00 gateway-1 is up"], running_s=1.0)
    told.tell(first)
    assert "gateway-1" in capsys.readouterr().out
    told.tell(replace(first, running_s=2.0, happened=[*first.happened, "10:00:01 ray-1 is gone"]))
    assert "10:00:01 ray-1 is gone\n" == capsys.readouterr().out
    told.tell(replace(first, running_s=2.5))
    assert "" == capsys.readouterr().out
    told.tell(replace(first, running_s=31.5))
    assert capsys.readouterr().out.startswith("sales ")
