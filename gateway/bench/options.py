"""What a run measures, how long, and with how many machines."""

from dataclasses import dataclass
from enum import StrEnum


class Measurement(StrEnum):
    """The measurements, in the order of a run."""

    REGISTRATION = "registration"
    COLD_START = "cold-start"
    STORM = "storm"
    CROWD = "crowd"
    NOTIFICATION = "notification"
    FLEET = "fleet"
    TIMERS = "timers"
    SATURATED = "saturated"
    HALF = "half"
    PACED = "paced"
    RECOVERY = "recovery"
    BASELINES = "baselines"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """One run. ``machines`` buy, ``connected`` are there."""

    machines: int = 300
    connected: int = 10_000
    seconds: float = 8.0
    warm_s: float = 3.0
    rounds: int = 2
    """How often the product is saturated, between one echo more."""
    fleet_rate: float = 17.0
    """Vends a second of a real fleet of ten thousand machines."""
    fleet_s: float = 60.0
    paced_rate: float = 150.0
    """Vends a second that every setting, and the echo, is asked for alike."""
    notifications: int = 40
    actors: int = 12
    """Each is a process of 50 MiB, and takes half a second to start."""
    payment_wait_ms: int = 25_000
    only: frozenset[str] = frozenset(Measurement)
    settings: tuple[str, ...] = ("no-ray", "ray", "postgres")
    database_url: str = ""
    """A PostgreSQL that may be filled; empty: one of our own, if its programs are there."""

    def wants(self, kind: Measurement) -> bool:
        """Return whether the measurement is asked for."""
        return kind.value in self.only

    @property
    def registered(self) -> int:
        """How many machines the books hold: those that buy, others that come, and some that only
        hear of payments.
        """
        spare = len(self.settings) * self.notifications
        return max(self.connected, self.machines + spare)


QUICK = BenchOptions(
    machines=100,
    connected=300,
    seconds=4.0,
    warm_s=2.0,
    fleet_s=6.0,
    notifications=10,
    only=frozenset(Measurement)
    - {Measurement.TIMERS, Measurement.BASELINES, Measurement.CROWD, Measurement.PACED},
    settings=("no-ray", "ray"),
)
"""Two minutes: what ``make bench-check`` compares."""
