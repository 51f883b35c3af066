"""Vends are found by what their machine calls them."""

from actors.machine import known_vends
from actors.machine.ids import RequestId, VendId
from actors.machine.state import Mode, Vend, VendStatus
from tests.support.story import Story, a_machine


def the_vend(story: Story) -> Vend:
    assert story.state.session is not None
    assert story.state.session.vend is not None
    return story.state.session.vend


def test_a_request_is_known_while_its_vend_is_open_and_afterwards() -> None:
    """Its id is used up by an open vend, and by one that is remembered; by no other."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    vend = the_vend(story)
    assert known_vends.was_asked(story.state, vend.request_id)
    assert not known_vends.was_asked(story.state, RequestId("another"))

    story.success(vend.vend_id)
    assert (vend.vend_id,) == tuple(one.vend_id for one in story.state.settled_vends)
    assert known_vends.was_asked(story.state, vend.request_id)


def test_an_approved_vend_is_found_until_it_is_settled() -> None:
    """What no money was reserved for is no vend that could have been delivered."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    vend = the_vend(story)
    assert known_vends.find(story.state, vend.vend_id) == vend
    assert known_vends.find(story.state, VendId("another")) is None
    story.success(vend.vend_id)
    assert known_vends.find(story.state, vend.vend_id) is None


def test_a_selection_that_is_not_paid_yet_is_not_found() -> None:
    """It waits for its payment, and nothing of it can be reported."""
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    vend = the_vend(story)
    assert VendStatus.AWAITING_PAYMENT is vend.status
    assert known_vends.find(story.state, vend.vend_id) is None
