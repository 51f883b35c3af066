"""What an audit says: plain values. Amounts are minor units of ``currency``, or of the machine's
where none is named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from storage.auditing.reading import Books
from storage.auditing.starts import Start
from storage.fleet.views import BalanceView

FINDINGS_MAX = 100
"""So many findings of one check are told; one defect may spoil a million rows, and nobody reads a
million sentences.
"""

CHAINS = frozenset({"journals_are_as_written", "audit_rows_are_as_written", "sealed_digests_stand"})
"""The names of the checks that follow the chains of digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it must be (or, as a warning, takes too long): a sentence, what it
    is about and the amounts.
    """

    sentence: str
    machine_id: str = ""
    session_id: str = ""
    trade_id: str = ""
    vend_id: str = ""
    refund_id: str = ""
    command_id: str = ""
    currency: str = ""
    amounts: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return what is known, as a JSON object."""
        return {name: value for name, value in asdict(self).items() if value}


Look = Callable[[Books], Iterator[int | Finding]]
"""Yields how many things it has looked at, as it goes on, and what it finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one invariant came to. ``more``: it was broken more often than ``FINDINGS_MAX`` times,
    and the look ended there.
    """

    name: str
    truth: str
    looked_at: int
    findings: tuple[Finding, ...]
    more: bool

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The digest of a machine's line with this version; without a machine that of the row of
    ``audit`` with this id.
    """

    machine_id: str
    version: int
    digest: str

    @property
    def subject(self) -> str:
        """What is sealed, in words."""
        return (
            f"line {self.version} of machine {self.machine_id}"
            if self.machine_id
            else f"row {self.version} of audit"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealed:
    """How many rows have no digest, because they are from before there were any. Nobody can say
    whether they are as they were written.
    """

    journal_lines: int
    audit_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The whole audit of one moment. Warnings are facts that are allowed and have lasted too
    long.
    """

    at_ms: int
    checks: tuple[Check, ...]
    warnings: tuple[Finding, ...]
    balances: tuple[BalanceView, ...]
    seals: tuple[Seal, ...]
    """The newest digests of all chains in this moment."""
    unsealed: Unsealed
    since_ms: int | None = None
    """When the seals were taken behind which this audit began; None: it looked at all there is."""
    proved: tuple[Start, ...] = ()
    """Up to where it came; an audit that begins there later need not look at what is before."""

    @property
    def clean(self) -> bool:
        """Whether every invariant holds. Warnings do not count."""
        return all(check.holds for check in self.checks)

    @property
    def chains_hold(self) -> bool:
        """Whether no row was found changed, removed or put in, nor a seal broken."""
        return all(check.holds for check in self.checks if check.name in CHAINS)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every finding, with the name of its check before it."""
        return tuple(
            f"{check.name}: {finding.sentence}"
            for check in self.checks
            for finding in check.findings
        )

    def as_json(self) -> dict[str, Any]:
        """Return all of it as one JSON object."""
        return {
            "clean": self.clean,
            "at_ms": self.at_ms,
            "since_ms": self.since_ms,
            "checks": [
                {
                    "name": check.name,
                    "truth": check.truth,
                    "looked_at": check.looked_at,
                    "holds": check.holds,
                    "more": check.more,
                    "findings": [finding.as_json() for finding in check.findings],
                }
                for check in self.checks
            ],
            "warnings": [warning.as_json() for warning in self.warnings],
            "balances": [asdict(balance) for balance in self.balances],
            "unsealed": asdict(self.unsealed),
        }
