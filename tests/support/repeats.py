"""Which tests send SQL that others of their room send too: those need PostgreSQL in ``make soak``
only (``slow_on_postgres``), because in the suite the others ask it the same.

Flows in: a run on SQLite, ``python -m pytest -n0 -p tests.support.repeats -k 'not postgresql'
tests/storage/office``. Flows out, at its end: the fewest and cheapest tests that send together all
that the room sends, and the rest by name. A statement is known by its text without its values.
What tests lay out beforehand, rows by plain INSERT, counts for nothing; a refusal by the database
counts by its kind.

It knows nothing of values, locks, plans or races: whoever marks a test looks at what it asks.
"""

import re
import time
from collections import defaultdict
from collections.abc import Collection, Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ExceptionContext, event

_MANY = re.compile(r"\(\s*\?(?:,\s*\?)*\s*\)(?:,\s*\(\s*\?(?:,\s*\?)*\s*\))*")
"""A list of values is as long as a test has them."""


def cover(sent: Mapping[str, Collection[str]], costs: Mapping[str, float]) -> list[str]:
    """Return names that together sent all that was sent, the most for its cost first.

    ``sent``: statements by who sent them; ``costs``: any unit, by the same names.
    """
    left = {statement for statements in sent.values() for statement in statements}
    chosen: list[str] = []
    while left:
        name = max(
            sent,
            key=lambda one: (len(left & set(sent[one])) / max(costs.get(one, 0.0), 1e-3), one),
        )
        chosen.append(name)
        left -= set(sent[name])
    return chosen


def is_plain(statement: str) -> bool:
    """Whether it asks nothing that databases answer each in their own way."""
    is_insert = statement.startswith("INSERT")
    return statement.startswith("PRAGMA") or (
        is_insert and "ON CONFLICT" not in statement and "SELECT" not in statement
    )


def function_of(nodeid: str) -> str:
    """Return a test's name without its parameters."""
    return nodeid.partition("[")[0]


def room_of(nodeid: str) -> str:
    """Return the folder in which a test stands."""
    return str(Path(nodeid.partition("::")[0]).parent)


class Repeats:
    """A plugin: notes what each test sends, and says in the end who repeats others."""

    def __init__(self) -> None:
        self._test = ""
        self._sent: defaultdict[str, set[str]] = defaultdict(set)
        self._costs: defaultdict[str, float] = defaultdict(float)
        event.listen(Engine, "before_cursor_execute", self._executes)
        event.listen(Engine, "handle_error", self._refused)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note who runs, and for how long."""
        self._test, began_s = function_of(item.nodeid), time.process_time()
        try:
            return (yield)
        finally:
            self._costs[self._test] += time.process_time() - began_s
            self._test = ""

    def _executes(self, *told: Any) -> None:
        statement: str = told[2]
        if self._test and not is_plain(statement):
            self._sent[self._test].add(_MANY.sub("(?)", statement))

    def _refused(self, context: ExceptionContext) -> None:
        if self._test:
            self._sent[self._test].add(f"refused: {type(context.original_exception).__name__}")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say it, room by room."""
        rooms: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
        for test, statements in self._sent.items():
            rooms[room_of(test)][test] = statements
        for room, sent in sorted(rooms.items()):
            kept = set(cover(sent, self._costs))
            repeats = sorted(set(sent) - kept)
            spent = sum(self._costs[test] for test in repeats)
            terminalreporter.section(
                f"{room}: {len(kept)} of {len(sent)} send all; {len(repeats)} repeat, {spent:.0f} s"
            )
            for test in repeats:
                terminalreporter.line(test)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note."""
    config.pluginmanager.register(Repeats(), "vendgate-repeats")
