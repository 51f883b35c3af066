"""Who is at their bound is remembered for an hour, and few of them."""

from gateway.rpc.offenders import KEPT_MS, RECENT_MS, REMEMBERED_MAX, Offenders, Principal
from tests.support.site import SiteClock


class Clock(SiteClock):
    """One that stands still."""

    at_ms: int = 0

    def now_ms(self) -> int:
        return self.at_ms


def test_each_is_counted_by_itself_and_forgotten_after_an_hour() -> None:
    """The newest stand first; the gauge knows those of five minutes."""
    clock = Clock()
    one = Offenders(clock=clock)
    for name in ("VM-1", "VM-2", "VM-1"):
        one.note(Principal.MACHINE, name, "FLOOD")
        clock.at_ms += 1
    assert [("VM-1", 2, 0, 2), ("VM-2", 1, 1, 1)] == [
        (each.name, each.times, each.first_at_ms, each.last_at_ms) for each in one.listed()
    ]
    assert {Principal.MACHINE: 2, Principal.PERSON: 0, Principal.ADDRESS: 0} == one.recent()
    clock.at_ms = RECENT_MS + 2
    assert 1 == one.recent()[Principal.MACHINE]
    assert 2 == len(one.listed())
    clock.at_ms = KEPT_MS + 3
    assert [] == one.listed()
    one.note(Principal.MACHINE, "VM-1", "FLOOD")
    assert [1] == [each.times for each in one.listed()]


def test_a_flood_of_names_fills_no_memory() -> None:
    """Whoever was heard of least lately goes, and no name is long."""
    one = Offenders(clock=Clock())
    for number in range(REMEMBERED_MAX + 5):
        one.note(Principal.ADDRESS, f"{number:04}" * 100, "TOO_MANY_ATTEMPTS")
    assert REMEMBERED_MAX == len(one.listed())
    assert 200 == max(len(each.name) for each in one.listed())
