"""One transaction for a batch: what leaves, what waits and who is halted if it is slow, refused or
not answered.
"""

import asyncio

import pytest

from actors.link import CloseReason, Notified
from actors.machine.effects import ApproveVend, DenyVend, SendRefund
from actors.machine.events import FrameReceived, StockCounted, VendCancelled, VendSucceeded
from actors.machine.ids import RequestId
from actors.machine.incident import FaultReported
from actors.machine.offer import Offered, OfferRefused
from actors.machine.values import replace
from tests.support.stage import Stage, acks, answers, closings, denials, request

pytestmark = pytest.mark.virtual_time


async def test_a_slow_commit_denies_newcomers_and_answers_its_own(stage: Stage) -> None:
    """After three seconds who comes is denied; what is being saved is answered when it is saved."""
    listening = asyncio.create_task(stage.gateway.keep_listening())
    stage.store.gate = asyncio.Event()
    first = asyncio.create_task(stage.gateway.give(stage.gateway.frame(request())))
    await asyncio.sleep(4)
    assert first.done()
    assert [] == denials(stage)
    await stage.gateway.give(stage.gateway.frame(request("r-2"), "VM-2"))
    assert any(isinstance(command, DenyVend) for command in stage.gateway.commands("VM-2"))
    stage.store.gate.set()
    await asyncio.sleep(1)

    assert isinstance(stage.gateway.commands()[-1], ApproveVend)
    listening.cancel()


async def test_a_conflict_halts_its_machine_and_no_other(stage: Stage) -> None:
    """Both were in one batch: one is served, the other's stream is closed as halted, and so it
    stays.
    """
    await asyncio.sleep(10)
    stage.store.conflicting = {stage.store.state("VM-2").machine_id}
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(
        stage.gateway.frame(request()), stage.gateway.frame(FaultReported(code="EB"), "VM-2")
    )
    await asyncio.sleep(1)

    assert any(isinstance(command, ApproveVend) for command in stage.gateway.commands())
    assert list(dict.fromkeys(closings(stage.gateway.heard))) == [
        ("VM-2-stream", CloseReason.HALTED)
    ]
    messages = await stage.gateway.give(
        stage.gateway.command(StockCounted(column="A1", stock=1), "VM-2"),
        stage.gateway.hello("VM-2"),
    )
    assert answers(messages) == {"c-1": CloseReason.HALTED}
    assert [reason for _, reason in closings(messages)] == [CloseReason.HALTED]
    assert 1 == stage.host.stats()["halted"]
    listening.cancel()


async def test_a_conflict_that_passes_halts_nobody(stage: Stage) -> None:
    """A COMMIT that was given up and took place later: the reload finds it, and the machine goes
    on.
    """
    listening = asyncio.create_task(stage.gateway.keep_listening())
    row = stage.store.rows[stage.store.state("VM-1").machine_id]
    row.state = replace(row.state, version=row.state.version + 1)
    await stage.gateway.give(stage.gateway.frame(request()))
    await asyncio.sleep(1)

    assert isinstance(stage.gateway.commands()[-1], ApproveVend)
    assert 0 == stage.host.stats()["halted"]
    listening.cancel()


async def test_a_machine_that_breaks_the_store_is_found_and_halted(stage: Stage) -> None:
    """A mistake of the store's about one machine stops that machine in the end; the others are
    served.
    """
    stage.store.breaking = {stage.store.state("VM-2").machine_id}
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(
        stage.gateway.paid("t-3", 300), stage.gateway.frame(FaultReported(code="EB"), "VM-2")
    )
    await asyncio.sleep(60)

    assert all(row.taken for row in stage.store.inbox.values())
    assert 1 == stage.host.stats()["halted"]
    await stage.gateway.give(stage.gateway.frame(request()))
    assert isinstance(stage.gateway.commands()[-1], ApproveVend)
    listening.cancel()


async def test_a_deadline_that_meets_a_failing_commit_is_acted_on_when_the_store_is_back(
    stage: Stage,
) -> None:
    """A machine of which nothing else is heard gets its customer's money back all the same."""
    await stage.gateway.give(stage.gateway.bye())
    stage.store.away = True
    await asyncio.sleep(120)
    stage.store.away = False
    await asyncio.sleep(30)

    assert 1 == len([call for _, call in stage.provider.calls if isinstance(call, SendRefund)])


async def test_a_count_whose_commit_was_not_answered_brings_back_nothing_sold(
    stage: Stage,
) -> None:
    """It is decided on again behind the sale that was saved with it."""
    await stage.gateway.give(stage.gateway.frame(request()))
    (approved,) = (one for one in stage.gateway.commands() if isinstance(one, ApproveVend))
    count = StockCounted(column="A1", stock=4, actor="ann", cause="c-1")
    listening = asyncio.create_task(stage.gateway.keep_listening())
    stage.store.lost_answers = 1
    await stage.gateway.give(
        stage.gateway.command(count),
        stage.gateway.frame(VendSucceeded(vend_id=approved.vend_id)),
    )
    await asyncio.sleep(10)

    assert [count, count] == [
        one for one in stage.store.events("VM-1") if isinstance(one, StockCounted)
    ]
    assert 3 == stage.store.state("VM-1").columns[0].stock
    assert {"c-1": ""} == answers(stage.gateway.heard)
    listening.cancel()


