"""What can go wrong with a call, by what the caller may do next.

* AlipayError
    * Refused: Alipay said a definite, signed no; nothing was done. Do not repeat, unless ``retry``
      says otherwise.
    * OutcomeUnknown: it may have been done or not. Repeat with the same ids, or query.
        * Unlisted: a signed no that is on no list of definite ones. Query before you repeat.
        * Unreachable: no whole answer came.
        * Untrusted: there was an answer, but it cannot be believed (signature, charset, shape,
          echoed ids).
    * Misused: the request or the configuration breaks a documented rule; nothing was sent.
    * NotificationRefused (in ``notify``): a callback that must not be believed nor acknowledged.
"""

from enum import StrEnum


class Retry(StrEnum):
    """What may be done after a refusal."""

    NEVER = "NEVER"
    """A person must look at it."""
    LATER_SAME_ID = "LATER_SAME_ID"
    """Settlement funds are short: the same request under the same id, in hours (docs/alipay.md
    5.4).
    """


class AlipayError(Exception):
    """The root. ``code`` is Alipay's code, or ours in lower case; ``detail`` is safe to log."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class Refused(AlipayError):
    """A definite, signed no. Nothing was done."""

    def __init__(self, code: str, detail: str = "", *, retry: Retry = Retry.NEVER) -> None:
        super().__init__(code, detail)
        self.retry = retry


class OutcomeUnknown(AlipayError):
    """Time-out, transport fault, gateway error, SYSTEM_ERROR, UNKNOWN. Repeat with the same ids, or
    query.
    """


class Unlisted(OutcomeUnknown):
    """A signed no that is on no list of definite ones: a code that nobody knows yet, or one that
    may be the echo of our own success (this id was used before). Query first.
    """


class Unreachable(OutcomeUnknown):
    """No whole answer came, from no host that is configured. The request may have arrived all the
    same.
    """


class Untrusted(OutcomeUnknown):
    """An answer that cannot be believed."""


class Misused(AlipayError):
    """The request or the configuration breaks a documented rule; nothing was sent. ``detail`` says
    what to do.
    """
