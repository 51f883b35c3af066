"""Alipay's notifications at the door: what is signed for us is saved once, everything else touches
nothing.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from actors.machine.events import RefundSucceeded, TopUpPaid, TradeFinished
from actors.machine.ids import RefundId
from alipay_client import AlipayClient
from gateway.rpc.limits import NotifyLimits
from storage import codec
from storage.fleet.views import RefundView, WorkItemKind, WorkItemView
from storage.machines.inbox import TOLD_AMOUNT_MINOR, TOLD_CURRENCY
from storage.machines.payers import forget
from storage.tables import inbox, payers
from tests.alipay_client.wire import Pair, answer, failure, transport
from tests.support.site import SALT, Site, a_site, found

TRADE = "2026011522001400000000000001"
SUCCESS = (200, "success")
PAID = {
    "result_code": "SUCCESS",
    "alipay_trans_status": "TRADE_SUCCESS",
    "alipay_trans_id": TRADE,
    "partner_trans_id": "P1",
    "trans_amount": "5.00",
    "currency": "HKD",
}
"""What Alipay answers to a query about the payment that a site's test signs."""


async def _rows(site: Site) -> list[Any]:
    return await site.database.read(
        lambda connection: list(connection.execute(select(inbox).order_by(inbox.c.id)))
    )


async def _payers(site: Site) -> list[Any]:
    return await site.database.read(
        lambda connection: list(connection.execute(select(payers).order_by(payers.c.first_seen_ms)))
    )


async def test_a_payment_is_saved_and_its_owner_woken(site: Site) -> None:
    """A signed payment becomes one row, one wake-up and exactly the seven letters."""
    machine = await site.register()
    assert SUCCESS == await site.post(machine.notify_token, site.signed())
    (row,) = await _rows(site)
    assert (f"payment:{TRADE}", "VM-1", TRADE) == (row.cause, row.machine_id, row.trade_id)
    (item,) = site.woken
    assert isinstance(item.event, TopUpPaid)
    assert (TRADE, "P1", 500, "HKD", 1_768_449_598_000) == (
        item.event.trade_id,
        item.event.partner_trans_id,
        item.event.amount_minor,
        item.event.currency,
        item.event.paid_at_ms,
    )
    assert 1.0 == site.counted("new", "paid")


async def test_the_buyer_is_only_known_by_a_random_number(site: Site) -> None:
    """The event carries it. Neither the buyer's id nor their address is saved, nor what Alipay
    computed over them; only the table of payers holds a keyed hash.
    """
    machine = await site.register()
    await site.post(machine.notify_token, site.signed(Buyer_Phone="12345678"))
    (row,) = await _rows(site)
    (payer,) = await _payers(site)
    (item,) = site.woken
    assert isinstance(item.event, TopUpPaid)
    assert payer.payer_id == item.event.payer_id == codec.decode_event(row.event).payer_id  # type: ignore[union-attr]
    assert 26 == len(payer.payer_id)
    kept = codec.decode_fields(row.fields)
    assert "TRADE_SUCCESS" == kept["trade_status"]
    assert [] == [name for name in kept if "buyer" in name.lower() or name == "sign"]
    keyed = hmac.new(SALT, b"2088123412341234", hashlib.sha256).hexdigest()
    assert keyed == payer.buyer_hash
    for secret in ("2088123412341234", "example.com", "12345678", keyed[:16]):
        assert secret not in str(row)


async def test_a_buyer_is_the_same_payer_each_time(site: Site) -> None:
    """Another buyer is another payer, and nobody is nobody."""
    machine = await site.register()
    for number, buyer_id in enumerate(("2088123412341234", "2088000000000009", "")):
        body = site.signed(trade_no=f"a{number}", buyer_id=buyer_id)
        await site.post(machine.notify_token, body)
        await site.post(machine.notify_token, site.signed(trade_no=f"b{number}", buyer_id=buyer_id))
    numbers = [item.event.payer_id for item in site.woken]  # type: ignore[union-attr]
    assert numbers[::2] == numbers[1::2]
    assert 3 == len(set(numbers))
    assert "" == numbers[-1]
    assert set(numbers) - {""} == {row.payer_id for row in await _payers(site)}


