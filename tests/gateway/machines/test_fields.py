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
    """Names are the core's; what has no name here is never refused."""
    assert Mode.SELECTION_FIRST is fields.named(2, NAMES, Mode, otherwise=Mode.BOTH)
    assert Mode.BOTH is fields.named(0, NAMES, Mode, otherwise=Mode.BOTH)
    assert Mode.BOTH is fields.named(3, NAMES, Mode, otherwise=Mode.BOTH)
    assert ["", "SELECTION_FIRST", "3"] == [
        fields.name_or_number(value, NAMES) for value in (0, 2, 3)
    ]


def test_names_of() -> None:
    """The wire's names lose their prefix."""
    assert (
        fields.names_of(
            [("MODE_UNSPECIFIED", 0), ("MODE_AUTHORIZATION_FIRST", 1), ("MODE_SELECTION_FIRST", 2)],
            "MODE",
        )
        == NAMES
    )
