"""A change of a profile is checked whole before anything is done."""

import dataclasses

from gateway.office.profile_calls import PATHS
from storage.office.profiles import ProfileContent


def test_every_field_can_be_changed() -> None:
    """What is kept of a profile can be set; its maintenance has a call of its own."""
    assert {field.name for field in dataclasses.fields(ProfileContent)} == set(PATHS)
