"""What a machine has sold, as EVA-DTS counts it: values only.

``Tally`` is ours and known; ``Meter`` is what a machine says, each part of which may be unknown.
Amounts are minor units of the machine's currency.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tally:
    """So many, worth so much together."""

    number: int = 0
    minor: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.number + other.number, self.minor + other.minor)

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(self.number - other.number, self.minor - other.minor)


NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Meter:
    """What a machine says that it counted; None: it does not say, or nobody can read it."""

    number: int | None = None
    minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineCounters:
    """A machine's own counters since it was made: all sales (VA1), those without cash (DA2), those
    for cash (CA2), and those of each column (PA2).
    """

    paid: Meter = Meter()
    cashless: Meter = Meter()
    cash: Meter = Meter()
    columns: dict[str, Meter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFigures:
    """Of one column: ``paid`` by Alipay, ``free`` are goods that were written off, ``cash`` and
    ``tested`` are counts, whose value nobody keeps.
    """

    paid: Tally = NOTHING
    free: Tally = NOTHING
    cash: int = 0
    tested: int = 0

    def __sub__(self, other: "ColumnFigures") -> "ColumnFigures":
        return ColumnFigures(
            paid=self.paid - other.paid,
            free=self.free - other.free,
            cash=self.cash - other.cash,
            tested=self.tested - other.tested,
        )


NO_COLUMN = ColumnFigures()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was sold of one machine: ``columns`` by their names, ``topped_up`` are payments,
    ``given_back`` what an administrator gave back of sold goods, ``events`` failed vends by their
    code. ``paid`` counts the prices that were shown; ``discounts`` is what offers took off them.

    ``paid + free - discounts - given_back`` is the balance of SALES, ``topped_up`` what RECEIVABLE
    was debited.
    """

    columns: dict[str, ColumnFigures] = field(default_factory=dict)
    topped_up: Tally = NOTHING
    given_back: Tally = NOTHING
    events: dict[str, int] = field(default_factory=dict)
    discounts: Tally = NOTHING

    @property
    def paid(self) -> Tally:
        """All that was paid by Alipay."""
        return sum((one.paid for one in self.columns.values()), NOTHING)

    @property
    def free(self) -> Tally:
        """All goods that were written off."""
        return sum((one.free for one in self.columns.values()), NOTHING)

    @property
    def cash(self) -> int:
        """How many were sold for cash, as far as the machine told."""
        return sum(one.cash for one in self.columns.values())

    @property
    def tested(self) -> int:
        """How many were tried."""
        return sum(one.tested for one in self.columns.values())

    def since(self, other: "Figures") -> "Figures":
        """Return what was added since ``other``, which is an earlier state of these."""
        events = {code: count - other.events.get(code, 0) for code, count in self.events.items()}
        return Figures(
            columns={
                name: one - other.columns.get(name, NO_COLUMN) for name, one in self.columns.items()
            },
            topped_up=self.topped_up - other.topped_up,
            given_back=self.given_back - other.given_back,
            events=events,
            discounts=self.discounts - other.discounts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditColumn:
    """A column of the planogram. ``emptied_at_ms``: since when it is sold out, None if it is not
    or nobody knows.
    """

    column: str
    product: str
    price_minor: int
    capacity: int
    emptied_at_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineAudit:
    """All that an export says of a machine. ``interval`` is what was added since the last reset,
    the ``resets``th; all since installation if there was none.
    """

    machine_id: str
    serial: str
    model: str
    store_name: str
    currency: str
    columns: tuple[AuditColumn, ...]
    total: Figures
    interval: Figures
    resets: int = 0
    reset_at_ms: int | None = None


def as_field(text: str, most: int) -> str:
    """Return a text as it stands in a file: printable ASCII without what ends a field, ``most``
    characters of it.
    """
    return "".join(one if " " <= one <= "~" and one != "*" else "?" for one in text)[:most]
