"""The services of the fleet and of the office are served together."""

from gateway.fleet import services as fleet_services
from gateway.office import services


def test_the_fleets_services_are_among_them() -> None:
    """Whoever serves the office serves the fleet: nobody has to list both."""
    assert set(fleet_services.FILES) < set(services.FILES)
    assert {"RegisterMachine", "CreateProduct"} <= set(services.METHODS)


def test_no_call_has_the_name_of_another() -> None:
    """The counters and the stored answers tell calls apart by their name alone."""
    assert len(services.METHODS) == len(set(services.METHODS))
