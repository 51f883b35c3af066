"""The rules that fields keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.machine.state import Mode
from gateway.machines import fields
from gateway.machines.fields import FieldWrong

NAMES = {0: "", 1: "AUTHORIZATION_FIRST", 2: "SELECTION_FIRST"}


@given(st.text(max_size=100))
def test_identifier(value: str) -> None:
    """An id that passes is plain ASCII of bounded length; what does not pass is quoted without
    anything that a terminal obeys.
    """
    said = value
    try:
        assert value == fields.identifier("f", value, bytes_max=64)
        assert 1 <= len(value) <= 64
    except FieldWrong as wrong:
        said = str(wrong)
    assert said.isascii()
    assert said.isprintable()
    assert len(said) < 600


def test_newline_at_the_end() -> None:
    """An id with a line end is none."""
    with pytest.raises(FieldWrong):
        fields.identifier("f", "m1\n", bytes_max=64)


@pytest.mark.parametrize("value", ["", "a.b", "m 1", "m1\n", "x" * 33, "ü"])
def test_a_machine_is_called_what_the_registry_allows(value: str) -> None:
    """Its Hello, its certificate and its registration are held to one rule."""
    assert "VM_1-x" == fields.machine_id("f", "VM_1-x")
    with pytest.raises(FieldWrong, match="1 to 32 letters, digits, '_' or '-'"):
        fields.machine_id("f", value)


def test_lone_surrogates() -> None:
    """A text that is no UTF-8 is refused, not crashed on."""
    with pytest.raises(FieldWrong, match="no control characters"):
        fields.text("f", "\ud800", bytes_max=10)


def test_names() -> None:
    """Names are the core's; none and unnamed numbers are refused with the choices."""
    assert fields.named("f", 2, NAMES, Mode) is Mode.SELECTION_FIRST
    assert fields.known("f", 0, NAMES) == ""
    with pytest.raises(
        FieldWrong, match="f: expected one of AUTHORIZATION_FIRST, SELECTION_FIRST, got none"
    ):
        fields.named("f", 0, NAMES, Mode)
    with pytest.raises(FieldWrong, match="got the number 3"):
        fields.known("f", 3, NAMES)


def test_names_of() -> None:
    """The wire's names lose their prefix."""
    assert (
        fields.names_of(
            [("MODE_UNSPECIFIED", 0), ("MODE_AUTHORIZATION_FIRST", 1), ("MODE_SELECTION_FIRST", 2)],
            "MODE",
        )
        == NAMES
    )
