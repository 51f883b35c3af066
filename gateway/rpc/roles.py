"""What people are trusted with: the five roles, and what each of them includes.

Flows in: the roles that somebody has and the one that a call needs. Flows out: yes or no. The names
are those of ``gateway.fleet.v1.Role``, where each of them is told.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Role(StrEnum):
    """What a person is trusted with, as settings and tokens name it."""

    VIEWER = "viewer"
    TECHNICIAN = "technician"
    OPERATOR = "operator"
    FINANCE = "finance"
    OWNER = "owner"


_BELOW_BOTH = frozenset({Role.VIEWER, Role.TECHNICIAN})
_INCLUDED = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.TECHNICIAN: _BELOW_BOTH,
    Role.OPERATOR: _BELOW_BOTH | {Role.OPERATOR},
    Role.FINANCE: _BELOW_BOTH | {Role.FINANCE},
    Role.OWNER: frozenset(Role),
}

Roles = frozenset[Role]
NOBODY: Roles = frozenset()


def may(has: Collection[Role], needed: Role) -> bool:
    """Return whether one of the roles that somebody has includes the one that is needed."""
    return any(needed in _INCLUDED[role] for role in has)


def words(roles: Collection[Role]) -> str:
    """Return roles for people to read, in the order in which they grow."""
    return " and ".join(role.value for role in Role if role in roles) or "no role"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """Which bearer tokens are believed, and which role each value of the claim ``roles_claim``
    gives. Keys come from ``keys_file`` or ``keys_url`` (JWKS).

    ``leeway_s``: by how much the provider's clock may differ; ``life_max_s``: for how long a token
    may be good.
    """

    issuer: str
    audience: str
    roles: Mapping[str, Roles]
    keys_file: Path | None = None
    keys_url: str = ""
    roles_claim: str = "roles"
    name_claim: str = "sub"
    leeway_s: int = 60
    life_max_s: int = 43_200


@dataclass(frozen=True, slots=True, kw_only=True)
class RolesOf:
    """Who has which roles: by the name in a certificate, by an organisational unit in it, by a
    token; and what those may who prove nothing, over the loopback address or over the socket.

    ``claims_are_people``: nobody can prove who they are, so that a claimed name tells people apart.
    """

    names: Mapping[str, Roles] = field(default_factory=dict)
    units: Mapping[str, Roles] = field(default_factory=dict)
    unproven: Roles = NOBODY
    socket: Roles = NOBODY
    tokens: TokenRules | None = None
    claims_are_people: bool = False
