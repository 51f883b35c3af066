"""What the page shows follows from the model and from what just happened."""

from typing import Any

import pytest
import segno

from gateway.simulator.front import THANKS_MS, TOLD_MS, Front, drawn, settled
from gateway.simulator.happenings import (
    Denied,
    IdentityShown,
    SessionEnded,
    VendAsked,
    VendEnded,
)
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.bench import Bench

ENDED = {"vend_id": "v1", "request_id": "r1", "column": "A1"}
DELIVERED = VendEnded(**ENDED, delivered=True, cause=pb.VEND_FAILURE_CAUSE_UNSPECIFIED)
FAILED = VendEnded(**ENDED, delivered=False, cause=pb.VEND_FAILURE_CAUSE_JAMMED)


def ended(refund_minor: int | None) -> SessionEnded:
    return SessionEnded(
        session_id="s1", reason=pb.END_SESSION_REASON_IDLE, refund_minor=refund_minor
    )


@pytest.fixture
def bench() -> Bench:
    """A machine that can sell."""
    made = Bench()
    made.connect()
    return made


def shown(bench: Bench, front: Front | None = None) -> dict[str, Any]:
    return (front or Front()).state(bench.machine, bench.now_ms)


def ask(bench: Bench, *, expires_in_ms: int = 25_000) -> None:
    """Choose, and be asked for the money."""
    bench.machine.select("A1", bench.now_ms)
    request = bench.machine.vending.request
    assert request is not None
    bench.say(
        show_qr=pb.ShowQr(
            request_id=request.request_id,
            qr_payload="pay here",
            amount_minor=500,
            expires_in_ms=expires_in_ms,
        )
    )


def test_an_idle_machine_offers_its_code_and_its_goods(bench: Bench) -> None:
    """With names as they are, and prices in minor units."""
    state = shown(bench)
    assert ("IDLE", True, True) == (state["view"], state["online"], state["chooses"])
    assert drawn("qr") == state["code"]
    assert [{"column": "A1", "product": "Water", "price_minor": 500, "sold_out": False}] == state[
        "columns"
    ]


def test_a_column_that_sells_nothing_says_so(bench: Bench) -> None:
    """It jammed, or is empty."""
    bench.machine.blocked.add("A1")
    assert shown(bench)["columns"][0]["sold_out"]


def test_the_code_is_there_while_it_can_be_honoured(bench: Bench) -> None:
    """Not after its time, and not without a connection."""
    ask(bench)
    state = shown(bench)
    assert ("PAY", 500, "HKD", 2, 25_000) == tuple(
        state[name] for name in ("view", "amount_minor", "currency", "decimals", "left_ms")
    )
    assert (drawn("pay here"), "Water") == (state["code"], state["product"])
    bench.now_ms += 25_000
    assert shown(bench)["code"] is None
    bench.machine.connection.lost()
    state = shown(bench)
    assert ("IDLE", False, None) == (state["view"], state["online"], state["code"])


def test_no_machine_is_dark() -> None:
    """And says nothing."""
    state = Front().state(None, 0)
    assert ("DARK", None, []) == (state["view"], state["code"], state["columns"])


def test_thanks_stand_for_a_while(bench: Bench) -> None:
    """Then the machine is free for the next one."""
    front = Front()
    front.see(DELIVERED, bench.now_ms)
    assert "THANKS" == shown(bench, front)["view"]
    bench.now_ms += THANKS_MS
    assert "IDLE" == shown(bench, front)["view"]


def test_what_goes_back_is_told_with_the_thanks(bench: Bench) -> None:
    """The amount, and that the goods came; nothing back is not told."""
    front = Front()
    front.see(DELIVERED, bench.now_ms)
    front.see(ended(0), bench.now_ms)
    assert "THANKS" == shown(bench, front)["view"]
    front.see(ended(200), bench.now_ms)
    state = shown(bench, front)
    assert ("REFUNDING", 200, True) == (state["view"], state["refund_minor"], state["delivered"])
    bench.now_ms += TOLD_MS
    assert ("IDLE", 0) == (shown(bench, front)["view"], shown(bench, front)["refund_minor"])


def test_goods_that_did_not_come(bench: Bench) -> None:
    """It is said, until the next thing happens."""
    front = Front()
    front.see(FAILED, bench.now_ms)
    assert "FAILED" == shown(bench, front)["view"]
    front.see(VendAsked(request_id="r2", column="A1", price_minor=500), bench.now_ms)
    assert "IDLE" == shown(bench, front)["view"]


def test_a_denied_choice_says_why(bench: Bench) -> None:
    """In the backend's word, for which the page has a sentence."""
    front = Front()
    front.see(
        Denied(request_id="r1", reason=pb.VEND_DENIED_REASON_SOLD_OUT, funds_minor=0), bench.now_ms
    )
    assert ("DENIED", "SOLD_OUT") == (
        shown(bench, front)["view"],
        shown(bench, front)["reason"],
    )


def test_what_the_backend_wants_shown_comes_first(bench: Bench) -> None:
    """The next customer's code does not wait for the thanks to the one before."""
    front = Front()
    front.see(DELIVERED, bench.now_ms)
    ask(bench)
    assert "PAY" == shown(bench, front)["view"]


def test_which_machine_this_is(bench: Bench) -> None:
    """It stands there for as long as was ordered."""
    front = Front()
    front.see(IdentityShown(for_ms=1_000), bench.now_ms)
    assert "VM-0001" == shown(bench, front)["machine"]
    bench.now_ms += 1_000
    assert not shown(bench, front)["machine"]


def test_a_drawn_code_is_the_code() -> None:
    """Each dark module once, with four bright ones around all of it."""
    made, code = drawn("some text"), segno.make("some text", error="m", micro=False)
    assert made is not None
    assert len(code.matrix) + 8 == made["size"]
    runs = [run.strip("zM").split("h") for run in made["path"].split("z") if run]
    dark = set()
    for place, length, _ in runs:
        x, y = map(int, place.split())
        dark |= {(x + more - 4, y - 4) for more in range(int(length.partition("v")[0]))}
    assert {(x, y) for y, row in enumerate(code.matrix) for x, one in enumerate(row) if one} == dark


def test_a_text_that_no_code_holds_is_none() -> None:
    """The page shows no code rather than a wrong one."""
    assert drawn("x" * 10_000) is None


def test_time_that_goes_by_is_no_news(bench: Bench) -> None:
    """The page counts down by itself; another offer, or another item, is news."""
    ask(bench)
    before = settled(shown(bench), bench.now_ms)
    bench.now_ms += 3_000
    assert before == settled(shown(bench), bench.now_ms)
    items = {"manifest": "m", "items": [{"item": 1, "left_ms": 5}]}
    assert before != settled(shown(bench) | {"playlist": items}, bench.now_ms)


def test_another_manifest_is_news(bench: Bench) -> None:
    """Its pictures are others, or end at another time, though their places are the same ones."""
    items = [{"item": 0, "left_ms": 5}]
    seen = [
        settled(shown(bench) | {"playlist": {"manifest": one, "items": items}}, bench.now_ms)
        for one in ("m", "n", "n")
    ]
    assert seen[0] != seen[1] == seen[2]
