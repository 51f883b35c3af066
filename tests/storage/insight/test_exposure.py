"""Seconds are counted where they were, and the same however the lines are cut."""

from collections.abc import Sequence

from actors.machine.events import (
    ConfigurationChanged,
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    ReaderDisabled,
    ReaderEnabled,
    SessionCompleted,
    TimePassed,
)
from actors.machine.ids import BootId, StreamId
from actors.machine.state import Column, Configuration
from actors.machine.values import replace
from storage.insight.exposure import Change, Counted, LineTold, Ready, Stocked, counted_on, up_to
from storage.insight.places import Stood, Where
from storage.insight.rollups import Sums
from storage.tables import machine_hours, scope_exposures

HOUR_MS = 3_600_000
NOON_MS = 1_767_240_000_000  # 2026-01-01 04:00 UTC, noon in Hong Kong
PIER = Where(site="pier", district="central", site_type="TRANSIT", time_zone="Asia/Hong_Kong")
STAYS = [Stood(from_at_ms=0, where=PIER)]
HERE = StreamId("s1")


def told(event: Event, *ordered: str) -> LineTold:
    """A line."""
    return LineTold(event=event, ordered=frozenset(ordered))


def configured(
    revision: int, *, enabled: bool = True, retired: bool = False, locked: tuple[str, ...] = ()
) -> LineTold:
    """Somebody decided about the machine."""
    columns = tuple(
        Column(column=name, product="cola", price_minor=5, capacity=9, stock=0)
        for name in ("A1", "A2")
    )
    configuration = Configuration(
        revision=revision, enabled=enabled, retired=retired, locked=locked or None
    )
    return told(ConfigurationChanged(configuration=configuration, columns=columns))


def hello(stream: str = HERE, boot: str = "b1", *, welcome: bool = True) -> LineTold:
    """The machine came."""
    event = Connected(stream_id=StreamId(stream), opened_at_ms=1, boot_id=BootId(boot))
    return told(event, *(["Welcome"] if welcome else ["CloseStream"]))


def gone(stream: str = HERE) -> LineTold:
    """A stream is gone."""
    return told(Disconnected(stream_id=StreamId(stream)))


def reader(*, enabled: bool, seq: int, stream: str = HERE, ordered: Sequence[str] = ()) -> LineTold:
    """The machine says whether it takes customers."""
    fact = ReaderEnabled() if enabled else ReaderDisabled()
    return told(FrameReceived(stream_id=StreamId(stream), seq=seq, fact=fact), *ordered)


def changes(*of: tuple[int, LineTold | Stocked]) -> list[Change]:
    """Of so many minutes after noon each."""
    return [
        Change(version=version, at_ms=NOON_MS + minute * 60_000, what=what)
        for version, (minute, what) in enumerate(of, 1)
    ]


BEGUN = Counted(
    machine_id="VM-1", version=0, since_ms=NOON_MS, at_ms=NOON_MS, move_id=0, ready=Ready()
)


