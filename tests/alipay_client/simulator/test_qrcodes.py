"""The merchant QR code services."""

import json

import pytest

from alipay_client.simulator.model import CodeStatus
from tests.alipay_client.simulator.merchant import NOTIFY_URL, World, shop


async def test_create_is_idempotent_for_a_store(here: World) -> None:
    """The same store gets the same code, unchanged; with a channel fee a second one; another store
    its own.
    """
    first = await here.create()
    assert first.startswith("https://qr.alipay.com/bax")
    assert first == await here.create(store_name="Renamed")
    with_fee = await here.create(channel_fee={"type": "RATE", "value": "0.01"})
    assert with_fee != first
    assert with_fee == await here.create(channel_fee={"type": "FIXED", "value": "0"})
    assert await here.create(store_id="VM_0002") not in {first, with_fee}
    known = here.alipay.context.book.code(first)
    assert known is not None
    assert ("Lobby", NOTIFY_URL) == (known.store_name, known.notify_url)


async def test_create_answers_with_a_picture(here: World) -> None:
    """Its URL holds an ampersand, which the XML escapes and the signature does not; result_code
    only where switched on.
    """
    answer = await here.code_call("create", notify_url=NOTIFY_URL, biz_data=shop())
    assert "qrcodeinfo" == answer.wrapper
    assert answer.signed is not None
    assert {"qrcode", "qrcode_img_url"} == set(answer.signed)
    assert "&picSize=L" in answer.signed["qrcode_img_url"]
    here.alipay.switch({"result_code_in_qrcodeinfo": True})
    answer = await here.code_call("create", biz_data=shop())
    assert answer.signed is not None
    assert "SUCCESS" == answer.signed["result_code"]


@pytest.mark.parametrize(
    "changes",
    [
        {"store_id": None},
        {"store_id": "a b"},
        {"store_id": "x" * 65},
        {"secondary_merchant_id": ""},
        {"secondary_merchant_industry": "54"},
        {"secondary_merchant_name": 'A "quoted" name'},
        {"secondary_merchant_name": "x" * 65},
        {"store_name": ""},
        {"store_name": 7},
        {"trans_currency": "hkd"},
        {"currency": "USD"},
        {"country_code": "Hong Kong"},
        {"passback_parameters": "no json"},
        {"passback_parameters": '{"a":{"b":1}}'},
        {"passback_parameters": json.dumps({"a": "x" * 256})},
        {"passback_parameters": {"a": "1"}},
        {"channel_fee": {"type": "OTHER", "value": "1"}},
        {"channel_fee": {"type": "RATE"}},
        {"notify_sign_type": "DSA"},
        {"notify_charset": "latin-1"},
        {"address": "x" * 2_000},
    ],
    ids=str,
)
async def test_biz_data_is_checked(here: World, changes: dict[str, object]) -> None:
    """Every rule of the table is held."""
    assert "ILLEGAL_ARGUMENT" == (await here.code_call("create", biz_data=shop(**changes))).error
    assert {"codes": [], "left_off": 0} == (await here.alipay.codes())


@pytest.mark.parametrize("text", ["[]", "{", "[" * 1_900])
async def test_biz_data_is_a_json_object(here: World, text: str) -> None:
    """Anything else is an illegal argument."""
    assert "ILLEGAL_ARGUMENT" == (await here.code_call("create", biz_data=text)).error


async def test_settlement_defaults_to_cny(here: World) -> None:
    """A missing settlement currency is CNY, and CNY prices settle in anything."""
    assert await here.create(currency=None)
    assert await here.create(store_id="VM_0002", trans_currency="CNY", currency="USD")


