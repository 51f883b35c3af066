"""What administrators decide reaches the machine."""

from actors.machine import events
from actors.machine.effects import (
    CloseStream,
    UpdatePlanogram,
    UpdateService,
    Welcome,
)
from actors.machine.state import (
    AlarmKind,
    Column,
    Configuration,
    Mode,
    Phase,
    phase,
)
from actors.machine.values import replace
from tests.support.story import Story, a_machine


def test_disabling_ends_the_stream_that_is_up() -> None:
    """The machine is told that it sells nothing, and hung up on; it may come back, is told the same
    and keeps its new stream, which no further change ends.
    """
    story = Story()
    story.connect()
    story.configure(enabled=False)
    assert [False, "DISABLED"] == [
        *(effect.in_service for effect in story.last.effects if isinstance(effect, UpdateService)),
        *(effect.reason for effect in story.last.effects if isinstance(effect, CloseStream)),
    ]
    assert Phase.INACTIVE is phase(story.state)

    story.connect()
    assert Phase.DISABLED is phase(story.state)
    assert [False] == [
        effect.in_service for effect in story.last.effects if isinstance(effect, Welcome)
    ]
    story.configure(mode=Mode.SELECTION_FIRST)
    story.configure(enabled=True)
    assert 1 == len(story.effects(CloseStream))
    assert Phase.ENABLED is phase(story.state)


def test_disabling_ends_no_stream_in_the_middle_of_a_vend() -> None:
    """The result is told and the customer's rest goes back first."""
    story = Story()
    story.connect()
    story.pay(700)
    story.select()
    story.configure(enabled=False)
    assert [] == story.effects(CloseStream)

    story.success()
    story.wait(story.policy.unavailable_grace_ms)
    assert 1 == len(story.effects(CloseStream))


def test_a_disabled_machine_that_comes_back_is_not_hung_up_on() -> None:
    """It alone knows whether goods fell, and was told already that it sells nothing; enabled and
    disabled again it loses this stream, too.
    """
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.disconnect()
    story.configure(enabled=False)
    story.connect()
    story.success()
    story.pay(300)
    story.wait(story.policy.unavailable_grace_ms)
    assert [] == story.effects(CloseStream)
    story.configure(enabled=True)
    story.configure(enabled=False)
    assert 1 == len(story.effects(CloseStream))


def test_disabling_denies_a_selection_that_is_not_paid() -> None:
    """An unpaid selection ends; what was paid so far goes back."""
    story = Story()
    story.connect()
    story.select()
    story.pay(300)
    story.configure(enabled=False)

    assert {
        "paid": 300,
        "held": 0,
        "sold": 0,
        "due": 300,
        "back": 0,
        "given_up": 0,
    } == story.money()
    assert "OUT_OF_SERVICE" == story.state.settled_vends[-1].reason


def test_an_old_configuration_changes_nothing() -> None:
    """A configuration that arrives late, behind a newer one, is noted and left."""
    story = Story()
    story.do(events.ConfigurationChanged(configuration=Configuration(revision=1, enabled=False)))

    assert ("configuration 1 is not newer than 1",) == story.last.notes
    assert story.state.configuration.enabled


def test_a_new_planogram_keeps_the_count_of_columns_that_go_on() -> None:
    """Same column and product: our count; other product: the count that came; never more than
    fits.
    """
    story = Story()
    story.connect()
    columns = (
        Column(column="A1", product="cola", price_minor=600, capacity=2, stock=9),
        Column(column="A2", product="water", price_minor=200, capacity=10, stock=7),
        Column(column="A3", product="juice", price_minor=800, capacity=4, stock=9),
    )
    story.do(
        events.ConfigurationChanged(
            configuration=Configuration(revision=2, planogram_version=2),
            columns=columns,
            goods_may_be_removed=True,
        )
    )

    assert {"A1": 2, "A2": 7, "A3": 4} == {
        column.column: column.stock for column in story.state.columns
    }
    assert 1 == len(story.effects(UpdatePlanogram))
    story.select("A1", price=500, version=1)
    assert "PRICE_STALE" == story.state.settled_vends[-1].reason
    assert 2 == len(story.effects(UpdatePlanogram))


