"""The screen of the cluster can be read in a terminal of 80 to 200 columns."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from gateway.demo.cluster.look import Held, Moment
from gateway.demo.cluster.parts import PartView, State
from gateway.demo.cluster.plan import planned, recipes
from gateway.demo.cluster.screen import ClusterPicture, ClusterScene, addresses, span
from storage.fleet.views import BalanceView

SIZES = [(80, 24), (100, 30), (120, 40), (160, 45), (200, 50)]
PLAN = planned(Path("/tmp/vg-12345678"), machines=200, seed=1, pace_s=20)
BALANCE = BalanceView(
    currency="HKD",
    money_in_minor=1,
    money_sold_minor=1,
    money_refunded_minor=0,
    money_held_minor=0,
    refunds_open_minor=0,
    goods_written_off_minor=0,
    refunds_written_off_minor=0,
    ledger_balanced=True,
)
NAMES = [one.name for one in recipes(PLAN, postgres=Path(), haproxy="", owner=None)]


def scene() -> ClusterScene:
    """A busy moment, with a part in each state."""
    states = list(State)
    return ClusterScene(
        plan=PLAN,
        moment=Moment(
            sales=1_234_567,
            vends_per_s=12.34,
            p99_s=0.025,
            online=199,
            balance=BALANCE,
            holders=[
                Held(host=f"vendgate-host-{n}", node="vm", pid=4_194_304, partitions=128, epoch=97)
                for n in (0, 1)
            ],
            database=True,
        ),
        parts=[
            PartView(
                name=name,
                pid=4_194_300 + number,
                state=states[number % len(states)],
                since_s=3_000.0 * number,
                starts=number,
            )
            for number, name in enumerate(NAMES)
        ],
        happened=[f"12:00:{n:02} gateway-1 ended (signal 9) {n}" for n in range(50)],
        title="selling",
        running_s=90_000,
    )


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
