"""A line of the journal holds so many facts of sales as it has transfers that move SALES, and they
add up to what it moves there.
"""

from itertools import combinations

from actors.machine import ledger
from actors.machine.ids import RefundId, TradeId, VendId
from actors.machine.ledger import SIDES, Account, TransferKind
from actors.machine.state import Reservation
from actors.machine.values import replace
from storage.insight.facts import FactKind, SaleFact, is_of_sales, sale_facts, vend_of
from storage.insight.places import NOWHERE, Where
from tests.storage.insight.moved import NOON_MS, VENDS, given_back, line, settled, written_off

PIER = Where(site="pier", district="hk", site_type="OFFICE", time_zone="Asia/Hong_Kong")
PAYERS = {"t1": "ann", "t2": "bob"}


def facts_of(*transfers: ledger.Transfer, there: Where = PIER) -> list[SaleFact]:
    """The facts of a line with these transfers."""
    return list(sale_facts(line(transfers), vends=VENDS, payers=PAYERS, there=there))


def test_a_sale_is_one_fact_with_all_that_is_known_of_it() -> None:
    """By the clock of the place where the machine stood."""
    assert [
        SaleFact(
            machine_id="VM-1",
            version=7,
            line=0,
            position=107,
            at_ms=NOON_MS,
            d=20260101,
            local_hour=12,
            kind="SALE",
            vend_id="v1",
            column="A1",
            product="cola",
            currency="HKD",
            units=1,
            sales_minor=500,
            discount_minor=0,
            payer_id="ann",
            site="pier",
            district="hk",
            site_type="OFFICE",
            offer="",
        )
    ] == facts_of(*settled())
    (nowhere,) = facts_of(*settled(), there=NOWHERE)
    assert (20260101, 4, "", "", "") == (
        nowhere.d,
        nowhere.local_hour,
        nowhere.site,
        nowhere.district,
        nowhere.site_type,
    )


def test_a_vend_that_two_trades_paid_is_one_item() -> None:
    """Each trade's part is a fact with its own payer."""
    facts = facts_of(*settled("v1", ("t1", 200), ("t2", 300)))
    assert [(0, 1, 200, "ann"), (1, 0, 300, "bob")] == [
        (one.line, one.units, one.sales_minor, one.payer_id) for one in facts
    ]


def test_what_was_paid_below_the_price_is_a_discount() -> None:
    """It is told once, with the item, however many trades paid; and is never below nothing."""
    facts = facts_of(*settled("v1", ("t1", 200), ("t2", 200)))
    assert [100, 0] == [one.discount_minor for one in facts]
    assert [0] == [one.discount_minor for one in facts_of(*settled("v1", ("t1", 501)))]
    assert [0] == [one.discount_minor for one in facts_of(*settled("nobody's", ("t1", 1)))]


def test_a_fact_has_the_offer_of_its_vend() -> None:
    """What was given back too; what was written off was no use of it."""
    vends = {"v1": replace(VENDS["v1"], offer="tea-time")}
    told = [
        *sale_facts(line(settled("v1", ("t1", 450))), vends=vends, payers=PAYERS, there=PIER),
        *sale_facts(line([given_back("v1", "t1", 450)]), vends=vends, payers=PAYERS, there=PIER),
        *sale_facts(line([written_off("v1", 450)]), vends=vends, payers=PAYERS, there=PIER),
    ]
    assert [("SALE", "tea-time", 50), ("GOODWILL", "tea-time", 0), ("WRITE_OFF", "", 0)] == [
        (one.kind, one.offer, one.discount_minor) for one in told
    ]


def test_goods_that_turn_up_later_are_a_fact_of_their_own() -> None:
    """The item fell and nobody paid: SALES has the price, and so has the fact."""
    (fact,) = facts_of(written_off())
    assert (FactKind.WRITE_OFF, 1, 500, "v1", "cola", "") == (
        fact.kind,
        fact.units,
        fact.sales_minor,
        fact.vend_id,
        fact.product,
        fact.payer_id,
    )


def test_a_price_that_is_given_back_is_taken_off() -> None:
    """The item stays sold; also where the trade's number has a stroke in it."""
    (fact,) = facts_of(given_back())
    assert (FactKind.GOODWILL, 0, -500, "v1", "ann") == (
        fact.kind,
        fact.units,
        fact.sales_minor,
        fact.vend_id,
        fact.payer_id,
    )
    (odd,) = facts_of(given_back("v2", "a/b", 300))
    assert ("v2", "tea") == (odd.vend_id, odd.product)


def test_facts_add_up_to_sales_in_every_line() -> None:
    """Whatever stands beside it in the same line: all pairs and triples of all kinds."""
    trade, refund, vend = TradeId("t1"), RefundId("r1"), VendId("v2")
    held = [Reservation(trade_id=trade, amount_minor=300)]
    kinds = (
        ledger.top_up(trade, 1_000),
        *ledger.reserve(vend, held),
        *ledger.settle(vend, held),
        given_back("v1", "t1", 120),
        ledger.refund_asked(refund, trade, 50),
        ledger.refund_confirmed(refund, trade, 50),
        ledger.refund_given_up(refund, trade, 50),
        written_off("v1", 470),
    )
    for count in (1, 2, 3):
        for some in combinations(kinds, count):
            moved = sum(
                (one.credit_account is Account.SALES) * one.amount_minor
                - (one.debit_account is Account.SALES) * one.amount_minor
                for one in some
            )
            facts = facts_of(*some)
            assert moved == sum(one.sales_minor for one in facts), some
            assert len(facts) == sum(is_of_sales(one) for one in line(some))


def test_each_kind_of_transfer_on_sales_is_known() -> None:
    """A new one must say what it means to whoever counts sales."""
    on_sales = {kind for kind, sides in SIDES.items() if Account.SALES in sides}
    assert {TransferKind.SETTLE, TransferKind.GOODWILL, TransferKind.WRITE_OFF} == on_sales


def test_books_that_somebody_changed_are_counted_as_they_are() -> None:
    """A transfer on SALES of another kind adds what it adds, and no item."""
    (moved,) = line([ledger.top_up(TradeId("t1"), 70)])
    for credit, debit, kind, amount in (
        ("SALES", "RECEIVABLE", "SALE", 70),
        ("RECEIVABLE", "SALES", "GOODWILL", -70),
        ("SALES", "SALES", "SALE", 0),
    ):
        crooked = replace(moved, credit_account=credit, debit_account=debit)
        (fact,) = sale_facts([crooked], vends=VENDS, payers={}, there=PIER)
        assert (kind, amount, 0, "") == (fact.kind, fact.sales_minor, fact.units, fact.vend_id)
        assert "" == vend_of(crooked)
