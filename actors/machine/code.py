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


class Says(Struct, frozen=True, kw_only=True, array_like=True):
    """What a code says at Alipay: short digests of where its payments are told, who sells there and
    where that is. Digests, because the notify URL holds a secret, and because a state is written
    with every sale. An empty part: nobody knows.
    """

    notify: str = ""
    name: str = ""
    address: str = ""
    store: str = ""
    """Of the store's id, which no call changes; empty if that is the machine's own."""


class Saying(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the code says at Alipay, and what it shall say. ``store``: for which the code was made.

    ``confirmed`` is what Alipay answered last that it says; None: it was never asked.
    """

    wanted: Says | None = None
    """None: nobody has told the machine, and nothing is to be modified."""
    confirmed: Says | None = None
    refused: Says | None = None
    """What Alipay does not let it say."""
    asked: Says | None = None
    """What the call under way is to make it say; None if no call is."""
    store: str = ""
    deleting: bool = False
    """The call under way deletes the code, because the store has another one now."""
    resaid: bool = False
    """Of the repetition that is due (``Code.again_at_ms``) this part was answered."""
    error: str = ""
    attempts: int = 0
    next_attempt_at_ms: int | None = None


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
    saying: Saying = Saying()
    offline_stop_at_ms: int | None = None
    """When it is to be stopped if the machine does not come back (``Policy.code_offline_stop_ms``).
    """


def blurred(confirmed: Says | None, asked: Says) -> Says | None:
    """Return what is still known of what a code says after a call that was to make it say
    ``asked``, and of which nobody knows whether Alipay did it: what stays as it is.
    """
    if confirmed is None:
        return None
    parts = {name: getattr(confirmed, name) for name in Says.__struct_fields__}
    return Says(**{name: one for name, one in parts.items() if one == getattr(asked, name)})


def tells_us(code: Code) -> bool:
    """Tell whether Alipay tells the payments of this code to us, as far as anybody knows. One that
    was there before this was asked is believed to.
    """
    wanted, confirmed = code.saying.wanted, code.saying.confirmed
    return wanted is None or confirmed is None or confirmed.notify == wanted.notify


def replaced(code: Code) -> bool:
    """Tell whether the machine shall have another code than this one."""
    wanted = code.saying.wanted
    return bool(code.qr_payload) and wanted is not None and wanted.store != code.saying.store


def barred(code: Code) -> bool:
    """Tell whether Alipay refuses to let the code say where its payments are to be told, so that
    nobody may pay it.
    """
    saying = code.saying
    return saying.refused is not None and saying.refused == saying.wanted and not tells_us(code)
