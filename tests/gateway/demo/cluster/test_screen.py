"""The screen of the cluster can be read in a terminal of 80 to 200 columns."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from gateway.demo.cluster.screen import ClusterPicture, ClusterScene, addresses, span
from tests.support.cluster_scene import PLAN, scene

SIZES = [(80, 24), (100, 30), (120, 40), (160, 45), (200, 50)]


def drawn(shown: ClusterScene, width: int, height: int) -> list[str]:
    """What a terminal of that size shows, as a person reads it."""
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(ClusterPicture(shown))
    return captured.get().splitlines()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_part_stands_whole(width: int, height: int) -> None:
    """With its process, its state and since when; nothing is wider or higher than the terminal."""
    lines = drawn(scene(), width, height)
    assert height >= len(lines)
    assert [] == [line for line in lines if len(line) > width]
    for part in scene().parts:
        (row,) = [line for line in lines if line.startswith(f"{part.name} ")]
        words = [part.name, str(part.pid), part.state.value, *span(part.since_s).split()]
        assert [*words, str(part.starts)] == row.split()
    for held in scene().moment.holders:
        (row,) = [line for line in lines if line.startswith(held.host)]
        assert [held.host, "4194304", "128", "97", "vm"] == row.split()
    text = " ".join("\n".join(lines).split())
    assert "1,234,567, 12.3 vends/s, p99 <= 25 ms, 199 of 200 machines online" in text


@pytest.mark.parametrize(("width", "height"), SIZES[1:])
def test_every_door_is_told(width: int, height: int) -> None:
    """Both admin doors, both places of metrics, the balancer's, where to pay, the database."""
    text = "\n".join(drawn(scene(), width, height))
    for _, told in addresses(PLAN):
        assert all(word in text for word in told.split())


def test_commands_beside_it_are_told_their_settings() -> None:
    """The folder has a name of its own each time, which nobody could guess."""
    told = dict(addresses(PLAN))["commands"]
    assert told.endswith(f" --config {PLAN.settings_of(PLAN.gateways[0])}")


def test_what_happened_last_is_last() -> None:
    """Older ones make room."""
    assert drawn(scene(), 120, 40)[-1].endswith(" 49")


def test_what_is_away_is_said() -> None:
    """A database that does not answer, and partitions that nobody holds."""
    gone = replace(scene().moment, database=False, holders=[], p99_s=None, balance=None)
    text = "\n".join(drawn(replace(scene(), moment=gone), 120, 40))
    assert "the database does not answer" in text
    assert "nobody holds partitions" in text
    assert "p99 -" in text


def test_spans_are_read_at_a_glance() -> None:
    """Seconds, then minutes, then hours."""
    assert ["0 s", "119 s", "2 min", "119 min", "2 h"] == [
        span(seconds) for seconds in (0.9, 119.9, 120, 7_199, 7_200)
    ]
