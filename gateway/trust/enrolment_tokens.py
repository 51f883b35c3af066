"""The text of a token with which a machine is enrolled: made, written for people, and read again.

Flows in: random bytes, or what somebody typed. Flows out: a token's id and its secret. Its letters
are Crockford's: none is taken for another, whatever the handwriting.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_AS_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1"})
ID_LENGTH, SECRET_LENGTH = 8, 20
"""The secret has a hundred bits; the id tells a wrong secret from a token that nobody made."""
_GROUP = 4
_TYPED_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentToken:
    """A token, whole."""

    token_id: str
    secret: str = field(repr=False)

    @classmethod
    def made(cls, letter: Callable[[str], str] = secrets.choice) -> "EnrolmentToken":
        """Return a new token, of letters that nobody can guess."""
        text = "".join(letter(_LETTERS) for _ in range(ID_LENGTH + SECRET_LENGTH))
        return cls(token_id=text[:ID_LENGTH], secret=text[ID_LENGTH:])

    @classmethod
    def read(cls, typed: str) -> "EnrolmentToken | None":
        """Return the token that somebody typed; None: it cannot be one."""
        if len(typed) > _TYPED_MAX:
            return None
        text = "".join(typed.replace("-", " ").split()).upper().translate(_AS_MEANT)
        if len(text) != ID_LENGTH + SECRET_LENGTH or not set(text) <= set(_LETTERS):
            return None
        return cls(token_id=text[:ID_LENGTH], secret=text[ID_LENGTH:])

    def text(self) -> str:
        """Return it as it is written down: seven groups of four."""
        whole = self.token_id + self.secret
        return "-".join(whole[at : at + _GROUP] for at in range(0, len(whole), _GROUP))


def payload(machine_id: str, token: EnrolmentToken, address: str) -> str:
    """Return what the technician's QR code says, for a machine that reads it."""
    at = f"&at={address}" if address else ""
    return f"vendgate:enrol?machine={machine_id}&token={token.text()}{at}"
