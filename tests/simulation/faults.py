"""What goes wrong in one world, and how often: drawn once from the seed, calmed at the end.

Flows in: a seeded generator. Flows out: a ``Faults``. Not every fault is on in every world: a
world in which everything breaks all the time hides what a world with one rare fault shows.
"""

from dataclasses import dataclass, field, fields
from random import Random

ALIPAY_FAULTS = (
    "no_answer_done",
    "no_answer_undone",
    "http_500",
    "html_page",
    "cut_xml",
    "wrong_sign",
    "unsigned_failure",
    "system_error",
    "unknown",
    "refund_refused",
    "gbk_answer",
    "slow",
    "notify_lost",
    "notify_delayed",
    "notify_duplicated",
    "notify_reordered",
)
LATER_FAULTS = ("odd_code", "notify_odd")


@dataclass(slots=True, kw_only=True)
class Faults:
    """Chances between 0 and 1 for each occasion; ``*_every_s`` is the mean time between two blows,
    0 for never.
    """

    # SQL
    sql_refuses: float = 0.0
    sql_loses: float = 0.0
    sql_stalls: float = 0.0
    sql_stall_s: float = 8.0
    slow_answers: bool = False
    sql_away: bool = False
    sql_full: bool = False
    sql_outage_every_s: float = 0.0
    sql_outage_long: float = 0.1
    """How many outages last for minutes, up to half an hour."""
    # processes
    host_crash_every_s: float = 0.0
    host_crash_at_crossing: bool = False
    host_crash_at_await: bool = False
    host_usurped_every_s: float = 0.0
    host_frozen_every_s: float = 0.0
    host_stopped_every_s: float = 0.0
    gateway_crash_every_s: float = 0.0
    clock_jump_every_s: float = 0.0
    # between gateway and host
    link_loses: float = 0.0
    link_delay_s: float = 0.0
    # between machine and gateway
    wire_cut: float = 0.0
    wire_silent: float = 0.0
    wire_repeats: float = 0.0
    wire_swaps: float = 0.0
    wire_replays: float = 0.0
    wire_delay_s: float = 0.0
    # machines
    power_cut: float = 0.0
    unplug: float = 0.0
    jam: float = 0.0
    hook: float = 0.0
    flash_lost: float = 0.0
    boots_come_back: float = 0.0
    newer_firmware: float = 0.0
    lies: float = 0.0
    double_every_s: float = 0.0
    # Alipay
    alipay: dict[str, float] = field(default_factory=dict)
    wake_lost: float = 0.0
    forged_every_s: float = 0.0
    short_of_funds_every_s: float = 0.0
    redelivered_every_s: float = 0.0
    # administrators
    reconfigured_every_s: float = 0.0
    reloaded_every_s: float = 0.0
    retried_every_s: float = 0.0
    given_back_every_s: float = 0.0
    limits_wished_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    repriced_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    goods_moved_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    recalled_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    codes_changed_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    erased_every_s: float = 0.0
    restored_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    commanded_every_s: float = 0.0
    scaled_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""
    planned_every_s: float = 0.0
    """Drawn for no world: only steered ones have it."""

    def sql_latency_s(self, rng: Random) -> float:
        """Return how long the next unit of work takes."""
        if self.sql_stalls and rng.random() < self.sql_stalls:
            return rng.random() * self.sql_stall_s
        return 0.001 + 0.004 * rng.random()

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        for item in fields(self):
            if item.name == "alipay":
                self.alipay = {}
            elif item.name not in {"sql_stall_s", "sql_outage_long"}:
                setattr(self, item.name, item.type(0))  # type: ignore[operator]  # bool or float


def drawn(rng: Random) -> Faults:
    """Return the faults of a world."""
    on = 0.0 if rng.random() < 0.03 else rng.choice((0.15, 0.3, 0.5))
    faults = Faults()

    def sometimes(*values: float) -> float:
        return rng.choice(values) if rng.random() < on else 0.0

    faults.sql_refuses = sometimes(0.01, 0.05, 0.2)
    faults.sql_loses = sometimes(0.01, 0.05, 0.15)
    faults.sql_stalls = sometimes(0.01, 0.05)
    faults.sql_stall_s = rng.choice((2.0, 8.0, 20.0))
    faults.slow_answers = rng.random() < on
    faults.sql_outage_every_s = sometimes(200, 600)
    faults.host_crash_every_s = sometimes(60, 200, 600)
    where = rng.choice(("crossing", "crossing", "await", "await", "anywhere"))
    faults.host_crash_at_crossing = where == "crossing"
    faults.host_crash_at_await = where == "await"
    faults.host_usurped_every_s = sometimes(150, 500)
    faults.host_frozen_every_s = sometimes(200, 600)
    faults.host_stopped_every_s = sometimes(300, 600)
    faults.gateway_crash_every_s = sometimes(100, 400)
    faults.clock_jump_every_s = sometimes(200, 600)
    faults.link_loses = sometimes(0.005, 0.03)
    faults.link_delay_s = sometimes(0.05, 0.5, 3.0)
    faults.wire_cut = sometimes(0.01, 0.05)
    faults.wire_silent = sometimes(0.01, 0.03)
    faults.wire_repeats = sometimes(0.05, 0.3)
    faults.wire_swaps = sometimes(0.05, 0.2)
    faults.wire_replays = sometimes(0.05, 0.2)
    faults.wire_delay_s = sometimes(0.05, 0.5, 2.0)
    faults.power_cut = sometimes(0.1, 0.3, 0.6)
    faults.unplug = sometimes(0.1, 0.3)
    faults.jam = sometimes(0.05, 0.3)
    faults.hook = sometimes(0.05, 0.3)
    faults.flash_lost = sometimes(0.3)
    faults.alipay = {name: value for name in ALIPAY_FAULTS if (value := sometimes(0.05, 0.2, 0.5))}
    faults.wake_lost = sometimes(0.2, 1.0)
    faults.forged_every_s = sometimes(100, 300)
    faults.short_of_funds_every_s = sometimes(300, 600)
    faults.redelivered_every_s = sometimes(60, 200)
    faults.reconfigured_every_s = sometimes(120, 400)
    reloaded_every_s = rng.choice((2.0, 10.0, 60.0))
    faults.reloaded_every_s = reloaded_every_s if rng.random() < on / 2 else 0.0
    faults.retried_every_s = sometimes(30, 120)
    faults.given_back_every_s = sometimes(30, 120)
    # Drawn last, so that all the others stay as they were.
    faults.alipay |= {name: value for name in LATER_FAULTS if (value := sometimes(0.05, 0.2, 0.5))}
    faults.boots_come_back = sometimes(0.3)
    faults.newer_firmware = sometimes(0.5)
    faults.lies = sometimes(0.1, 0.3)
    faults.double_every_s = sometimes(100, 300)
    faults.erased_every_s = sometimes(20, 120)
    faults.commanded_every_s = rng.choice((60.0, 200.0)) if rng.random() < on / 4 else 0.0
    return faults
