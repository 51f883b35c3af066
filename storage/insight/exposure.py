"""For how long a machine was online, in service and could sell something, counted in whole seconds
of its local hours from the lines of its journal and the moves of its goods. Pure.

What is counted is a sum over the time between two lines that change something, and so is the same
however the journal is cut. A machine may be counted on while nothing happens, up to any time; a
line that turns out to be of an earlier time takes back what was counted behind it.

Not told by the journal, and so not counted as lost: a column that failed so often that its machine
blocks it, items that open vends have a claim on, and a planogram that still waits.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from actors.machine.effects import RejectFrame, Welcome
from actors.machine.events import (
    ConfigurationChanged,
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    ReaderDisabled,
    ReaderEnabled,
)
from actors.machine.values import replace
from storage.insight.local_time import QUARTER_MS, local_hour
from storage.insight.places import Stood, Where, where
from storage.insight.rollups import Sums, scopes
from storage.tables import machine_hours, scope_exposures

KINDS = tuple(
    kind.__name__
    for kind in (ConfigurationChanged, Connected, Disconnected, ReaderDisabled, ReaderEnabled)
)
"""The kinds of lines that change for whom a machine is there; of any other kind, one that ended a
machine's stream does.
"""
_WELCOME, _REJECT = Welcome.__name__, RejectFrame.__name__


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine is ready for. ``stocks``: items by column; ``planned``: the columns of the
    planogram that is wanted. ``reader_seq`` is the last frame that told of the reader, and
    ``revision`` that of the configuration.
    """

    online: bool = False
    reader_enabled: bool = True
    enabled: bool = True
    retired: bool = False
    stream_id: str = ""
    boot_id: str = ""
    reader_seq: int = 0
    revision: int = 0
    locked: frozenset[str] = frozenset()
    planned: frozenset[str] = frozenset()
    stocks: Mapping[str, int] = msgspec.field(default_factory=dict)

    def in_a_second(self) -> tuple[int, ...]:
        """Return what a second of it adds to the columns of ``machine_hours``. A column that is
        locked counts as empty.
        """
        if self.retired:
            return (0, 0, 0, 0, 0, 0)
        in_service = self.online and self.reader_enabled and self.enabled
        full = {name for name, stock in self.stocks.items() if stock > 0}
        every, open_ = len(self.planned | full), len(full - self.locked)
        return (
            1,
            int(self.online),
            int(in_service),
            int(in_service and open_ > 0),
            every * in_service,
            (every - open_) * in_service,
        )


class LineTold(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal, with the kinds of what it ordered. ``ended``: the stream that it took
    from a machine which is out of service.
    """

    event: Event
    ordered: frozenset[str]
    ended: str = ""


class Stocked(msgspec.Struct, frozen=True, kw_only=True):
    """So many items more, or fewer, in a column."""

    column: str
    items: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that changes what a machine is ready for, at the time of its line."""

    version: int
    at_ms: int
    what: LineTold | Stocked


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's time is counted up to ``at_ms``; ``since_ms``: when it last changed. ``move_id``
    is the last move of its goods that is in it.
    """

    machine_id: str
    version: int
    since_ms: int
    at_ms: int
    move_id: int
    ready: Ready


def after(ready: Ready, what: LineTold | Stocked) -> Ready:
    """Return what the machine is ready for behind this."""
    if isinstance(what, Stocked):
        left = ready.stocks.get(what.column, 0) + what.items
        stocks = {**ready.stocks, what.column: left}
        if not left:
            del stocks[what.column]
        return replace(ready, stocks=stocks)
    told = _heard(ready, what)
    # What somebody's money kept open ends with any line, that of a wait for example.
    return replace(told, online=False) if what.ended and what.ended == told.stream_id else told


def _heard(ready: Ready, what: LineTold) -> Ready:
    match what.event:
        case Connected() as event if _WELCOME in what.ordered:
            same = event.boot_id == ready.boot_id
            return replace(
                ready,
                online=True,
                stream_id=event.stream_id,
                boot_id=event.boot_id,
                reader_enabled=ready.reader_enabled or not same,
                reader_seq=ready.reader_seq if same else 0,
            )
        case Disconnected(stream_id=stream_id) if stream_id == ready.stream_id:
            return replace(ready, online=False)
        case FrameReceived(fact=ReaderEnabled() | ReaderDisabled() as fact) as event if _is_applied(
            ready, event, what.ordered
        ):
            enabled = isinstance(fact, ReaderEnabled)
            return replace(ready, reader_enabled=enabled, reader_seq=event.seq)
        case ConfigurationChanged() as event if event.configuration.revision > ready.revision:
            wanted = event.configuration
            return replace(
                ready,
                revision=wanted.revision,
                enabled=wanted.enabled,
                retired=wanted.retired,
                locked=frozenset(wanted.locked or ()),
                planned=ready.planned
                if event.columns is None
                else frozenset(one.column for one in event.columns),
            )
        case _:
            return ready


def _is_applied(ready: Ready, event: FrameReceived, ordered: frozenset[str]) -> bool:
    """Tell whether the machine's state heard of a frame: one that is told again, or in the wrong
    order, or on another stream, changed nothing.
    """
    ours = ready.online and event.stream_id == ready.stream_id
    return ours and event.seq > ready.reader_seq and _REJECT not in ordered


def counted_on(
    sums: Sums, known: Counted, changes: Iterable[Change], stays: Sequence[Stood]
) -> Counted:
    """Add to ``sums`` the machine's time up to the last of these changes, in the order of their
    versions; return up to where it is counted then.
    """
    each = known.ready.in_a_second()
    for one in changes:
        ready = after(known.ready, one.what)
        each_now = ready.in_a_second()
        if each_now == each:
            known = replace(known, ready=ready, version=one.version)
            continue
        at_ms = max(one.at_ms, known.since_ms)  # The clock of another host may be behind.
        known = up_to(sums, known, at_ms, stays)
        known = replace(known, ready=ready, version=one.version, since_ms=at_ms)
        each = each_now
    return known


def up_to(sums: Sums, known: Counted, at_ms: int, stays: Sequence[Stood]) -> Counted:
    """Count a machine's time up to ``at_ms``, or take it back to there."""
    first, last = sorted((known.at_ms, at_ms))
    each = known.ready.in_a_second()
    if not any(each):
        return replace(known, at_ms=at_ms)
    sign = 1 if at_ms >= known.at_ms else -1
    for there, d, hour, seconds in _hours(first, last, stays):
        values = [sign * seconds * value for value in each]
        sums.add(machine_hours, (known.machine_id, d, hour), values)
        for scope in scopes(there.district, there.site_type):
            sums.add(scope_exposures, (*scope, d, hour), values)
    return replace(known, at_ms=at_ms)


def _hours(
    first_ms: int, last_ms: int, stays: Sequence[Stood]
) -> Iterator[tuple[Where, int, int, int]]:
    """Yield where the machine was, the local day and hour, and the whole seconds of it."""
    at_ms = first_ms
    while at_ms < last_ms:
        end_ms = min(last_ms, (at_ms // QUARTER_MS + 1) * QUARTER_MS)
        there = where(stays, at_ms)
        hour = local_hour(at_ms, there.time_zone)
        if seconds := end_ms // 1_000 - at_ms // 1_000:
            yield there, hour.d, hour.hour, seconds
        at_ms = end_ms
