"""A second device with a machine's identity, and the machine itself coming back."""

import dataclasses

import pytest

from actors.machine import doubles, events
from actors.machine.connecting import TAKEOVERS
from actors.machine.effects import ApproveVend, BeginSession, CloseStream, EndSession, Welcome
from actors.machine.ids import BootId, StreamId, VendId
from actors.machine.policy import Policy
from actors.machine.state import AlarmKind, FailureCause, Link, VendStatus, open_vends
from actors.machine.values import replace
from tests.support.story import Story


def hello(
    story: Story,
    stream: str,
    *,
    boot: str = "b1",
    token: str = "",
    returns: str = "",
    keeps: bool = True,
) -> events.Connected:
    return events.Connected(
        stream_id=StreamId(stream),
        opened_at_ms=story.now_ms,
        boot_id=BootId(boot),
        planogram_version=1,
        token=token,
        returned_token=returns,
        keeps_token=keeps,
    )


def rung(story: Story) -> list[AlarmKind]:
    """What a person was told."""
    return [alarm.kind for alarm in story.state.alarms]


def paid(*, keeps: bool = True, vending: bool = False) -> Story:
    """A machine with a customer who paid 10.00, perhaps in the middle of a vend of 5.00."""
    story = Story()
    story.stream = StreamId("own")
    story.do(hello(story, "own", token="k1" if keeps else "", keeps=keeps))
    story.frame(events.ReaderEnabled())
    story.pay(1_000)
    if vending:
        story.select()
    return story


@pytest.mark.parametrize("keeps", [True, False])
def test_the_machine_itself_goes_on(keeps: bool) -> None:
    """With its token, or with its boot id where its firmware knows no token, it keeps its customer
    and its vend, although its older stream still seems to live.
    """
    story = paid(keeps=keeps, vending=True)
    told = story.do(hello(story, "own2", token="k2", returns="k1" if keeps else "", keeps=keeps))
    assert [] == [order for order in told.effects if isinstance(order, EndSession)]
    assert any(isinstance(order, ApproveVend) for order in told.effects)
    assert [] == rung(story)


def test_a_welcome_that_was_lost_does_not_make_a_stranger() -> None:
    """Until a frame shows that the newest token arrived, the older ones count."""
    story = paid()
    for stream in ("s2", "s3"):
        story.do(hello(story, stream, token=f"k-{stream}", returns="k1"))
    assert [] == rung(story)
    story.stream = StreamId("s3")
    story.frame(events.ReaderEnabled())
    assert ("k-s3",) == story.state.link.tokens
    story.do(hello(story, "s4", token="k4", returns="k1"))
    assert [AlarmKind.DOUBLE] == rung(story)


@pytest.mark.parametrize(
    ("boot", "returns"), [("b1", ""), ("b1", "guess"), ("b2", ""), ("b2", "guess")]
)
def test_a_double_gets_nobodys_money(boot: str, returns: str) -> None:
    """The session ends, what is free goes back, and the double is told of no customer."""
    story = paid()
    told = story.do(hello(story, "double", boot=boot, token="k2", returns=returns))
    assert [] == [order for order in told.effects if isinstance(order, BeginSession)]
    welcomes = [order for order in told.effects if isinstance(order, Welcome)]
    assert [None] == [order.session_id for order in welcomes]
    assert {"held": 0, "due": 1_000} == {
        name: amount for name, amount in story.money().items() if name in {"held", "due"}
    }
    assert [AlarmKind.DOUBLE] == rung(story)


def test_what_was_paid_before_a_double_came_goes_back() -> None:
    """We may hear of it later; what is paid later is paid in front of whoever shows it."""
    story = paid()
    story.do(hello(story, "double", boot="b2"))
    story.pay(400, age_ms=1)
    assert {"held": 0, "due": 1_400} == {
        name: amount for name, amount in story.money().items() if name in {"held", "due"}
    }
    story.wait(story.policy.clock_tolerance_ms + 1)
    story.pay(300, "bob")
    assert 300 == story.money()["held"]


