"""A process's clock never steps; what was done to the computer's clock can be told."""

from gateway.process.clock import SteadyClock, SystemClock, process_clock

HOUR_MS = 3_600_000


class Computer:
    """A computer whose clock somebody sets."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000
        self.passed = 5_000

    def clock(self) -> SteadyClock:
        """A process starts."""
        return SteadyClock(wall_ms=lambda: self.wall, passed_ns=lambda: self.passed * 1_000_000)

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.wall += ms
        self.passed += ms


def test_a_step_of_the_computers_clock_moves_no_time() -> None:
    """Back an hour or ahead by 15 minutes: 25 seconds are 25 seconds, and the step can be told."""
    computer = Computer()
    clock = computer.clock()
    began_ms = clock.now_ms()
    for step_ms in (-HOUR_MS, 15 * 60_000):
        before_ms, stepped_ms = clock.now_ms(), clock.stepped_ms()
        computer.wall += step_ms
        computer.wait(25_000)
        assert 25_000 == clock.now_ms() - before_ms
        assert step_ms == clock.stepped_ms() - stepped_ms
    assert 1_700_000_000_000 == began_ms


def test_a_process_that_starts_takes_the_computers_clock() -> None:
    """What is wrong with it then is for Alipay's answers to show."""
    computer = Computer()
    computer.wall += HOUR_MS

    assert computer.wall == computer.clock().now_ms()
    assert HOUR_MS > abs(SystemClock().now_ms() - process_clock().now_ms())
    assert process_clock() is process_clock()
