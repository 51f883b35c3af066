"""The frame around a cluster: its folder comes and goes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.children import ChildFailed
from gateway.demo.cluster import run as module
from gateway.demo.cluster.plan import Plan
from gateway.demo.cluster.run import Cluster, play


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

    async def story(plan: Any, _interruptions: object) -> int:
        assert plan.folder.is_dir()
        return 4

    answer = await play(
        Cluster(machines=3, seed=9), story, console=None, evidence=lambda _: evidence
    )
    (plan,) = started
    assert (4, 3, 9) == (answer, len(plan.machine_ids), plan.seed)
    assert evidence == plan.folder.exists()


async def test_a_part_that_fails_is_told(started: list[Plan], tmp_path: Path) -> None:
    """It is the caller's to say."""

    async def story(_system: object, _interruptions: object) -> None:
        raise ChildFailed("ray-1 was not ready")

    with pytest.raises(ChildFailed, match="ray-1"):
        await play(
            Cluster(machines=1, keep=tmp_path), story, console=None, evidence=lambda _: False
        )
    assert [] == started[1:]
