"""Outcomes: refused, unknown and done are three different answers."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from alipay_client import answers, messages
from alipay_client.envelope import Answer
from alipay_client.errors import AlipayError, OutcomeUnknown, Refused, Retry, Unlisted, Untrusted
from alipay_client.messages import RefundState

QRCODE = "https://qr.alipay.com/bax1"
REFUND = messages.Refund(
    partner_trans_id="OT1",
    partner_refund_id="RF1",
    amount_minor=150,
    currency="EUR",
    alipay_trans_id="2026011522001400000000000001",
)
ECHO = {
    "partner_trans_id": "OT1",
    "partner_refund_id": "RF1",
    "refund_amount": "1.50",
    "currency": "EUR",
    "alipay_trans_id": "2026011522001400000000000001",
}
QUERY = messages.QueryRefund(partner_trans_id="OT1", partner_refund_id="RF1")
NAMED = {"out_trade_no": "OT1", "out_return_no": "RF1"}
TRADE = messages.QueryTrade(partner_trans_id="OT1")
PAID = {
    "result_code": "SUCCESS",
    "alipay_trans_status": "TRADE_SUCCESS",
    "partner_trans_id": "OT1",
    "alipay_trans_id": "2026",
    "trans_amount": "5.00",
    "currency": "HKD",
}


def yes(fields: Mapping[str, str]) -> Answer:
    """A signed answer."""
    return Answer(is_success=True, fields=fields)


def no(code: str) -> Answer:
    """A failure at the gateway, unsigned."""
    return Answer(is_success=False, error=code)


def refund_error(answer: Answer) -> AlipayError:
    """Read a refund's answer that must not be a success."""
    with pytest.raises(AlipayError) as caught:
        answers.refund(answer, REFUND)
    return caught.value


GATEWAY_CODES = [
    "SYSTEM_ERROR",
    "SYSTEM_EXCEPTION",
    "SESSION_TIMEOUT",
    "ILLEGAL_SIGN",
    "ILLEGAL_PARTNER_EXTERFACE",
    "TRADE_NOT_EXIST",
    "X",
]


@pytest.mark.parametrize("code", GATEWAY_CODES)
def test_an_unsigned_failure_never_settles_a_question_about_money(code: str) -> None:
    """Refund, refund query and trade query stay open, and carry the code."""
    for read in (
        lambda: answers.refund(no(code), REFUND),
        lambda: answers.query_refund(no(code), QUERY),
        lambda: answers.query_trade(no(code), TRADE),
    ):
        with pytest.raises(OutcomeUnknown) as caught:
            read()
        assert code == caught.value.code
        assert not isinstance(caught.value, Untrusted)


@pytest.mark.parametrize(
    ("text", "code"), [("", "no_code"), ("<b>\n", "unreadable_code"), ("X" * 65, "unreadable_code")]
)
def test_codes_are_safe_to_log(text: str, code: str) -> None:
    """What does not look like a code is not repeated."""
    assert code == refund_error(no(text)).code


def test_a_refund_is_done_when_synchronous_and_accepted_when_not() -> None:
    """SUCCESS means two things (docs/alipay.md 5.3)."""
    answer = yes({**ECHO, "result_code": "SUCCESS"})
    later = messages.Refund(
        partner_trans_id="OT1",
        partner_refund_id="RF1",
        amount_minor=150,
        currency="EUR",
        synchronous=False,
    )
    assert messages.RefundAnswer(
        state=RefundState.SUCCEEDED, partner_refund_id="RF1"
    ) == answers.refund(answer, REFUND)
    assert messages.RefundAnswer(
        state=RefundState.ACCEPTED, partner_refund_id="RF1"
    ) == answers.refund(answer, later)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"result_code": "UNKNOWN"}, OutcomeUnknown, "UNKNOWN"),
        ({"result_code": "UNKNOW"}, OutcomeUnknown, "UNKNOW"),
        ({"result_code": "UNKNOWN", "error": "SYSTEM_ERROR"}, OutcomeUnknown, "SYSTEM_ERROR"),
        ({"result_code": "FAIL", "error": "SYSTEM_ERROR"}, OutcomeUnknown, "SYSTEM_ERROR"),
        ({"result_code": "FAIL", "error": "SESSION_TIMEOUT"}, OutcomeUnknown, "SESSION_TIMEOUT"),
        ({"result_code": "FAIL", "error": "UNKNOWN"}, OutcomeUnknown, "UNKNOWN"),
        (
            {"result_code": "FAIL", "error": "REPEATED_REFUNDMENT_REQUEST"},
            Unlisted,
            "REPEATED_REFUNDMENT_REQUEST",
        ),
        ({"result_code": "FAIL", "error": "RETURN_AMOUNT_EXCEED"}, Refused, "RETURN_AMOUNT_EXCEED"),
        (
            {"result_code": "FAIL", "detail_error_code": "TRADE_NOT_EXIST"},
            Unlisted,
            "TRADE_NOT_EXIST",
        ),
        ({"result_code": "FAIL"}, Unlisted, "FAIL"),
        ({"result_code": "FAIL", "error": "SYSTEM_BUSY"}, Unlisted, "SYSTEM_BUSY"),
        (
            {"result_code": "FAIL", "error": "DISCORDANT_REPEAT_REQUEST"},
            Unlisted,
            "DISCORDANT_REPEAT_REQUEST",
        ),
        ({"result_code": "FAIL", "error": "CODE_OF_2031"}, Unlisted, "CODE_OF_2031"),
        ({"result_code": "FAIL", "error": "<b>"}, Unlisted, "unreadable_code"),
        ({"result_code": "success"}, OutcomeUnknown, "success"),
        ({}, OutcomeUnknown, "no_code"),
    ],
)
def test_a_signed_refund_answer_is_classified_as_documented(
    fields: Mapping[str, str], kind: type[AlipayError], code: str
) -> None:
    """The table of docs/alipay.md 5.4; what is not in it is unknown."""
    error = refund_error(yes(fields))
    assert (kind, code) == (type(error), error.code)


