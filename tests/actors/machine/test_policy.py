"""Every limit has its bounds, and a machine's own limits stand above the fleet's."""

from dataclasses import fields

from actors.machine.policy import BOUNDS, OVERRIDABLE, Policy, PolicyOverrides


def test_what_is_not_set_follows_the_fleet() -> None:
    """Only the limits that a machine sets itself differ from the fleet's."""
    fleet = Policy(payment_wait_ms=30_000)

    assert fleet == PolicyOverrides().applied_to(fleet)
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
    assert {limit.name for limit in fields(PolicyOverrides)} == set(OVERRIDABLE)
    assert BOUNDS.items() >= OVERRIDABLE.items()
    assert {1} == {bounds.count_max for bounds in OVERRIDABLE.values()}
