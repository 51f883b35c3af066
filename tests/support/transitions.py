"""The transitions of sessions, trades, vends and refunds that are allowed: the table "States" of
docs/architecture.md, read once.

Flows in: the published table, and records as decisions leave them. Flows out: whether what was seen
is a path in the published graph.
"""

import copy
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, assert_never

from actors.machine import MachineState
from actors.machine.command import Command
from actors.machine.decision import Record
from actors.machine.incident import Incident
from actors.machine.state import Alarm, Refund, Session, Trade, Vend

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
BEGINS = "(begins)"
Thing = Session | Vend | Trade | Refund
"""What has states to go through."""
Stateless = Alarm | Incident | Command
"""What has none, or is told of in tests of its own."""
_HEAD = "| Kind | From | To | What makes it so | Seen in |"


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """One thing of a kind went from one state to another; ``before`` is ``(begins)`` for its first
    state.
    """

    kind: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.kind} {self.before} -> {self.after}"


@functools.cache
def published() -> dict[Transition, str]:
    """Return every transition of the published table, and where the suite is to see it:
    ``worlds`` or ``core``.
    """
    _, found, rest = PAGE.read_text().partition(_HEAD + "\n")
    assert found, f"{PAGE} has no table of transitions"
    transitions: dict[Transition, str] = {}
    for line in rest.splitlines()[1:]:
        if not line.startswith("|"):
            break
        kind, befores, after, _, seen_in = (cell.strip() for cell in line.strip("|").split("|"))
        for before in befores.split(", "):
            transition = Transition(kind, before, after)
            assert transition not in transitions, f"{transition} is published twice"
            transitions[transition] = seen_in
    return transitions


@functools.cache
def leads(kind: str, before: str, after: str) -> bool:
    """Whether a path of published transitions leads from one state to the other. Staying is no
    transition, and always allowed.
    """
    reached, waiting = {before}, [before]
    while waiting:
        here = waiting.pop()
        for transition in published():
            if (transition.kind, transition.before) == (
                kind,
                here,
            ) and transition.after not in reached:
                reached.add(transition.after)
                waiting.append(transition.after)
    return after in reached


def of_record(record: Thing) -> tuple[str, str, str]:
    """Return kind, name and state of what a decision leaves behind, in the words of its row."""
    match record:
        case Session():
            return "session", record.session_id, "OPEN" if record.ended_at_ms is None else "ENDED"
        case Trade():
            return "trade", record.trade_id, "OPEN" if record.closed_at_ms is None else "CLOSED"
        case Vend():
            written_off = " (WRITTEN_OFF)" if record.reason == "WRITTEN_OFF" else ""
            return "vend", record.vend_id, record.status + written_off
        case Refund():
            return "refund", record.refund_id, record.status.value
        case _:
            assert_never(record)


class History:
    """In which state each thing was last, and each transition that it made; ``state`` is where the
    story begins.
    """

    def __init__(self, state: MachineState) -> None:
        self._now = {("trade", str(trade_id)): "CLOSED" for trade_id in state.closed_trades}
        self._now.update(
            {(kind, name): status for kind, name, status in map(of_record, _things(state))}
        )
        self.transitions: list[Transition] = []

    def branch(self) -> Self:
        """Return another history that was the same until now."""
        other = copy.copy(self)
        other._now, other.transitions = self._now.copy(), self.transitions.copy()
        return other

    def goes_on(self, *records: Record) -> None:
        """Take what was written next; fail if no path of published transitions leads there."""
        things = (record for record in records if not isinstance(record, Stateless))
        for kind, name, after in map(of_record, things):
            before = self._now.get((kind, name), BEGINS)
            assert leads(kind, before, after), (
                f"{name}: {Transition(kind, before, after)} is not allowed ({PAGE.name}, States)"
            )
            self._now[kind, name] = after
            if before != after:
                self.transitions.append(Transition(kind, before, after))


def _things(state: MachineState) -> Iterator[Thing]:
    if state.session is not None:
        yield state.session
        if state.session.vend is not None:
            yield state.session.vend
    yield from state.doubts
    yield from state.settled_vends
    yield from state.trades
    yield from state.refunds
