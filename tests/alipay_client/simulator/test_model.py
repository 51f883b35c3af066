"""The book's logic."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alipay_client.simulator import gmt8, model
from alipay_client.simulator.model import (
    CodeStatus,
    Declined,
    RefundAsked,
    RefundEntry,
    RefundStatus,
    RefundVerdict,
    Terms,
    Trade,
    TradeStatus,
)
from tests.alipay_client.simulator.examples import CODE, NOON_MS, TRADE

TERMS = Terms(
    short_of_funds=False,
    funds_retry_ms=0,
    async_refund_ms=2_000,
    refund_window_ms=365 * gmt8.DAY_MS,
)
SHORT = replace(TERMS, short_of_funds=True)


def asked(amount_minor: int, **changes: object) -> RefundAsked:
    """A synchronous refund of TRADE."""
    base = RefundAsked(
        refund_id="R1",
        out_trade_no=TRADE.out_trade_no,
        amount_minor=amount_minor,
        currency="HKD",
        synchronous=True,
        notify_url="https://n",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def ask(
    wish: RefundAsked,
    *,
    known: RefundEntry | None = None,
    taken: int = 0,
    now_ms: int = NOON_MS,
    terms: Terms = TERMS,
    trade: Trade = TRADE,
) -> RefundVerdict:
    """ask_refund with the usual circumstances."""
    return model.ask_refund(
        wish, trade=trade, known=known, taken_minor=taken, now_ms=now_ms, terms=terms
    )


def refund_of(verdict: RefundVerdict) -> RefundEntry:
    """What is to be kept."""
    assert verdict.refund is not None
    return verdict.refund


def test_a_payment_bears_alipays_ids() -> None:
    """Trade numbers have 28 digits and begin with the day in GMT+8; buyers are 2088 ids and masked
    logins.
    """
    assert 28 == len(TRADE.trade_no)
    assert TRADE.trade_no.isdigit()
    assert TRADE.trade_no.startswith("20260115")
    assert TRADE.out_trade_no != TRADE.trade_no
    assert len(TRADE.out_trade_no) <= 64
    assert TRADE.buyer_id.startswith("2088")
    assert 16 == len(TRADE.buyer_id)
    assert "ali***@example.com" == TRADE.buyer_email


def test_another_book_never_repeats_a_number() -> None:
    """The book's birth is part of every number."""
    other = model.pay(
        CODE, amount_minor=1_000, buyer="alice", now_ms=NOON_MS, birth=NOON_MS + 1, number=1
    )
    assert other.trade_no != TRADE.trade_no
    assert other.out_trade_no != TRADE.out_trade_no
    assert model.qrcode_text(1, 1, 0) != model.qrcode_text(2, 1, 0)


@pytest.mark.parametrize(
    ("status", "code"), [(CodeStatus.STOPPED, "CODE_STOPPED"), (CodeStatus.DELETED, "CODE_DELETED")]
)
def test_only_an_active_code_takes_money(status: CodeStatus, code: str) -> None:
    """A stopped or deleted code says so."""
    with pytest.raises(Declined, match=code):
        model.pay(
            replace(CODE, status=status), amount_minor=1, buyer="a", now_ms=0, birth=0, number=1
        )


def test_deleted_for_ever() -> None:
    """STOP and RESTART undo one another, DELETE cannot be undone; each is harmless when
    repeated.
    """
    stopped = model.change_status(model.change_status(CODE, "STOP"), "STOP")
    assert stopped.status is CodeStatus.STOPPED
    assert CODE == model.change_status(stopped, "RESTART")
    deleted = model.change_status(model.change_status(stopped, "DELETE"), "DELETE")
    for wanted in ("STOP", "RESTART"):
        with pytest.raises(Declined, match="deleted"):
            model.change_status(deleted, wanted)


@given(
    wishes=some.lists(
        some.tuples(some.integers(1, 6), some.integers(1, 700), some.booleans(), some.booleans()),
        max_size=30,
    )
)
def test_refunds_never_exceed_the_payment(wishes: list[tuple[int, int, bool, bool]]) -> None:
    """Whatever is asked, under whichever ids and however often, at most what was paid goes back,
    and an id's amount never changes.
    """
    kept: dict[str, RefundEntry] = {}
    for number, amount, synchronous, short in wishes:
        wish = asked(amount, refund_id=f"R{number}", synchronous=synchronous)
        known = kept.get(wish.refund_id)
        taken = sum(
            refund.amount_minor
            for refund in kept.values()
            if refund.state is not RefundStatus.FAILED
        )
        verdict = ask(wish, known=known, taken=taken, terms=SHORT if short else TERMS)
        if known is not None and known.amount_minor != amount:
            assert RefundVerdict(result_code="FAIL", error="DISCORDANT_REPEAT_REQUEST") == verdict
        if verdict.refund is not None:
            assert known is None or known.state is RefundStatus.FAILED
            kept[wish.refund_id] = verdict.refund
    assert (
        sum(
            refund.amount_minor
            for refund in kept.values()
            if refund.state is not RefundStatus.FAILED
        )
        <= TRADE.paid_minor
    )


