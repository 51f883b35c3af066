"""A machine as the store gives it, for tests that have no store."""

from actors.machine.events import ConfigurationChanged
from actors.machine.state import MachineState
from actors.ports import LoadedMachine, Place


def as_loaded(state: MachineState) -> LoadedMachine:
    """The machine with this state, at a place that nobody asks about."""
    return LoadedMachine(
        state=state,
        place=Place(
            machine_id=state.machine_id,
            store_name="",
            country_code="",
            address="",
            notify_url="",
        ),
        configuration=ConfigurationChanged(configuration=state.configuration),
    )
