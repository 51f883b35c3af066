"""What the model wants done."""

import inspect
from typing import get_args

from gateway.simulator import commands


def test_every_command_is_one_that_the_board_must_know() -> None:
    """Each class of the module is in the union over which the board's match is closed."""
    defined = {
        each
        for _, each in inspect.getmembers(commands, inspect.isclass)
        if each.__module__ == commands.__name__
    }

    assert set(get_args(commands.Command)) == defined
