"""What goes wrong with answers."""

from xml.etree.ElementTree import ParseError

import httpx
import pytest

from tests.alipay_client.simulator.merchant import World, read, signed

REFUND = "alipay.acquire.overseas.spot.refund"


async def _refund(here: World, refund_id: str = "R1") -> httpx.Response:
    if not (await here.alipay.book())["trades"]:
        here.alipay.pay(await here.create(), "50.00")
    ids = {
        "partner_trans_id": (await here.alipay.book())["trades"][0]["out_trade_no"],
        "partner_refund_id": refund_id,
    }
    return await here.send(signed(REFUND, **ids, refund_amount="1.00", currency="HKD", is_sync="Y"))


async def _done(here: World) -> int:
    return len((await here.alipay.book())["trades"][0]["refunds"])


@pytest.mark.parametrize(("fault", "done"), [("no_answer_done", 1), ("no_answer_undone", 0)])
async def test_no_answer(here: World, fault: str, done: int) -> None:
    """The connection ends without a byte, after or before the work; the same request again finds
    the truth.
    """
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.plan(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        await _refund(here)
    assert done == await _done(here)
    assert read((await _refund(here)).content).signed is not None
    assert 1 == await _done(here)


@pytest.mark.parametrize("fault", ["http_500", "html_page"])
async def test_pages_for_people(here: World, fault: str) -> None:
    """An outage page, before the work or after it; over many tries both happen."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.plan(*[fault] * 20)
    for number in range(20):
        response = await _refund(here, f"R{number}")
        assert response.status_code == (500 if fault == "http_500" else 200)
        assert response.headers["content-type"].startswith("text/html")
    assert 0 < await _done(here) < 20


async def test_cut_xml(here: World) -> None:
    """The work was done, but the answer ends early."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.plan("cut_xml")
    with pytest.raises((ParseError, IndexError)):
        read((await _refund(here)).content)
    assert 1 == await _done(here)


async def test_wrong_sign(here: World) -> None:
    """The work was done, but the signature is of something else."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.plan("wrong_sign")
    response = await _refund(here)
    with pytest.raises(AssertionError):
        read(response.content)
    assert 1 == await _done(here)


async def test_unsigned_failure(here: World) -> None:
    """A final-looking code that nobody signed, though the work was done."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.plan("unsigned_failure")
    answer = read((await _refund(here)).content)
    assert (None, "ILLEGAL_PARTNER_EXTERFACE") == (answer.signed, answer.error)
    assert 1 == await _done(here)


async def test_system_error(here: World) -> None:
    """SYSTEM_ERROR after the work, sometimes signed and sometimes not."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.plan(*["system_error"] * 20)
    answers = [read((await _refund(here, f"R{number}")).content) for number in range(20)]
    assert {"SYSTEM_ERROR"} == {answer.error for answer in answers}
    assert {True, False} == {answer.signed is None for answer in answers}
    assert 20 == await _done(here)


async def test_unknown(here: World) -> None:
    """Either spelling, signed, with the ids, whether done or not; only refunds and cancels can be
    unknown by chance.
    """
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.switch({"unknown": 1.0, "unknown_spelling": "UNKNOW"})
    for number in range(20):
        signed_part = read((await _refund(here, f"R{number}")).content).signed
        assert signed_part is not None
        assert "UNKNOW" == signed_part["result_code"]
        assert f"R{number}" == signed_part["partner_refund_id"]
    assert 0 < await _done(here) < 20
    query = await here.call("alipay.acquire.overseas.query", partner_trans_id="x")
    assert "TRADE_NOT_EXIST" == query.error


async def test_a_refund_that_is_refused(here: World) -> None:
    """A signed, final no, with nothing done; a refund that was taken on gets its true state
    instead.
    """
    here.alipay.pay(await here.create(), "50.00")
    await _refund(here, "R1")
    here.alipay.switch({"refund_refused": 1.0})
    known, other = (
        read((await _refund(here, "R1")).content),
        read((await _refund(here, "R2")).content),
    )
    assert known.signed is not None
    assert "SUCCESS" == known.signed["result_code"]
    assert other.signed is not None
    assert ("FAIL", "TRADE_HAS_CLOSE") == (other.signed["result_code"], other.signed["error"])
    assert 1 == await _done(here)


async def test_a_refund_that_is_answered_with_any_code(here: World) -> None:
    """Signed, known or of next year, whether or not the work was done; the question tells."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.switch({"odd_code": 1.0})
    codes = set()
    for number in range(40):
        signed_part = read((await _refund(here, f"R{number}")).content).signed
        assert signed_part is not None
        assert "FAIL" == signed_part["result_code"]
        codes.add(signed_part["error"])
    assert {"CODE_OF_2031", "TRADE_HAS_CLOSE", "DISCORDANT_REPEAT_REQUEST"} <= codes
    assert 0 < await _done(here) < 40


async def test_gbk_and_slow(here: World) -> None:
    """Answers in GBK still verify; a slow answer comes after the work."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.switch({"gbk_answer": 1.0, "slow": 1.0, "slow_ms": 250})
    response = await _refund(here)
    assert "text/xml;charset=GBK" == response.headers["content-type"]
    assert "" == read(response.content).error
    assert [0.25] == here.slept
    assert 1 == await _done(here)


async def test_only_named_services_are_struck(here: World) -> None:
    """Faults can be aimed."""
    here.alipay.switch({"http_500": 1.0, "services": [REFUND]})
    assert (await here.create()).startswith("https://")
    assert 500 == (await _refund(here)).status_code


async def test_the_same_seed_strikes_the_same(here: World) -> None:
    """Two tries of one request have fates of their own, fixed by the seed."""
    here.alipay.pay(await here.create(), "50.00")
    here.alipay.switch({"http_500": 0.5})
    seen = [(await _refund(here)).status_code for _ in range(12)]
    assert {200, 500} == set(seen)
    here.alipay.context.dice._tries.clear()
    assert seen == [(await _refund(here)).status_code for _ in range(12)]
