"""Blows: whom they meet, and how the return is watched."""

import json
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.demo.cluster import strike as module
from gateway.demo.cluster.blows import Blow, BlowKind
from gateway.demo.cluster.look import Held
from gateway.demo.cluster.plan import planned
from gateway.demo.cluster.strike import Striker, index_of, route


def held(host: str) -> Held:
    """A host of that name."""
    return Held(host=host, node="vm", pid=1, partitions=8, epoch=1)


def striker(folder: Path) -> Striker:
    """One of a cluster that does not run."""
    plan = planned(folder, machines=100, seed=1, pace_s=1)
    plan.fleet.mkdir()
    system: Any = SimpleNamespace(plan=plan, database=SimpleNamespace(partition_count=16))
    return Striker(system)


def test_a_successor_has_the_place_of_the_one_before() -> None:
    """Its name tells the place, and which one it is there."""
    assert (0, 1, 17) == (
        index_of(held("vendgate-host-0")),
        index_of(held("vendgate-host-1-2")),
        index_of(held("vendgate-host-17")),
    )


@pytest.mark.parametrize(("online", "back"), [(99, True), (98, False)])
async def test_nearly_all_machines_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, online: int, back: bool
) -> None:
    """99 of a hundred, to stay; nobody waits for ever."""
    monkeypatch.setattr(module, "WAIT_S", 0.2)
    monkeypatch.setattr(module, "STEADY_S", 0.0)
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)
    one = striker(tmp_path)
    (one._system.plan.fleet / "fleet.json").write_text(json.dumps({"online": online}))
    found = await one._machines_back(time.monotonic())
    assert back == (found is not None)


async def test_who_does_not_come_back_is_said_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the blow itself measured."""
    one = striker(tmp_path)

    async def struck(_blow: Blow) -> tuple[float | None, str]:
        return 1.5, "a note"

    async def whole() -> bool:
        return False

    monkeypatch.setattr(one, "_do", struck)
    monkeypatch.setattr(one, "whole", whole)
    found = await one.strike(Blow(kind=BlowKind.HOST_KILLED, choice=0, calm_s=0))
    assert found.seconds is None
    assert "not all came back" in found.note


def test_a_route_is_taken_away_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same words."""
    said: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda words, **_: said.append(words))
    route("127.0.2.1", cut=True)
    route("127.0.2.1", cut=False)
    assert [["add", "blackhole", "127.0.2.1/32"], ["del", "blackhole", "127.0.2.1/32"]] == [
        words[2:5] for words in said
    ]
