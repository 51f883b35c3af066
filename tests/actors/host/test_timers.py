"""One heap for all machines: each rings once, at its last deadline, however often it moved."""

from hypothesis import given
from hypothesis import strategies as st

from actors.host.timers import Timers
from actors.machine.ids import MachineId

A, B = MachineId("VM-A"), MachineId("VM-B")


def test_machines_ring_in_the_order_of_their_deadlines() -> None:
    """Earliest first, and only those whose time has come."""
    timers = Timers()
    timers.arm(A, 200)
    timers.arm(B, 100)

    assert [] == timers.due(99)
    assert timers.due(250) == [B, A]
    assert [] == timers.due(1_000)


def test_a_deadline_that_moved_later_rings_then() -> None:
    """The old entry only makes us look."""
    timers = Timers()
    timers.arm(A, 100)
    timers.arm(A, 300)

    assert 100 == timers.next_at_ms()
    assert [] == timers.due(150)
    assert timers.due(300) == [A]


def test_a_deadline_that_moved_earlier_rings_then_and_once() -> None:
    """The later entry finds nothing."""
    timers = Timers()
    timers.arm(A, 300)
    timers.arm(A, 100)

    assert timers.due(100) == [A]
    assert [] == timers.due(1_000)


def test_a_deadline_that_was_taken_away_does_not_ring() -> None:
    """None is no deadline."""
    timers = Timers()
    timers.arm(A, 100)
    timers.arm(A, None)

    assert [] == timers.due(1_000)
    assert 0 == len(timers)


def test_moving_a_deadline_to_and_fro_for_ever_keeps_the_heap_small() -> None:
    """Stale entries are thrown out before they are many."""
    timers = Timers()
    for step in range(100_000):
        timers.arm(A, 1_000_000 - step)

    assert len(timers._heap) < 2_000
    assert timers.due(900_001) == [A]


def test_who_counts_hears_how_late_each_rang() -> None:
    """By its last deadline, and only of what rang."""
    late = list[int]()
    timers = Timers(late.append)
    timers.arm(A, 100)
    timers.arm(A, 150)
    timers.arm(B, 300)
    timers.due(200)

    assert [50] == late


@given(
    st.lists(st.tuples(st.sampled_from([A, B]), st.none() | st.integers(0, 50)), max_size=40),
    st.integers(0, 60),
)
def test_what_rings_is_what_a_plain_table_says(
    steps: list[tuple[MachineId, int | None]], now_ms: int
) -> None:
    """Whatever was armed in whatever order, the last word on each machine counts."""
    timers = Timers()
    table: dict[MachineId, int] = {}
    for machine_id, deadline_ms in steps:
        timers.arm(machine_id, deadline_ms)
        if deadline_ms is None:
            table.pop(machine_id, None)
        else:
            table[machine_id] = deadline_ms

    assert sorted(timers.due(now_ms)) == sorted(
        machine_id for machine_id, deadline_ms in table.items() if deadline_ms <= now_ms
    )
