"""A token is good for its machine until its last second, if our key made it."""

import pytest

from gateway.screens.tokens import machine_of, token_for

KEY = b"k" * 32


def test_a_token_names_its_machine() -> None:
    """Until its second is over, and fits the wire."""
    token = token_for("M_1-2.x", until_s=100, key=KEY)
    assert "M_1-2.x" == machine_of(token, now_s=100, key=KEY)
    assert machine_of(token, now_s=101, key=KEY) is None
    assert len(token_for("m" * 32, until_s=9_999_999_999, key=KEY)) <= 128


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "1", "x.VM-1.aa", "²00.VM-1.aa", "9" * 13 + ".VM-1.aa", "100.VM-1.é", "\ud800"],
)
def test_what_is_no_token_is_nobodys(token: str) -> None:
    """And breaks nothing."""
    assert machine_of(token, now_s=1, key=KEY) is None


def test_another_key_another_machine_another_time_are_refused() -> None:
    """Whatever of it was changed."""
    token = token_for("VM-1", until_s=100, key=KEY)
    assert machine_of(token, now_s=1, key=b"o" * 32) is None
    assert machine_of(token.replace("VM-1", "VM-2"), now_s=1, key=KEY) is None
    assert machine_of(token.replace("100", "900"), now_s=1, key=KEY) is None
