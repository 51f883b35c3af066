"""What the screen shows."""

import pytest

from gateway.simulator.screen import Show, amount_text, screen_of
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.bench import Bench, vend


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (1230, "HKD", "12.30"),
        (5, "HKD", "0.05"),
        (500, "JPY", "500"),
        (500, "KRW", "500"),
        (0, "HKD", "0.00"),
        (-1205, "HKD", "-12.05"),
    ],
)
def test_amounts_are_exact(amount_minor: int, currency: str, text: str) -> None:
    """Two decimals, or none where the currency has none."""
    assert text == amount_text(amount_minor, currency)


def test_the_screen_follows_a_customer() -> None:
    """From no connection over payment to the goods, and back."""
    bench = Bench()
    assert screen_of(bench.machine, 0).show is Show.NO_CONNECTION
    bench.connect()
    ready = screen_of(bench.machine, 0)
    assert (Show.READY, "qr") == (ready.show, ready.qr_payload)
    bench.machine.select("A1", 1_000)
    assert screen_of(bench.machine, 1_000).show is Show.WAITING
    bench.say(
        show_qr=pb.ShowQr(
            request_id="b2-r1", qr_payload="qr", amount_minor=500, expires_in_ms=25_000
        )
    )
    pay = screen_of(bench.machine, 2_000)
    assert (Show.PAY, 500, 24_000, "HKD") == (pay.show, pay.amount_minor, pay.left_ms, pay.currency)
    bench.machine.cancel(2_000)
    assert screen_of(bench.machine, 2_000).show is Show.WAITING
    bench.say(vend_denied=pb.VendDenied(request_id="b2-r1"))
    bench.say(
        begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=300_000)
    )
    credit = screen_of(bench.machine, 2_000)
    assert (Show.CREDIT, 900, 299_000) == (credit.show, credit.funds_minor, credit.left_ms)
    vend(bench)
    dispensing = screen_of(bench.machine, 2_000)
    assert (Show.DISPENSING, 900) == (dispensing.show, dispensing.funds_minor)


def test_without_a_planogram_nothing_is_offered() -> None:
    """Between Welcome and PlanogramUpdate the customer is asked to wait."""
    bench = Bench()
    bench.connect()
    bench.machine.columns = {}

    assert screen_of(bench.machine, 0).show is Show.WAITING


@pytest.mark.parametrize("why", ["door", "service"])
def test_a_machine_that_may_not_sell_says_so(why: str) -> None:
    """An open door and an administrator's word look the same."""
    bench = Bench(door_open=why == "door")
    bench.connect(in_service=why == "door")

    assert screen_of(bench.machine, 0).show is Show.OUT_OF_SERVICE


def test_a_resumed_session_has_no_known_end() -> None:
    """Welcome tells funds, not for how long."""
    bench = Bench()
    bench.connect(session=pb.ResumedSession(session_id="s1", funds_minor=5))

    assert screen_of(bench.machine, 0).left_ms is None
