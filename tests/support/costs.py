"""What each test costs: seconds of processor, its own and those of the processes that it started
and saw end.

Flows in: tests, as they run, in whatever worker. Flows out: at the end of a run, what each room
cost, the ten dearest tests, and those that cost more than most and stand in no list. It is a
report and no verdict: on a busy computer the same work takes up to twice the seconds.
"""

import resource
from collections import defaultdict
from collections.abc import Collection, Generator, Mapping
from pathlib import Path

import pytest

COSTLY_S = 5.0
"""Of ten thousand tests that share seven minutes, one may have so much if it stands in the list."""
SHOWN = 10
"""So many of the dearest are named in every report, so that who adds one sees it among them."""
LIST = Path(__file__).parents[1] / "architecture" / "tests_that_cost_much.txt"
_NAME = "processor_s"


def listed() -> frozenset[str]:
    """Return the ids of the tests that are known to cost much."""
    return frozenset(line for line in LIST.read_text().splitlines() if not line.startswith("#"))


def told(costs: Mapping[str, float], known: Collection[str]) -> list[str]:
    """Return the lines of the report. ``costs``: seconds by a test's id, without its worker."""
    rooms: defaultdict[str, float] = defaultdict(float)
    for test, seconds in costs.items():
        # ``tests/storage/fleet/test_views.py::test_it`` is of the room ``storage``.
        rooms[Path(test.partition("::")[0]).parts[1]] += seconds
    dearest = sorted(rooms.items(), key=lambda one: -one[1])
    by_room = ", ".join(f"{room} {seconds:.0f}" for room, seconds in dearest)
    costly = sorted(
        (test for test, seconds in costs.items() if seconds > COSTLY_S and test not in known),
        key=lambda test: -costs[test],
    )
    first = sorted(costs, key=lambda test: -costs[test])[:SHOWN]
    return [
        f"{sum(costs.values()):.0f} s of processor: {by_room}",
        *(f"  {costs[test]:.1f} s {test}" for test in first),
        *(
            f"{costs[test]:.1f} s: {test} costs much and does not stand in {LIST.name}"
            for test in costly
        ),
    ]


class Costs:
    """A plugin: workers measure, and whoever writes the report adds up."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self.costs: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Remember when a test began."""
        self._began_s = _used_s()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send what it cost along with its last report."""
        report = yield
        if call.when == "teardown":
            report.user_properties.append((_NAME, _used_s() - self._began_s))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a report says."""
        for name, value in report.user_properties:
            if name == _NAME and isinstance(value, float):
                self.costs[report.nodeid.partition("@")[0]] = value

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say it, of a run of more than a few."""
        if len(self.costs) > 100:
            terminalreporter.section("what it cost")
            for line in told(self.costs, listed()):
                terminalreporter.line(line)


def _used_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
