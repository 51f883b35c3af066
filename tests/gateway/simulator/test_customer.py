"""What hands, eyes and phone of a customer can do."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from gateway.simulator.customer import STORY_MAX, Customer, Patience, word_of
from gateway.simulator.happenings import (
    Denied,
    Happening,
    NotNow,
    PowerLost,
    TurnedAway,
    VendAsked,
    VendEnded,
)
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.scripted import LoopbackMachine
from tests.support.patience import until

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def customer(tmp_path: Path) -> AsyncIterator[Customer]:
    """A customer in front of a machine that can sell."""
    machine = LoopbackMachine(tmp_path)
    await until(lambda: machine.free and bool(machine.machine and machine.machine.columns))
    patience = Patience(answer_s=0.1, think_s=0.0)
    with Customer(
        kind="test",
        machine=machine,
        phone=machine.backend,
        rng=Random(1),
        buyer="alice",
        patience=patience,
    ) as customer:
        yield customer
    machine.stop()


async def test_a_customer_sees_the_offers_cheapest_first(customer: Customer) -> None:
    """Blocked columns are not offered; a choice keeps to what can be paid and was not tried."""
    assert ["A1", "A2"] == [column.column for column in customer.columns]
    assert customer.pick(at_most_minor=500) == customer.columns[0]
    assert customer.pick(but={"A1", "A2"}) is None
    assert 0 == customer.funds_minor
    customer.machine.power_cut()
    assert [] == customer.columns


async def test_a_column_that_is_sold_out_leads_to_another(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With money in the machine a customer tries what else there is."""
    answers: list[Happening] = [
        Denied(request_id="r1", reason=pb.VEND_DENIED_REASON_SOLD_OUT, funds_minor=700),
        VendEnded(
            vend_id="v1",
            request_id="r2",
            column="A2",
            delivered=True,
            cause=pb.VEND_FAILURE_CAUSE_UNSPECIFIED,
        ),
    ]
    pressed: list[str] = []

    async def choose(column: str) -> Happening:
        pressed.append(column)
        return answers.pop(0)

    monkeypatch.setattr(customer, "choose", choose)
    monkeypatch.setattr(Customer, "funds_minor", 700)
    assert "DELIVERED" == await customer.buy(customer.columns[0])
    assert ["A1", "A2"] == pressed

    answers = [Denied(request_id="r1", reason=pb.VEND_DENIED_REASON_SOLD_OUT, funds_minor=0)]
    monkeypatch.setattr(Customer, "funds_minor", 0)
    assert "SOLD_OUT" == await customer.buy(customer.columns[0])


async def test_who_has_no_money_in_the_machine_is_asked_for_it(customer: Customer) -> None:
    """A customer whose stay is over gives the new request up."""
    assert "ASKED_TO_PAY" == await customer.buy(customer.columns[0])


async def test_a_story_is_bounded(customer: Customer) -> None:
    """Not every word is remembered."""
    for _ in range(STORY_MAX + 5):
        customer.note("x")

    assert STORY_MAX == len(customer.seen("WELL").story)


async def test_leaving_without_money_is_simple(customer: Customer) -> None:
    """Nothing to ask for, nothing to wait for."""
    assert "LEFT" == await customer.leave()
    assert await customer.begins() is None
    assert await customer.ends(within_s=0.01) is None
    assert await customer.settles() is None


@pytest.mark.parametrize(
    ("happening", "word"),
    [
        (
            VendEnded(
                vend_id="v",
                request_id="r",
                column="A1",
                delivered=True,
                cause=pb.VEND_FAILURE_CAUSE_UNSPECIFIED,
            ),
            "DELIVERED",
        ),
        (
            VendEnded(
                vend_id="v",
                request_id="r",
                column="A1",
                delivered=False,
                cause=pb.VEND_FAILURE_CAUSE_JAMMED,
            ),
            "JAMMED",
        ),
        (Denied(request_id="r", reason=pb.VEND_DENIED_REASON_FUNDS, funds_minor=0), "FUNDS"),
        (TurnedAway(reason=NotNow.BUSY), "BUSY"),
        (PowerLost(), "POWER_LOST"),
        (VendAsked(request_id="r", column="A1", price_minor=1), "NO_ANSWER"),
        (None, "NO_ANSWER"),
    ],
)
def test_one_word_for_an_answer(happening: Happening | None, word: str) -> None:
    """Reports count words, not sentences."""
    assert word == word_of(happening)