def test_nobody_pays_another_price_than_they_saw() -> None:
    """A planogram that comes within a session waits for its end, the newest one if several do;
    counts of columns that go on are those of that moment.
    """
    story = Story()
    story.connect()
    story.pay(1_500)
    story.reprice("A1", 700)
    assert ("planogram 2 waits for the end of the session",) == story.last.notes
    story.reprice("A1", 750)
    story.select("A1")
    story.success()
    assert [500] == [vend.price_minor for vend in story.state.settled_vends]
    assert [] == story.effects(UpdatePlanogram)
    left = story.state.columns[0].stock

    story.complete()
    assert (3, 750, left) == (
        story.state.configuration.planogram_version,
        story.state.columns[0].price_minor,
        story.state.columns[0].stock,
    )
    assert story.state.next_planogram is None
    assert 1 == len(story.effects(UpdatePlanogram))


def test_what_waits_is_kept_by_another_change() -> None:
    """A machine that is disabled meanwhile has its planogram later all the same, and the registry's
    word about it, which comes with every change, makes no other.
    """
    story = Story()
    story.connect()
    story.pay(500)
    story.reprice("A1", 700)
    waiting = story.state.next_planogram
    assert waiting is not None
    told = replace(
        story.state.configuration, revision=9, planogram_version=waiting.version, mode=Mode.BOTH
    )
    story.do(events.ConfigurationChanged(configuration=told))
    assert waiting == story.state.next_planogram
    again = replace(told, revision=10)
    story.do(events.ConfigurationChanged(configuration=again, columns=waiting.columns))
    assert waiting == story.state.next_planogram
    story.complete()
    assert 2 == story.state.configuration.planogram_version


def test_a_stream_that_opens_hears_of_it_behind_its_welcome() -> None:
    """The session ended while the machine was away: nothing comes before Welcome, and the planogram
    comes once.
    """
    story = Story()
    story.connect()
    story.pay(500)
    story.reprice("A1", 700)
    story.now_ms += story.policy.idle_refund_ms
    story.connect()
    told = [type(one) for one in story.last.effects if isinstance(one, Welcome | UpdatePlanogram)]
    assert [Welcome, UpdatePlanogram] == told


def test_a_session_that_time_has_ended_holds_no_planogram_back() -> None:
    """Who chooses in the moment in which it ended chooses by the new one."""
    story = Story()
    story.connect()
    story.pay(500)
    story.reprice("A1", 700)
    story.now_ms += story.policy.idle_refund_ms
    story.select("A1", price=500, version=1)
    assert "PRICE_STALE" == story.state.settled_vends[-1].reason
    assert 2 == story.state.configuration.planogram_version


COLA = Column(column="A1", product="cola", price_minor=500, capacity=10, stock=4)
SMALLER = replace(COLA, capacity=2, price_minor=600)


def kept_back() -> Story:
    """A planogram of which nobody said that it may remove goods came within a session, in which
    somebody filled the column that it makes smaller.
    """
    story = Story(replace(a_machine(), columns=(replace(COLA, stock=2),)))
    story.connect()
    story.pay(500)
    told = Configuration(revision=2, planogram_version=2)
    story.do(events.ConfigurationChanged(configuration=told, columns=(SMALLER,)))
    assert ("planogram 2 waits for the end of the session",) == story.last.notes
    story.do(events.StockCounted(column="A1", stock=4))
    story.complete()
    return story


def test_goods_that_nobody_agreed_to_remove_keep_their_planogram() -> None:
    """The machine sells on as it did, at the price that it shows, and a person is told once."""
    story = kept_back()
    state = story.state
    assert (1, (COLA,), None) == (
        state.configuration.planogram_version,
        state.columns,
        state.session,
    )
    (alarm,) = state.alarms
    assert (AlarmKind.GOODS_WITHOUT_PLACE, 1) == (alarm.kind, alarm.times)
    assert alarm.detail.startswith("planogram 2 waits: 2 cola of A1 have no place in it")
    story.connect("b2")
    story.do(
        events.ConfigurationChanged(
            configuration=Configuration(revision=3, planogram_version=2), columns=(SMALLER,)
        )
    )
    assert [alarm] == list(story.state.alarms)
    assert [] == story.effects(UpdatePlanogram)
    moves = [move.kind for decision in story.decisions for move in decision.goods]
    assert "UNLOADED" not in moves


