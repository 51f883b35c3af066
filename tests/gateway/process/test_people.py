"""What settings say of people."""

from pathlib import Path
from typing import Any

import pytest

from gateway.process.files import Problems
from gateway.process.people import people
from gateway.process.sections import Admin
from gateway.rpc.roles import Role, RolesOf

CA: dict[str, Any] = {
    "client_ca_file": Path("/ca.pem"),
    "certificate_file": Path("/server.pem"),
    "private_key_file": Path("/server.key"),
}
TOKENS: dict[str, Any] = {
    "issuer": "https://id.test",
    "audience": "vendgate",
    "keys_url": "https://id.test/keys",
    "roles": {"vending-admins": "owner"},
}
OWNER = frozenset({Role.OWNER})


def read(**settings: Any) -> tuple[RolesOf, list[str]]:
    """Return what these settings of the administrators' listener say, and what is wrong."""
    problems = Problems()
    made = people(Admin.model_validate(settings), problems)
    return made, problems.sentences


def test_a_computer_on_which_nobody_is_asked_is_its_owner_s() -> None:
    """As at a demo: over the loopback address, names are claims."""
    made, problems = read()
    assert (OWNER, True, []) == (made.unproven, made.claims_are_people, problems)


@pytest.mark.parametrize(
    "settings", [{**CA, "roles": {"ann": "owner"}}, {"tokens": TOKENS}], ids=["CA", "tokens"]
)
def test_where_people_prove_who_they_are_nobody_else_comes_in(settings: dict[str, Any]) -> None:
    """Nothing is left open by being left out."""
    made, problems = read(**settings)
    assert (frozenset(), False, []) == (made.unproven, made.claims_are_people, problems)


def test_nobody_comes_in_over_a_loopback_address_that_is_shut() -> None:
    """The socket is the only way in then."""
    made, problems = read(unproven_role="none", socket_file="/run/admin.sock")
    assert (frozenset(), OWNER, []) == (made.unproven, made.socket, problems)
    made, _ = read(socket_role="owner")
    assert frozenset() == made.socket


def test_one_role_or_several() -> None:
    """One stands without brackets."""
    made, _ = read(**CA, roles={"ann": "owner", "bea": ["operator", "finance"]})
    assert {"ann": OWNER, "bea": frozenset({Role.OPERATOR, Role.FINANCE})} == made.names


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (CA, "nothing says what their holders may do: give admin.roles"),
        ({"roles": {"ann": "owner"}}, "nobody is asked for one: give admin.client_ca_file"),
        (
            {**CA, "roles": {"ann": "owner"}, "listen": "0.0.0.0:1", "unproven_role": "viewer"},
            "whoever does would have that role; leave it out",
        ),
        ({"tokens": {**TOKENS, "keys_file": "/keys"}}, "give keys_file or keys_url"),
        ({"tokens": {**TOKENS, "keys_url": ""}}, "give keys_file or keys_url"),
        ({"tokens": {**TOKENS, "keys_url": "http://id.test/k"}}, "must begin with https://"),
        ({"tokens": {**TOKENS, "keys_url": "https://a:b@id.test"}}, "must begin with https://"),
        ({"tokens": {**TOKENS, "keys_url": "https://id.test:x"}}, "must begin with https://"),
        ({"tokens": {**TOKENS, "roles": {}}}, "no token gives a role"),
    ],
)
def test_a_rule_that_cannot_be_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    """It says what to change."""
    _, (problem,) = read(**settings)
    assert sentence in problem


def test_keys_may_be_fetched_on_this_computer_without_tls() -> None:
    """For a provider beside the gateway."""
    made, problems = read(tokens={**TOKENS, "keys_url": "http://127.0.0.1:8/keys"})
    assert made.tokens is not None
    assert ("http://127.0.0.1:8/keys", []) == (made.tokens.keys_url, problems)


def test_the_console_may_ask_for_certificates_alone() -> None:
    """Their holders have roles too; nobody who shows one is left without."""
    problems = Problems()
    made = people(Admin.model_validate({"roles": {"ann": "owner"}}), problems, console_asks=True)
    assert ({"ann": OWNER}, []) == (made.names, problems.sentences)
    people(Admin(), problems, console_asks=True)
    assert "console.client_ca_file asks for certificates" in problems.sentences[0]
