"""Proves the books: every invariant of the database, checked from outside the actors, on a live or
a restored one.
"""

from storage.auditing.findings import Audit, Check, Finding, Seal, Unsealed
from storage.auditing.proof import CHECKS, WHOLE, Scope, prove, prove_within

__all__ = [
    "CHECKS",
    "WHOLE",
    "Audit",
    "Check",
    "Finding",
    "Scope",
    "Seal",
    "Unsealed",
    "prove",
    "prove_within",
]