def test_what_two_clocks_may_differ_by_lets_no_double_have_the_money() -> None:
    """Alipay's clock is 2 s ahead, and nobody knows it yet: what was paid a second before the
    double came is told as paid a second after.
    """
    story = paid()
    story.do(hello(story, "double", boot="b2"))
    story.pay(400, age_ms=-1_000)
    assert {"held": 0, "due": 1_400} == {
        name: amount for name, amount in story.money().items() if name in {"held", "due"}
    }


@pytest.mark.parametrize("by", ["frame", "journal"])
def test_a_double_writes_nothing_off_when_the_money_has_gone_back(by: str) -> None:
    """What it says of a vend that was approved on the other stream is a person's then too, also at
    its second Hello, when it returns the token that it got as a stranger.
    """
    story = paid(vending=True)
    (vend,) = open_vends(story.state)
    story.do(hello(story, "double", boot="z1", token="k2"))
    story.boot, story.stream, story._seq = BootId("z1"), StreamId("double"), 0
    story.wait(story.policy.doubt_window_ms)
    assert [VendStatus.VOIDED] == [one.status for one in story.state.settled_vends]
    if by == "frame":
        story.success(vend.vend_id)
    else:
        claim = events.JournalEntry(vend_id=vend.vend_id, stage=events.JournalStage.SUCCEEDED)
        again = hello(story, "double2", boot="z1", token="k3", returns="k2")
        story.do(replace(again, journal=(claim,)))
    assert ((), 0) == (story.last.goods, story.money()["sold"])
    assert AlarmKind.VEND_CONTRADICTED in rung(story)


def test_a_double_delivers_nothing() -> None:
    """What was approved on the older stream is in doubt: a success is a person's, a failure or
    silence gives the money back.
    """
    for last in ("success", "failure", "silence"):
        story = paid(vending=True)
        story.do(hello(story, "double", boot="b2"))
        story.boot, story.stream, story._seq = BootId("b2"), StreamId("double"), 0
        assert [VendStatus.IN_DOUBT] == [vend.status for vend in story.state.doubts]
        vend_id = story.state.doubts[0].vend_id
        if last == "success":
            story.success(vend_id)
            (vend,) = story.state.doubts
            assert (VendStatus.IN_REVIEW, FailureCause.CONTRADICTED) == (vend.status, vend.reason)
            assert {"held": 500, "sold": 0} == {
                name: amount for name, amount in story.money().items() if name in {"held", "sold"}
            }
            continue
        if last == "failure":
            story.failure(vend_id=vend_id)
        else:
            story.wait(story.policy.doubt_window_ms)
        assert {"held": 0, "sold": 0, "due": 1_000} == {
            name: amount
            for name, amount in story.money().items()
            if name in {"held", "sold", "due"}
        }


def test_that_a_double_does_not_know_a_vend_proves_nothing_at_its_second_hello_either() -> None:
    """It returns the token that it got as a stranger, after a power cut or on the same boot, and
    its journal is whole: the machine that got the approval may have delivered all the same.
    """
    for boot in ("z1", "z2"):
        story = paid(vending=True)
        story.policy = dataclasses.replace(story.policy, doubt_review_above_minor=0)
        (vend,) = open_vends(story.state)
        story.do(hello(story, "double", boot="z1", token="k2"))
        story.boot, story.stream, story._seq = BootId("z1"), StreamId("double"), 0
        story.frame(events.ReaderEnabled())
        story.disconnect()
        story.do(hello(story, "double2", boot=boot, token="k3", returns="k2"))
        assert [(vend.vend_id, VendStatus.IN_DOUBT)] == [
            (one.vend_id, one.status) for one in story.state.doubts
        ]
        story.wait(story.policy.doubt_window_ms)
        assert [VendStatus.IN_REVIEW] == [one.status for one in story.state.doubts]


def test_the_journal_of_a_double_settles_nothing_for_the_shop() -> None:
    """What it claims as delivered is a person's; what it does not know is not "never begun"."""
    story = paid(vending=True)
    (vend,) = open_vends(story.state)
    claim = events.JournalEntry(vend_id=vend.vend_id, stage=events.JournalStage.SUCCEEDED)
    story.do(replace(hello(story, "double", boot="b2"), journal=(claim,)))
    assert [VendStatus.IN_REVIEW] == [vend.status for vend in story.state.doubts]
    assert 0 == story.money()["sold"]


