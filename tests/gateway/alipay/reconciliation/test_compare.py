"""File against books: every way in which they can differ, and what is done about it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.machine.events import RefundSucceeded, TopUpPaid
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.machine.state import RefundStatus
from alipay_client.files import FileRow, RowType, TransactionFile
from gateway.alipay.notify import UNCONFIRMED
from gateway.alipay.reconciliation.compare import Comparison, Found, Terms, compare
from gateway.alipay.reconciliation.run import starts_ms
from storage.machines.rows import DAY_MS
from storage.reconciliation.our_books import NamedMachine, OurBooks, OurRefund, OurTrade, Told
from storage.reconciliation.runs import Total
from tests.support.daily import DAY, MERCHANT_NAME, PARTNER, row

TERMS = Terms(merchant_name=MERCHANT_NAME, payment_minor_max=10_000_000, day_is_over=True)
LOBBY = NamedMachine(machine_id=MachineId("VM-1"), store_name="Lobby", currency=Currency("HKD"))


def trade(trade_id: str = "T1", paid_minor: int = 500, currency: str = "HKD") -> OurTrade:
    """One of our payments."""
    return OurTrade(
        trade_id=TradeId(trade_id),
        machine_id=MachineId("VM-1"),
        currency=Currency(currency),
        paid_minor=paid_minor,
    )


def refund(
    refund_id: str = "T1R1",
    amount_minor: int = 200,
    *,
    status: RefundStatus = RefundStatus.SUCCEEDED,
    trade_id: str = "T1",
    currency: str = "HKD",
) -> OurRefund:
    """One of our refunds."""
    return OurRefund(
        refund_id=RefundId(refund_id),
        trade_id=TradeId(trade_id),
        machine_id=MachineId("VM-1"),
        currency=Currency(currency),
        amount_minor=amount_minor,
        status=status,
    )


def back(partner_id: str = "T1R1", amount_minor: int = 200, **changes: object) -> FileRow:
    """A refund in the file."""
    return row(row_type=RowType.REFUND, partner_id=partner_id, amount_minor=amount_minor, **changes)


def books(
    *ours: OurTrade | OurRefund,
    told: tuple[Told, ...] = (),
    machines: tuple[NamedMachine, ...] = (LOBBY,),
    today: bool = False,
) -> OurBooks:
    """Our side; ``today``: all of it must stand in the file."""
    trades: dict[str, OurTrade] = {one.trade_id: one for one in ours if isinstance(one, OurTrade)}
    refunds: dict[str, OurRefund] = {
        one.refund_id: one for one in ours if isinstance(one, OurRefund)
    }
    return OurBooks(
        trades=trades,
        refunds=refunds,
        paid_today=frozenset(trades if today else ()),
        returned_today=frozenset(refunds if today else ()),
        told={"T1": told} if told else {},
        machines=machines,
    )


def look(rows: tuple[FileRow, ...], ours: OurBooks, terms: Terms = TERMS) -> Comparison:
    """Compare, with the lines numbered as a parser would."""
    numbered = tuple(replace(one, line=number) for number, one in enumerate(rows, start=2))
    return compare(TransactionFile(partner=PARTNER, day=DAY, rows=numbered), ours, terms)


def shown(found: tuple[Found, ...]) -> list[tuple[str, str, str]]:
    """Kind, subject and status of each."""
    return [(one.difference.kind, one.difference.subject, one.difference.status) for one in found]


UNCONFIRMED_BEFORE = Told(
    cause=f"refused:{UNCONFIRMED}:T1:n1", machine_id=MachineId("VM-1"), waits=False
)


@pytest.mark.parametrize("told", [(), (UNCONFIRMED_BEFORE,)])
def test_after_a_restore_nothing_unknown_is_passed_on(told: tuple[Told, ...]) -> None:
    """Whatever was told of it before the backup, what came after is forgotten."""
    for restored, status in ((False, "PASSED_ON"), (True, "OPEN")):
        found = look((row(),), books(told=told), replace(TERMS, restored=restored)).found
        assert [("PAYMENT_UNKNOWN_TO_US", "T1", status)] == shown(found)
        assert (restored,) == tuple(one.event is None for one in found)


@pytest.mark.parametrize(("from_ms", "until_ms", "status"), [(0, 1, "OPEN"), (1, 9, "PASSED_ON")])
def test_what_restored_books_forgot_is_not_passed_on(
    from_ms: int, until_ms: int, status: str
) -> None:
    """Only what was paid in the time that they forgot; nobody has to say so."""
    paid_at_ms = row().at_ms
    ours = replace(books(), forgotten=(paid_at_ms + from_ms, paid_at_ms + until_ms))
    assert [("PAYMENT_UNKNOWN_TO_US", "T1", status)] == shown(look((row(),), ours).found)


CASES = [
    ("agreement", (row(), back()), books(trade(), refund(), today=True), []),
    ("an empty day", (), books(), []),
    ("a payment of another day that we know", (row(),), books(trade()), []),
    ("a lost notification", (row(),), books(), [("PAYMENT_UNKNOWN_TO_US", "T1", "PASSED_ON")]),
    (
        "a payment that Alipay does not list",
        (),
        books(trade(), today=True),
        [("PAYMENT_MISSING_AT_ALIPAY", "T1", "OPEN")],
    ),
    ("a payment of another day", (), books(trade()), []),
    (
        "another amount",
        (row(amount_minor=501),),
        books(trade(), today=True),
        [("AMOUNT_DIFFERS", "T1", "OPEN")],
    ),
    (
        "another currency",
        (row(currency="USD"),),
        books(trade(), today=True),
        [("CURRENCY_DIFFERS", "T1", "OPEN")],
    ),
    (
        "a portal refund",
        (row(), back("X1")),
        books(trade(), today=True),
        [("REFUND_UNKNOWN_TO_US", "T1:X1", "OPEN")],
    ),
    (
        "a refund without an id",
        (row(), back("")),
        books(trade(), today=True),
        [("REFUND_UNKNOWN_TO_US", "T1:line 3", "OPEN")],
    ),
    (
        "our id on another trade",
        (back(),),
        books(refund(trade_id="T9")),
        [("REFUND_UNKNOWN_TO_US", "T1:T1R1", "OPEN")],
    ),
    (
        "a refund that Alipay does not list",
        (row(),),
        books(trade(), refund(), today=True),
        [("REFUND_MISSING_AT_ALIPAY", "T1R1", "OPEN")],
    ),
    ("a refund of another day", (row(),), books(trade(), refund()), []),
    (
        "another refund amount",
        (back(amount_minor=100),),
        books(refund()),
        [("REFUND_AMOUNT_DIFFERS", "T1R1", "OPEN")],
    ),
    (
        "another refund currency",
        (back(currency="USD"),),
        books(refund()),
        [("REFUND_AMOUNT_DIFFERS", "T1R1", "OPEN")],
    ),
    (
        "a written-off refund",
        (back(),),
        books(refund(status=RefundStatus.WRITTEN_OFF)),
        [("REFUND_WRITTEN_OFF_HERE", "T1R1", "OPEN")],
    ),
    (
        "a cancelled payment",
        (row(row_type=RowType.CANCEL),),
        books(trade()),
        [("CANCELLED_AT_ALIPAY", "T1", "OPEN")],
    ),
    (
        "a reversed payment of nobody",
        (row(row_type=RowType.REVERSAL),),
        books(),
        [("CANCELLED_AT_ALIPAY", "T1", "OPEN")],
    ),
    (
        "a line twice",
        (row(), row()),
        books(trade(), today=True),
        [("REPEATED_IN_FILE", "PAYMENT:3", "OPEN")],
    ),
    (
        "two refunds without an id",
        (back(""), back("")),
        books(),
        [("REFUND_UNKNOWN_TO_US", f"T1:line {line}", "OPEN") for line in (2, 3)],
    ),
]


def test_a_refund_of_ours_that_a_restore_forgot() -> None:
    """Its id shows that no person made it, so nobody is asked for; of one by hand somebody is."""
    known = books(trade(), today=True)
    ours, by_hand = (
        look((row(), back(refund_id)), known).found[0].difference
        for refund_id in ("T1R1_200", "T1R1_300")
    )
    assert "after the backup that was restored" in ours.cause
    assert "is to be written off, not paid once more" in ours.advice
    assert "Somebody returned it in Alipay's portal" in by_hand.cause
    assert "Ask who did it" in by_hand.advice


@pytest.mark.parametrize(
    ("rows", "ours", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_differences(
    rows: tuple[FileRow, ...], ours: OurBooks, expected: list[tuple[str, str, str]]
) -> None:
    """Each has its kind, a subject that names it, and words for a person."""
    found = look(rows, ours).found
    assert expected == shown(found)
    for one in found:
        assert all((one.difference.said, one.difference.cause, one.difference.advice))
        assert one.difference.said.endswith(".")


@pytest.mark.parametrize(
    "status",
    [
        RefundStatus.DUE,
        RefundStatus.UNKNOWN,
        RefundStatus.SHORT_OF_FUNDS,
        RefundStatus.ACCEPTED,
        RefundStatus.REFUSED,
    ],
)
def test_the_file_closes_open_refunds(status: RefundStatus) -> None:
    """Whatever we held it for: the money went back, and its machine's owner is to hear of it."""
    (found,) = look((back(),), books(refund(status=status))).found
    assert ("REFUND_OPEN_HERE", "T1R1", "PASSED_ON") == shown((found,))[0]
    assert RefundSucceeded(refund_id=RefundId("T1R1"), source="daily file") == found.event
    assert "VM-1" == found.difference.machine_id


