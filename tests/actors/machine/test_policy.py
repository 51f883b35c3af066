"""A machine's own limits stand above the fleet's."""

from actors.machine.policy import Policy, PolicyOverrides


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
