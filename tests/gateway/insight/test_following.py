"""What an operator reads of a proof says all of it."""

from dataclasses import replace

from gateway.insight.following import _told
from storage.insight.proving import Proof

CLEAN = Proof(
    position=7,
    complete_until_ms=1,
    making_again=False,
    facts=2,
    told={"HKD": 5},
    untold={},
    findings=(),
)


def test_a_proof_is_told_in_sentences() -> None:
    """What was never followed, what is not complete, and what is wrong."""
    assert "What is told is what the ledger says." == _told(CLEAN).splitlines()[-1]
    told = _told(replace(CLEAN, untold={"JPY": 9}, making_again=True))
    assert "JPY: 9 minor units were archived before anybody followed" in told
    assert "not complete until that is done" in told
    wrong = _told(replace(CLEAN, findings=("one cent is missing",)))
    assert "WRONG: one cent is missing." in wrong
    assert "what the ledger says" not in wrong
