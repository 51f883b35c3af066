"""How a frozen value becomes another one."""

import pytest

from actors.machine.ids import Currency, MachineId
from actors.machine.state import MachineState
from actors.machine.values import replace

STATE = MachineState(machine_id=MachineId("VM-1"), currency=Currency("HKD"))


def test_the_copy_has_the_changes_and_the_value_stays() -> None:
    """As with any frozen value."""
    later = replace(STATE, version=3)
    assert (0, 3) == (STATE.version, later.version)
    assert STATE == replace(later, version=0)


def test_a_field_that_is_not_there_is_refused() -> None:
    """A misspelt change is lost nowhere."""
    with pytest.raises(TypeError, match="versoin"):
        replace(STATE, versoin=3)  # type: ignore[call-arg]
