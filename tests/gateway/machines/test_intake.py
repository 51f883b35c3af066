"""What of a stream's frames its host hears once the machine says too much."""

from actors.machine.events import (
    CashSold,
    FrameReceived,
    MachineFact,
)
from actors.machine.ids import StreamId
from actors.machine.incident import FaultReported, FaultsCounted
from gateway.machines.allowances import Allowances
from gateway.machines.intake import Intake
from gateway.machines.window import Window
from gateway.rpc.limits import EdgeLimits

CASH = CashSold(column="A1", price_minor=100)
JAM = FaultReported(code="EJB", detail="motor")
DOOR = FaultReported(code="EGS")


class Machine:
    """Says frames, and hears acknowledgements."""

    def __init__(self, **limits: int) -> None:
        self.window = Window(StreamId("g-1"))
        self.allowances = Allowances(limits=EdgeLimits(**limits))
        self.intake = Intake(self.window, self.allowances.new(0.0), held_max=4)
        self.acked = 0

    def says(self, seq: int, fact: MachineFact) -> list[tuple[int, MachineFact]]:
        """Return what the host hears of it."""
        frames = self.intake.take(
            seq, fact, size=0, now=0.0, acked=self.acked, answers_come=bool(self.window.frames())
        )
        return told(frames)

    def hears(self, acked: int) -> None:
        """The host acknowledged."""
        self.acked = acked
        self.window.acknowledged(acked)


def told(frames: list[FrameReceived]) -> list[tuple[int, MachineFact]]:
    """The numbers and the content."""
    return [(frame.seq, frame.fact) for frame in frames]


def many_faults(machine: Machine) -> None:
    """Say two faults, which is what may be written."""
    assert [(1, JAM)] == machine.says(1, JAM)
    assert [(2, JAM)] == machine.says(2, JAM)


def test_faults_beyond_the_allowance_are_one_line() -> None:
    """They are held until there are many, and then told with their numbers and their count."""
    machine = Machine(faults_per_minute=1)
    many_faults(machine)
    for seq in (3, 4, 5):
        assert [] == machine.says(seq, JAM)
    assert [(6, FaultsCounted(first_seq=3, count=4, code="EGS"))] == machine.says(6, DOOR)
    assert [] == machine.says(7, JAM)
    assert 5 == machine.allowances.counts["faults_counted"]


def test_what_comes_after_faults_does_not_wait_for_them() -> None:
    """Anything else lets the host hear of the faults first, and of itself at once."""
    machine = Machine(faults_per_minute=1)
    many_faults(machine)
    assert [] == machine.says(3, JAM)
    assert [(3, FaultsCounted(first_seq=3, count=1, code="EJB")), (4, CASH)] == machine.says(
        4, CASH
    )


def test_held_faults_are_told_after_a_while_and_once() -> None:
    """Nothing that a machine said is forgotten."""
    machine = Machine(faults_per_minute=1)
    many_faults(machine)
    machine.says(3, JAM)
    held = FaultsCounted(first_seq=3, count=1, code="EJB")
    assert [(3, held)] == told(machine.intake.tell_held(10.0, answers_come=True))
    assert [] == told(machine.intake.tell_held(10.0, answers_come=True))
    assert [JAM, JAM, held] == [frame.fact for frame in machine.window.frames()]


def test_a_fault_that_is_held_is_not_held_twice() -> None:
    """A machine that says it again before it is told changes nothing."""
    machine = Machine(faults_per_minute=1)
    many_faults(machine)
    assert [] == [*machine.says(3, JAM), *machine.says(3, JAM)]
    assert [(3, FaultsCounted(first_seq=3, count=1, code="EJB"))] == told(
        machine.intake.tell_held(0.0, answers_come=True)
    )


def test_a_fault_that_leaves_a_number_out_is_the_hosts_to_refuse() -> None:
    """Only faults without a gap are told as one."""
    machine = Machine(faults_per_minute=1)
    many_faults(machine)
    assert [(9, JAM)] == machine.says(9, JAM)


def test_faults_that_the_machine_will_say_again_are_forgotten() -> None:
    """After a refusal that frees numbers, nothing of the old ones is told."""
    machine = Machine(faults_per_minute=1)
    many_faults(machine)
    machine.says(3, JAM)
    machine.intake.forget_held()
    assert [] == machine.intake.tell_held(0.0, answers_come=True)
    assert [(3, CASH)] == machine.says(3, CASH)


def test_repeats_are_counted_instead_of_written() -> None:
    """A frame that was applied is heard of again a few times, and after that counted; other content
    under its number is always the host's to judge.
    """
    machine = Machine(repeats_per_minute=1)
    heard = []
    for _ in range(5):
        heard.append(machine.says(1, CASH))
        machine.hears(1)
    assert [[(1, CASH)]] * 3 + [[], []] == heard
    assert 2 == machine.allowances.counts["repeats_counted"]
    assert [(1, JAM)] == machine.says(1, JAM)


def test_who_writes_too_much_is_told_to_wait() -> None:
    """The pause grows with what is written beyond the day's share."""
    machine = Machine(journal_bytes_per_day=10_000)
    for seq in range(1, 12):
        assert 0 == machine.intake.pause_s
        assert [(seq, CASH)] == machine.says(seq, CASH)
    assert 0 < machine.intake.pause_s