def test_a_selection_that_is_not_paid_is_denied() -> None:
    """Its customer stands before the other device."""
    story = Story()
    story.stream = StreamId("own")
    story.do(hello(story, "own", token="k1"))
    story.frame(events.ReaderEnabled())
    story.select()
    story.do(hello(story, "double", boot="b2"))
    assert None is story.state.session
    assert VendStatus.DENIED is story.state.settled_vends[-1].status


@pytest.mark.parametrize("again", [False, True], ids=["told once", "announced again"])
def test_a_double_without_tokens_does_not_let_the_next_one_in(again: bool) -> None:
    """The machine keeps tokens, whatever a stream says that could not show whose it is: what is
    paid after the first double has gone is not for the second.
    """
    story = Story()
    story.stream = StreamId("own")
    story.do(hello(story, "own", token="k1"))
    story.frame(events.ReaderEnabled())
    for _ in range(1 + again):
        story.do(hello(story, "double", boot="b2", token="k2", keeps=False))
    story.do(events.Disconnected(stream_id=StreamId("double")))
    story.wait(story.policy.clock_tolerance_ms + 1)
    story.pay(1_000)
    assert 1_000 == story.money()["held"]

    told = story.do(hello(story, "double2", boot="b3", token="k3", keeps=False))

    assert [] == [order for order in told.effects if isinstance(order, BeginSession)]
    assert {"held": 0, "due": 1_000} == {
        name: amount for name, amount in story.money().items() if name in {"held", "due"}
    }


def test_old_firmware_comes_back_after_a_power_cut() -> None:
    """It knows no token. Where the loss of its stream was seen, its journal settles its vend; where
    it was not, it is welcome, and a person is told only if that happens again and again.
    """
    story = paid(keeps=False, vending=True)
    story.disconnect()
    done = events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.SUCCEEDED)
    story.do(replace(hello(story, "s2", boot="b2", keeps=False), journal=(done,)))
    assert 500 == story.money()["sold"]
    for number in range(3, 3 + doubles.STRANGERS_BORNE + 1):
        assert [] == rung(story)
        story.do(hello(story, f"s{number}", boot=f"b{number}", keeps=False))
        assert story.state.link.online
    assert [AlarmKind.DOUBLE] == rung(story)


def test_a_machine_that_lost_its_journal_gets_no_approval_again() -> None:
    """It was cut off from its power unseen, and may have delivered before: that is in doubt."""
    story = paid(vending=True)
    told = story.do(
        replace(hello(story, "own2", boot="b2", token="k2", returns="k1"), journal_lost=True)
    )
    assert [] == [order for order in told.effects if isinstance(order, ApproveVend)]
    session = story.state.session
    assert session is not None
    assert session.vend is not None
    assert VendStatus.IN_DOUBT is session.vend.status


def test_takeovers_have_a_limit() -> None:
    """Two devices that fight are slowed down: the newer one is sent away, the present one stays."""
    story = Story(policy=Policy(takeovers_a_minute_max=3))
    for number in range(1, 5):
        story.do(hello(story, f"s{number}", keeps=False))
    told = story.do(hello(story, "s5", keeps=False))
    assert (CloseStream(stream_id=StreamId("s5"), reason=TAKEOVERS),) == told.effects
    assert "s4" == story.state.link.stream_id
    assert [AlarmKind.DOUBLE] == rung(story)
    story.wait(doubles.MINUTE_MS)
    story.do(hello(story, "s6", keeps=False))
    assert "s6" == story.state.link.stream_id


@pytest.mark.parametrize("lives", [True, False])
def test_a_person_reads_whether_the_older_stream_lived(lives: bool) -> None:
    """A board that was exchanged while the machine was away has taken over from nobody."""
    story = paid()
    if not lives:
        story.disconnect()
    story.do(hello(story, "s2", boot="b2", returns=""))
    (alarm,) = story.state.alarms
    assert lives == ("took over" in alarm.detail)
    assert lives != ("had ended" in alarm.detail)


def test_a_first_hello_needs_no_proof() -> None:
    """There is nothing that it could take."""
    story = Story()
    assert not doubles.is_stranger(Link(), hello(story, "s1"))
