"""Arms are drawn by a hash: alike for alike, even by weekday, and another for another seed."""

import pytest

from storage.insight import days
from storage.lift.assignment import Pair, Unit, digest, paired, switchback, together

UNITS = [
    Unit(machine_id=f"VM-{number:02}", site_type="STATION" if number % 3 else "OFFICE", sold=number)
    for number in range(20)
]


def test_neighbours_in_sales_are_pairs() -> None:
    """Within their type of site, but for those that are left."""
    pairs = paired(UNITS, "a")
    assert 10 == len(pairs)
    assert 20 == len({one for pair in pairs for one in (*pair.treated, *pair.control)})
    types = {unit.machine_id: unit.site_type for unit in UNITS}
    both = [{*pair.treated, *pair.control} for pair in pairs]
    assert [{"VM-00", "VM-01"}] == [of for of in both if 2 == len({types[one] for one in of})]
    assert {"VM-19", "VM-17"} in both


def test_machines_of_one_site_are_drawn_together() -> None:
    """With as much as they sell together; and whoever stands nowhere is by itself."""
    units = [
        Unit(machine_id="VM-1", site_type="STATION", sold=6, site="pier"),
        Unit(machine_id="VM-2", site_type="STATION", sold=11, site="gate"),
        Unit(machine_id="VM-3", site_type="STATION", sold=4, site="pier"),
        Unit(machine_id="VM-4", site_type="STATION", sold=2),
        Unit(machine_id="VM-5", site_type="STATION", sold=1),
    ]
    places = {place: [unit.machine_id for unit in of] for place, of in together(units).items()}
    assert {"VM-1": ["VM-1", "VM-3"], "VM-2": ["VM-2"], "VM-4": ["VM-4"], "VM-5": ["VM-5"]} == (
        places
    )
    pairs = {frozenset((pair.treated, pair.control)) for pair in paired(units, "a")}
    assert {
        frozenset({("VM-2",), ("VM-1", "VM-3")}),
        frozenset({("VM-4",), ("VM-5",)}),
    } == pairs


def test_the_seed_decides_and_nothing_else() -> None:
    """Not the order in which machines come; and half of all seeds flip a pair."""
    assert paired(UNITS, "a") == paired(reversed(UNITS), "a")
    two = UNITS[1:3]
    flips = [
        paired(two, str(seed)) == [Pair(treated=("VM-01",), control=("VM-02",))]
        for seed in range(400)
    ]
    assert 160 < sum(flips) < 240
    assert not paired(UNITS[:1], "a")


def test_a_switchback_is_even_in_each_weekday() -> None:
    """For each machine by itself; and machines differ."""
    of = switchback(["VM-1", "VM-2"], 20260706, 28, "a")
    for treated in of.values():
        assert 14 == len(set(treated))
        assert [2] * 7 == [
            sum(days.weekday(d) == weekday for d in treated) for weekday in range(1, 8)
        ]
    assert of["VM-1"] != of["VM-2"]
    assert of == switchback(["VM-2", "VM-1"], 20260706, 28, "a")
    assert of != switchback(["VM-1", "VM-2"], 20260706, 28, "b")
    for length in (0, 7, -14):
        with pytest.raises(ValueError, match="fortnights"):
            switchback(["VM-1"], 20260706, length, "a")


def test_an_assignment_has_one_hash() -> None:
    """Which any change of it changes."""
    assert digest({"a": ["x"], "b": ["y"]}) == digest({"b": ["y"], "a": ["x"]})
    assert digest({"a": ["x"]}) != digest({"a": ["y"]})
