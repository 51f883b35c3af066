"""Who makes an administrator's call."""

from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509

from gateway.fleet.errors import CallRefused
from gateway.rpc.callers import Caller
from gateway.rpc.roles import Role, RolesOf
from gateway.trust.key_sets import KeySet
from gateway.trust.people import People, people_of
from gateway.trust.tokens import Tokens
from tests.support.certificates import Authority, Issued
from tests.support.signed_tokens import RULES, Provider

AUTHORITY, PROVIDER = Authority(), Provider()
ANN = AUTHORITY.person("ann", "Finance", "Nothing")
ENDED = AUTHORITY.person("ann", ended=True)
_END = x509.load_pem_x509_certificate(ENDED.certificate).not_valid_after_utc
END_MS = int(_END.timestamp()) * 1_000
OWNER, FINANCE = frozenset({Role.OWNER}), frozenset({Role.FINANCE})
NOW_MS = 1_800_000_000_000


@dataclass
class Clock:
    """A clock that stands."""

    at_ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


async def _keys() -> bytes:
    return PROVIDER.key_set()


TOKENS = Tokens(rules=RULES, keys=KeySet(_keys, monotonic=lambda: 0.0))


def shown(issued: Issued, *, name: str = "ann", uri: str = "") -> dict[str, list[bytes]]:
    """What gRPC tells of a certificate."""
    return {
        "x509_pem_cert": [issued.certificate],
        "x509_common_name": [name.encode()],
        "peer_uri": [uri.encode()] if uri else [],
    }


async def who(
    rules: RolesOf | None = None,
    *,
    auth: dict[str, list[bytes]] | None = None,
    token: str = "",
    metadata: Any = (),
    through: str = "ipv4:127.0.0.1:5",
    tokens: Tokens | None = TOKENS,
    now_ms: int = 0,
) -> Caller:
    """Return who calls so."""
    people = People(rules=rules or RolesOf(), clock=Clock(now_ms), tokens=tokens)
    said = (("authorization", f"Bearer {token}"),) if token else metadata
    return await people.caller(auth or {}, said, through=through)


async def reason(**kwargs: Any) -> str:
    """Return why such a caller does not come in."""
    with pytest.raises(CallRefused) as refused:
        await who(**kwargs)
    return refused.value.refusal.reason


async def test_a_certificate_has_the_roles_of_its_name_and_of_its_units() -> None:
    """Which the settings name; a unit that they do not name gives nothing."""
    rules = RolesOf(names={"ann": OWNER}, units={"Finance": FINANCE})
    assert OWNER | FINANCE == (await who(rules, auth=shown(ANN))).roles
    assert frozenset() == (await who(RolesOf(), auth=shown(ANN))).roles
    named = await who(rules, auth=shown(ANN, uri="spiffe://vendgate.test/admin/bob"))
    assert ("certificate", "spiffe://vendgate.test/admin/bob", FINANCE) == (
        named.proof,
        named.name,
        named.roles,
    )


async def test_a_token_says_who_it_is_beside_a_certificate_but_one_is_one_person() -> None:
    """Whoever has both cannot be the second person to themselves."""
    token = PROVIDER.token("owner", now_ms=NOW_MS, sub="ann@corp.test")
    alone = await who(token=token, now_ms=NOW_MS)
    assert ("ann@corp.test", "ann@corp.test", OWNER) == (alone.name, alone.person, alone.roles)
    young = await who(token=PROVIDER.token("owner", now_ms=0, sub="ann@corp.test"), auth=shown(ANN))
    assert ("ann@corp.test", "ann", OWNER) == (young.name, young.person, young.roles)
    assert 3_660_000 == young.until_ms
    certified = await who(auth=shown(ANN))
    assert ["token", "certificate", "certificate"] == [
        one.told_by for one in (alone, young, certified)
    ]
    assert "" == Caller(person="nobody in particular").told_by


async def test_who_proves_nothing_has_the_role_of_the_way_they_came() -> None:
    """The socket's or the loopback address's; where there is none, nobody comes in."""
    rules = RolesOf(unproven=OWNER, socket=FINANCE, claims_are_people=True)
    assert Caller(roles=OWNER) == await who(rules)
    assert Caller(roles=FINANCE) == await who(rules, through="unix:/run/admin.sock")
    assert "NOT_PROVEN" == await reason()


async def test_a_link_of_the_console_says_who_opened_it() -> None:
    """Who is denied by that name has no way round; elsewhere a name is a claim."""
    claim = (("x-actor", "ann"),)
    caller = await who(metadata=claim, through="console:finance")
    assert (FINANCE, "ann", "") == (caller.roles, caller.signed_in, caller.name)
    socket = await who(RolesOf(socket=OWNER), metadata=claim, through="unix:")
    assert not socket.signed_in


async def test_where_others_prove_who_they_are_a_claim_makes_no_person() -> None:
    """Two names over the socket do not confirm each other."""
    caller = await who(RolesOf(socket=OWNER), through="unix:")
    assert caller.person
    assert not caller.name


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"auth": shown(ANN, uri="spiffe://vendgate.test/machine/VM-1")}, "NO_PERSON"),
        ({"auth": shown(ENDED), "now_ms": END_MS}, "CERTIFICATE_ENDED"),
        ({"metadata": (("authorization", "Basic YTpi"),)}, "TOKEN_REFUSED"),
        ({"metadata": (("authorization", b"x"),)}, "TOKEN_REFUSED"),
        ({"metadata": (("authorization", "Bearer x"),) * 2}, "TOKEN_REFUSED"),
        ({"token": "x"}, "TOKEN_REFUSED"),
        ({"token": "x", "tokens": None}, "TOKEN_REFUSED"),
    ],
)
async def test_a_proof_that_is_not_good_is_no_missing_one(wrong: dict[str, Any], why: str) -> None:
    """Nobody comes in as somebody less: a wrong proof is refused where none would do."""
    anybody = RolesOf(unproven=OWNER, names={"ann": OWNER}, claims_are_people=True)
    assert why == await reason(rules=anybody, **wrong)


async def test_people_are_made_with_the_keys_that_the_settings_name() -> None:
    """None at all without tokens."""
    assert people_of(RolesOf(), clock=Clock(), monotonic=lambda: 0.0).tokens is None
    made = people_of(RolesOf(tokens=RULES), clock=Clock(), monotonic=lambda: 0.0)
    assert made.tokens is not None