def test_every_definite_no_has_its_source() -> None:
    """What no section of docs/alipay.md lists settles nothing, however final it sounds."""
    for code, source in answers.FINAL.items():
        assert Refused is type(refund_error(yes({**ECHO, "result_code": "FAIL", "error": code})))
        section, _, _ = source.partition(":")
        listed = _section(section)
        assert f"`{code}`" in listed, f"{code} does not stand in docs/alipay.md {section}"


def _section(number: str) -> str:
    """Return the text of a section of docs/alipay.md."""
    text = (Path(__file__).parents[2] / "docs" / "alipay.md").read_text()
    _, found, rest = text.partition(f"* **{number} ")
    assert found
    return rest.partition("\n* **")[0]


def test_what_alipay_says_in_words_is_kept_for_people() -> None:
    """A code that nobody knows comes with its own description, if that is plain text."""
    said = {**ECHO, "result_code": "FAIL", "error": "NEW_CODE"}
    told = refund_error(yes({**said, "detail_error_des": "the trade is being settled"}))
    assert "the trade is being settled" in told.detail
    assert "\x1b" not in refund_error(yes({**said, "detail_error_des": "\x1b[2J"})).detail


ASKED = {"service": "alipay.acquire.refund.query", "partner": "2088", "out_return_no": "RF1"}


@pytest.mark.parametrize("name", sorted(ASKED))
@pytest.mark.parametrize("is_success", [True, False])
def test_an_answer_to_another_request_is_no_answer(name: str, is_success: bool) -> None:
    """Another service, merchant or refund, whatever the signed part says."""
    answers.check_request(Answer(is_success=is_success, echo=tuple(ASKED.items())), ASKED)
    answers.check_request(Answer(is_success=is_success, echo=(("charset", "x"),)), ASKED)
    other = Answer(is_success=is_success, echo=tuple({**ASKED, name: "another"}.items()))
    with pytest.raises(Untrusted) as caught:
        answers.check_request(other, ASKED)
    assert "echo_mismatch" == caught.value.code


def test_short_of_funds_is_refused_until_later() -> None:
    """The same id again in hours; every other refusal is for a person."""
    short = refund_error(
        yes({**ECHO, "result_code": "FAIL", "error": "MERCHANT_BALANCE_NOT_ENOUGH"})
    )
    final = refund_error(yes({**ECHO, "result_code": "FAIL", "error": "TRADE_HAS_CLOSE"}))
    assert isinstance(short, Refused)
    assert isinstance(final, Refused)
    assert (Retry.LATER_SAME_ID, Retry.NEVER) == (short.retry, final.retry)


@pytest.mark.parametrize("result", ["SUCCESS", "FAIL"])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"partner_refund_id": "RF2"}, "echo_mismatch"),
        ({"out_return_no": "RF2"}, "echo_mismatch"),
        ({"out_trade_no": "OT2"}, "echo_mismatch"),
        ({"trade_no": "2027"}, "echo_mismatch"),
        ({"partner_trans_id": "OT2"}, "echo_mismatch"),
        ({"alipay_trans_id": "2027"}, "echo_mismatch"),
        ({"refund_amount": "1.51"}, "echo_mismatch"),
        ({"refund_amount": "x"}, "bad_amount"),
        ({"currency": "HKD"}, "echo_mismatch"),
    ],
)
def test_an_answer_about_another_refund_is_not_believed(
    changes: Mapping[str, str], code: str, result: str
) -> None:
    """A signature alone does not say that the answer is to this question."""
    error = refund_error(yes({**ECHO, "result_code": result, **changes}))
    assert isinstance(error, Untrusted)
    assert code == error.code


