"""What the demo has seen, as one value: for the screen while it runs, and as JSON at its end."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Counts and money, in minor units of the demo's one currency.

    ``differences`` says where the two books disagree, ``findings`` where ours contradicts itself.
    """

    vends_succeeded: int
    vends_failed: int
    vends_denied: int
    topups: int
    refunds: int
    money_in: int
    money_sold: int
    money_refunded: int
    money_held: int
    money_due_back: int
    goods_written_off: int
    refunds_written_off: int
    ledger_balanced: bool
    books_agree: bool
    audit_clean: bool
    duration_s: float
    seed: int
    ray: bool
    differences: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    """What was lived before, if anything was."""

    @property
    def good(self) -> bool:
        """Whether all money is where it should be."""
        return self.sound and self.books_agree and self.money_held == 0 and self.money_due_back == 0

    @property
    def sound(self) -> bool:
        """Whether our own book holds, even with customers in the middle of something."""
        return self.ledger_balanced and self.audit_clean

    def as_json(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        return asdict(self)
