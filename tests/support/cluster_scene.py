"""A moment of a cluster, for what draws or tells it."""

from pathlib import Path

from gateway.demo.cluster.look import Held, Moment
from gateway.demo.cluster.parts import PartView, State
from gateway.demo.cluster.plan import planned, recipes
from gateway.demo.cluster.screen import ClusterScene
from storage.fleet.views import BalanceView

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
