"""Bugs about commands; ``planted`` tells in a sentence what each of them means."""

from typing import Any
from unittest.mock import patch

from actors.machine import command_waits, ordering, stock
from actors.machine.command import CommandStatus


def sent_is_done() -> Any:
    """A command counts as done when it leaves."""
    send = ordering._send

    def bug(draft: Any, command: Any) -> None:
        send(draft, command)
        (sent,) = [one for one in draft.state.commands if one.command_id == command.command_id]
        ordering._end(draft, sent, CommandStatus.APPLIED, "")

    return patch.object(ordering, "_send", bug)


def reboots_at_once() -> Any:
    """A reboot waits for nobody."""
    return patch.object(command_waits, "_nobody_is_there", lambda _: True)


def tests_take_nothing() -> Any:
    """What a test vend dropped stays in the books."""
    return patch.object(stock, "take_tested", lambda *_, **__: None)
