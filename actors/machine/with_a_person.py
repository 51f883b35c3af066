"""Which refunds wait for a person."""

from actors.machine.state import RefundStatus

WITH_A_PERSON = frozenset({RefundStatus.REFUSED, RefundStatus.UNRESOLVED})
"""Nothing is tried by itself any more: a person tries again, asks Alipay, or gives it up."""
