"""Every change of a column's stock is a move of goods with two places."""

from collections.abc import Callable, Iterator

import pytest

from actors.machine import Decision, InvariantBroken, check_decision, events
from actors.machine.goods import (
    FOUND,
    LOST,
    NOWHERE,
    SOLD,
    GoodsKind,
    GoodsMove,
    column_place,
    is_sound,
    loading_place,
    removed_place,
)
from actors.machine.ids import MachineId
from actors.machine.state import Column, Configuration, FailureCause, VendStatus
from actors.machine.values import replace
from tests.support.story import Story, a_machine

VM_1 = MachineId("VM-1")
A1 = column_place(VM_1, "A1")
Told = tuple[str, int, str, str, str]


def told(decision: Decision) -> list[Told]:
    """Return kind, quantity, product and places of what a decision moves."""
    return [
        (move.kind.value, move.quantity, move.product, move.from_place, move.to_place)
        for move in decision.goods
    ]


def online(stock: int = 3) -> Story:
    """A machine with a stream and a customer's money."""
    story = Story(a_machine(stock=stock))
    story.connect()
    story.pay(5_000)
    return story


def sold() -> Story:
    """A vend is delivered."""
    story = online()
    story.select()
    story.success()
    return story


def sold_from_empty() -> Story:
    """A vend is delivered from a column whose last item went for cash meanwhile."""
    story = online(stock=1)
    story.select()
    story.frame(events.CashSold(column="A1", price_minor=500))
    story.success()
    return story


def turned_up() -> Story:
    """A vend is delivered after its price went back."""
    story = online()
    story.select()
    story.failure(FailureCause.UNKNOWN)
    story.success()
    return story


def counted() -> Story:
    """Somebody counts fewer than the books have."""
    story = online()
    story.do(events.StockCounted(column="A1", stock=1, actor="ann"))
    return story


def loaded() -> Story:
    """Somebody puts goods into a column on a visit."""
    story = online()
    story.do(load(story))
    return story


def planned_anew() -> Story:
    """A column has another product from now on."""
    story = Story(a_machine())
    story.connect()
    story.do(plan(Column(column="A1", product="tea", price_minor=300, capacity=10, stock=2)))
    return story


def in_doubt() -> Story:
    """A vend whose machine fell silent, and whose session is over."""
    story = online()
    story.select()
    story.disconnect()
    story.wait(300_000)
    return story


def delivered(story: Story) -> None:
    """A person says that the vend was delivered after all."""
    story.do(
        events.VendSettled(
            vend_id=story.state.doubts[0].vend_id, delivered=True, actor="ann", reason="seen"
        )
    )


def load(
    story: Story, quantity: int = 4, *, cause: str = "act-1", **changes: object
) -> events.Event:
    """A load of cola from visit 7, as it is read now."""
    made = events.GoodsMoved(
        kind=GoodsKind.LOADED,
        cause=cause,
        version=story.state.version,
        column="A1",
        product="cola",
        quantity=quantity,
        into=True,
        place=loading_place("act-1"),
        lot="L1",
        visit="route 3 at noon",
        actor="ann",
        reason="route 3",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # names are the test's


def plan(*columns: Column) -> events.ConfigurationChanged:
    """A new planogram."""
    return events.ConfigurationChanged(
        configuration=Configuration(revision=2, planogram_version=2),
        columns=columns,
        goods_may_be_removed=True,
    )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (sold, [("SOLD", 1, "cola", A1, SOLD)]),
        (
            sold_from_empty,
            [("COUNTED", 1, "cola", FOUND, A1), ("SOLD", 1, "cola", A1, SOLD)],
        ),
        (turned_up, [("VEND_WRITTEN_OFF", 1, "cola", A1, SOLD)]),
        (counted, [("COUNTED", 2, "cola", A1, LOST)]),
        (loaded, [("LOADED", 4, "cola", loading_place("act-1"), A1)]),
        (
            planned_anew,
            [
                ("UNLOADED", 3, "cola", A1, removed_place(VM_1)),
                ("UNLOADED", 3, "tea", column_place(VM_1, "A2"), removed_place(VM_1)),
                ("OPENED", 2, "tea", FOUND, A1),
            ],
        ),
    ],
)
def test_a_decision_says_what_goods_did(make: Callable[[], Story], expected: list[Told]) -> None:
    """Whatever changes a stock says from where to where; each move has a cause of its own."""
    decision = make().last
    assert expected == told(decision)
    assert len(expected) == len({(move.kind, move.cause) for move in decision.goods})


