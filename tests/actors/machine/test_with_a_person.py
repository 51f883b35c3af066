"""Refunds that wait for a person are those that nothing happens to by itself."""

import pytest

from actors.machine.state import RefundStatus
from actors.machine.with_a_person import WITH_A_PERSON


@pytest.mark.parametrize("status", RefundStatus)
def test_a_person_has_what_alipay_refused_and_what_never_got_an_answer(
    status: RefundStatus,
) -> None:
    """Everything else is over, or goes on by itself."""
    expected = status in {RefundStatus.REFUSED, RefundStatus.UNRESOLVED}
    assert expected == (status in WITH_A_PERSON)
