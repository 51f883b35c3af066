"""The book as JSON."""

from tests.alipay_client.simulator.merchant import World


async def test_the_book_adds_up(here: World) -> None:
    """Each trade with its refunds; totals over the whole book even where rows are left off."""
    qrcode = await here.create()
    last = [here.alipay.pay(qrcode, amount, "bob") for amount in ("1.00", "2.00", "3.00")][-1]
    await here.refund(last.out_trade_no, "R1", "0.50")
    view = await here.alipay.book(2)
    assert [200, 300] == [trade["paid_minor"] for trade in view["trades"]]
    assert 1 == view["left_off"]
    assert {"HKD": {"paid_minor": 600, "refunded_minor": 50}} == view["totals"]
    trade = view["trades"][1]
    assert (trade["trade_no"], trade["buyer"], trade["store_id"], trade["refunded_minor"]) == (
        last.trade_no,
        "bob",
        "VM_0001",
        50,
    )
    assert trade["notified"] is False
    await here.alipay.settle()
    assert (await here.alipay.book(2))["trades"][1]["notified"] is True


async def test_codes(here: World) -> None:
    """Living codes come first, and what is left off is counted."""
    gone = await here.create(store_id="VM_0000")
    await here.code_call("modifyStatus", qrcode=gone, status="DELETE")
    qrcode = await here.create()
    expected = {
        "qrcode": qrcode,
        "store_id": "VM_0001",
        "store_name": "Lobby",
        "currency": "HKD",
        "status": "ACTIVE",
    }
    assert {"codes": [expected], "left_off": 1} == await here.alipay.codes(1)