async def test_only_a_new_payment_makes_a_payer(site: Site) -> None:
    """What is refused, told again or told of something else makes nobody known."""
    machine = await site.register()
    await site.post(machine.notify_token, site.signed(total_fee="0.00"))
    await site.post(machine.notify_token, site.signed(trade_status="WAIT_BUYER_PAY"))
    assert [] == await _payers(site)
    await site.post(machine.notify_token, site.signed())
    (first,) = await _payers(site)
    await site.database.write(lambda connection: forget(connection, first.payer_id))
    for again in (site.signed(notify_id="n2"), site.signed(total_fee="9.00")):
        assert SUCCESS == await site.post(machine.notify_token, again)
    assert [] == await _payers(site)


async def test_a_payment_reaches_the_machine(site: Site) -> None:
    """The row that was saved is taken by the machine's actor and becomes a trade."""
    machine = await site.register()
    await site.post(machine.notify_token, site.signed())
    assert "VM-1" == (await found(lambda: site.queries.trade(TRADE))).machine_id


async def test_the_same_again_is_a_duplicate(site: Site) -> None:
    """However often, and under whatever notify id, a payment is one row and one wake-up; each is
    acknowledged.
    """
    machine = await site.register()
    for notify_id in ("n1", "n1", "n2"):
        assert SUCCESS == await site.post(machine.notify_token, site.signed(notify_id=notify_id))
    assert 1 == len(await _rows(site))
    assert 1 == len(site.woken)
    assert 2.0 == site.counted("duplicate", "paid")


async def test_a_contradiction_is_put_aside(site: Site) -> None:
    """The same payment with another amount is kept for a person, acknowledged, and never decided
    upon.
    """
    machine = await site.register()
    await site.post(machine.notify_token, site.signed())
    assert SUCCESS == await site.post(machine.notify_token, site.signed(total_fee="500.00"))
    _, conflict = await _rows(site)
    assert conflict.cause.startswith(f"conflict:payment:{TRADE}:")
    assert conflict.taken_at_ms is not None
    assert 1 == len(site.woken)
    assert 1.0 == site.counted("conflict", "paid")


async def _refund(site: Site) -> RefundView:
    """Return the refund of a payment that came too late."""

    async def look() -> RefundView | None:
        return next(iter(await site.queries.refunds(limit=1)), None)

    return await found(look)


async def test_a_refund_echo_is_a_refund(site: Site) -> None:
    """A notification with the id of a refund of ours confirms it, whatever the trade's status
    says.
    """
    machine = await site.register()
    await site.post(machine.notify_token, site.signed())
    refund = await _refund(site)
    body = site.signed(
        refund_fee="5.00",
        out_biz_no=refund.refund_id,
        trade_status="TRADE_SUCCESS",
        notify_id="n2",
    )
    assert SUCCESS == await site.post(machine.notify_token, body)
    _, row = await _rows(site)
    assert f"refund:{refund.refund_id}" == row.cause
    assert site.woken[1].event == RefundSucceeded(
        refund_id=RefundId(refund.refund_id), source="notification"
    )


@pytest.mark.parametrize(
    ("status", "cause"), [("TRADE_CLOSED", "closed"), ("TRADE_FINISHED", "finished")]
)
async def test_an_ended_trade_credits_nothing(site: Site, status: str, cause: str) -> None:
    """The notification a year later is a fact of its own and no payment."""
    machine = await site.register()
    await site.post(machine.notify_token, site.signed())
    await _refund(site)
    assert SUCCESS == await site.post(machine.notify_token, site.signed(trade_status=status))
    _, row = await _rows(site)
    assert f"{cause}:{TRADE}" == row.cause
    assert TradeFinished(trade_id=TRADE, status=status) == site.woken[1].event  # type: ignore[arg-type]


async def test_what_concerns_no_money_is_only_kept(site: Site) -> None:
    """It is stored as taken and acknowledged; nobody is woken."""
    machine = await site.register()
    body = site.signed(trade_status="WAIT_BUYER_PAY")
    assert SUCCESS == await site.post(machine.notify_token, body)
    (row,) = await _rows(site)
    assert "other:n1" == row.cause
    assert row.taken_at_ms is not None
    assert [] == site.woken


