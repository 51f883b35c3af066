"""The limits of the business, as one value that is passed to ``decide``.

Flows in: the fleet's defaults from the settings and a machine's own overrides from the registry.
Flows out: one :class:`Policy`. All times are milliseconds.

A new limit is one field of :class:`Policy`: its default, its bounds, its unit. The settings'
section and the checks of requests are made from ``BOUNDS``. A limit that a machine may have for
itself is named once more in :class:`PolicyOverrides`, and in the ``Policy`` message of the protos.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from msgspec import Struct

AMOUNT_MINOR_MAX = 10_000_000_000
"""No price, payment or refund is larger: 100 000 000.00, which is Alipay's own limit
(docs/alipay.md 6.1).
"""


class Unit(StrEnum):
    """What the number of a limit counts; the value is its name in a sentence."""

    MILLISECONDS = "milliseconds"
    MINOR = "minor units"
    TIMES = "times"
    PIECES = "pieces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one limit may be: ``least`` to ``most`` of its ``unit``, both included.

    ``count_max`` above 1: the limit is a list of 1 to that many such numbers.
    """

    unit: Unit
    least: int
    most: int
    count_max: int = 1


WAIT = Bounds(unit=Unit.MILLISECONDS, least=1, most=86_400_000)
"""Every wait ends within a day."""
_ACTS = replace(WAIT, least=1_000)
"""In which a customer must be able to act: 60 for a minute is seconds where milliseconds count."""
_WAITS = replace(WAIT, count_max=32)
_YEAR = replace(WAIT, most=366 * 86_400_000)
_ABOVE = Bounds(unit=Unit.MINOR, least=0, most=AMOUNT_MINOR_MAX)
_PIECE = Bounds(unit=Unit.MINOR, least=100_000_000, most=999_999_999)
"""The largest payment goes back in a hundred pieces at most."""


def _wait(default: int) -> int:
    return field(default=default, metadata={"bounds": WAIT})


def _wait_for_customer(default: int) -> int:
    return field(default=default, metadata={"bounds": _ACTS})


def _long_wait(default: int) -> int:
    return field(default=default, metadata={"bounds": _YEAR})


def _waits(*default: int) -> tuple[int, ...]:
    return field(default=default, metadata={"bounds": _WAITS})


def _or_never() -> int | None:
    return field(default=None, metadata={"bounds": replace(_YEAR, least=60_000)})


def _above() -> int | None:
    return field(default=None, metadata={"bounds": _ABOVE})


