"""What the roles include."""

import pytest

from gateway.fleet.v1 import role_pb2
from gateway.rpc.roles import Role, may, words

V, T, O, F, W = Role  # noqa: E741 - in the order in which they are told
INCLUDES = {
    V: {V},
    T: {V, T},
    O: {V, T, O},
    F: {V, T, F},
    W: {V, T, O, F, W},
}


@pytest.mark.parametrize("has", Role)
def test_a_role_includes_what_its_proto_says(has: Role) -> None:
    """Operators and finance stand side by side, and an owner may do everything."""
    assert INCLUDES[has] == {needed for needed in Role if may({has}, needed)}


def test_two_roles_add_up_and_none_is_none() -> None:
    """Whoever is both operator and finance is still no owner."""
    assert {V, T, O, F} == {needed for needed in Role if may({O, F}, needed)}
    assert not any(may((), needed) for needed in Role)


def test_the_roles_are_those_of_the_proto() -> None:
    """One word for one thing, here, in settings and on the wire."""
    wire = [name for name in role_pb2.Role.keys() if name != "ROLE_UNSPECIFIED"]  # noqa: SIM118 - an enum's wrapper is no mapping
    assert wire == [f"ROLE_{role.name}" for role in Role]


def test_words_are_for_people() -> None:
    """They stand in the order in which they grow."""
    assert ("operator and finance", "no role") == (words({F, O}), words(()))
