"""Pages that have their place."""

from gateway.web.asking import LocalCalls, Person
from gateway.web.pages.later import CAMPAIGNS, campaigns
from gateway.web.view import Looking


async def test_what_is_not_there_yet_is_said() -> None:
    """And no table pretends to be empty."""
    looking = Looking(
        asking=LocalCalls(lambda _to: None, guard=lambda _path, answer: answer),
        person=Person(),
        now_ms=0,
    )
    view = await campaigns(looking)
    assert (CAMPAIGNS, ()) == (view.values["why"], view.tables)
    assert "no zero" in CAMPAIGNS
