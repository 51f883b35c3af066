"""What of a customer leaves the door: a keyed hash for the table of payers, and nothing else.

Flows in: the fields of a notification as Alipay sent them. Flows out: the fields that are kept, and
the buyer as the inbox finds or makes their payer from it. Buyers' ids are few and regular enough to
be tried one by one, so whatever was computed over one of them, such as Alipay's signature, would
name the buyer again to whoever has the patience: it is not kept either.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alipay_client.notify import names_buyer
from storage.machines.payers import Buyer

_SIGNATURE = frozenset({"sign"})


def new_payer_id() -> str:
    """Return 128 random bits as 26 letters and digits (base32): no hash looks like it."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyers:
    """``salt`` keys the hash, and stands in no database; ``new_payer_id`` is the randomness. Who
    was hashed under one of ``other_salts`` is found too, while one takes the place of another.
    """

    salt: bytes = field(repr=False)
    new_payer_id: Callable[[], str] = new_payer_id
    other_salts: tuple[bytes, ...] = field(default=(), repr=False)

    def named(self, buyer_id: str) -> Buyer | None:
        """Return whom Alipay named; None if it named nobody."""
        if not buyer_id:
            return None
        keyed, *others = (
            hmac.new(salt, buyer_id.encode(), hashlib.sha256).hexdigest()
            for salt in (self.salt, *self.other_salts)
        )
        return Buyer(buyer_hash=keyed, new_payer_id=self.new_payer_id(), other_hashes=tuple(others))


def kept(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a notification that may be saved, as they came: those that name no
    buyer.
    """
    return {
        name: value
        for name, value in fields.items()
        if not names_buyer(name) and name not in _SIGNATURE
    }


def told_sha256(fields: Mapping[str, str]) -> str:
    """Return the digest of what is kept, by which two tellings are told apart."""
    return hashlib.sha256(json.dumps(kept(fields), sort_keys=True).encode()).hexdigest()
