"""Offers in a session: which one a choice gets, what is counted, and what becomes of it."""

import pytest

from actors.machine import InvariantBroken, check_decision, events
from actors.machine.effects import ApproveVend, DenyVend
from actors.machine.ids import VendId
from actors.machine.offer import Offered, OfferRefused
from actors.machine.state import FailureCause, Mode, Vend, VendStatus
from actors.machine.values import replace
from tests.support.story import START_MS, Story, a_machine

LATER_MS = START_MS + 3_600_000
FIFTY = Offered(offer="fifty", ends_at_ms=LATER_MS, left=2, discount_minor=50)
QUARTER = Offered(offer="quarter", ends_at_ms=LATER_MS, left=2, basis_points=2_500)


def told(*offers: Offered, funds: int = 1_000) -> Story:
    """A customer who paid first, and may use these."""
    story = Story()
    story.connect()
    story.pay(funds, offers=offers)
    return story


def vend_of(story: Story) -> Vend:
    """The last vend that a decision wrote down."""
    return [one for made in story.decisions for one in made.records if isinstance(one, Vend)][-1]


def approved(story: Story) -> ApproveVend:
    found = story.effects(ApproveVend)[-1]
    assert isinstance(found, ApproveVend)
    return found


def uses(story: Story) -> list[tuple[str, int, bool]]:
    return [
        (one.offer, one.discount_minor, one.returned)
        for made in story.decisions
        for one in made.uses
    ]


def test_who_uses_an_offer_pays_less_and_the_ledger_moves_what_is_paid() -> None:
    """The vend says what was taken off and by which offer; nothing else of the money moves."""
    story = told(FIFTY)
    story.select()
    assert (450, 50) == (approved(story).amount_minor, approved(story).discount_minor)
    assert {"RESERVE": 450} == {one.kind: one.amount_minor for one in story.last.transfers}
    story.success()
    vend = vend_of(story)
    assert (450, 50, "fifty") == (vend.price_minor, vend.discount_minor, vend.offer)
    assert (450, 550) == (story.money()["sold"], story.money()["held"])
    assert [("fifty", 50, False)] == uses(story)
    assert ["ann"] == [one.payer_id for made in story.decisions for one in made.uses]


def test_a_choice_gets_the_offer_that_takes_the_most_off_and_never_two() -> None:
    """Of two that take the same off it is the one whose name comes first."""
    story = told(FIFTY, QUARTER, replace(QUARTER, offer="a-quarter"))
    story.select("A1")
    assert ("a-quarter", 125) == (vend_of(story).offer, vend_of(story).discount_minor)
    assert 375 == approved(story).amount_minor


def test_a_repeated_approval_says_the_same() -> None:
    """A machine that asks again, or comes back, is told the same price; it is counted once."""
    story = told(FIFTY)
    story.select()
    story.connect()
    first, again = story.effects(ApproveVend)
    assert first == again
    assert [("fifty", 50, False)] == uses(story)


@pytest.mark.parametrize("funds", [450, 499])
def test_funds_are_held_against_what_is_paid(funds: int) -> None:
    """Who has less than the shown price, and enough with the offer, gets it."""
    story = told(FIFTY, funds=funds)
    story.select()
    assert 450 == approved(story).amount_minor


def test_one_minor_unit_below_what_is_paid_is_denied() -> None:
    """And nothing of the offer is used."""
    story = told(FIFTY, funds=449)
    story.select()
    assert "FUNDS" == getattr(story.last.effects[-1], "reason", "")
    assert [] == uses(story)
    assert 500 == vend_of(story).price_minor


@pytest.mark.parametrize(
    "wrong",
    [
        replace(FIFTY, left=0),
        replace(FIFTY, ends_at_ms=START_MS),
        replace(FIFTY, products=("tea",)),
        replace(FIFTY, products=()),
        replace(FIFTY, discount_minor=0, basis_points=1),
    ],
)
def test_what_is_not_for_this_choice_takes_nothing_off(wrong: Offered) -> None:
    """Used up, over, for other goods, or less than a minor unit: the price is what is shown."""
    story = told(wrong)
    story.select()
    assert (500, None) == (approved(story).amount_minor, approved(story).discount_minor)
    assert [] == uses(story)


def test_a_product_s_offer_is_for_that_product() -> None:
    """The column that the customer chooses decides."""
    story = told(replace(FIFTY, products=("tea",)))
    story.select("A2")
    assert 250 == approved(story).amount_minor


def test_a_payer_uses_an_offer_as_often_as_they_may() -> None:
    """The next one in the same session costs what is shown."""
    story = told(replace(FIFTY, left=1), funds=2_000)
    story.select()
    story.success()
    story.select()
    assert [450, 500] == [one.amount_minor for one in map(_approval, story.effects(ApproveVend))]


def _approval(order: object) -> ApproveVend:
    assert isinstance(order, ApproveVend)
    return order