def minutes(*of: tuple[int, LineTold | Stocked], until: int = 60) -> tuple[int, ...]:
    """Known, online, in service, sellable, columns, empty columns: minutes since noon."""
    sums = Sums()
    up_to(sums, counted_on(sums, BEGUN, changes(*of), STAYS), NOON_MS + until * 60_000, STAYS)
    rows = list(sums.by_table.get(machine_hours, {}).values())
    return tuple(sum(values) // 60 for values in zip(*rows, strict=True))


def test_a_machine_can_sell_what_it_has() -> None:
    """While it is online and in service, of columns that are not locked."""
    filled = (0, Stocked(column="A1", items=2))
    assert (60, 50, 50, 50, 100, 50) == minutes((0, configured(1)), filled, (10, hello()))
    sold = (30, Stocked(column="A1", items=-2))
    assert (60, 50, 50, 20, 100, 80) == minutes((0, configured(1)), filled, (10, hello()), sold)
    locked = configured(2, locked=("A1",))
    assert (60, 60, 60, 20, 120, 100) == minutes(
        filled, (0, configured(1)), (0, hello()), (20, locked)
    )
    assert (60, 60, 20, 0, 40, 40) == minutes(
        (0, configured(1)), (0, hello()), (20, configured(2, enabled=False))
    )
    assert (20, 20, 20, 0, 40, 40) == minutes(
        (0, configured(1)), (0, hello()), (20, configured(2, retired=True))
    )
    assert (60, 60, 60, 0, 120, 120) == minutes(
        (0, configured(2)), (0, hello()), (20, configured(1, enabled=False))
    )


def test_only_what_the_machine_heard_counts() -> None:
    """Not what another stream says, nor what is told again or in the wrong order."""
    there = ((0, configured(1)), (0, hello()))
    off, on = reader(enabled=False, seq=3), reader(enabled=True, seq=4)
    assert 20 == minutes(*there, (20, off))[2]
    assert 50 == minutes(*there, (20, off), (30, on), (40, off))[2]
    assert 60 == minutes(*there, (20, reader(enabled=False, seq=3, stream="s0")))[2]
    assert 60 == minutes(*there, (20, reader(enabled=False, seq=9, ordered=["RejectFrame"])))[2]
    assert 60 == minutes(*there, (20, gone("s0")), (30, hello("s2", welcome=False)))[1]
    assert 30 == minutes(*there, (20, gone()), (50, hello()))[1]
    assert 40 == minutes(*there, (20, off), (40, hello("s2", "b2")))[2]
    assert 20 == minutes(*there, (20, off), (40, hello("s2")))[2]


def test_out_of_service_it_loses_its_stream_with_any_line() -> None:
    """What kept it was a customer's money; another stream that is closed is not the machine's."""
    there = ((0, configured(1)), (0, hello()), (10, configured(2, enabled=False)))
    for stream, online in ((HERE, 30), ("s0", 60)):
        over = LineTold(event=TimePassed(), ordered=frozenset({"CloseStream"}), ended=stream)
        assert online == minutes(*there, (30, over))[1]
    assert 40 == minutes(*there, (30, replace(told(TimePassed()), ended=HERE)), (50, hello()))[1]
    # Of what else came in a frame nothing is believed of the reader.
    frame = told(FrameReceived(stream_id=HERE, seq=9, fact=SessionCompleted(session_id="s")))  # type: ignore[arg-type]
    assert 60 == minutes((0, configured(1)), (0, hello()), (20, frame))[2]


def test_hours_are_those_of_the_clock_where_it_stood() -> None:
    """A quarter before one in Hong Kong is still noon; seconds add up whatever the cuts."""
    sums = Sums()
    known = counted_on(sums, BEGUN, changes((45, hello())), STAYS)
    up_to(sums, known, NOON_MS + HOUR_MS + 1_500, STAYS)
    hours = sums.by_table[machine_hours]
    assert [
        (("VM-1", 20260101, 12), [3_600, 900, 900, 0, 0, 0]),
        (("VM-1", 20260101, 13), [1, 1, 1, 0, 0, 0]),
    ] == sorted(hours.items())
    fleet = {key: values for key, values in sums.by_table[scope_exposures].items() if not key[1]}
    assert {("FLEET", "", 20260101, 12): [3_600, 900, 900, 0, 0, 0]}.items() <= fleet.items()
    assert ("DISTRICT", "central", 20260101, 13) in sums.by_table[scope_exposures]


def test_a_line_of_an_earlier_time_takes_back_what_was_counted() -> None:
    """So that all is the same when it is made again in one go."""
    some = changes((0, configured(1)), (0, hello()), (90, gone()))
    whole, cut = Sums(), Sums()
    up_to(whole, counted_on(whole, BEGUN, some, STAYS), NOON_MS + 2 * HOUR_MS, STAYS)
    known = counted_on(cut, BEGUN, some[:2], STAYS)
    known = up_to(cut, known, NOON_MS + 2 * HOUR_MS, STAYS)
    known = counted_on(cut, known, some[2:], STAYS)
    assert NOON_MS + 90 * 60_000 == known.at_ms
    up_to(cut, known, NOON_MS + 2 * HOUR_MS, STAYS)
    assert list(whole.rows()) == list(cut.rows())


def test_nothing_is_before_what_was_before_it() -> None:
    """A host whose clock is behind takes no time back from another one's line."""
    known = replace(BEGUN, since_ms=NOON_MS + HOUR_MS, at_ms=NOON_MS + HOUR_MS)
    assert NOON_MS + HOUR_MS == counted_on(Sums(), known, changes((5, hello())), STAYS).since_ms
