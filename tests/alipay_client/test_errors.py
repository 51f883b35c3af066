"""What can go wrong, by what may be done next."""

import pytest

from alipay_client.errors import (
    AlipayError,
    Misused,
    OutcomeUnknown,
    Refused,
    Retry,
    Unreachable,
    Untrusted,
)
from alipay_client.notify import NotificationRefused


@pytest.mark.parametrize("kind", [Unreachable, Untrusted])
def test_what_may_have_happened_is_unknown(kind: type[AlipayError]) -> None:
    """No answer and no believable answer are both unknown: a caller who catches that misses none,
    and never takes it for a no.
    """
    assert issubclass(kind, OutcomeUnknown)
    assert not issubclass(kind, Refused | Misused)


@pytest.mark.parametrize("kind", [Refused, OutcomeUnknown, Misused, NotificationRefused])
def test_each_answer_is_one_of_a_kind(kind: type[AlipayError]) -> None:
    """The kinds below the root exclude one another, because each permits something else."""
    kinds = {Refused, OutcomeUnknown, Misused, NotificationRefused}

    assert {kind} == {each for each in kinds if issubclass(kind, each)}
    assert issubclass(kind, AlipayError)


def test_a_refusal_is_final_unless_it_says_otherwise() -> None:
    """Nobody repeats by accident: a permission to repeat must be given."""
    assert Retry.NEVER is Refused("SOME_CODE").retry
    assert Retry.LATER_SAME_ID is Refused("SOME_CODE", retry=Retry.LATER_SAME_ID).retry


def test_an_error_reads_as_its_code_and_its_sentence() -> None:
    """A code alone stands alone."""
    assert "timeout: no answer in time" == str(Unreachable("timeout", "no answer in time"))
    assert "timeout" == str(Unreachable("timeout"))
