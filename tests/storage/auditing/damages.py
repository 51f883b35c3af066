"""What an intruder with the file could do by one statement, and which check must see it: each
stands in the test file of its check's subject.

``companions`` are other checks that look at the same thing from another side, and see it too. The
chain of digests sees whatever is done to the tables that it seals.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.auditing import Audit
from tests.storage.auditing.books import audited, broken

SEALED_BY = {
    "journal": "journals_are_as_written",
    "transfers": "journals_are_as_written",
    "audit": "audit_rows_are_as_written",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One statement, the check that it is for, and a part of the sentence in which that check must
    tell of it.
    """

    check: str
    sql: str
    sentence: str
    companions: frozenset[str] = frozenset()

    @property
    def seen_by(self) -> set[str]:
        """Every check that sees it."""
        changed = re.match(r"(?:UPDATE|INSERT INTO|DELETE FROM) (\w+)", self.sql)
        assert changed
        chain = SEALED_BY.get(changed[1])
        return {self.check, *self.companions, *([chain] if chain else [])}

    def must_be_in(self, audit: Audit) -> None:
        """Fail unless its check, and no other than those that must, tells of it."""
        assert self.seen_by == set(broken(audit)), audit.sentences
        assert [
            said
            for said in audit.sentences
            if said.startswith(f"{self.check}: ") and self.sentence in said
        ], audit.sentences


def names(damages: Sequence[Damage]) -> list[str]:
    """Name each by its check and its place."""
    return [f"{one.check}-{number}" for number, one in enumerate(damages)]


async def seen(spoilt: Callable[..., str], one: Damage) -> None:
    """Do it to sound books, and expect that the audit tells of it."""
    one.must_be_in(await audited(spoilt(one.sql)))
