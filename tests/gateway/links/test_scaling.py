"""What ``vendgate scale`` watches and refuses; with a real cluster it is in
``tests/e2e/test_cluster.py``.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.leases import Held, Holder, Standing
from actors.ports import StoreError
from gateway.links import scaling
from gateway.links.hosts import HostsFailed
from gateway.links.scaling import scale_hosts, still, until_moved
from gateway.process import configs, settings
from storage.books.audit_rows import Actor
from tests.alipay_client.wire import Pair
from tests.support import installed, upgraded

HOSTS = [f"vendgate-host-{index}" for index in range(3)]


class Moving:
    """SQL in which one partition more is at its place at each look."""

    def __init__(self, steps: Iterator[dict[int, str]], version: int = 2) -> None:
        self.owners = dict.fromkeys(range(4), HOSTS[0])
        self.steps = steps
        self.version = version

    async def look(self) -> Standing:
        """Make a step."""
        self.owners |= next(self.steps)
        return Standing(
            host_count=2,
            version=self.version,
            holders=[Holder(holder=name, host=name, home="here") for name in HOSTS],
            held={number: Held("", owner, 1) for number, owner in self.owners.items()},
        )


async def test_each_move_is_told() -> None:
    """Once, with what is left; a partition that is on its way is at no place."""
    said: list[str] = []
    steps = iter([{}, {1: ""}, {1: HOSTS[1]}, {3: ""}, {3: HOSTS[1]}])
    await until_moved(Moving(steps), 2, 2, say=said.append, look_s=0)  # type: ignore[arg-type]
    assert [
        "partition 1: host 0 to host 1, 1 to go",
        "partition 3: host 0 to host 1, 0 to go",
    ] == said


async def test_a_database_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout is written, and hosts follow it: who watches says so and looks again."""
    monkeypatch.setattr(scaling, "_SILENT_S", 0.0)
    said: list[str] = []
    moving = Moving(iter([{1: HOSTS[1], 3: HOSTS[1]}]))
    look, tries = moving.look, iter([StoreError("it is away"), None])

    async def away() -> Standing:
        if (error := next(tries)) is not None:
            raise error
        return await look()

    moving.look = away  # type: ignore[method-assign]
    await until_moved(moving, 2, 2, say=said.append, look_s=0)  # type: ignore[arg-type]
    assert ["the database does not answer, the hosts go on when it does: it is away"] == said


async def test_who_is_at_its_place_is_told_nothing() -> None:
    """The command that is given again ends at once."""
    said: list[str] = []
    steps = iter([{1: HOSTS[1], 3: HOSTS[1]}])
    await until_moved(Moving(steps), 2, 2, say=said.append, look_s=0)  # type: ignore[arg-type]
    assert [] == said


async def test_another_layout_ends_it() -> None:
    """Two people scale at once: the last one counts, and the other one hears of it."""
    with pytest.raises(HostsFailed, match="another layout meanwhile, of 2 hosts: that one counts"):
        await until_moved(Moving(iter([{}]), version=3), 2, 2, say=print, look_s=0)  # type: ignore[arg-type]


async def test_it_says_when_nothing_moves() -> None:
    """And goes on watching."""
    said: list[str] = []
    steps = iter([{}, {}, {1: HOSTS[1], 3: HOSTS[1]}])
    await until_moved(
        Moving(steps),  # type: ignore[arg-type]
        2,
        2,
        say=said.append,
        look_s=0,
        say_s=0,
    )
    assert "nothing has moved for 0 s, 2 to go: see 'vendgate hosts list'" == said[0]


@pytest.mark.parametrize("mode", ["local", "none"])
async def test_without_a_cluster_it_is_refused(tmp_path: Path, pair: Pair, mode: str) -> None:
    """With a sentence that says what to do instead."""
    loaded = settings.load(installed.write(tmp_path, installed.good(tmp_path, pair)))
    loaded = loaded.model_copy(update={"ray": loaded.ray.model_copy(update={"mode": mode})})
    with pytest.raises(HostsFailed, match=f"ray.mode is \"{mode}\": .* 'vendgate hosts layout'"):
        await scale_hosts(
            loaded,
            configs.configs(loaded),
            2,
            actor=Actor(name="ann"),
            config_path=None,
            say=print,
        )


@pytest.mark.parametrize("count", [0, -1, 257])
async def test_a_number_that_cannot_be_is_refused(
    tmp_path: Path, pair: Pair, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is made."""

    async def there(*_: object) -> None:
        return

    monkeypatch.setattr("gateway.links.scaling.require_cluster", there)
    loaded = settings.load(installed.write(tmp_path, installed.good(tmp_path, pair)))
    upgraded.make(configs.configs(loaded).storage.url)
    with pytest.raises(HostsFailed, match=rf"{count} hosts cannot share \d+ partitions: 1 to"):
        await scale_hosts(
            loaded,
            configs.configs(loaded),
            count,
            actor=Actor(name="ann"),
            config_path=None,
            say=print,
        )


async def test_no_host_is_ended_for_a_layout_that_counts_no_more() -> None:
    """Somebody may have scaled up again, to whom the place belongs."""
    await still(Moving(iter([{}]), version=2), 2)  # type: ignore[arg-type]
    with pytest.raises(HostsFailed, match="another layout meanwhile, of 2 hosts"):
        await still(Moving(iter([{}]), version=3), 2)  # type: ignore[arg-type]
