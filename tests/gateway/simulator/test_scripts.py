"""Customers in front of a real machine model, real flash and shelf, and a small honest backend."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.simulator import scripts
from gateway.simulator.board import CutPoint
from gateway.simulator.customer import Patience, Seen
from gateway.simulator.phone import NotPaid
from gateway.simulator.scripts import KINDS
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.scripted import LoopbackMachine
from tests.support.patience import until

pytestmark = pytest.mark.virtual_time

PATIENCE = Patience(answer_s=2.0, margin_s=1.0, glance_s=0.03, think_s=0.002, away_s=0.01)

OUTCOMES = {
    "exact_payer": "DELIVERED",
    "tops_up_and_walks_away": "IDLE",
    "tops_up_twice": "DELIVERED",
    "buys_three": "DELIVERED+DELIVERED+DELIVERED",
    "pays_a_machine_that_jams": "JAMMED",
    "two_at_once": "DELIVERED",
    "pays_an_offline_machine": "DELIVERED",
    "purchase_first": "DELIVERED",
    "overpays": "DELIVERED",
    "underpays": "PAYMENT_TIMEOUT",
    "cancels": "CANCELLED",
}


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[LoopbackMachine]]:
    """Machines that are switched off at the end."""
    made: list[LoopbackMachine] = []
    yield made
    for machine in made:
        machine.stop()


class EmptyPurse:
    """A phone that never pays."""

    async def pay(
        self, *, qr_payload: str, amount_minor: int, currency: str, buyer: str
    ) -> NotPaid:
        """Refuse."""
        return NotPaid(reason="CODE_STOPPED")


async def customer(
    machines: list[LoopbackMachine], folder: Path, kind: str, *, seed: int = 1, **backend: Any
) -> tuple[Seen, LoopbackMachine]:
    """Let one customer use a fresh machine."""
    machine = LoopbackMachine(folder / f"{kind}-{seed}", **backend)
    machines.append(machine)
    await until(lambda: machine.free and bool(machine.machine and machine.machine.columns))
    seen = await scripts.serve(
        kind, machine, machine.backend, rng=Random(seed), buyer="alice", patience=PATIENCE
    )
    await until(lambda: machine.free)
    return seen, machine


def balance(machine: LoopbackMachine) -> tuple[int, int]:
    """Return what was paid, and what became of it."""
    backend = machine.backend
    return backend.paid_minor, backend.sold_minor + backend.refunded_minor


@pytest.mark.parametrize(("kind", "outcome"), OUTCOMES.items())
async def test_a_customer_lives_through_it(
    machines: list[LoopbackMachine], tmp_path: Path, kind: str, outcome: str
) -> None:
    """Each kind ends as it should, the money adds up and the shelf agrees."""
    seen, machine = await customer(machines, tmp_path, kind)

    assert (seen.kind, seen.outcome, seen.machine_id, seen.currency) == (
        kind,
        outcome,
        "VM-0001",
        "HKD",
    )
    paid, accounted = balance(machine)
    assert paid == accounted == seen.paid_minor
    assert {cause for cause in machine.shelf.drops if cause != "cash"} == set(seen.delivered)
    assert len(seen.delivered) == outcome.count("DELIVERED")
    assert all(count == 1 for count in machine.shelf.turns.values())
    assert seen.story


async def test_who_pays_late_gets_it_back_at_once(
    machines: list[LoopbackMachine], tmp_path: Path
) -> None:
    """With a machine that only sells purchase first, money after the wait opens no session."""
    seen, machine = await customer(machines, tmp_path, "pays_late", mode=pb.MODE_SELECTION_FIRST)

    assert "LATE:PAYMENT_TIMEOUT" == seen.outcome
    assert machine.backend.refunded_minor == seen.paid_minor > 0


async def test_who_pays_late_at_a_machine_of_both_modes_may_find_a_session(
    machines: list[LoopbackMachine], tmp_path: Path
) -> None:
    """The customer takes the money back from it."""
    seen, _ = await customer(machines, tmp_path, "pays_late")

    assert "SESSION:COMPLETE" == seen.outcome
    assert seen.refund_minor == seen.paid_minor


@pytest.mark.parametrize("seed", range(14))
async def test_the_street_goes_dark(
    machines: list[LoopbackMachine], tmp_path: Path, seed: int
) -> None:
    """Wherever the power fails, nothing drops twice and all money is sold or given back."""
    seen, machine = await customer(machines, tmp_path, "loses_power", seed=seed)

    assert seen.outcome.startswith("CUT_AT_")
    await until(lambda: balance(machine)[0] == balance(machine)[1])
    point = CutPoint(seen.outcome.removeprefix("CUT_AT_").partition(":")[0])
    dropped = sum(machine.shelf.drops.values())
    if point is CutPoint.ASKED:  # the answer may have been quicker than the cut
        assert dropped <= 1
        return
    assert dropped == (point in {CutPoint.DROPPED, CutPoint.RESULT, CutPoint.SAID})
    if point in {CutPoint.RESULT, CutPoint.SAID}:
        assert machine.backend.sold_minor > 0


def test_every_kind_is_tested() -> None:
    """No kind of customer is left out here."""
    assert {*OUTCOMES, "pays_late", "loses_power"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_empty_machine_sells_nothing(
    machines: list[LoopbackMachine], tmp_path: Path, kind: str
) -> None:
    """Nobody pays a machine that offers nothing."""
    machine = LoopbackMachine(tmp_path)
    machines.append(machine)
    await until(lambda: machine.free and bool(machine.machine and machine.machine.columns))
    assert machine.machine is not None
    machine.machine.columns = {}
    seen = await scripts.serve(
        kind, machine, machine.backend, rng=Random(1), buyer="alice", patience=PATIENCE
    )

    assert ("NOTHING_TO_BUY", 0) == (seen.outcome, seen.paid_minor)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"cancels", "pays_late"}])
async def test_alipay_takes_no_money(
    machines: list[LoopbackMachine], tmp_path: Path, kind: str
) -> None:
    """A payment that fails is reported, and the machine is free for the next customer."""
    machine = LoopbackMachine(tmp_path)
    machines.append(machine)
    await until(lambda: machine.free and bool(machine.machine and machine.machine.columns))
    seen = await scripts.serve(
        kind, machine, EmptyPurse(), rng=Random(1), buyer="alice", patience=PATIENCE
    )
    await until(lambda: machine.free)

    assert seen.outcome in {"NOT_PAID", "CANCELLED", "PAYMENT_TIMEOUT"}
    assert (0, 0) == balance(machine)


async def test_a_machine_that_never_hears_of_the_money(
    machines: list[LoopbackMachine], tmp_path: Path
) -> None:
    """A customer whose session does not begin goes away and says so."""
    machine = LoopbackMachine(tmp_path)
    machines.append(machine)
    await until(lambda: machine.free and bool(machine.machine and machine.machine.columns))
    machine.backend.mode = pb.MODE_SELECTION_FIRST
    patience = Patience(answer_s=0.05, think_s=0.0)
    outcomes = [
        (
            await scripts.serve(
                kind, machine, machine.backend, rng=Random(1), buyer="alice", patience=patience
            )
        ).outcome
        for kind, each in KINDS.items()
        if pb.MODE_SELECTION_FIRST not in each.modes and kind != "pays_an_offline_machine"
    ]

    assert {"NO_SESSION"} == set(outcomes)


def test_customers_fit_the_machine() -> None:
    """Pay-first customers come to pay-first machines, purchase-first ones to the others; a wish for
    kinds is kept.
    """
    rng = Random(1)
    seen = {scripts.kind_for(pb.MODE_AUTHORIZATION_FIRST, rng) for _ in range(300)}

    assert seen == {
        kind for kind, each in KINDS.items() if pb.MODE_AUTHORIZATION_FIRST in each.modes
    }
    assert {"cancels"} == {scripts.kind_for(pb.MODE_BOTH, rng, ("cancels",)) for _ in range(10)}
    assert scripts.kind_for(pb.MODE_AUTHORIZATION_FIRST, rng, ("cancels",)) is None
    assert scripts.kind_for(pb.MODE_UNSPECIFIED, rng) is None


async def test_a_visit_that_is_broken_off_leaves_the_machine_in_order(
    machines: list[LoopbackMachine], tmp_path: Path
) -> None:
    """Power and cable are put back and the motor is freed, whatever interrupts the customer."""
    machine = LoopbackMachine(tmp_path)
    machines.append(machine)
    await until(lambda: machine.free and bool(machine.machine and machine.machine.columns))
    patience = Patience(away_s=60.0)
    serving = asyncio.create_task(
        scripts.serve(
            "pays_an_offline_machine",
            machine,
            machine.backend,
            rng=Random(1),
            buyer="alice",
            patience=patience,
        )
    )
    await until(lambda: machine.backend.paid_minor > 0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    await until(lambda: machine.machine is not None and machine.machine.online)
    assert not machine._watches
