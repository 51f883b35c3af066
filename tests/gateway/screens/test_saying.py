"""A gateway that keeps no screens hears nothing and tells nothing."""

from actors.machine.ids import MachineId
from gateway.screens.saying import NO_SCREENS, ManifestApplied


def test_nobody_keeps_anything() -> None:
    """Nor is anything recalled."""
    NO_SCREENS.said(MachineId("VM-1"), ManifestApplied(manifest="m"))
    assert () == NO_SCREENS.recalled()
