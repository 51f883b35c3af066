"""What a host counts and times, told as Prometheus wants it."""

import asyncio
from typing import get_args

import pytest

from actors.host.figures import OUTCOMES, outcome
from actors.link import Figure
from actors.machine.code import CodeStatus
from actors.machine.effects import ProviderCall, SendRefund
from actors.machine.events import (
    CodeCreated,
    CodeFailed,
    CodeStatusChanged,
    Event,
    RefundAccepted,
    RefundNotFound,
    RefundRefused,
    RefundShortOfFunds,
    RefundSucceeded,
    RefundUnknown,
    SessionCompleted,
)
from actors.machine.ids import RefundId, SessionId
from tests.support.stage import Stage, request

pytestmark = pytest.mark.virtual_time

REFUND = RefundId("t-1R1")


async def figures(stage: Stage) -> dict[str, float]:
    """Each series of the host by its name and labels."""
    return {
        ",".join((name, *(f"{label}={value}" for label, value in sorted(labels.items())))): value
        for figure in await stage.host.figures()
        for name, labels, value in figure.samples
    }


async def test_everything_is_there_from_the_start(stage: Stage) -> None:
    """At 0, so that Prometheus sees the first increase of each; and in a text that says what it
    is.
    """
    fresh = Stage()
    told = await fresh.host.figures()
    samples = await figures(fresh)
    began = samples.pop("vendgate_host_start_time_seconds")
    saves = samples.pop("vendgate_host_saves")

    assert (fresh.clock.now_ms() / 1_000, 1.0) == (began, saves)
    assert {0.0} == set(samples.values())
    assert all(figure.text.endswith(".") for figure in told)
    calls = [name for name in samples if name.startswith("vendgate_host_alipay_call_seconds_count")]
    assert sum(map(len, OUTCOMES.values())) == len(calls)


async def test_a_letter_s_wait_and_its_commit_are_timed(stage: Stage) -> None:
    """What was asked while the COMMIT before it was under way has waited for it."""
    before = await figures(stage)
    stage.store.gate = asyncio.Event()
    asked = asyncio.create_task(stage.gateway.give(stage.gateway.frame(request("r-1"))))
    await asyncio.sleep(0.1)
    other = asyncio.create_task(stage.gateway.give(stage.gateway.hello("VM-2")))
    await asyncio.sleep(0.2)
    stage.store.gate.set()
    await asyncio.gather(asked, other)
    after = await figures(stage)
    grew = {name: round(after[name] - before[name], 6) for name in before}

    assert 2 == grew["vendgate_host_turns_total"]
    assert 2 == grew["vendgate_host_commit_changes_sum"]
    assert (2, 0.3) == (
        grew["vendgate_host_commit_seconds_count"],
        grew["vendgate_host_commit_seconds_sum"],
    )
    assert (2, 0.2) == (
        grew["vendgate_host_mailbox_delay_seconds_count"],
        grew["vendgate_host_mailbox_delay_seconds_sum"],
    )


async def test_a_notification_counts_from_when_it_was_saved(stage: Stage) -> None:
    """Also when nobody was woken, and the sweep found it later."""
    before = await figures(stage)
    stage.pays("t-2")
    await asyncio.sleep(10)
    after = await figures(stage)

    name = "vendgate_host_notification_seconds"
    assert 1 == after[f"{name}_count"] - before[f"{name}_count"]
    assert 0.5 <= after[f"{name}_sum"] - before[f"{name}_sum"] <= 10


async def test_a_refund_counts_until_it_is_done(stage: Stage) -> None:
    """Three seconds at Alipay are three seconds of the customer's, and of the call."""
    before = await figures(stage)
    stage.provider.gate = asyncio.Event()
    done = SessionCompleted(session_id=SessionId("VM-1-s1"))
    await stage.gateway.give(stage.gateway.frame(done))
    await asyncio.sleep(3)
    stage.provider.gate.set()
    await asyncio.sleep(1)
    after = await figures(stage)

    assert 1 == len(stage.provider.of(SendRefund))
    call = "vendgate_host_alipay_call_seconds_{},method=send_refund,outcome=succeeded"
    for name in ("vendgate_host_refund_seconds_{}", call):
        count, total = name.format("count"), name.format("sum")
        assert (1, 3.0) == (after[count] - before[count], round(after[total] - before[total], 3))


async def test_a_deadline_that_rings_late_is_seen(stage: Stage) -> None:
    """A clock that jumps by an hour makes it late by most of that."""
    before = await figures(stage)
    stage.clock.jump_ms = 3_600_000
    await asyncio.sleep(5)
    after = await figures(stage)

    name = "vendgate_host_timer_lateness_seconds"
    assert 1 == after[f"{name}_count"] - before[f"{name}_count"]
    assert 3_200 < after[f"{name}_sum"] - before[f"{name}_sum"] < 3_600


async def test_a_host_that_starts_again_begins_at_0(stage: Stage) -> None:
    """Prometheus takes a counter that falls for a restart, and the time of the start says so."""
    await stage.gateway.give(stage.gateway.frame(request("r-1")))
    before = await figures(stage)
    await asyncio.sleep(1)
    stage.host = stage.new_host()
    after = await figures(stage)

    assert before["vendgate_host_turns_total"] > after["vendgate_host_turns_total"]
    began = "vendgate_host_start_time_seconds"
    assert 1 <= after[began] - before[began]


async def test_no_label_grows_with_the_fleet(stage: Stage) -> None:
    """Of a hundred machines there are as many series as of one."""
    one = await figures(stage)
    for number in range(100):
        stage.store.register(f"VM-{number + 100}")
        await stage.gateway.give(stage.gateway.hello(f"VM-{number + 100}"))
    hundred = await figures(stage)

    assert one.keys() == hundred.keys()
    assert 100 <= hundred["vendgate_host_machines"]


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (RefundSucceeded(refund_id=REFUND), "succeeded"),
        (RefundAccepted(refund_id=REFUND), "accepted"),
        (RefundShortOfFunds(refund_id=REFUND, detail=""), "short_of_funds"),
        (RefundRefused(refund_id=REFUND, detail=""), "refused"),
        (RefundNotFound(refund_id=REFUND), "not_found"),
        (RefundUnknown(refund_id=REFUND, detail=""), "unknown"),
        (CodeCreated(qr_payload="q"), "succeeded"),
        (CodeStatusChanged(status=CodeStatus.ACTIVE), "succeeded"),
        (CodeFailed(final=True, detail=""), "refused"),
        (CodeFailed(final=False, detail=""), "unknown"),
    ],
)
def test_refused_unknown_and_done_are_told_apart(event: Event, word: str) -> None:
    """A time-out is no refusal in a figure either."""
    assert word == outcome(event)
    assert any(word in outcomes for outcomes in OUTCOMES.values())


def test_every_kind_of_call_is_timed() -> None:
    """One that was added later has its line here, too."""
    assert len(get_args(ProviderCall)) == len(OUTCOMES)


def test_a_figure_is_a_plain_value() -> None:
    """So that it crosses the link."""
    one = Figure(name="n", text="t", kind="gauge", samples=(("n", {}, 1.0),))
    assert one == Figure(name="n", text="t", kind="gauge", samples=(("n", {}, 1.0),))
