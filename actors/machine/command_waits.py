"""What an open command waits for. Pure.

A reboot and a test vend wait until nobody is at the machine, and for a test vend that is out; every
command waits for the machine's stream, and then for its answer.
"""

from actors.machine.command import Command, CommandKind, CommandWait, under_test
from actors.machine.state import MachineState, VendStatus


def waits_for(state: MachineState, command_id: str) -> CommandWait:
    """Return what a command waits for in this state."""
    command = next((one for one in state.commands if one.command_id == command_id), None)
    if command is None:
        return CommandWait.NOTHING
    if command.superseded:  # it was sent, and is not sent again
        return CommandWait.ANSWER
    if not state.link.online:
        return CommandWait.STREAM
    if command.told:
        return CommandWait.ANSWER
    if not state.link.knows_commands:
        return CommandWait.FIRMWARE
    if not may_go(state, command):
        nobody = _nobody_is_there(state)
        return CommandWait.TEST_VEND if nobody else CommandWait.SESSION
    return CommandWait.HOST


def may_go(state: MachineState, command: Command) -> bool:
    """Tell whether nobody at the machine is in the command's way."""
    match command.kind:
        case CommandKind.REBOOT:
            return _nobody_is_there(state) and not under_test(state.commands)
        case CommandKind.TEST_VEND:
            others = [one for one in state.commands if one.command_id != command.command_id]
            return _nobody_is_there(state) and not under_test(others)
        case _:
            return True


def _nobody_is_there(state: MachineState) -> bool:
    """Tell whether nobody has money, a wish or goods in the machine."""
    return state.session is None and not any(
        vend.status is VendStatus.IN_DOUBT for vend in state.doubts
    )