async def test_disputed_rules_can_be_switched(here: World) -> None:
    """Dashes in ids, the place of the store, and a sign type without a key."""
    here.alipay.switch({"dash_in_ids": True})
    assert await here.create(store_id="vm-1", country_code="HK", address="1 Queen's Road")
    here.alipay.switch({"dash_in_ids": False, "reject_address": True})
    assert (
        "ILLEGAL_ARGUMENT" == (await here.code_call("create", biz_data=shop(store_id="vm-2"))).error
    )
    assert (
        "ILLEGAL_ARGUMENT"
        == (await here.code_call("create", biz_data=shop(country_code="HK"))).error
    )
    here.alipay.switch({"reject_address": False, "require_address": True})
    assert "ILLEGAL_ARGUMENT" == (await here.code_call("create", biz_data=shop())).error
    here.alipay.switch({"require_address": False})
    assert (
        "ILLEGAL_SECURITY_PROFILE"
        == (await here.code_call("create", biz_data=shop(notify_sign_type="RSA2"))).error
    )


async def test_modify_replaces_what_may_change(here: World) -> None:
    """Name, passback and notify_url change; a notify_url that is left out stays."""
    qrcode = await here.create()
    answer = await here.code_call(
        "modify",
        qrcode=qrcode,
        notify_url="https://gw.example.com/new",
        biz_data=shop(store_name="Hall"),
    )
    assert {"qrcode": qrcode} == answer.signed
    await here.code_call("modify", qrcode=qrcode, biz_data=shop(store_name="Hall 2"))
    known = here.alipay.context.book.code(qrcode)
    assert known is not None
    assert ("Hall 2", "https://gw.example.com/new") == (known.store_name, known.notify_url)


@pytest.mark.parametrize(
    "changes",
    [
        {"secondary_merchant_id": "other"},
        {"store_id": "other"},
        {"trans_currency": "USD", "currency": "USD"},
    ],
)
async def test_modify_keeps_what_may_not_change(here: World, changes: dict[str, str]) -> None:
    """Sub-merchant, store and currencies are fixed; a channel fee can be neither removed nor
    added.
    """
    qrcode = await here.create()
    fee = {"type": "RATE", "value": "0.01"}
    with_fee = await here.create(channel_fee=fee)
    for code, data in (
        (qrcode, shop(**changes)),
        (qrcode, shop(channel_fee=fee)),
        (with_fee, shop()),
        ("https://none", shop()),
    ):
        assert (
            "ILLEGAL_ARGUMENT" == (await here.code_call("modify", qrcode=code, biz_data=data)).error
        )


async def test_stop_restart_delete(here: World) -> None:
    """Each is harmless when repeated; what is deleted stays so, and a new code takes its place, or
    not, as switched.
    """
    qrcode = await here.create()
    for status, after in (
        ("STOP", CodeStatus.STOPPED),
        ("STOP", CodeStatus.STOPPED),
        ("RESTART", CodeStatus.ACTIVE),
    ):
        assert {"qrcode": qrcode} == (
            await here.code_call("modifyStatus", qrcode=qrcode, status=status)
        ).signed
        known = here.alipay.context.book.code(qrcode)
        assert known is not None
        assert known.status is after
    await here.code_call("modifyStatus", qrcode=qrcode, status="DELETE")
    assert "" == (await here.code_call("modifyStatus", qrcode=qrcode, status="DELETE")).error
    assert (
        "ILLEGAL_ARGUMENT"
        == (await here.code_call("modifyStatus", qrcode=qrcode, status="RESTART")).error
    )
    assert (
        "ILLEGAL_ARGUMENT" == (await here.code_call("modify", qrcode=qrcode, biz_data=shop())).error
    )
    assert (
        "ILLEGAL_ARGUMENT"
        == (await here.code_call("modifyStatus", qrcode=qrcode, status="PAUSE")).error
    )
    here.alipay.switch({"delete_frees_slot": False})
    assert qrcode == await here.create()
    here.alipay.switch({"delete_frees_slot": True})
    assert await here.create() != qrcode


async def test_a_book_holds_only_so_many_codes(here: World) -> None:
    """Full is an answer, and nothing is made."""
    with here.alipay.context.book.change():
        here.alipay.context.book._db.execute("INSERT INTO facts VALUES ('code', 100000)")
    assert "SYSTEM_ERROR" == (await here.code_call("create", biz_data=shop())).error
    assert [] == (await here.alipay.codes())["codes"]
