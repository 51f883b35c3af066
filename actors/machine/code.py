"""What an actor remembers of its machine's code at Alipay. Frozen values; ``codes`` has the rules.

Times (``*_at_ms``) are milliseconds since 1970 UTC. Its status is looked for in the text of a
state, so that it stands first and is always written.
"""

from enum import StrEnum

from msgspec import Struct

QR_PAYLOAD_BYTES_MAX = 256
"""A machine has room for this much of a code (gateway/v1/machine.proto); Alipay's have about 45."""


class CodeStatus(StrEnum):
    """The machine's QR code at Alipay. UNKNOWN: nobody knows whether Alipay did what was asked."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    STOPPED = "STOPPED"
    UNKNOWN = "UNKNOWN"
    REFUSED = "REFUSED"


class Code(Struct, frozen=True, kw_only=True):
    """The machine's code. While its ``status`` is not what is ``wanted``, Alipay is asked again."""

    status: CodeStatus = CodeStatus.PENDING
    wanted: CodeStatus = CodeStatus.ACTIVE
    asked: CodeStatus | None = None
    """What the call under way is to make of it; None if no call is."""
    behind_refusal: CodeStatus = CodeStatus.PENDING
    """With REFUSED: what is known of it all the same."""
    qr_payload: str = ""
    """The text to show, at most QR_PAYLOAD_BYTES_MAX."""
    image_url: str = ""
    error: str = ""
    attempts: int = 0
    next_attempt_at_ms: int | None = None
    asked_revision: int = 0
    """Which configuration the last call was made under."""
    again_at_ms: int | None = None
    """When what is wanted is ordered once more, for older orders that Alipay may yet do."""
    agains: int = 0
    """How often that was done since an order was last in doubt."""
