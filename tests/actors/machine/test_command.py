"""What a command is: kinds, statuses, and when a test vend is out."""

from actors.machine.command import (
    LOCKING,
    OF_A_COLUMN,
    OPEN,
    Command,
    CommandKind,
    CommandOutcome,
    CommandStatus,
    under_test,
)
from tests.support.story import START_MS


def a_command(kind: CommandKind, status: CommandStatus) -> Command:
    """Somebody's command about the first column."""
    return Command(
        command_id="c1",
        kind=kind,
        column="A1",
        show_for_ms=0,
        status=status,
        ordered_by="ann",
        ordered_at_ms=START_MS,
        expires_at_ms=START_MS + 1_000,
        deadline_at_ms=START_MS + 1_000,
        version=1,
    )


def test_a_test_vend_is_out_while_it_is_sent_and_not_answered() -> None:
    """No other command, and no other status, keeps customers from buying."""
    out = [
        (kind, status)
        for kind in CommandKind
        for status in CommandStatus
        if under_test([a_command(kind, status)])
    ]
    assert [(CommandKind.TEST_VEND, CommandStatus.SENT)] == out
    assert not under_test([])


def test_what_a_machine_says_ends_a_command() -> None:
    """Whatever it can say, and we can read, is a status, and none of those is open."""
    said = {CommandStatus(one) for one in CommandOutcome if one is not CommandOutcome.UNKNOWN}
    assert {CommandStatus.APPLIED, CommandStatus.REJECTED} == said
    assert not said & OPEN
    assert LOCKING < OF_A_COLUMN