async def test_a_batch_that_is_not_saved_is_decided_again_in_its_order(stage: Stage) -> None:
    """Nothing of it leaves before; each letter is decided on once more, and saved once."""
    before = len(stage.store.events("VM-1"))
    stage.store.full = True
    giving = asyncio.create_task(
        stage.gateway.give(
            stage.gateway.frame(FaultReported(code="one")),
            stage.gateway.frame(FaultReported(code="two")),
        )
    )
    await asyncio.sleep(3)
    assert acks(stage.gateway.heard)[-1:] != [2]
    assert before == len(stage.store.events("VM-1"))
    stage.store.full = False
    await giving
    await asyncio.sleep(15)
    heard = [*stage.gateway.heard, *await stage.gateway.hear()]

    saved = stage.store.events("VM-1")[before:]
    facts = [event.fact for event in saved if isinstance(event, FrameReceived)]
    assert [FaultReported(code="one"), FaultReported(code="two")] == facts
    assert 2 == acks(heard)[-1]


async def offered(stage: Stage, *machines: str) -> None:
    """Customers who may use an offer pay more at these machines."""
    offer = Offered(offer="fifty", ends_at_ms=2**50, left=9, discount_minor=50)
    for machine_id in machines:
        item = stage.pays(f"t-{machine_id}", 700, machine_id, offers=(offer,))
        await stage.gateway.give(Notified(item=item))


async def test_an_offer_that_is_used_up_leaves_the_shown_price_and_halts_nobody(
    stage: Stage,
) -> None:
    """The customer whose choice was decided with it is served at once all the same; the machine
    that used none of it is served too, and nothing of the first try was saved or said.
    """
    await offered(stage, "VM-1")
    stage.store.spent_offers = {"fifty"}
    listening = asyncio.create_task(stage.gateway.keep_listening())
    failures = stage.host.stats()["commit_failures"]
    await stage.gateway.give(
        stage.gateway.frame(request()), stage.gateway.frame(FaultReported(code="EB"), "VM-2")
    )
    await asyncio.sleep(1)

    approvals = [one for one in stage.gateway.commands() if isinstance(one, ApproveVend)]
    assert [500] == [one.amount_minor for one in approvals]
    *_, told, chosen = stage.store.events("VM-1")
    assert told == OfferRefused(offer="fifty", why="BUDGET")
    assert isinstance(chosen, FrameReceived)
    assert [FaultReported(code="EB")] == [
        event.fact for event in stage.store.events("VM-2") if isinstance(event, FrameReceived)
    ]
    assert (0, failures) == (
        stage.host.stats()["halted"],
        stage.host.stats()["commit_failures"],
    )
    listening.cancel()


async def test_all_that_used_an_offer_of_one_batch_are_told_at_once(stage: Stage) -> None:
    """Two machines, one COMMIT that is refused, and the next one has them all."""
    await offered(stage, "VM-1", "VM-2")
    stage.store.spent_offers = {"fifty"}
    attempts = stage.store.attempts
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(
        stage.gateway.frame(request()), stage.gateway.frame(request("r-2"), "VM-2")
    )
    await asyncio.sleep(1)

    for machine_id in ("VM-1", "VM-2"):
        approved = [
            one for one in stage.gateway.commands(machine_id) if isinstance(one, ApproveVend)
        ]
        assert [500] == [one.amount_minor for one in approved]
    assert 2 == stage.store.attempts - attempts
    listening.cancel()


async def test_a_use_whose_commit_was_not_answered_is_used_once(stage: Stage) -> None:
    """It was saved after all: what is loaded has the vend, which is not decided again."""
    await offered(stage, "VM-1")
    stage.store.lost_answers = 1
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(stage.gateway.frame(request()))
    await asyncio.sleep(10)

    approved = [one for one in stage.gateway.commands() if isinstance(one, ApproveVend)]
    assert {450} == {one.amount_minor for one in approved}
    uses = [
        use.offer
        for commit in stage.store.commits
        for change in commit
        for use in change.decision.uses
    ]
    assert ["fifty"] == uses
    listening.cancel()


async def test_who_pays_and_chooses_before_either_is_saved_is_refused_an_offer_once(
    stage: Stage,
) -> None:
    """Their payment brings the offer anew each time it is decided; they pay what is shown all the
    same, and the other machine of that COMMIT is served.
    """
    stage.store.spent_offers = {"fifty"}
    listening = asyncio.create_task(stage.gateway.keep_listening())
    attempts = stage.store.attempts
    offer = Offered(offer="fifty", ends_at_ms=2**50, left=9, discount_minor=50)
    await stage.gateway.give(
        Notified(item=stage.pays("t-9", 700, "VM-1", offers=(offer,))),
        stage.gateway.frame(request()),
        stage.gateway.frame(FaultReported(code="EB"), "VM-2"),
    )
    await asyncio.sleep(1)

    approvals = [one for one in stage.gateway.commands() if isinstance(one, ApproveVend)]
    assert [500] == [one.amount_minor for one in approvals]
    assert 2 == stage.store.attempts - attempts
    assert [FaultReported(code="EB")] == [
        event.fact for event in stage.store.events("VM-2") if isinstance(event, FrameReceived)
    ]
    listening.cancel()


async def test_who_chooses_and_cancels_before_either_is_saved_is_refused_an_offer_once(
    stage: Stage,
) -> None:
    """The use and its return have one vend: what is told comes before the choice, not before the
    cancellation, where the choice would be decided with the offer again and again.
    """
    await offered(stage, "VM-1")
    stage.store.spent_offers = {"fifty"}
    listening = asyncio.create_task(stage.gateway.keep_listening())
    attempts = stage.store.attempts
    await stage.gateway.give(
        stage.gateway.frame(request("r-1")),
        stage.gateway.frame(VendCancelled(request_id=RequestId("r-1"))),
        stage.gateway.frame(FaultReported(code="EB"), "VM-2"),
    )
    await asyncio.sleep(1)

    assert 2 == stage.store.attempts - attempts
    facts = [one.fact for one in stage.store.events("VM-2") if isinstance(one, FrameReceived)]
    assert [FaultReported(code="EB")] == facts
    listening.cancel()
