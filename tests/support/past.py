"""What tests of the past share: a demo's folder, and a past as it is told."""

from dataclasses import dataclass
from pathlib import Path

from gateway.demo import stage
from gateway.past.told import HotFound, PastTold
from gateway.process.configs import Configs

HOT = HotFound(
    name="Kwun Tong", above_percent=98, since_day=20261103, turned_day=20261026, factor=2.0
)
TOLD = PastTold(
    weeks=10,
    machines=24,
    sales=4_123,
    went_away=800,
    lost=0,
    seconds=61.4,
    first_day=20260921,
    hot=[HOT],
    trial="With the tried price 33.1 % more was sold.",
    lift_permille=331,
    low_permille=210,
    high_permille=460,
    true_lift_permille=350,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A demo's folder before its first process is started."""

    path: Path
    settings: Path
    made: Configs

    @property
    def keys(self) -> Path:
        """The pretend Alipay's folder."""
        return self.path / "alipay"

    @property
    def machines(self) -> Path:
        """The machines' folder."""
        return self.path / stage.FLEET_FOLDER