def test_a_success_that_names_no_refund_is_not_believed() -> None:
    """It could be an old answer played again."""
    error = refund_error(yes({"result_code": "SUCCESS"}))
    assert (Untrusted, "echo_missing") == (type(error), error.code)


@pytest.mark.parametrize(
    ("fields", "state", "error"),
    [
        ({"response_code": "SUCCESS", "refund_result_code": "SUCCESS"}, RefundState.SUCCEEDED, ""),
        (
            {"response_code": "SUCCESS", "refund_result_code": "PROCESSING"},
            RefundState.ACCEPTED,
            "",
        ),
        (
            {
                "response_code": "SUCCESS",
                "refund_result_code": "PROCESSING",
                "refund_error_code": "MERCHANT_BALANCE_NOT_ENOUGH",
            },
            RefundState.ACCEPTED,
            "MERCHANT_BALANCE_NOT_ENOUGH",
        ),
        (
            {
                "response_code": "SUCCESS",
                "refund_result_code": "FAILED",
                "refund_error_code": "MERCHANT_BALANCE_NOT_ENOUGH",
            },
            RefundState.FAILED,
            "MERCHANT_BALANCE_NOT_ENOUGH",
        ),
        (
            {"response_code": "SUCCESS", "refund_result_code": "CANCELED"},
            RefundState.FAILED,
            "CANCELED",
        ),
        ({"response_code": "NOT_FOUND"}, RefundState.NOT_FOUND, "NOT_FOUND"),
        ({"response_code": "TRADE_NOT_EXIST"}, RefundState.NOT_FOUND, "TRADE_NOT_EXIST"),
    ],
)
def test_a_refund_query_tells_the_refunds_state(
    fields: Mapping[str, str], state: RefundState, error: str
) -> None:
    """The table of docs/alipay.md 5.8."""
    expected = messages.RefundAnswer(state=state, partner_refund_id="RF1", error=error)
    assert expected == answers.query_refund(yes({**NAMED, **fields}), QUERY)


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({**NAMED, "response_code": "QUERY_FAILED"}, OutcomeUnknown, "QUERY_FAILED"),
        ({**NAMED, "response_code": "ACCESS_FORBIDDEN"}, OutcomeUnknown, "ACCESS_FORBIDDEN"),
        ({**NAMED, "error": "SYSTEM_ERROR"}, OutcomeUnknown, "SYSTEM_ERROR"),
        (
            {**NAMED, "response_code": "SUCCESS", "refund_result_code": "WAITING"},
            OutcomeUnknown,
            "WAITING",
        ),
        ({**NAMED, "response_code": "SUCCESS"}, OutcomeUnknown, "no_code"),
        ({"response_code": "SUCCESS", "refund_result_code": "SUCCESS"}, Untrusted, "echo_missing"),
        (
            {**NAMED, "out_return_no": "RF2", "response_code": "NOT_FOUND"},
            Untrusted,
            "echo_mismatch",
        ),
        (
            {
                **NAMED,
                "out_trade_no": "OT2",
                "response_code": "SUCCESS",
                "refund_result_code": "SUCCESS",
            },
            Untrusted,
            "echo_mismatch",
        ),
    ],
)
def test_a_refund_query_that_tells_nothing_leaves_the_refund_unknown(
    fields: Mapping[str, str], kind: type[AlipayError], code: str
) -> None:
    """Never ``Refused``: that would read as a refusal of the refund."""
    with pytest.raises(OutcomeUnknown) as caught:
        answers.query_refund(yes(fields), QUERY)
    assert (kind, code) == (type(caught.value), caught.value.code)


@pytest.mark.parametrize(
    "status", ["WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"]
)
def test_a_trade_query_tells_the_trades_state(status: str) -> None:
    """With amount and currency; the ids under either name."""
    expected = messages.TradeAnswer(
        status=status,
        partner_trans_id="OT1",
        alipay_trans_id="2026",
        amount_minor=500,
        currency="HKD",
    )
    other_name = {
        **PAID,
        "alipay_trans_status": status,
        "out_trade_no": "OT1",
        "partner_trans_id": "",
    }
    assert expected == answers.query_trade(yes({**PAID, "alipay_trans_status": status}), TRADE)
    assert expected == answers.query_trade(yes(other_name), TRADE)
    assert expected == answers.query_trade(
        yes({**PAID, "alipay_trans_status": status}), messages.QueryTrade(alipay_trans_id="2026")
    )