def test_a_sale_is_entered_under_its_vend() -> None:
    """So that each delivered vend can be held against its one item."""
    story = sold()
    assert [story.state.settled_vends[-1].vend_id] == [move.cause for move in story.last.goods]


def test_a_vend_of_a_column_that_is_gone_is_sold_all_the_same() -> None:
    """What the books had of the column has left it before, so that its item is found and sold."""
    story = in_doubt()
    story.do(plan())
    delivered(story)
    assert [("SOLD", 1, "cola", FOUND, SOLD)] == told(story.last)
    assert VendStatus.SUCCEEDED == story.state.settled_vends[-1].status


def test_a_vend_takes_nothing_of_the_columns_next_product() -> None:
    """The planogram changed between approval and result: the tea that is there now is untouched."""
    tea = plan(Column(column="A1", product="tea", price_minor=300, capacity=10, stock=2))
    story = in_doubt()
    story.do(tea)
    delivered(story)
    assert [("SOLD", 1, "cola", FOUND, SOLD)] == told(story.last)
    assert 2 == story.state.columns[0].stock
    story = in_doubt()
    story.do(tea)
    empty = events.JournalEntry(
        vend_id=story.state.doubts[0].vend_id,
        stage=events.JournalStage.FAILED,
        cause=FailureCause.EMPTY,
    )
    story.connect("b2", empty)
    assert FailureCause.EMPTY == story.state.settled_vends[-1].reason
    assert (2, []) == (story.state.columns[0].stock, told(story.last))


def test_a_column_that_shrinks_keeps_what_fits() -> None:
    """The rest is where somebody can see it, and not silently gone."""
    story = Story(a_machine(stock=9))
    story.do(plan(Column(column="A1", product="cola", price_minor=500, capacity=4, stock=0)))
    assert ("UNLOADED", 5, "cola", A1, removed_place(VM_1)) == told(story.last)[0]
    assert 4 == story.state.columns[0].stock


def test_cash_from_a_column_that_nobody_knows_is_no_goods_of_ours() -> None:
    """Nobody knows what it was: a note says so."""
    story = online()
    story.frame(events.CashSold(column="Z9", price_minor=500))
    assert ([], 1) == (told(story.last), len(story.last.notes))


# --- what people do ---


def test_a_load_says_who_and_from_which_lot() -> None:
    """All that people asked is in the move, and the column has more."""
    story = loaded()
    (move,) = story.last.goods
    assert ("L1", "route 3 at noon", "ann", "route 3") == (
        move.lot,
        move.visit,
        move.actor,
        move.reason,
    )
    assert 7 == story.state.columns[0].stock


def test_an_act_is_done_once() -> None:
    """Told twice, and told again by whoever read before it was done, it is done once."""
    story = online()
    act = load(story)
    story.do(act)
    again = story.do(act)
    assert (7, [], ("act-1 was done before",)) == (
        story.state.columns[0].stock,
        told(again),
        again.notes,
    )


def test_an_act_that_may_be_forgotten_is_read_again() -> None:
    """Behind so many other acts nobody remembers whether it was done."""
    story = online(stock=0)
    old = load(story, 1)
    for number in range(8):
        story.do(load(story, 1, cause=f"other-{number}"))
    late = story.do(old)
    assert [] == told(late)
    assert "read again" in late.notes[0]
    story.do(load(story, 1))
    assert 9 == story.state.columns[0].stock


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"column": "Z9"}, "column Z9 is not in the planogram"),
        ({"product": "tea"}, "column A1 holds cola, not tea"),
        ({"quantity": 8}, "column A1 holds 3 of 10, so that +8 does not fit"),
        ({"quantity": 4, "into": False}, "column A1 holds 3 of 10, so that -4 does not fit"),
        ({"quantity": 0}, "so that +0 does not fit"),
        ({"version": 99}, "read again"),
    ],
)
def test_what_cannot_be_is_not_done(changes: dict[str, object], why: str) -> None:
    """Another column, another product, no room, too few: the note says which."""
    story = online()
    decision = story.do(load(story, **changes))  # type: ignore[arg-type]  # names are the test's
    assert ([], 3) == (told(decision), story.state.columns[0].stock)
    assert why in decision.notes[0]