def _at_most(default: int, most: int, unit: Unit) -> int:
    return field(default=default, metadata={"bounds": Bounds(unit=unit, least=1, most=most)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One limit must be at least as long as another; ``why`` ends the sentence that says so."""

    longer: str
    shorter: str
    why: str


RULES = (
    Rule(
        longer="vend_result_ms",
        shorter="approval_valid_ms",
        why="a machine may start its motor until the approval is over, and can report only then",
    ),
    Rule(
        longer="doubt_window_ms",
        shorter="approval_valid_ms",
        why="a machine whose stream is lost may start its motor until the approval is over",
    ),
    Rule(
        longer="doubt_window_ms",
        shorter="report_wait_ms",
        why="a machine whose stream is lost must have time to come back and report",
    ),
    Rule(
        longer="payment_age_max_ms",
        shorter="payment_wait_ms",
        why="who pays within the wait must not be late",
    ),
    Rule(
        longer="payment_wait_ms",
        shorter="clock_tolerance_ms",
        why="money for one selection would pass for money of the next",
    ),
)
"""What every policy keeps. All other pairs may stand in any order: the shorter one acts first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Two limits that exclude each other: the ``rule``, and what both are."""

    rule: Rule
    longer: int
    shorter: int

    @property
    def demand(self) -> str:
        """What is wanted of the limit that the rule names first, for who knows which that is."""
        return f"must be at least {self.rule.shorter} ({self.shorter}): {self.rule.why}"

    @property
    def sentence(self) -> str:
        """How the rule is broken."""
        return f"{self.rule.longer} ({self.longer}) {self.demand}."


class Contradiction(ValueError):
    """Limits that exclude each other. The message says which, and why."""

    def __init__(self, found: Sequence[Clash]) -> None:
        super().__init__(" ".join(one.sentence for one in found))
        self.found = tuple(found)


def contradictions(limits: Mapping[str, Any]) -> tuple[Clash, ...]:
    """Return which of these limits (all of a policy's, by name) exclude each other."""
    return tuple(
        Clash(rule=rule, longer=limits[rule.longer], shorter=limits[rule.shorter])
        for rule in RULES
        if limits[rule.longer] < limits[rule.shorter]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every limit that the core applies. Raises Contradiction if two of them exclude each other."""

    idle_refund_ms: int = _wait_for_customer(300_000)
    """Pay first: what is left goes back this long after the customer's last operation, at the
    latest twice this long after their last payment or sale.
    """
    payment_wait_ms: int = _wait_for_customer(25_000)
    """Purchase first: how long a selection waits for its payment."""
    unavailable_grace_ms: int = _wait(60_000)
    """How long money rests with a machine that is offline, out of service or sold out."""
    approval_valid_ms: int = _wait(30_000)
    """The machine must not start the motor later than this after it received the approval."""
    vend_result_ms: int = _wait(120_000)
    """An approved vend without a result is in doubt after this."""
    doubt_window_ms: int = _wait(600_000)
    """A vend in doubt is voided and refunded after this."""
    report_wait_ms: int = _wait(120_000)
    """However overdue a vend is, its machine has this long to report how it ended: counted from
    when its host listens again (after a start, or a time in which nothing could be saved), and once
    from when the machine is back. Twice the longest wait between a machine's calls.
    """
    payment_age_max_ms: int = _wait(300_000)
    """A payment that we hear of later than this is late money: refunded at once, in full."""
    late_watch_ms: int = _wait(30_000)
    """For this long after an unpaid selection, money that comes in without a session is taken for
    its late payment.
    """
    clock_tolerance_ms: int = _wait(3_000)
    """Alipay's clock and ours may differ by this much; its times are whole seconds."""
    refund_retry_ms: tuple[int, ...] = _waits(
        5_000,
        10_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        1_800_000,
        3_600_000,
    )
    """Waits between tries of a refund whose outcome is unknown; the last one repeats."""
    refund_unresolved_ms: int = _long_wait(86_400_000)
    """A refund of which nothing certain is known is a person's this long after it fell due, if
    ``refund_unresolved_tries`` were made too.
    """
    refund_unresolved_tries: int = _at_most(12, 10_000, Unit.TIMES)
    """After fewer tries than this no refund is a person's, however old it is."""
    refund_waiting_ms: int = _long_wait(190 * 86_400_000)
    """A refund that Alipay accepted, or that waits for settlement funds, is a person's after this.
    Alipay itself gives up after 180 days, in silence (docs/alipay.md 5.3).
    """
    short_of_funds_retry_ms: int = _wait(3_600_000)
    """The wait when Alipay lacks our settlement funds; the same id each time."""
    short_of_funds_sync_tries: int = _at_most(2, 1_000, Unit.TIMES)
    """After this many such answers the refund is left to Alipay (asynchronous), which goes on each
    night; the same id still.
    """
    code_retry_ms: tuple[int, ...] = _waits(5_000, 30_000, 120_000, 600_000)
    """Waits between tries to make or change the machine's code; the last one repeats."""
    code_again_ms: tuple[int, ...] = _waits(180_000, 2_100_000, 86_400_000)
    """A call about the code that was not answered, or that an earlier host has made, may reach
    Alipay late. After these waits, one behind the other, what is wanted is ordered once more. The
    second is longer than the half hour for which Alipay takes a signed order (docs/alipay.md 2);
    the third is for a host that stood still before it signed one.
    """
    code_modify_every_ms: int = _wait(500)
    """When very many codes are to say something else, as after a new domain, a host has one of them
    modified in each such time.
    """
    code_offline_stop_ms: int | None = _or_never()
    """The code of a machine whose stream has been down for this long is stopped, and restarted when
    it is back; None: it never is, and what is paid meanwhile goes back.
    """
    doubt_review_above_minor: int | None = _above()
    """A doubt about more than this is a person's to settle, instead of being voided; None: no doubt
    is.
    """
    write_off_second_person_above_minor: int | None = _above()
    """A refund of more than this is written off by two different people, one after the other; None:
    one person suffices.
    """
    column_failures_max: int = _at_most(3, 1_000, Unit.TIMES)
    """A column that fails this often in a row sells nothing until somebody has seen to it."""
    machine_failures_max: int = _at_most(6, 1_000, Unit.TIMES)
    """When so many vends of a machine in a row ended without goods, a person is told."""
    takeovers_a_minute_max: int = _at_most(12, 1_000, Unit.TIMES)
    """After this many streams in a minute that took over from one that lives, the next one is sent
    away: two devices fight for one identity.
    """
    refund_piece_minor_max: int = field(default=999_999_999, metadata={"bounds": _PIECE})
    """What goes back and is more than this goes back in pieces: one refund's amount is Number(9,2)
    (docs/alipay.md 5.1).
    """
    doubts_max: int = _at_most(8, 1_000, Unit.PIECES)
    """With this many vends in doubt the machine sells nothing more."""
    trades_max: int = _at_most(64, 10_000, Unit.PIECES)
    """With this many trades open, new money is refunded at once, whichever customer paid it, and
    the code is stopped until one of them is closed.
    """

    def __post_init__(self) -> None:
        """Raise Contradiction if two limits exclude each other."""
        found = contradictions({limit.name: getattr(self, limit.name) for limit in fields(self)})
        if found:
            raise Contradiction(found)


BOUNDS: Mapping[str, Bounds] = {limit.name: limit.metadata["bounds"] for limit in fields(Policy)}
"""What each limit may be, by its name. One whose default is None may also be left out."""


class PolicyOverrides(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """A machine's own limits; None follows the fleet. One that this program does not know, and so
    would not obey, is an error for whoever reads it.
    """

    idle_refund_ms: int | None = None
    payment_wait_ms: int | None = None
    unavailable_grace_ms: int | None = None
    vend_result_ms: int | None = None
    doubt_window_ms: int | None = None
    doubt_review_above_minor: int | None = None
    write_off_second_person_above_minor: int | None = None

    def contradict(self, policy: Policy) -> tuple[Clash, ...]:
        """Return how these limits and the fleet's exclude each other."""
        return contradictions(self._merged(policy))

    def applied_to(self, policy: Policy) -> Policy:
        """Return ``policy`` with every limit that is set here.

        A limit of the machine's own that the fleet's have come to exclude since it was set gives
        way to them: a machine must go on, and the longer wait takes nobody's money.
        """
        if self == _NOTHING_SET:
            return policy  # as of nearly all machines, which share it
        merged = self._merged(policy)
        for rule in RULES:
            if merged[rule.longer] >= merged[rule.shorter]:
                continue
            if getattr(self, rule.longer, None) is not None:
                merged[rule.longer] = merged[rule.shorter]
            else:
                merged[rule.shorter] = merged[rule.longer]
        return Policy(**merged)

    def _merged(self, policy: Policy) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in self.__struct_fields__}
        return {
            **{limit.name: getattr(policy, limit.name) for limit in fields(policy)},
            **{name: value for name, value in own.items() if value is not None},
        }


_NOTHING_SET = PolicyOverrides()


OVERRIDABLE: Mapping[str, Bounds] = {
    name: BOUNDS[name] for name in PolicyOverrides.__struct_fields__
}
"""The limits that a machine may have for itself."""