def test_an_open_refund_of_another_amount_is_not_closed() -> None:
    """The file proves other money than ours."""
    (found,) = look((back(amount_minor=100),), books(refund(status=RefundStatus.UNKNOWN))).found
    assert (None, "REFUND_AMOUNT_DIFFERS", 200, 100) == (
        found.event,
        found.difference.kind,
        found.difference.ours_minor,
        found.difference.alipay_minor,
    )


@pytest.mark.parametrize(("waits", "status"), [(True, "PASSED_ON"), (False, "OPEN")])
def test_what_is_in_the_inbox_is_not_put_there_again(waits: bool, status: str) -> None:
    """While it waits it is under way; when it was taken and nothing came of it, a person must
    look.
    """
    told = tuple(
        Told(cause=cause, machine_id=MachineId("VM-2"), waits=waits)
        for cause in ("payment:T1", "refund:T1R1")
    )
    (payment,) = look((row(),), books(told=told)).found
    (closing,) = look((back(),), books(refund(status=RefundStatus.UNKNOWN), told=told)).found
    assert [("PAYMENT_UNKNOWN_TO_US", "T1", status), ("REFUND_OPEN_HERE", "T1R1", status)] == shown(
        (payment, closing)
    )
    assert (None, None, "VM-2") == (payment.event, closing.event, payment.difference.machine_id)