def test_a_refusal_is_the_answer_for_good() -> None:
    """Who was told no has taken the goods elsewhere: the same act told again is not done, although
    it could be by now.
    """
    story = online(stock=9)
    act = load(story)
    story.do(act)
    story.do(events.StockCounted(column="A1", stock=0))
    again = story.do(act)
    assert (0, []) == (story.state.columns[0].stock, told(again))
    assert ("act-1 was refused before",) == again.notes


def test_a_count_leaves_alone_what_was_sold_since() -> None:
    """Four were counted where the books had three; one was sold before we heard of it."""
    story = online()
    count = events.GoodsCounted(
        cause="count-1",
        version=story.state.version,
        column="A1",
        product="cola",
        counted=4,
        believed=3,
        actor="ann",
    )
    story.select()
    story.success()
    story.do(count)
    assert [("COUNTED", 1, "cola", FOUND, A1)] == told(story.last)
    assert 3 == story.state.columns[0].stock
    story.do(count)
    assert 3 == story.state.columns[0].stock


def test_a_count_that_cannot_be_is_not_done() -> None:
    """Nothing counted, and one sold since from a column that had three: minus one."""
    story = online()
    story.select()
    story.success()
    count = events.GoodsCounted(
        cause="count-1",
        version=story.state.version,
        column="A1",
        product="cola",
        counted=0,
        believed=3,
    )
    story.do(count)
    assert ([], 2) == (told(story.last), story.state.columns[0].stock)
    assert "column A1 would hold -1 of 10 now" in story.last.notes[0]


def test_who_was_at_a_column_has_seen_to_it() -> None:
    """A column that failed is tried again once it was loaded, and not when a line is reversed."""
    for kind, failing in ((GoodsKind.LOADED, 0), (GoodsKind.REVERSED, 1)):
        story = online()
        story.select()
        story.failure(FailureCause.JAMMED)
        story.do(load(story, kind=kind))
        assert failing == len(story.state.failing)


# --- what holds ---


def told_otherwise(decision: Decision) -> Iterator[tuple[str, Decision]]:
    """Yield the decision with other goods, one move at a time: without it, twice, with another
    quantity, another product, another column, the other way round, to nowhere.
    """
    for place, one in enumerate(decision.goods):
        before, behind = decision.goods[:place], decision.goods[place + 1 :]
        others: list[tuple[GoodsMove, ...]] = [
            (),
            (one, one),
            (replace(one, quantity=one.quantity + 1),),
            (replace(one, quantity=0),),
            (replace(one, product="other"),),
            (replace(one, column="A9"),),
            (replace(one, from_place=one.to_place, to_place=one.from_place),),
            (replace(one, to_place=one.from_place),),
        ]
        for other in others:
            yield f"{other} for {one}", replace(decision, goods=(*before, *other, *behind))


@pytest.mark.parametrize("make", [sold, sold_from_empty, turned_up, counted, loaded, planned_anew])
def test_goods_and_state_tell_the_same_story(make: Callable[[], Story]) -> None:
    """Whatever else is said of goods beside the same change of the stock is found."""
    story = make()
    check_decision(story.before, story.last)
    passed = []
    for what, planted in told_otherwise(story.last):
        try:
            check_decision(story.before, planted)
        except InvariantBroken:
            continue
        passed.append(what)
    assert [] == passed


def test_a_sale_without_its_item_is_found() -> None:
    """Also where the column is gone, so that no stock says so."""
    story = in_doubt()
    story.do(plan())
    delivered(story)
    with pytest.raises(InvariantBroken, match="one item each is SOLD"):
        check_decision(story.before, replace(story.last, goods=()))


def test_real_places_have_names_of_their_own() -> None:
    """Where goods come from or end is no place that somebody could take them from."""
    assert all(":" not in place for place in NOWHERE)
    assert all(":" in place for place in (A1, removed_place(VM_1), loading_place("act-1")))
    move = sold().last.goods[0]
    assert is_sound(move)
    assert not is_sound(replace(move, quantity=0))
    assert not is_sound(replace(move, to_place=A1))