def test_a_planogram_that_was_kept_back_comes_once_its_goods_are_gone() -> None:
    """They were sold, or somebody took them out: nothing is in its way, and nobody need ask."""
    story = kept_back()
    story.do(events.StockCounted(column="A1", stock=3))
    assert 1 == story.state.configuration.planogram_version
    story.pay(500)
    story.select()
    story.success()
    story.complete()
    state = story.state
    assert (2, (2, 600), None) == (
        state.configuration.planogram_version,
        (state.columns[0].stock, state.columns[0].price_minor),
        state.next_planogram,
    )
    detail = "planogram 2 does not wait for goods any more: it is in force"
    assert [(1, detail)] == [(one.times, one.detail) for one in state.alarms]


def test_a_planogram_that_was_kept_back_comes_once_somebody_agrees() -> None:
    """With a newer one that says so; what it removes is in the books."""
    story = kept_back()
    told = Configuration(revision=3, planogram_version=3)
    story.do(
        events.ConfigurationChanged(
            configuration=told, columns=(SMALLER,), goods_may_be_removed=True
        )
    )
    assert (3, 2) == (
        story.state.configuration.planogram_version,
        story.state.columns[0].stock,
    )
    assert [("UNLOADED", 2)] == [(move.kind, move.quantity) for move in story.last.goods]
    detail = "planogram 2 does not wait for goods any more: planogram 3 was set in its place"
    assert [(1, detail)] == [(one.times, one.detail) for one in story.state.alarms]


def test_an_alarm_names_the_goods_of_some_columns() -> None:
    """And says of how many more there are."""
    four = tuple(replace(COLA, column=f"A{number}") for number in range(1, 5))
    story = Story(replace(a_machine(), columns=four))
    told = Configuration(revision=2, planogram_version=2)
    story.do(events.ConfigurationChanged(configuration=told, columns=()))
    assert "4 cola of A3 and of 1 more columns have no place" in story.state.alarms[0].detail


def test_a_planogram_that_is_replaced_takes_no_goods_out() -> None:
    """The session ended in the moment in which a newer one came: nobody shows the one before."""
    story = Story(replace(a_machine(), columns=(COLA,)))
    story.connect()
    story.pay(500)
    for version, columns, agreed in (
        (2, (SMALLER,), True),
        (3, (replace(COLA, price_minor=700),), False),
    ):
        told = Configuration(revision=version, planogram_version=version)
        story.do(
            events.ConfigurationChanged(
                configuration=told, columns=columns, goods_may_be_removed=agreed
            )
        )
        story.now_ms += story.policy.idle_refund_ms
    assert (3, 4) == (story.state.configuration.planogram_version, story.state.columns[0].stock)
    assert [] == list(story.last.goods)
    assert 1 == len(story.effects(UpdatePlanogram))


def test_what_came_with_a_planogram_that_is_replaced_is_found_and_removed() -> None:
    """Somebody put tea in, and the books say where it is although no column ever had it; what the
    newer one has a place for comes into its columns once, with the newer one.
    """
    tea = Column(column="B1", product="tea", price_minor=300, capacity=9, stock=6)
    sold_out = replace(tea, column="B2", stock=0)
    story = Story(replace(a_machine(), columns=(COLA,)))
    story.connect()
    story.pay(500)
    story.replan(replace(tea, column="A1", stock=2), tea, sold_out)
    assert not story.last.goods
    kept = (COLA, replace(tea, capacity=4, stock=4))
    told = Configuration(revision=3, planogram_version=3)
    story.do(events.ConfigurationChanged(configuration=told, columns=kept))
    removed = "REMOVED:VM-1"
    assert [("A1", 2, "FOUND", removed), ("B1", 2, "FOUND", removed)] == [
        (move.column, move.quantity, move.from_place, move.to_place) for move in story.last.goods
    ]
    assert 2 == len({move.cause for move in story.last.goods})
    story.complete()
    assert [("OPENED", "B1", 4)] == [
        (move.kind, move.column, move.quantity) for move in story.last.goods
    ]
    assert kept == story.state.columns


def test_a_planogram_that_goods_keep_back_is_replaced_likewise() -> None:
    """It waits for goods that are in its way, not for a session."""
    story = kept_back()
    tea = Column(column="B1", product="tea", price_minor=300, capacity=9, stock=6)
    for version, columns in ((4, (SMALLER, tea)), (5, (COLA,))):
        told = Configuration(revision=version, planogram_version=version)
        story.do(events.ConfigurationChanged(configuration=told, columns=columns))
    assert [("UNLOADED", "tea", 6, "FOUND")] == [
        (move.kind, move.product, move.quantity, move.from_place) for move in story.last.goods
    ]
    assert (5, (COLA,)) == (story.state.configuration.planogram_version, story.state.columns)