def test_a_lost_payment_is_told_as_its_notification_would_have_been() -> None:
    """With Alipay's time, so that it is as late as it is."""
    (found,) = look((row(),), books()).found
    assert found.event == TopUpPaid(
        trade_id=TradeId("T1"),
        partner_trans_id="OT1",
        amount_minor=500,
        currency=Currency("HKD"),
        paid_at_ms=row().at_ms,
    )
    assert ("VM-1", 500, None) == (
        found.difference.machine_id,
        found.difference.alipay_minor,
        found.difference.ours_minor,
    )


VM_2 = NamedMachine(machine_id=MachineId("VM-2"), store_name="Lobby", currency=Currency("HKD"))
VM_3 = NamedMachine(machine_id=MachineId("Lobby"), store_name="Hall", currency=Currency("HKD"))


@pytest.mark.parametrize(
    ("lines", "machines", "told", "why"),
    [
        ((row(order_scene="paymentQrCode"),), (LOBBY,), (), "Order_scene is 'paymentQrCode'"),
        ((row(merchant_name="Corner Shop"),), (LOBBY,), (), "it was paid to 'Corner Shop'"),
        ((row(operator_name=""),), (LOBBY,), (), "names no store"),
        ((row(operator_name="Hall"),), (LOBBY,), (), "no machines have 'Hall'"),
        ((row(),), (LOBBY, VM_2), (), "2 machines have 'Lobby'"),
        ((row(),), (LOBBY, VM_3), (), "2 machines have 'Lobby'"),
        ((row(currency="USD"),), (LOBBY,), (), "VM-1 sells in HKD"),
        ((row(partner_id=""),), (LOBBY,), (), "no Partner_transaction_id"),
        ((row(amount_minor=0),), (LOBBY,), (), "no payment's"),
        ((row(amount_minor=10_000_001),), (LOBBY,), (), "no payment's"),
        (
            (row(),),
            (LOBBY,),
            (
                Told(
                    cause="refused:foreign_machine:T1:n1", machine_id=MachineId("VM-2"), waits=False
                ),
            ),
            "(foreign_machine)",
        ),
        ((row(), row(row_type=RowType.CANCEL)), (LOBBY,), (), "money of it went back"),
        ((row(), back("X1")), (LOBBY,), (), "money of it went back"),
    ],
)
def test_what_cannot_be_told_stays_open(
    lines: tuple[FileRow, ...], machines: tuple[NamedMachine, ...], told: tuple[Told, ...], why: str
) -> None:
    """A wrong guess would return one customer's money out of another's: nothing is passed on, and
    the cause says why.
    """
    found = look(lines, books(machines=machines, told=told)).found[0]
    assert ("PAYMENT_UNKNOWN_TO_US", "T1", "OPEN") == shown((found,))[0]
    assert found.event is None
    assert why in found.difference.cause


def test_a_payment_is_passed_on_by_the_id_of_the_store() -> None:
    """Alipay's pages do not say whether the file has the store's name or its id."""
    store = replace(LOBBY, store_id="VM_1_b8d2", store_name="Hall")
    passed = look((row(operator_name="VM_1_b8d2"),), books(machines=(store,))).found[0]
    assert ("PAYMENT_UNKNOWN_TO_US", "T1", "PASSED_ON") == shown((passed,))[0]


