"""Pages that have their place."""

from gateway.web.asking import Person
from gateway.web.pages.later import CAMPAIGNS, campaigns
from gateway.web.view import Looking
from tests.gateway.web.signed_in import NO_CALLS


async def test_what_is_not_there_yet_is_said() -> None:
    """And no table pretends to be empty."""
    looking = Looking(
        asking=NO_CALLS,
        person=Person(),
        now_ms=0,
    )
    view = await campaigns(looking)
    assert (CAMPAIGNS, ()) == (view.values["why"], view.tables)
    assert "no zero" in CAMPAIGNS
