"""The three-way check of a read-out: a machine's own counters, our books, and what Alipay's daily
files say of our books. Pure.

Flows in: what the machine counted now and at its read-out before, what the books have of the same
time, and how the daily files of these days came out. Flows out: what differs, each with a sentence
and a guess at why; a person decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from storage.office.audit_figures import (
    NO_COLUMN,
    ColumnFigures,
    Figures,
    MachineCounters,
    Meter,
    as_field,
)

DIFFERENCES_MAX = 100
NEAR_MS = 15 * 60_000
"""A sale so near to a read-out may stand on its other side in the machine: clocks differ, and who
reads takes a while.
"""
COLUMN_LENGTH_MAX = 16
COUNTER_OF_COLUMN = "PA2*"


class AlipaySays(StrEnum):
    """AGREES: Alipay's files of all these days were compared and nothing about this machine is
    open. DIFFERS: something is. NOT_READ: the file of at least one day was not compared, and
    nothing is open in the others.
    """

    AGREES = "AGREES"
    DIFFERS = "DIFFERS"
    NOT_READ = "NOT_READ"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutSpan:
    """What a read-out was compared with. ``from_ms`` None: with installation. ``compared`` False:
    with nothing, because it is a baseline or its bytes are wrong. Days are Alipay's (GMT+8).
    """

    from_ms: int | None
    until_ms: int
    compared: bool
    alipay: AlipaySays = AlipaySays.NOT_READ
    days: int = 0
    days_read: int = 0
    alipay_differences: int = 0
    columns_compared: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What the books have of the span. ``near`` sales ended close to one of its ends, ``undecided``
    vends have no outcome yet. ``columns`` are all that the machine has or had, as files name them.
    """

    figures: Figures
    near: int = 0
    undecided: int = 0
    columns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterDifference:
    """A counter that differs. ``machine`` and ``ours`` are what each counted in the span."""

    counter: str
    machine: Meter
    ours: Meter
    said: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The read-out before. ``partial``: what is not in it was perhaps counted then."""

    counters: MachineCounters
    partial: bool


def compare(
    now: MachineCounters, before: Before | None, ours: Ours, span: ReadoutSpan, *, partial: bool
) -> tuple[ReadoutSpan, tuple[CounterDifference, ...]]:
    """Return the span with how many columns were compared, and what differs. ``before`` None: the
    machine's counters began at installation.
    """
    check = _Check(now, before, ours, span, partial=partial)
    found = tuple(check.differences())
    shown = found[:DIFFERENCES_MAX]
    if len(found) > len(shown):
        left_out = len(found) - len(shown) + 1
        last = replace(
            shown[-1],
            counter="PA2",
            said=f"{left_out} more columns differ than are listed",
        )
        shown = (*shown[:-1], last)
    return replace(span, columns_compared=check.columns_compared), shown


class _Check:
    def __init__(
        self,
        now: MachineCounters,
        before: Before | None,
        ours: Ours,
        span: ReadoutSpan,
        *,
        partial: bool,
    ) -> None:
        self._now = now
        self._before = before
        self._ours = ours
        self._span = span
        self._partial = partial
        self.columns_compared = 0
        self._untold_cash = 0
        """So many cash sales more than we heard of."""

    def differences(self) -> Iterator[CounterDifference]:
        """Yield what differs."""
        figures = self._ours.figures
        delivered = figures.paid + figures.free
        told = self._now.cashless
        if told != Meter():
            ours = Meter(number=delivered.number, minor=delivered.minor)
            yield from self._of("DA2", told, self._was("cashless"), ours, "sales without cash")
        elif self._now.paid != Meter():
            number = delivered.number + figures.cash
            ours = Meter(number=number, minor=None if figures.cash else delivered.minor)
            yield from self._of("VA1", self._now.paid, self._was("paid"), ours, "paid sales")
        if self._now.cash.number is not None:
            yield from self._of_cash(figures.cash)
        yield from self._of_columns()

    def _of_cash(self, ours: int) -> Iterator[CounterDifference]:
        for one in self._of(
            "CA2", self._now.cash, self._was("cash"), Meter(number=ours), "sales for cash"
        ):
            self._untold_cash = max(0, (one.machine.number or 0) - ours)
            yield one

    def _of_columns(self) -> Iterator[CounterDifference]:
        sold: dict[str, ColumnFigures] = {}
        for name, one in self._ours.figures.columns.items():
            sold[as_field(name, COLUMN_LENGTH_MAX)] = one
        if not self._now.columns.keys() & self._ours.columns:
            return  # the machine names its columns otherwise: there is nothing to hold together
        found: list[CounterDifference] = []
        for name in sorted(self._now.columns.keys() | sold.keys()):
            told = self._now.columns.get(name)
            if told is None and self._partial:
                continue
            self.columns_compared += 1
            found += self._of_column(name, told, sold.get(name, NO_COLUMN))
        more = sum(max(0, _surplus(one)) for one in found)
        if self._untold_cash and more == self._untold_cash:
            found = [one for one in found if _surplus(one) <= 0]  # those are the cash sales
        yield from found

    def _of_column(
        self, name: str, told: Meter | None, sold: ColumnFigures
    ) -> Iterator[CounterDifference]:
        number = sold.paid.number + sold.free.number + sold.cash
        minor = None if sold.cash or self._untold_cash else sold.paid.minor + sold.free.minor
        counter, ours = (
            f"{COUNTER_OF_COLUMN}{name}"[:32],
            Meter(number=number, minor=minor),
        )
        if told is not None:
            was = self._was_column(name)
            yield from self._of(counter, told, was, ours, f"sales from column {name}")
        elif number:
            yield CounterDifference(
                counter=counter,
                machine=Meter(),
                ours=ours,
                said=f"{self._when()} the books have {number} sales from column {name}, which the "
                "machine does not name",
                cause="the machine names the column otherwise, or has it no more",
            )

    def _was(self, name: str) -> Meter:
        if self._before is None:
            return Meter(number=0, minor=0)
        told: Meter = getattr(self._before.counters, name)
        return told

    def _was_column(self, name: str) -> Meter:
        if self._before is None:
            return Meter(number=0, minor=0)
        unknown = Meter() if self._before.partial else Meter(number=0, minor=0)
        return self._before.counters.columns.get(name, unknown)

    def _of(
        self,
        counter: str,
        now: Meter,
        was: Meter,
        ours: Meter,
        what: str,
    ) -> Iterator[CounterDifference]:
        machine = Meter(number=_since(now.number, was.number), minor=_since(now.minor, was.minor))
        if (machine.number or 0) < 0 or (machine.minor or 0) < 0:
            yield CounterDifference(
                counter=counter,
                machine=now,
                ours=ours,
                said=f"{self._when()} the machine's counter of {what} went back, from "
                f"{_in_words(was)} to {_in_words(now)}; the books have {_in_words(ours)}",
                cause="its board was replaced or its memory was cleared: what it sold in between "
                "is in the books alone",
            )
        elif _differ(machine.number, ours.number) or _differ(machine.minor, ours.minor):
            yield CounterDifference(
                counter=counter,
                machine=machine,
                ours=ours,
                said=f"{self._when()} the machine counted {_in_words(machine)} {what}, the books "
                f"have {_in_words(ours)}",
                cause=self._why(machine, ours),
            )

    def _when(self) -> str:
        return "since installation" if self._span.from_ms is None else "since the read-out before"

    def _why(self, machine: Meter, ours: Meter) -> str:
        more = (machine.number or 0) - (ours.number or 0)
        why: list[str] = []
        if self._ours.undecided:
            why.append(f"{self._ours.undecided} vends have no outcome yet")
        if self._ours.near and abs(more) <= self._ours.near:
            why.append(
                f"{self._ours.near} sales ended within {NEAR_MS // 60_000} minutes of a read-out, "
                "and may be on its other side in the machine"
            )
        if self._span.alipay is AlipaySays.DIFFERS:
            why.append("Alipay's files of these days differ from the books about this machine too")
        elif not why and self._span.alipay is AlipaySays.AGREES:
            why.append("Alipay's files agree with the books, so look at the machine")
        if not why and more > 0 and self._span.from_ms is None:
            why.append("the machine counted before it was registered here")
        if not why and more > 0:
            why.append("test vends, another cashless reader, or vends that never reached us")
        if not why and more < 0:
            why.append("the machine lost counts, or a person said that goods were delivered")
        return "; ".join(why) or "prices in the machine are other ones than in its planogram"


def _since(now: int | None, was: int | None) -> int | None:
    return None if now is None or was is None else now - was


def _differ(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one != other


def _surplus(one: CounterDifference) -> int:
    return (one.machine.number or 0) - (one.ours.number or 0)


def _in_words(told: Meter) -> str:
    number = "an unknown number" if told.number is None else str(told.number)
    return number if told.minor is None else f"{number} ({told.minor} in minor units)"


def in_minor_units(
    counters: MachineCounters, decimals: int | None, exponent: int
) -> tuple[MachineCounters, tuple[str, ...]]:
    """Return what was counted in minor units of a currency with this exponent, and which counters
    are no whole number of them: those become unknown. ``decimals`` None: the currency's own.
    """
    by = exponent if decimals is None else decimals
    inexact: list[str] = []

    def scaled(name: str, one: Meter) -> Meter:
        if one.minor is None or by == exponent:
            return one
        if by < exponent:
            return replace(one, minor=one.minor * 10 ** (exponent - by))
        whole, rest = divmod(one.minor, 10 ** (by - exponent))
        if rest:
            inexact.append(name)
        return replace(one, minor=None if rest else whole)

    made = MachineCounters(
        paid=scaled("VA1", counters.paid),
        cashless=scaled("DA2", counters.cashless),
        cash=scaled("CA2", counters.cash),
        columns={
            name: scaled(f"{COUNTER_OF_COLUMN}{name}", one)
            for name, one in counters.columns.items()
        },
    )
    return made, tuple(inexact)