def test_an_unpaid_trade_may_name_no_amount() -> None:
    """Then it is zero of no currency."""
    fields = {
        "result_code": "SUCCESS",
        "alipay_trans_status": "WAIT_BUYER_PAY",
        "partner_trans_id": "OT1",
    }
    assert messages.TradeAnswer(
        status="WAIT_BUYER_PAY", partner_trans_id="OT1"
    ) == answers.query_trade(yes(fields), TRADE)


@pytest.mark.parametrize("name", ["error", "detail_error_code"])
def test_a_signed_unknown_trade_does_not_exist(name: str) -> None:
    """An answer, not an error."""
    answer = answers.query_trade(yes({"result_code": "FAIL", name: "TRADE_NOT_EXIST"}), TRADE)
    assert messages.TradeAnswer(status="NOT_EXIST", partner_trans_id="OT1") == answer


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"result_code": "FAIL", "error": "SYSTEM_ERROR"}, OutcomeUnknown, "SYSTEM_ERROR"),
        ({"result_code": "FAIL", "error": "ACCESS_FORBIDDEN"}, Unlisted, "ACCESS_FORBIDDEN"),
        ({"result_code": "UNKNOWN", "error": "TRADE_NOT_EXIST"}, OutcomeUnknown, "TRADE_NOT_EXIST"),
        ({**PAID, "alipay_trans_status": "TRADE_PENDING"}, OutcomeUnknown, "TRADE_PENDING"),
        ({**PAID, "trans_amount": ""}, Untrusted, "missing_field"),
        ({**PAID, "trans_amount": "5.001"}, Untrusted, "bad_amount"),
        ({**PAID, "currency": ""}, Untrusted, "bad_amount"),
        ({**PAID, "partner_trans_id": "OT2"}, Untrusted, "echo_mismatch"),
        ({**PAID, "out_trade_no": "OT2"}, Untrusted, "echo_mismatch"),
        ({**PAID, "partner_trans_id": ""}, Untrusted, "echo_missing"),
    ],
)
def test_a_trade_query_that_tells_nothing_certain_is_named(
    fields: Mapping[str, str], kind: type[AlipayError], code: str
) -> None:
    """Another trade's state, a state without an amount, a failed query: never ``Refused``, which
    would read as a refusal of the trade.
    """
    with pytest.raises(AlipayError) as caught:
        answers.query_trade(yes(fields), TRADE)
    assert (kind, code) == (type(caught.value), caught.value.code)


@pytest.mark.parametrize(
    "fields", [{"qrcode": QRCODE}, {"qrcode": QRCODE, "result_code": "SUCCESS"}]
)
def test_a_code_is_read_with_or_without_result_code(fields: Mapping[str, str]) -> None:
    """Its presence is not documented for these calls; the picture comes with create alone."""
    assert messages.CodeAnswer(qrcode=QRCODE) == answers.code(yes(fields))
    assert messages.CodeAnswer(qrcode=QRCODE, image_url="https://i") == answers.code(
        yes({**fields, "qrcode_img_url": "https://i"}), QRCODE
    )


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (no("ILLEGAL_SIGN"), Refused, "ILLEGAL_SIGN"),
        (no("HAS_NO_PRIVILEGE"), Refused, "HAS_NO_PRIVILEGE"),
        (no("SYSTEM_ERROR"), OutcomeUnknown, "SYSTEM_ERROR"),
        (no("SOMETHING_NEW"), OutcomeUnknown, "SOMETHING_NEW"),
        (no(""), OutcomeUnknown, "no_code"),
        (yes({"result_code": "FAIL", "error": "ILLEGAL_ARGUMENT"}), Refused, "ILLEGAL_ARGUMENT"),
        (yes({"result_code": "FAIL", "error": "SYSTEM_ERROR"}), OutcomeUnknown, "SYSTEM_ERROR"),
        (yes({"result_code": "UNKNOWN"}), OutcomeUnknown, "UNKNOWN"),
        (yes({"result_code": "SUCCESS"}), Untrusted, "echo_mismatch"),
        (yes({"qrcode": "https://qr.alipay.com/another"}), Untrusted, "echo_mismatch"),
    ],
)
def test_a_code_that_was_not_changed_is_classified(
    answer: Answer, kind: type[AlipayError], code: str
) -> None:
    """Both shapes of failure; a final gateway code may refuse because no money is at stake."""
    with pytest.raises(AlipayError) as caught:
        answers.code(answer, QRCODE)
    assert (kind, code) == (type(caught.value), caught.value.code)