async def test_what_alipay_did_not_sign_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """It is refused and counted, and nothing is saved."""
    machine = await site.register()
    signed = site.signed()
    for body, reason, times in (
        (signed.replace(b"total_fee=5.00", b"total_fee=9.00"), "bad_signature", 1.0),
        (signed + b"&total_fee=9.00", "duplicate_field", 1.0),
        (b"{}", "malformed", 1.0),
        (b"", "malformed", 2.0),
        (signed.replace(b"sign_type=RSA2", b"sign_type=MD5"), "bad_sign_type", 1.0),
        (signed.partition(b"&sign=")[0], "unsigned", 1.0),
    ):
        with subtests.test(body=body):
            assert (400, "refused") == await site.post(machine.notify_token, body)
            assert times == site.counted("refused", reason)
            assert [] == await _rows(site)


async def test_another_merchants_payments_are_kept_up_to_a_bound(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """One key of Alipay's signs for every merchant: a true signature alone does not make it ours,
    nor may whoever has one fill our disk.
    """
    async with a_site(
        tmp_path, upgraded_file, pair, limits=NotifyLimits(foreign_a_day_max=2)
    ) as site:
        machine = await site.register()
        for number in range(4):
            body = site.signed(seller_id="2088999999999999", notify_id=f"n{number}")
            assert (400, "refused") == await site.post(machine.notify_token, body)
        rows = await _rows(site)
        assert [f"refused:foreign_seller:{TRADE}:n{n}" for n in range(2)] == [
            row.cause for row in rows
        ]
        assert (4.0, 2.0) == (
            site.counted("refused", "foreign_seller"),
            site.counted("refused", "too_many_foreign"),
        )
        site.clock.ahead_ms += 86_400_000
        later = site.signed(seller_id="2088999999999999", notify_id="n9")
        await site.post(machine.notify_token, later)
        assert 3 == len(await _rows(site))


MISFITS: list[tuple[dict[str, str], str]] = [
    ({"currency": "USD"}, "foreign_currency"),
    ({"extra_common_param": '{"machine":"VM-2"}'}, "foreign_machine"),
    ({"total_fee": "100000000.01"}, "bad_amount"),
    ({"out_trade_no": "x" * 65}, "long_id"),
    ({"out_trade_no": "P\x001"}, "bad_id"),
    ({"total_fee": "", "forex_total_fee": "5.00"}, "missing_field"),
    ({"total_fee": "10.001"}, "bad_amount"),
    ({"total_fee": "0.00"}, "bad_amount"),
    ({"total_fee": ""}, "missing_field"),
    ({"out_trade_no": ""}, "missing_field"),
    ({"seller_id": ""}, "missing_field"),
    ({"seller_id": "2088999999999999"}, "foreign_seller"),
    ({"trade_status": ""}, "missing_field"),
    ({"trade_status": "TRADE_PENDING"}, "unknown_status"),
    ({"trade_status": "TRADE_FINISHED"}, "unknown_trade"),
    ({"charset": "KOI8-R"}, "bad_charset"),
    ({"goods[0]": "cola"}, "malformed"),
    ({"备注": "2088123412341234"}, "malformed"),
    ({"subject": "x&seller_id=2088999999999999&buyer_id=2088123412341234"}, "ambiguous"),
]
"""What Alipay signed and we do not take, with the reason."""


async def test_what_is_signed_and_does_not_fit_is_kept_for_a_person(
    site: Site, subtests: pytest.Subtests
) -> None:
    """It is not acknowledged and nobody decides on it, but the row says that somebody's money may
    be behind it. Told twice it is one row.
    """
    for number, (fields, reason) in enumerate(MISFITS):
        with subtests.test(fields=str(fields)):
            machine = await site.register(f"VM-{number}")
            refused = site.counted("refused", reason)
            body = site.signed(notify_id=f"n{number}", **fields)
            for _ in range(2):
                assert (400, "refused") == await site.post(machine.notify_token, body)
            (row,) = [row for row in await _rows(site) if row.machine_id == machine.machine_id]
            assert row.cause.startswith(f"refused:{reason}:")
            kept = codec.decode_fields(row.fields)
            amount_minor = {"100000000.01": 10_000_000_001, "10.001": 0, "0.00": 0, "": 0}.get(
                fields.get("total_fee", "5.00"), 500
            )
            amount_minor = 500 if "forex_total_fee" in fields else amount_minor
            assert (str(amount_minor), fields.get("currency", "HKD")) == (
                kept[TOLD_AMOUNT_MINOR],
                kept[TOLD_CURRENCY],
            )
            assert row.taken_at_ms is not None
            assert [] == site.woken
            assert refused + 2 == site.counted("refused", reason)
            (item,) = await site.queries.work_items(
                machine_id=machine.machine_id, kinds=(), after="", limit=9, now_ms=0
            )
            assert (WorkItemKind.NOTIFICATION_REFUSED, amount_minor, TRADE) == (
                item.kind,
                item.amount_minor,
                item.trade_id,
            )
            assert item.reason.startswith(f"{reason}: ")
            assert "2088123412341234" not in str(row)


async def test_a_payment_cut_anew_is_no_other_machines(site: Site) -> None:
    """The signature holds for both readings, and in the second one no passback contradicts the
    token.
    """
    await site.register("VM-1")
    other = await site.register("VM-2")
    true = parse_qsl(site.signed(extra_common_param='{"machine":"VM-1"}').decode())
    fields = dict(true)
    fields["extra_common_param"] += f"&gmt_payment={fields.pop('gmt_payment')}"
    assert (400, "refused") == await site.post(other.notify_token, urlencode(fields).encode())
    assert [] == site.woken


@pytest.mark.parametrize("more", [b"&", b"&goods"])
async def test_what_is_signed_and_no_plain_form_is_kept_for_a_person(
    site: Site, more: bytes
) -> None:
    """What stands behind it has no value, so that the signature holds."""
    machine = await site.register()
    assert (400, "refused") == await site.post(machine.notify_token, site.signed() + more)
    (row,) = await _rows(site)
    assert row.cause.startswith("refused:malformed:")
    assert [500] == [item.amount_minor for item in await _items(site)]


async def test_a_trade_without_its_number_is_kept_for_a_person(site: Site) -> None:
    """By its telling, so that repetitions are one row. A number that holds what no database takes
    is none.
    """
    machine = await site.register()
    for _ in range(2):
        assert (400, "refused") == await site.post(machine.notify_token, site.signed(trade_no=""))
    (row,) = await _rows(site)
    assert ("refused:missing_field::n1", "") == (row.cause, row.trade_id)
    assert (400, "refused") == await site.post(machine.notify_token, site.signed(trade_no="a\x00b"))
    assert ("refused:bad_id::n1", "") == ((await _rows(site))[1].cause, row.trade_id)


async def test_what_was_put_aside_ends_when_a_repetition_fits(site: Site) -> None:
    """Nothing waits for a person any more: the money is in our books."""
    machine = await site.register()
    await site.post(machine.notify_token, site.signed(total_fee="10.001"))
    assert 1 == len(await _items(site))
    assert SUCCESS == await site.post(machine.notify_token, site.signed())
    assert [] == await _items(site)


async def _items(site: Site) -> list[WorkItemView]:
    return await site.queries.work_items(
        machine_id="", kinds=("NOTIFICATION_REFUSED",), after="", limit=9, now_ms=0
    )


async def test_a_time_that_is_not_told_is_not_now(site: Site, subtests: pytest.Subtests) -> None:
    """A payment of yesterday is not fresh because its time has a fraction or is missing."""
    machine = await site.register()
    cases: tuple[tuple[dict[str, str], int | None], ...] = (
        ({"gmt_payment": "2026-01-15 11:59:58.0"}, 1_768_449_598_000),
        ({"gmt_payment": "2026-01-15 11:59:58.123"}, 1_768_449_598_000),
        ({"gmt_payment": "", "gmt_create": "2026-01-15 11:59:50"}, 1_768_449_590_000),
        ({"gmt_payment": "soon", "gmt_create": "2026-01-15 11:59:50.0"}, 1_768_449_590_000),
        ({"gmt_payment": "", "gmt_create": ""}, None),
    )
    for number, (fields, paid_at_ms) in enumerate(cases):
        with subtests.test(fields=fields):
            body = site.signed(trade_no=f"t{number}", **fields)
            assert SUCCESS == await site.post(machine.notify_token, body)
            event = site.woken[number].event
            assert isinstance(event, TopUpPaid)
            assert paid_at_ms == event.paid_at_ms


async def test_our_own_passback_fits(site: Site) -> None:
    """A notification that gives our parameter back for the same machine is taken."""
    machine = await site.register()
    assert SUCCESS == await site.post(
        machine.notify_token, site.signed(extra_common_param='{"machine":"VM-1"}')
    )


async def test_the_currency_may_be_left_out(site: Site) -> None:
    """Then the amount is in the machine's own."""
    machine = await site.register(currency="JPY")
    assert SUCCESS == await site.post(
        machine.notify_token, site.signed(currency="", total_fee="500")
    )


@pytest.mark.parametrize("token", ["x" * 32, "short", "a/b", "ü" * 20])
async def test_an_unknown_token_is_unknown(site: Site, token: str) -> None:
    """Who guesses hears nothing else, whatever the body is; what Alipay signed for us is kept."""
    await site.register()
    passback = '{"machine":"VM-1"}'
    bodies = (
        b"garbage",
        b"x" * 40_000,
        site.signed(seller_id="2088999999999999"),
        site.signed(extra_common_param=passback).replace(b"5.00", b"9.00"),
    )
    for body in bodies:
        assert (404, "unknown") == await site.post(token, body)
    assert [] == await _rows(site)
    for fields in ({"extra_common_param": passback}, {}, {"trade_status": "TRADE_FINISHED"}):
        body = site.signed(notify_id=f"n{len(fields)}{len(str(fields))}", **fields)
        assert (404, "unknown") == await site.post(token, body)
    assert ["VM-1", "", ""] == [row.machine_id for row in await _rows(site)]
    assert {"unknown_token"} == {row.cause.split(":")[1] for row in await _rows(site)}
    assert 7.0 == site.counted("refused", "unknown_token")
    assert 3 == len(await _items(site))
    for odd in (
        {"charset": "KOI8-R"},
        {"goods[0]": "cola"},
        {"subject": "x&buyer_id=208812341234"},
    ):
        for seller_id in ("2088999999999999", site.ingress.config.partner):  # only ours is kept
            body = site.signed(seller_id=seller_id, **odd)
            assert (404, "unknown") == await site.post(token, body)
    causes = [row.cause.split(":")[1] for row in (await _rows(site))[3:]]
    assert ["bad_charset", "malformed", "ambiguous"] == causes
    assert "x&buyer_id=20881234" not in str(await _rows(site))


async def test_any_content_type_is_read(site: Site) -> None:
    """The signature decides, not a header."""
    machine = await site.register()
    assert SUCCESS == await site.post(
        machine.notify_token, site.signed(), {"content-type": "text/plain; charset=latin-1"}
    )


async def test_a_large_body_is_not_read(site: Site) -> None:
    """What announces its size is refused at once, what does not after the bound."""
    machine = await site.register()
    taken = 0

    async def endless() -> Any:
        nonlocal taken
        for _ in range(1_000):
            taken += 1
            yield b"a=" + b"x" * 4_094 + b"&"

    assert (413, "refused") == await site.post(machine.notify_token, b"x" * 40_000)
    answered = await site.http.post(f"/alipay/notify/{machine.notify_token}", content=endless())
    assert 413 == answered.status_code
    assert taken < 12
    assert 2.0 == site.counted("refused", "oversized")


async def test_a_slow_body_is_cut_off(tmp_path: Path, upgraded_file: Path, pair: Pair) -> None:
    """Nobody holds a place by sending nothing."""

    async def stuck() -> Any:
        yield b"a=1"
        await asyncio.Event().wait()

    async with a_site(
        tmp_path, upgraded_file, pair, limits=NotifyLimits(read_timeout_ms=20)
    ) as site:
        machine = await site.register()
        answered = await site.http.post(f"/alipay/notify/{machine.notify_token}", content=stuck())
        assert (408, "refused") == (answered.status_code, answered.text)


async def test_sql_away_is_not_acknowledged(site: Site) -> None:
    """Alipay hears fail, repeats, and nothing is lost."""
    machine = await site.register()
    with site.sql_away():
        assert (503, "fail") == await site.post(machine.notify_token, site.signed())
    assert SUCCESS == await site.post(machine.notify_token, site.signed())
    assert 1.0 == site.counted("failed", "sql")


@pytest.mark.parametrize(
    ("status", "amount", "currency", "expected"),
    [
        ("TRADE_SUCCESS", "5.00", "HKD", SUCCESS),
        ("TRADE_FINISHED", "5.00", "HKD", SUCCESS),
        ("WAIT_BUYER_PAY", "5.00", "HKD", (400, "refused")),
        ("TRADE_SUCCESS", "5.01", "HKD", (400, "refused")),
        ("TRADE_SUCCESS", "5.00", "USD", (400, "refused")),
    ],
)
async def test_a_payment_may_be_confirmed_by_query(
    site: Site, status: str, amount: str, currency: str, expected: tuple[int, str]
) -> None:
    """Then it counts only if Alipay's answer to our own question says the same."""
    machine = await site.register()
    told = {
        **PAID,
        "alipay_trans_status": status,
        "trans_amount": amount,
        "currency": currency,
    }
    async with _asking(site, answer(told, site.pair.signer())):
        assert expected == await site.post(machine.notify_token, site.signed())


@pytest.mark.parametrize(
    "answered",
    [httpx.ReadTimeout("late"), failure("ILLEGAL_PARTNER_EXTERFACE"), failure("SYSTEM_ERROR")],
    ids=["silence", "not contracted", "passing"],
)
async def test_a_payment_that_cannot_be_confirmed_is_kept(
    site: Site, answered: bytes | Exception
) -> None:
    """Neither believed nor refused: Alipay repeats the notification, a person sees it, and it ends
    when a repetition is confirmed. Each question is timed by its outcome.
    """
    machine = await site.register()
    for _ in range(2):
        async with _asking(site, answered):
            assert (503, "fail") == await site.post(machine.notify_token, site.signed())
    assert [f"refused:unconfirmed:{TRADE}:n1"] == [row.cause for row in await _rows(site)]
    assert [] == site.woken
    assert [500] == [item.amount_minor for item in await _items(site)]
    assert 2.0 == site.counted("failed", "unconfirmed")
    async with _asking(site, answer(PAID, site.pair.signer())):
        assert SUCCESS == await site.post(machine.notify_token, site.signed())
    assert [] == await _items(site)
    for each, times in {"unknown": 2, "refused": 0, "answered": 1}.items():
        name, labels = "vendgate_payment_query_seconds_count", {"outcome": each}
        assert times == site.metrics.registry.get_sample_value(name, labels)


async def test_a_confirmed_payment_has_the_time_of_the_answer(site: Site) -> None:
    """Where the notification has none."""
    machine = await site.register()
    told = {**PAID, "alipay_pay_time": "20260115115958"}
    async with _asking(site, answer(told, site.pair.signer())):
        await site.post(machine.notify_token, site.signed(gmt_payment="", gmt_create=""))
    (item,) = site.woken
    assert isinstance(item.event, TopUpPaid)
    assert 1_768_449_598_000 == item.event.paid_at_ms


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (failure("ILLEGAL_PARTNER_EXTERFACE"), "payments cannot be confirmed: Alipay turns"),
        (failure("SYSTEM_ERROR"), "payment not confirmed"),
    ],
)
async def test_a_query_that_is_not_contracted_is_said_at_the_start(
    site: Site, answered: bytes, said: str
) -> None:
    """Before the first customer finds out."""
    async with _asking(site, answered):
        with structlog.testing.capture_logs() as logs:
            await site.ingress.try_query()
    assert [True] == [line["event"].startswith(said) for line in logs]


@asynccontextmanager
async def _asking(site: Site, answered: bytes | Exception) -> AsyncIterator[None]:
    """Let the ingress ask an Alipay that gives this answer."""
    handler, _ = transport(answered)
    async with httpx.AsyncClient(transport=handler) as http:
        client = AlipayClient(
            site.pair.config(), http, now=lambda: dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
        )
        site.ingress.alipay = client
        yield
        await client.close()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="abc=&%+ü\x00{}[]", max_size=100).map(str.encode),
        st.dictionaries(
            st.sampled_from(["sign", "sign_type", "trade_no", "total_fee", "_input_charset"]),
            st.text(max_size=10),
        ).map(
            lambda fields: "&".join(f"{name}={value}" for name, value in fields.items()).encode()
        ),
    )
)
async def test_garbage_is_refused_and_never_an_accident(site: Site, body: bytes) -> None:
    """Whatever arrives that Alipay did not sign is a 4xx, and nothing of it is saved."""
    machine = await site.register()
    assert (400, "refused") == await site.post(machine.notify_token, body)
    assert [] == await _rows(site)
