"""What an actor remembers of its machine's code at Alipay. Frozen values; ``codes`` has the rules.

Times (``*_at_ms``) are milliseconds since 1970 UTC. Its status is looked for in the text of a
state, so that it stands first and is always written.
"""

from enum import StrEnum
from hashlib import sha256

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
    """The id under which Alipay has the store, which no call changes: another one is another code.
    It is no secret, and no digest; empty if it is the machine's own.
    """


def says_of(
    *, notify_url: str, store_name: str, country_code: str, address: str, store_id: str = ""
) -> Says:
    """Return what a code says that is made with all this; ``store_id`` is empty if it is the
    machine's own.
    """
    return Says(
        notify=_digest(notify_url),
        name=_digest(store_name),
        address=_digest(country_code, address),
        store=store_id,
    )


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


class Saying(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the code says at Alipay, and what it shall say. ``store``: for which the code was made,
    or may have been made by a call that was not answered.

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
    differs_since_ms: int | None = None
    """Since when it has not been as it should be, in whatever way; None: it is."""
    offline_stop_at_ms: int | None = None
    """When it is to be stopped if the machine does not come back (``Policy.code_offline_stop_ms``).
    """


class CodePart(StrEnum):
    """In what a code is not as it should be."""

    STATUS = "STATUS"
    NOTIFY_URL = "NOTIFY_URL"
    STORE_NAME = "STORE_NAME"
    ADDRESS = "ADDRESS"
    STORE = "STORE"


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


def fulfilled(code: Code) -> bool:
    """Tell whether the code is all that is wanted of it, and nothing of it is under way or comes by
    itself: nearly every code, at nearly every turn. Then none of what follows need be asked.
    """
    saying = code.saying
    wanted = saying.wanted
    return (
        code.status is code.wanted
        and code.qr_payload != ""
        and code.asked is None
        and saying.asked is None
        and not saying.deleting
        and code.again_at_ms is None
        and code.offline_stop_at_ms is None
        and code.differs_since_ms is None
        and (wanted is None or (wanted == saying.confirmed and wanted.store == saying.store))
    )


def differing(code: Code) -> tuple[CodePart, ...]:
    """Return in what the code is not known to be as it should. What one says that nobody shall pay
    does not matter.
    """
    parts = [CodePart.STATUS] if code.status is not code.wanted else []
    wanted, confirmed = code.saying.wanted, code.saying.confirmed or Says()
    if wanted is None or (code.wanted is CodeStatus.STOPPED and not barred(code)):
        return (*parts, CodePart.STORE) if replaced(code) else tuple(parts)
    for part, one, other in (
        (CodePart.NOTIFY_URL, wanted.notify, confirmed.notify),
        (CodePart.STORE_NAME, wanted.name, confirmed.name),
        (CodePart.ADDRESS, wanted.address, confirmed.address),
    ):
        if one != other:
            parts.append(part)
    return tuple(parts)


def trouble(code: Code) -> str:
    """Return what about the code waits for a person, in words; empty if nothing does."""
    if code.status is CodeStatus.REFUSED:
        return f"Alipay refused a call about the code: {code.error}"
    saying = code.saying
    if saying.refused is None or saying.refused != saying.wanted:
        return ""
    if barred(code):
        return (
            "Alipay refused to let the code say where its payments are told, so that it is "
            f"stopped: {saying.error}"
        )
    parts = " and ".join(part.value for part in differing(code) if part is not CodePart.STATUS)
    return f"Alipay refused {parts or 'what the code says'}, and the code goes on: {saying.error}"
