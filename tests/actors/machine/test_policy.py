"""Every limit has its bounds, and a machine's own limits stand above the fleet's."""

from dataclasses import fields

import pytest

from actors.machine.policy import (
    BOUNDS,
    OVERRIDABLE,
    RULES,
    Contradiction,
    Policy,
    PolicyOverrides,
    Rule,
)


def test_what_is_not_set_follows_the_fleet() -> None:
    """Only the limits that a machine sets itself differ from the fleet's."""
    fleet = Policy(payment_wait_ms=30_000)

    assert PolicyOverrides().applied_to(fleet) is fleet
    assert (
        5
        == PolicyOverrides(write_off_second_person_above_minor=5)
        .applied_to(fleet)
        .write_off_second_person_above_minor
    )
    assert Policy(payment_wait_ms=30_000, idle_refund_ms=1) == PolicyOverrides(
        idle_refund_ms=1
    ).applied_to(fleet)


def test_every_limit_has_bounds_and_keeps_them() -> None:
    """The table tells what each limit may be, and each default is that, or None for "off"."""
    policy = Policy()

    assert {limit.name for limit in fields(Policy)} == set(BOUNDS)
    for name, bounds in BOUNDS.items():
        default = getattr(policy, name)
        numbers = default if isinstance(default, tuple) else (default,)
        assert 1 <= len(numbers) <= bounds.count_max, name
        assert default is None or all(
            bounds.least <= number <= bounds.most for number in numbers
        ), name


def test_a_machine_overrides_limits_of_the_policy() -> None:
    """What a machine may have for itself is some of the limits, each a single number."""
    assert set(PolicyOverrides.__struct_fields__) == set(OVERRIDABLE)
    assert BOUNDS.items() >= OVERRIDABLE.items()
    assert {1} == {bounds.count_max for bounds in OVERRIDABLE.values()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.longer}-{rule.shorter}")
def test_limits_that_exclude_each_other_are_no_policy(rule: Rule) -> None:
    """The sentence names both limits and says why: no vend is voided while its approval is good."""
    too_short = getattr(Policy(), rule.shorter) - 1

    with pytest.raises(Contradiction, match=rf"{rule.longer} .* {rule.shorter} .*{rule.why}"):
        Policy(**{rule.longer: too_short})


def test_a_machines_own_limits_are_held_against_the_fleets() -> None:
    """A vend would be voided after 12 seconds, and its approval is good for 30."""
    own = PolicyOverrides(vend_result_ms=10_000, doubt_window_ms=2_000)
    found = own.contradict(Policy())

    assert ["vend_result_ms", "doubt_window_ms", "doubt_window_ms"] == [
        one.rule.longer for one in found
    ]
    assert () == PolicyOverrides(payment_wait_ms=40_000).contradict(Policy())


def test_a_machine_whose_limits_the_fleet_has_come_to_exclude_goes_on() -> None:
    """Somebody changed the fleet's limits; the machine's own give way, and it is not halted."""
    fleet = Policy(payment_age_max_ms=30_000)
    own = PolicyOverrides(vend_result_ms=1, doubt_window_ms=1, payment_wait_ms=60_000)

    assert Policy(
        payment_age_max_ms=30_000,
        vend_result_ms=30_000,
        doubt_window_ms=120_000,
        payment_wait_ms=30_000,
    ) == own.applied_to(fleet)
