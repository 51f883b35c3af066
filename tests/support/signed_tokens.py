"""A pretend OpenID Connect provider: it signs tokens and shows its keys. It keeps nothing."""

import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.rpc.roles import Role, TokenRules

ISSUER = "https://id.test"
AUDIENCE = "vendgate"
RULES = TokenRules(
    issuer=ISSUER,
    audience=AUDIENCE,
    roles={f"vending-{role}": frozenset({role}) for role in Role},
)


class Provider:
    """Signs with its newest key; ``rotate`` makes another one."""

    def __init__(self) -> None:
        self._keys: list[ec.EllipticCurvePrivateKey] = []
        self.rotate()

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with another key from now on; ``keep``: show the old one beside it."""
        self._keys = [
            *(self._keys if keep else []),
            ec.generate_private_key(ec.SECP256R1()),
        ]

    def key_set(self) -> bytes:
        """The public keys, as JWKS."""
        return json.dumps(
            {
                "keys": [
                    {
                        **jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True),
                        "kid": _id(key),
                        "use": "sig",
                    }
                    for key in self._keys
                ]
            }
        ).encode()

    def token(self, *roles: str, now_ms: int, **claims: Any) -> str:
        """Sign a token of an hour for ann; ``claims`` say otherwise, and None leaves one out."""
        key, now_s = self._keys[-1], now_ms // 1_000
        whole = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "ann",
            "iat": now_s,
            "exp": now_s + 3_600,
            "roles": [f"vending-{role}" for role in roles],
            **claims,
        }
        said = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(said, key, algorithm="ES256", headers={"kid": _id(key)})


def _id(key: ec.EllipticCurvePrivateKey) -> str:
    return f"{key.public_key().public_numbers().x:x}"[:16]
