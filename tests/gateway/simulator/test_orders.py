"""A command_id is obeyed once, in whatever boot, and answered as often as it comes."""

import pytest

from gateway.simulator.commands import Command, Restart, Tell, TurnMotor, Write
from gateway.simulator.happenings import IdentityShown
from gateway.simulator.memory import CommandLine, Memory, Settled
from gateway.simulator.orders import Orders
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

RAN, SEEN = pb.MOTOR_EVIDENCE_RAN, pb.DROP_EVIDENCE_SEEN
REBOOT = pb.Command(command_id="c1", valid_for_ms=1_000, reboot=pb.Reboot())
TEST = pb.Command(command_id="c1", valid_for_ms=1_000, test_vend=pb.TestVend(column="A1"))

LOCK = pb.LockColumn(column="A1", locked=True)


class Desk:
    """Orders of one boot, and a flash on which each line is written at once."""

    def __init__(self, boot_id: str = "b1", memory: Memory | None = None) -> None:
        self.said: list[pb.CommandResult] = []
        self.done: list[Command] = []
        self.memory = memory or Memory()
        self.orders = Orders(
            boot_id=boot_id,
            memory=self.memory,
            say=self._say,
            report=lambda now_ms: pb.MachineReport(uptime_s=now_ms // 1_000),
        )

    def _say(self, frame: service_pb.ConnectRequest, _: int) -> list[Command]:
        self.said.append(frame.command_result)
        return []

    def carry_out(self, commands: list[Command]) -> None:
        """Write lines, and what follows from them; keep all else."""
        for command in commands:
            if not isinstance(command, Write):
                self.done.append(command)
            elif isinstance(command.line, CommandLine):
                self.carry_out(self.orders.written(command.line, 7_000))
            else:
                self.memory.add(command.line)

    def order(self, command: pb.Command, occupied: str = "") -> None:
        """The backend orders it."""
        self.carry_out(self.orders.received(command, 7_000, occupied=occupied, columns=["A1"]))

    def boots_again(self) -> "Desk":
        """Power off and on; what is on flash stays."""
        return Desk("b2", Memory(self.memory.lines()))

    def acknowledged(self, result: pb.CommandResult) -> None:
        """The backend has saved it."""
        frame = service_pb.ConnectRequest(command_result=result)
        self.carry_out(self.orders.acknowledged([frame]))


def test_a_reboot_is_answered_in_the_next_boot() -> None:
    """And there only; told again it is answered again, and not obeyed again."""
    desk = Desk()
    desk.order(REBOOT)
    assert ([Restart("command c1 orders it")], []) == (desk.done, desk.said)
    next_boot = desk.boots_again()
    next_boot.carry_out(next_boot.orders.welcomed(8_000))
    next_boot.order(REBOOT)
    assert ["c1"] == [one.command_id for one in next_boot.said]
    assert pb.COMMAND_OUTCOME_APPLIED == next_boot.said[0].outcome
    next_boot.acknowledged(next_boot.said[0])
    next_boot.order(REBOOT)
    assert (2, []) == (len(next_boot.said), next_boot.done)


def test_a_test_vend_turns_the_motor_once() -> None:
    """What the sensors saw is the answer, in the next boot too."""
    desk = Desk()
    desk.order(TEST)
    desk.order(TEST)
    assert [TurnMotor(vend_id="c1", column="A1")] == desk.done
    desk.carry_out(desk.orders.motor_stopped("c9", RAN, SEEN))
    desk.carry_out(desk.orders.motor_stopped("c1", RAN, SEEN))
    assert desk.orders.testing is None
    (result,) = desk.said
    assert (pb.COMMAND_OUTCOME_APPLIED, RAN, SEEN) == (
        result.outcome,
        result.evidence.motor,
        result.evidence.drop,
    )
    again = desk.boots_again()
    again.carry_out(again.orders.welcomed(8_000))
    again.order(TEST)
    assert ([result], []) == (again.said, again.done)


def test_a_test_vend_that_a_power_cut_ended_is_answered_by_nobody() -> None:
    """It may have dropped something: it is not tried again."""
    desk = Desk()
    desk.order(TEST)
    again = desk.boots_again()
    again.carry_out(again.orders.welcomed(8_000))
    again.order(TEST)
    assert ([], []) == (again.said, again.done)
    assert () == again.memory.untold


@pytest.mark.parametrize(
    ("command", "occupied", "detail"),
    [
        (REBOOT, "busy", "busy"),
        (TEST, "busy", "busy"),
        (pb.Command(command_id="c1", reboot=pb.Reboot()), "", "too late"),
        (pb.Command(command_id="c1", report=pb.Report()), "", "too late"),
        (pb.Command(command_id="c1", show_identity=pb.ShowIdentity(for_ms=5)), "", "too late"),
        (pb.Command(command_id="c1", lock_column=LOCK), "", "too late"),
        (
            pb.Command(command_id="c1", valid_for_ms=1, test_vend=pb.TestVend(column="Z9")),
            "",
            "no such column",
        ),
    ],
)
def test_what_cannot_be_done_now_is_rejected(
    command: pb.Command, occupied: str, detail: str
) -> None:
    """For good: the same id is not obeyed later."""
    desk = Desk()
    desk.order(command, occupied)
    assert ([], detail) == (desk.done, desk.said[0].detail)
    assert pb.COMMAND_OUTCOME_REJECTED == desk.said[0].outcome
    assert frozenset() == desk.memory.locked


def test_an_empty_column_turns_no_motor() -> None:
    """It is rejected, with what the motor says."""
    desk = Desk()
    desk.order(TEST)
    not_run, unseen = pb.MOTOR_EVIDENCE_NOT_RUN, pb.DROP_EVIDENCE_NOT_SEEN
    desk.carry_out(desk.orders.motor_stopped("c1", not_run, unseen))
    assert "the column is empty" == desk.said[0].detail


def test_reports_and_identities_are_told() -> None:
    """They cost no flash."""
    desk = Desk()
    desk.order(pb.Command(command_id="c1", valid_for_ms=9, report=pb.Report()))
    shown = pb.ShowIdentity(for_ms=5)
    desk.order(pb.Command(command_id="c2", valid_for_ms=9, show_identity=shown))
    assert 7 == desk.said[0].report.uptime_s
    assert [Tell(IdentityShown(for_ms=5))] == desk.done
    desk.acknowledged(desk.said[0])
    assert [] == list(desk.memory.lines())


def test_a_lock_outlives_a_power_cut() -> None:
    """Until another command ends it."""
    desk = Desk()

    def lock(number: int, locked: bool) -> pb.Command:
        locks = pb.LockColumn(column="A1", locked=locked)
        return pb.Command(command_id=f"c{number}", valid_for_ms=9, lock_column=locks)

    desk.order(lock(1, True))
    desk.acknowledged(desk.said[0])
    again = desk.boots_again()
    assert {"A1"} == again.memory.locked
    again.order(lock(2, False))
    assert frozenset() == again.boots_again().memory.locked


def test_a_kind_that_is_not_known_is_not_answered() -> None:
    """A newer backend learns it from the silence."""
    desk = Desk()
    desk.order(pb.Command(command_id="c1", valid_for_ms=9))
    assert ([], []) == (desk.said, desk.done)


def test_the_journal_forgets_old_commands() -> None:
    """As many as vends are remembered."""
    memory = Memory()
    for number in range(300):
        line = CommandLine(
            command_id=f"c{number}", kind="reboot", boot_id="b", outcome=pb.COMMAND_OUTCOME_APPLIED
        )
        memory.add(line)
        memory.add(Settled(vend_ids=(line.command_id,)))
    assert memory.command("c0") is None
    assert memory.command("c299") is not None
