"""Bearer tokens of people."""

from dataclasses import replace
from typing import Any

import jwt
import pytest

from gateway.fleet.errors import CallRefused
from gateway.rpc.callers import Caller
from gateway.rpc.roles import Role, TokenRules
from gateway.trust.key_sets import KeySet
from gateway.trust.tokens import LENGTH_MAX, Tokens
from tests.support.signed_tokens import ISSUER, RULES, Provider

NOW_MS = 1_800_000_000_000
NOW_S = NOW_MS // 1_000
PROVIDER = Provider()


async def _keys() -> bytes:
    return PROVIDER.key_set()


async def read(token: str, *, rules: TokenRules = RULES, now_ms: int = NOW_MS) -> Caller:
    """Return whose token it is."""
    return await Tokens(rules=rules, keys=KeySet(_keys, monotonic=lambda: 0.0)).caller(
        token, now_ms=now_ms
    )


async def why(token: str, **kwargs: Any) -> str:
    """Return why a token is not believed."""
    with pytest.raises(CallRefused) as refused:
        await read(token, **kwargs)
    assert "TOKEN_REFUSED" == refused.value.refusal.reason
    return refused.value.refusal.metadata["why"]


async def test_a_token_says_who_what_and_until_when() -> None:
    """Its roles are those that the settings give for the values of its claim."""
    expected = Caller(
        proof="token",
        name="ann",
        person="ann",
        roles=frozenset({Role.OPERATOR, Role.FINANCE}),
        until_ms=NOW_MS + 3_660_000,
    )
    assert expected == await read(PROVIDER.token("operator", "finance", "king", now_ms=NOW_MS))


async def test_no_token_is_good_for_longer_than_ours_may_be() -> None:
    """A year's token is one of twelve hours here."""
    year = PROVIDER.token("owner", now_ms=NOW_MS, exp=NOW_S + 31_536_000)
    assert NOW_MS + 43_260_000 == (await read(year)).until_ms
    assert "it has ended" == await why(year, now_ms=NOW_MS + 43_260_000)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "another"}, "it is for another audience"),
        ({"iss": "https://evil.test"}, "another provider issued it"),
        ({"exp": NOW_S - 60}, "it has ended"),
        ({"iat": NOW_S + 61}, "it is not good yet, by the gateway's clock"),
        ({"nbf": NOW_S + 61}, "it is not good yet, by the gateway's clock"),
        ({"exp": None}, "it has no claim 'exp'"),
        ({"aud": None}, "it has no claim 'aud'"),
        ({"exp": 1e400}, "its times are no numbers"),
        ({"nbf": [1]}, "its times are no numbers"),
        ({"sub": None}, "its claim 'sub' names nobody"),
        ({"sub": "x" * 201}, "its claim 'sub' names nobody"),
        ({"sub": "a\nb"}, "its claim 'sub' is no printable name"),
        ({"sub": "ann "}, "its claim 'sub' is no printable name"),
        ({"sub": " "}, "its claim 'sub' is no printable name"),
    ],
)
async def test_a_token_that_is_not_good_says_why(claims: dict[str, Any], said: str) -> None:
    """Whoever gets it knows what to ask the provider for."""
    assert said == await why(PROVIDER.token("owner", now_ms=NOW_MS, **claims))


async def test_clocks_may_differ_by_the_leeway() -> None:
    """To the last second, and no further."""
    token = PROVIDER.token("owner", now_ms=NOW_MS, exp=NOW_S, iat=NOW_S)
    assert (await read(token, now_ms=NOW_MS - 60_000)).name
    assert (await read(token, now_ms=NOW_MS + 59_999)).name
    assert "it has ended" == await why(token, now_ms=NOW_MS + 60_000)


async def test_only_the_provider_s_signature_counts() -> None:
    """Neither none at all, nor a secret made of what everybody knows, nor another's."""
    claims = {"iss": ISSUER, "aud": "vendgate", "sub": "ann", "iat": NOW_S, "exp": NOW_S + 60}
    public = PROVIDER.key_set().hex()
    key_id = jwt.get_unverified_header(PROVIDER.token(now_ms=NOW_MS))["kid"]
    form = "its signature or its form is wrong"
    for key, algorithm in (("", "none"), (public, "HS256")):
        forged = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_id})
        assert form == await why(forged)
    token = PROVIDER.token("owner", now_ms=NOW_MS)
    head, body, signature = token.split(".")
    assert form == await why(f"{head}.{body}.{signature[::-1]}")
    assert form == await why("no token")
    assert "no key of the provider is the one that signed it" == await why(
        Provider().token(now_ms=NOW_MS)
    )
    assert "it has more than" in await why("x" * (LENGTH_MAX + 1))


@pytest.mark.parametrize(
    ("claim", "value", "roles"),
    [
        ("realm_access.roles", {"roles": ["vending-viewer"]}, {Role.VIEWER}),
        ("realm_access", "vending-owner", {Role.OWNER}),
        ("realm_access.roles", "vending-owner", set()),
        ("realm_access", {"vending-owner": 1}, set()),
        ("realm_access", [7, None, "vending-viewer"], {Role.VIEWER}),
    ],
)
async def test_roles_stand_where_the_provider_puts_them(
    claim: str, value: object, roles: set[Role]
) -> None:
    """What has another shape gives none."""
    token = PROVIDER.token(now_ms=NOW_MS, realm_access=value)
    assert roles == (await read(token, rules=replace(RULES, roles_claim=claim))).roles
