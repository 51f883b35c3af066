"""How far customers came is counted once, whatever is told again."""

from actors.machine.effects import ShowQr
from actors.machine.ids import RequestId, TradeId, VendId
from actors.machine.ledger import reserve, top_up
from actors.machine.state import Reservation
from storage import codec
from storage.insight.funnel import add_funnel
from storage.insight.reading import Batch, Line, Payment
from storage.insight.rollups import Sums
from storage.tables import funnel_days, scope_funnels
from tests.storage.insight.moved import NOON_MS, VENDS, line, settled, written_off

SHOWN = codec.encode_orders(
    [ShowQr(request_id=RequestId("r1"), qr_payload="https://qr", amount_minor=5, expires_in_ms=1)]
)
FIRST = "SELECTION_FIRST"


def batch(lines: tuple[tuple[str, str], ...], *moved: object) -> Batch:
    """A batch of these lines, each with its kind and orders, and of these transfers."""
    return Batch(
        after=0,
        upto=9,
        newest_ms=NOON_MS,
        lines=[
            Line(
                position=number,
                machine_id="VM-1",
                version=number,
                at_ms=NOON_MS,
                kind=kind,
                session_id="s1",
                orders=orders,
            )
            for number, (kind, orders) in enumerate(lines, 1)
        ],
        moved=[one for some in moved for one in line(some)],  # type: ignore[arg-type]
        vends=VENDS,
        payments={
            "t1": Payment(payer_id="ann", session_id="s1"),
            "late": Payment(payer_id="bob", session_id=None),
        },
        modes={"s1": FIRST},
        stays={},
    )


def counted(of: Batch) -> dict[tuple[str, str], int]:
    """What a batch adds, by mode and stage."""
    sums = Sums()
    add_funnel(sums, of)
    told = {key[2:]: values[0] for key, values in sums.by_table.get(funnel_days, {}).items()}
    fleet = {
        key[3:]: values[0]
        for key, values in sums.by_table.get(scope_funnels, {}).items()
        if key[0] == "FLEET"
    }
    assert told == fleet
    return told


def test_each_stage_is_counted() -> None:
    """A whole purchase, by the mode of its session."""
    held = [
        Reservation(trade_id=TradeId("t1"), amount_minor=200),
        Reservation(trade_id=TradeId("t2"), amount_minor=300),
    ]
    whole = batch(
        (("VendRequested", SHOWN), ("TopUpPaid", "[]")),
        [top_up(TradeId("t1"), 500)],
        reserve(VendId("v1"), held),
        settled("v1", ("t1", 200), ("t2", 300)),
    )
    assert {
        (FIRST, "CODE_SHOWN"): 1,
        (FIRST, "PAID"): 1,
        (FIRST, "APPROVED"): 1,
        (FIRST, "DELIVERED"): 1,
    } == counted(whole)


def test_a_code_that_is_told_again_is_no_other_one() -> None:
    """A machine that comes back is shown what is open; a denied choice is shown none."""
    assert {} == counted(batch((("Connected", SHOWN), ("VendRequested", "[]"))))


def test_late_money_came_nowhere() -> None:
    """It feeds no session and goes back."""
    assert {} == counted(batch((), [top_up(TradeId("late"), 500)]))


def test_goods_that_turn_up_later_were_delivered() -> None:
    """Their mode is not known any more: no trade names their session."""
    assert {("", "DELIVERED"): 1} == counted(batch((), [written_off()]))
