"""Log lines of one kind: so many, and how many more there were."""

import io
import logging

import pytest

from gateway.process import sampling
from gateway.process.sampling import Sampler


class Log:
    """A logger with a sampled handler, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        self.sampler = Sampler(handler, now=lambda: self.now_s)
        handler.addFilter(self.sampler)
        self.logger = logging.getLogger(f"sampled {id(self)}")
        self.logger.setLevel("INFO")
        self.logger.propagate = False
        self.logger.addHandler(handler)

    def lines(self) -> list[str]:
        """Take what was written."""
        lines = self.stream.getvalue().splitlines()
        self.stream.seek(0)
        self.stream.truncate()
        return lines


@pytest.fixture
def log() -> Log:
    """Give a log."""
    return Log()


def test_a_storm_is_a_few_lines(log: Log) -> None:
    """A thousand lines of a kind become a burst, a sentence, and a number at the end."""
    for number in range(1_000):
        log.logger.warning("caller %d", number)
        log.logger.warning(f"accept failed: socket {number}")  # noqa: G004 - as some libraries do
    lines = log.lines()
    assert 2 * (sampling.BURST + 1) == len(lines)
    assert "more lines of this kind are left out: accept failed: socket #" == lines[-1]
    log.now_s = sampling.QUIET_S
    log.logger.warning("another kind")
    left_out = 1_000 - sampling.BURST
    assert [
        f"{left_out} lines of this kind were left out: caller %d",
        f"{left_out} lines of this kind were left out: accept failed: socket #",
        "another kind",
    ] == log.lines()
    log.sampler.report()
    assert [] == log.lines()


def test_kinds_do_not_share(log: Log) -> None:
    """Another text, another level or another logger's line passes in the middle of a storm."""
    for _ in range(sampling.BURST + 1):
        log.logger.warning("storm")
    log.lines()
    log.logger.error("storm")
    log.logger.warning({"event": "structured", "machine_id": "VM-1"})
    assert 2 == len(log.lines())


def test_a_kind_comes_back(log: Log) -> None:
    """So many a second pass, for ever."""
    for _ in range(sampling.BURST):
        log.logger.info("busy")
    log.lines()
    for _ in range(100):
        log.now_s += 1 / sampling.RATE_PER_S + 0.001
        log.logger.info("busy")
    assert ["busy"] * 100 == log.lines()


def test_the_end_tells_what_was_not_told(log: Log) -> None:
    """What was left out when nothing more is written is told by ``report``, once."""
    for _ in range(sampling.BURST + 7):
        log.logger.info("storm")
    log.lines()
    log.sampler.report()
    assert ["7 lines of this kind were left out: storm"] == log.lines()


def test_kinds_are_bounded(log: Log) -> None:
    """Who makes up texts fills no memory, and what is forgotten is counted first."""
    for _ in range(sampling.BURST + 3):
        log.logger.info("storm")
    log.lines()
    for number in range(sampling.KINDS_MAX):
        log.logger.info(chr(0x4E00 + number))
    assert "3 lines of this kind were left out: storm" in log.lines()