def test_a_budget_that_is_too_small_for_a_choice_is_left_alone() -> None:
    """The COMMIT would be refused, again and again, for as long as the offer lasts. What fits is
    used, and what it took is not there any more; what it gave back is.
    """
    story = told(replace(FIFTY, rest_minor=49), replace(QUARTER, rest_minor=125), funds=2_000)
    story.select()
    assert "quarter" == vend_of(story).offer
    story.failure()
    story.select()
    assert "quarter" == vend_of(story).offer
    story.success()
    story.select()
    assert ("", 500) == (vend_of(story).offer, approved(story).amount_minor)


def test_who_is_not_known_pays_the_price() -> None:
    """Also if an event brought offers: there is nobody whose they are."""
    story = Story()
    story.connect()
    story.pay(1_000, "", offers=(FIFTY,))
    story.select()
    assert 500 == approved(story).amount_minor


def test_who_chooses_first_is_asked_for_what_is_shown() -> None:
    """The code shows the price before anybody can be known."""
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    story.pay(500, offers=(FIFTY,))
    assert 500 == approved(story).amount_minor
    assert [] == uses(story)


def test_another_payer_s_money_brings_no_offer_into_a_session() -> None:
    """It goes back: a session has one payer, and their offers alone."""
    story = told()
    story.pay(1_000, "bob", offers=(FIFTY,))
    story.select()
    assert 500 == approved(story).amount_minor


def test_the_payer_s_next_payment_brings_what_they_may_use_by_then() -> None:
    """An offer that is over by then does not come back with money."""
    story = told(FIFTY)
    story.pay(500, offers=(QUARTER,))
    story.select()
    assert "quarter" == vend_of(story).offer
    story.success()
    story.pay(500)
    story.select()
    assert "" == vend_of(story).offer


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (lambda story: story.failure(), VendStatus.FAILED),
        (lambda story: story.failure(FailureCause.EMPTY), VendStatus.FAILED),
        (lambda story: story.cancel(), VendStatus.FAILED),
        (lambda story: story.wait(3_000_000), VendStatus.VOIDED),
    ],
)
def test_what_was_not_delivered_is_given_back_once(end: object, status: VendStatus) -> None:
    """The budget and the payer's use; all of the customer's money too."""
    story = told(FIFTY)
    story.select()
    end(story)  # type: ignore[operator]
    assert status is vend_of(story).status
    assert [("fifty", 50, False), ("fifty", 50, True)] == uses(story)
    assert 0 == story.money()["sold"]


def test_who_got_nothing_may_use_their_offer_again() -> None:
    """In the same session, although it was their last use."""
    story = told(replace(FIFTY, left=1))
    story.select()
    story.failure()
    story.select()
    assert 450 == approved(story).amount_minor


def test_a_vend_in_doubt_keeps_its_use_until_it_is_settled() -> None:
    """Its journal says later that goods fell: it was used, and is counted once."""
    story = told(FIFTY)
    story.select()
    story.disconnect()
    story.wait(30_000)
    story.connect(
        "b2",
        events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.SUCCEEDED),
    )
    assert [("fifty", 50, False)] == uses(story)
    assert 450 == story.money()["sold"]


def test_goods_that_turn_up_are_written_off_at_what_was_to_be_paid() -> None:
    """The use was given back with the money, and stays so: nobody had the goods for less."""
    story = told(FIFTY)
    story.select()
    vend_id = story.vend_id
    story.failure()
    story.success(vend_id)
    assert {"WRITE_OFF": 450} == {one.kind: one.amount_minor for one in story.last.transfers}
    assert [("fifty", 50, False), ("fifty", 50, True)] == uses(story)


def test_an_offer_that_the_books_refuse_leaves_the_shown_price() -> None:
    """Whoever chose pays what was shown at the machine, and never more."""
    story = told(FIFTY)
    story.do(OfferRefused(offer="fifty", why="BUDGET"))
    assert ("offer fifty takes nothing off any more: BUDGET",) == story.last.notes
    story.select()
    assert (500, None) == (approved(story).amount_minor, approved(story).discount_minor)
    story.do(OfferRefused(offer="fifty", why="BUDGET"))
    assert not story.last.changed


def test_who_cannot_pay_the_shown_price_is_denied_when_an_offer_is_used_up() -> None:
    """Their money stays theirs."""
    story = told(FIFTY, funds=450)
    story.do(OfferRefused(offer="fifty", why="BUDGET"))
    story.select()
    assert isinstance(story.last.effects[-1], DenyVend)
    assert 450 == story.money()["held"]


def test_offers_go_with_their_session() -> None:
    """The next customer has their own, or none."""
    story = told(FIFTY)
    story.complete()
    story.refunds_done()
    story.pay(1_000, "bob")
    story.select()
    assert 500 == approved(story).amount_minor


def test_a_use_that_no_vend_says_breaks_the_invariant() -> None:
    """What is counted and what the vends say is one; so does a vend whose use is not counted."""
    story = told(FIFTY)
    story.select()
    for wrong in (
        replace(story.last, uses=()),
        replace(story.last, uses=(*story.last.uses, *story.last.uses)),
        replace(story.last, uses=(replace(story.last.uses[0], discount_minor=49),)),
    ):
        with pytest.raises(InvariantBroken, match="offers are used as"):
            check_decision(story.before, wrong)
