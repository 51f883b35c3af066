"""What every part of the pretend Alipay shares: the book, the clock, the keys and the switches as
they stand now.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from alipay_client.simulator import gmt8
from alipay_client.simulator.book import Book
from alipay_client.simulator.config import Faults, Limits, Quirks, SimulatorConfig, names, switched
from alipay_client.simulator.dice import Dice
from alipay_client.simulator.model import Terms
from alipay_client.simulator.screens import Screens
from alipay_client.simulator.signing import KeyRing, key_ring

ANSWER_FAULTS = (
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
    "odd_code",
)
_PLANNED_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedAway:
    """A call that was not let in; kept for the control page."""

    at_ms: int
    service: str
    code: str
    reason: str


class Context:
    """One for each pretend Alipay; raises ValueError when the configuration lacks a key."""

    def __init__(self, config: SimulatorConfig, book: Book, now_ms: Callable[[], int]) -> None:
        self.config = config
        self.book = book
        self.now_ms = now_ms
        self.ring: KeyRing = key_ring(config)
        self.quirks: Quirks = config.quirks
        self.faults: Faults = config.faults
        self.dice = Dice(config.seed)
        self.screens = Screens(now_ms)
        self.planned: deque[str] = deque(maxlen=_PLANNED_MAX)
        self.turned_away: deque[TurnedAway] = deque(maxlen=config.limits.refusals_max)

    @property
    def limits(self) -> Limits:
        """The bound on everything."""
        return self.config.limits

    def switches(self) -> dict[str, object]:
        """Return quirks and faults as they stand."""
        return {**asdict(self.faults), **asdict(self.quirks)}

    def switch(self, wanted: Mapping[str, object]) -> None:
        """Set the named quirks and faults; all or, with ValueError, none. They last until this
        process ends.
        """
        of_quirks = names(Quirks)
        quirks = switched(
            self.quirks, {name: value for name, value in wanted.items() if name in of_quirks}
        )
        faults = switched(
            self.faults, {name: value for name, value in wanted.items() if name not in of_quirks}
        )
        self.quirks, self.faults = quirks, faults

    def plan(self, *faults: str) -> None:
        """Let these faults strike the next calls in turn, whatever the chances; an empty text lets
        one pass. ValueError on others.
        """
        for name in faults:
            if name and name not in ANSWER_FAULTS:
                raise ValueError(f"{name} is no fault of an answer")
        if len(self.planned) + len(faults) > _PLANNED_MAX:
            raise ValueError(f"at most {_PLANNED_MAX} faults can be planned")
        self.planned.extend(faults)

    def terms(self) -> Terms:
        """Return the circumstances of a refund as they stand."""
        return Terms(
            short_of_funds=self.quirks.short_of_funds,
            funds_retry_ms=self.quirks.funds_retry_ms,
            async_refund_ms=self.quirks.async_refund_ms,
            refund_window_ms=self.quirks.refund_window_days * gmt8.DAY_MS,
        )
