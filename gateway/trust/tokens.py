"""Bearer tokens of people: JSON Web Tokens that an OpenID Connect provider signed (RFC 7519).

Flows in: a token, the rules of the settings, the provider's keys, and what time it is. Flows out:
whose it is, with which roles and until when, or why it is not believed. A token is good for one
audience, and for no longer than the rules allow, whatever it says of itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from gateway.fleet import errors
from gateway.fleet.errors import CallRefused
from gateway.rpc.callers import Caller
from gateway.rpc.roles import Roles, TokenRules
from gateway.trust.key_sets import KeysAway, KeySet

LENGTH_MAX = 8_192
NAME_LENGTH_MAX = 200
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures by a key that the gateway need not keep secret; no other is believed."""
_OPTIONS: Any = {
    "require": ["iss", "aud", "exp", "iat"],
    # By the clock that is handed in, not by the library's.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Reads tokens by these rules and keys."""

    rules: TokenRules
    keys: KeySet

    async def caller(self, token: str, *, now_ms: int) -> Caller:
        """Return who the token says it is, and proves. Raises CallRefused."""
        claims = await self._claims(token)
        until_ms = self._until_ms(claims, now_ms=now_ms)
        name = claims.get(self.rules.name_claim)
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH_MAX:
            raise _refused(f"its claim {self.rules.name_claim!r} names nobody")
        # A blank at an end is seen by nobody, and would make a second person.
        if not name.isprintable() or name != name.strip():
            raise _refused(f"its claim {self.rules.name_claim!r} is no printable name")
        return Caller(
            proof="token", name=name, person=name, roles=self._roles(claims), until_ms=until_ms
        )

    async def _claims(self, token: str) -> Mapping[str, Any]:
        if len(token) > LENGTH_MAX:
            raise _refused(f"it has more than {LENGTH_MAX} characters")
        try:
            header = jwt.get_unverified_header(token)
            key = await self.keys.key(str(header.get("kid", "")))
            if key is None:
                raise _refused("no key of the provider is the one that signed it")
            return jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self.rules.audience,
                issuer=self.rules.issuer,
                options=_OPTIONS,
            )
        except KeysAway:
            raise CallRefused(errors.TOKENS_UNREADABLE) from None
        except jwt.InvalidAudienceError:
            raise _refused("it is for another audience") from None
        except jwt.InvalidIssuerError:
            raise _refused("another provider issued it") from None
        except jwt.MissingRequiredClaimError as error:
            raise _refused(f"it has no claim {error.claim!r}") from None
        except jwt.PyJWTError:
            # What exactly is wrong with a signature helps nobody but a forger.
            raise _refused("its signature or its form is wrong") from None

    def _until_ms(self, claims: Mapping[str, Any], *, now_ms: int) -> int:
        """Return when it ends, by its own word or by ours, whichever is sooner."""
        try:
            ends_s, began_s = int(claims["exp"]), int(claims["iat"])
            from_s = int(claims.get("nbf", began_s))
        except (TypeError, ValueError, OverflowError):
            raise _refused("its times are no numbers") from None
        until_ms = 1_000 * (min(ends_s, began_s + self.rules.life_max_s) + self.rules.leeway_s)
        if now_ms >= until_ms:
            raise _refused("it has ended")
        if now_ms < 1_000 * (max(began_s, from_s) - self.rules.leeway_s):
            raise _refused("it is not good yet, by the gateway's clock")
        return until_ms

    def _roles(self, claims: Mapping[str, Any]) -> Roles:
        """Return the roles that its claim gives. A dot leads into a claim, as in
        ``realm_access.roles``.
        """
        found: Any = claims
        for part in self.rules.roles_claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        values = [found] if isinstance(found, str) else found if isinstance(found, list) else []
        return frozenset(
            role
            for value in values
            if isinstance(value, str)
            for role in self.rules.roles.get(value, ())
        )


def _refused(why: str) -> CallRefused:
    return CallRefused(errors.TOKEN_REFUSED.about(why=why))