def test_the_file_confirms_a_payment_that_alipay_did_not_confirm() -> None:
    """Its notification came for the machine and waits for a query that nobody answers; the file
    says the same, and more: the machine's owner hears of it.
    """
    unconfirmed = Told(cause="refused:unconfirmed:T1:n1", machine_id=MachineId("VM-1"), waits=False)
    (found,) = look((row(operator_name="Hall"),), books(told=(unconfirmed,))).found
    assert ("VM-1", "PASSED_ON") == (
        found.difference.machine_id,
        found.difference.status,
    )
    assert isinstance(found.event, TopUpPaid)
    assert (row().amount_minor, row().at_ms) == (found.event.amount_minor, found.event.paid_at_ms)


@pytest.mark.parametrize("later", [row(row_type=RowType.CANCEL), back("X1")])
def test_a_payment_that_went_back_while_it_waited_for_a_query_is_not_passed_on(
    later: FileRow,
) -> None:
    """Somebody returned its money in Alipay's portal meanwhile: what the machine would be given
    is not there any more.
    """
    unconfirmed = Told(cause="refused:unconfirmed:T1:n1", machine_id=MachineId("VM-1"), waits=False)
    found = look((row(), later), books(told=(unconfirmed,))).found[0]
    assert ("PAYMENT_UNKNOWN_TO_US", "T1", "OPEN") == shown((found,))[0]
    assert (None, "VM-1") == (found.event, found.difference.machine_id)
    assert "money of it went back" in found.difference.cause


@pytest.mark.parametrize(
    "line",
    [
        row(operator_name="VM-1"),
        row(merchant_name=""),
        row(order_scene="shopqrcode"),
        row(priced=False),
    ],
    ids=lambda line: line.operator_name,
)
def test_what_can_be_told_is_told(line: FileRow) -> None:
    """By the machine's id too; what the file leaves out does not contradict."""
    assert "PASSED_ON" == look((line,), books()).found[0].difference.status


def test_before_the_day_is_over_nothing_is_missing() -> None:
    """The rest of the day may still come."""
    early = replace(TERMS, day_is_over=False)
    assert () == look((), books(trade(), refund(), today=True), early).found
    assert 1 == len(look((row(),), books(), early).found)


def test_a_day_begins_at_midnight_in_china() -> None:
    """Eight hours before London's."""
    assert 1_768_406_400_000 == starts_ms(DAY)
    assert starts_ms(DAY) <= row().at_ms < starts_ms(DAY) + DAY_MS


def test_totals_are_told_by_currency() -> None:
    """Both sides' payments and returned money; a refund that is not confirmed here is not counted
    as returned by us.
    """
    rows = (row(), back(), row(trade_id="T2", currency="JPY", amount_minor=700), row(trade_id="T3"))
    ours = books(trade(), trade("T2", 700, "JPY"), refund(status=RefundStatus.UNKNOWN), today=False)
    assert look(rows, ours).totals == (
        Total(
            currency="HKD",
            alipay_paid_minor=1_000,
            ours_paid_minor=500,
            alipay_back_minor=200,
            ours_back_minor=0,
        ),
        Total(currency="JPY", alipay_paid_minor=700, ours_paid_minor=700),
    )


IDS = st.sampled_from(["T1", "T2", "T3"])
AMOUNTS = st.integers(0, 3)
CURRENCIES = st.sampled_from(["HKD", "JPY"])
ROWS = st.builds(
    row,
    row_type=st.sampled_from(list(RowType)),
    partner_id=st.sampled_from(["", "A", "T1R1", "T2R1"]),
    trade_id=IDS,
    amount_minor=AMOUNTS,
    currency=CURRENCIES,
)
OURS = st.one_of(
    st.builds(trade, IDS, AMOUNTS, CURRENCIES),
    st.builds(
        refund,
        st.sampled_from(["T1R1", "T2R1"]),
        AMOUNTS,
        status=st.sampled_from(list(RefundStatus)),
        trade_id=IDS,
        currency=CURRENCIES,
    ),
)


@given(st.lists(ROWS, max_size=8), st.lists(OURS, max_size=6), st.booleans())
def test_the_differences_explain_the_totals(
    rows: list[FileRow], ours: list[OurTrade | OurRefund], today: bool
) -> None:
    """Whatever both sides say: no two differences share a name, only what is passed on has an
    event, and equal books have equal totals.
    """
    result = look(tuple(rows), books(*ours, today=today))
    names = [(one.difference.kind, one.difference.subject) for one in result.found]
    assert len(names) == len(set(names))
    assert all(
        one.difference.status == "PASSED_ON" for one in result.found if one.event is not None
    )
    if not result.found:
        for total in result.totals:
            assert (total.alipay_paid_minor, total.alipay_back_minor) == (
                total.ours_paid_minor,
                total.ours_back_minor,
            )