def test_the_same_refund_again_tells_the_true_state() -> None:
    """Done stays done; accepted is success to an asynchronous caller and unknown to a synchronous
    one; nothing is done twice.
    """
    done = refund_of(ask(asked(400)))
    assert RefundVerdict(result_code="SUCCESS") == ask(asked(400), known=done, taken=400)
    waiting = refund_of(ask(asked(400, synchronous=False)))
    assert waiting.state is RefundStatus.PROCESSING
    assert RefundVerdict(result_code="SUCCESS") == ask(
        asked(400, synchronous=False), known=waiting, taken=400
    )
    assert RefundVerdict(result_code="UNKNOWN") == ask(asked(400), known=waiting, taken=400)


def test_objections() -> None:
    """Other currency, too much, closed, finished and past the window each have their code."""
    closed, finished = (
        replace(TRADE, status=TradeStatus.TRADE_CLOSED),
        replace(TRADE, status=TradeStatus.TRADE_FINISHED),
    )
    assert "CURRENCY_NOT_SAME" == ask(asked(1, currency="USD")).error
    assert "RETURN_AMOUNT_EXCEED" == ask(asked(601), taken=400).error
    assert "TRADE_HAS_CLOSE" == ask(asked(1), trade=closed).error
    assert "TRADE_HAS_FINISHED" == ask(asked(1), trade=finished).error
    assert "TRADE_HAS_FINISHED" == ask(asked(1), now_ms=NOON_MS + 365 * gmt8.DAY_MS).error
    assert (
        "TRADE_NOT_EXIST"
        == model.ask_refund(
            asked(1), trade=None, known=None, taken_minor=0, now_ms=0, terms=TERMS
        ).error
    )


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-01-15 23:59:58", "2026-01-16 00:00:00"),
        ("2026-01-16 00:10:00", "2026-01-16 00:10:02"),
        ("2026-01-16 12:00:00", "2026-01-16 23:00:02"),
    ],
)
def test_asynchronous_refunds_wait_for_the_night(now: str, due: str) -> None:
    """At once on the day of payment and within the batch, else at 23:00."""
    refund = refund_of(ask(asked(1, synchronous=False), now_ms=gmt8.parse(now)))
    assert due == gmt8.text(refund.due_at_ms)


def test_short_of_funds() -> None:
    """A synchronous refund fails and may be asked again; an accepted one waits night after night,
    and fails in silence after 180 days.
    """
    failed = ask(asked(400), terms=SHORT)
    assert (
        "FAIL",
        "MERCHANT_BALANCE_NOT_ENOUGH",
        RefundStatus.FAILED,
    ) == (failed.result_code, failed.error, refund_of(failed).state)
    assert refund_of(ask(asked(400), known=failed.refund)).state is RefundStatus.SUCCEEDED
    waiting = refund_of(ask(asked(400, synchronous=False), known=failed.refund, terms=SHORT))
    later = model.carry_out(waiting, now_ms=waiting.due_at_ms, terms=SHORT)
    assert (RefundStatus.PROCESSING, "MERCHANT_BALANCE_NOT_ENOUGH") == (later.state, later.error)
    assert "2026-01-15 23:00:00" == gmt8.text(later.due_at_ms)
    assert (
        model.carry_out(later, now_ms=later.due_at_ms, terms=TERMS).state is RefundStatus.SUCCEEDED
    )
    assert (
        model.carry_out(later, now_ms=NOON_MS + 181 * gmt8.DAY_MS, terms=SHORT).state
        is RefundStatus.FAILED
    )
    soon = model.carry_out(waiting, now_ms=NOON_MS, terms=replace(SHORT, funds_retry_ms=5))
    assert NOON_MS + 5 == soon.due_at_ms


def test_a_trade_returned_whole_is_closed() -> None:
    """Partial refunds leave it open."""
    assert model.after_refunds(TRADE, 999).status is TradeStatus.TRADE_SUCCESS
    assert model.after_refunds(TRADE, 1_000).status is TradeStatus.TRADE_CLOSED
