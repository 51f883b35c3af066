"""Alipay's file of vouchers is read as it is, and what is wrong is said by its line."""

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office.voucher_csv import LINES_MAX, TWICE, VoucherFileLine, read
from storage.insight.vouchers import VoucherKind
from tests.gateway.office.vouchers import HEADS, voucher, vouchers


def _read(*lines: str) -> list[VoucherFileLine]:
    return read(vouchers(*lines).encode())


def test_a_line_is_a_redemption() -> None:
    """Under a key of its own, with both numbers of the payment; the voucher's is nowhere in it."""
    used, back = _read(voucher("v1"), voucher("v1", kind="I"))
    assert used.told is not None
    assert back.told is not None
    assert (2, VoucherKind.REDEEMED, "T1", 850, 200, "HKD") == (
        used.number,
        used.told.kind,
        used.told.template,
        used.told.order_minor,
        used.told.voucher_minor,
        used.told.currency,
    )
    assert ("51051001000000000002", "2021030421001004680219786774") == used.told.payments
    assert (VoucherKind.GIVEN_BACK, used.told.payments) == (back.told.kind, back.told.payments)
    assert used.told.key != back.told.key
    assert "v1" not in str(used.told).replace(used.told.key, "")


def test_the_numbers_may_stand_the_other_way_round() -> None:
    """The documents' table says so, and their example otherwise: it is the same redemption."""
    (used,) = _read("v1")
    swapped = HEADS.replace(
        "transactionId,transactionRequestId", "transactionRequestId,transactionId"
    )
    (same,) = read(f"{swapped}\n{voucher('v1')}\n".encode())
    assert used.told is not None
    assert same.told is not None
    assert used.told.key == same.told.key


def test_a_line_is_known_by_either_number() -> None:
    """Also one that leaves out the second: it names the same redemption as the one with both."""
    (both,) = _read("v1")
    (blank,) = _read(voucher("v1", trade=""))
    assert both.told is not None
    assert blank.told is not None
    assert 2 == len(both.told.number_keys)
    assert set(blank.told.number_keys) < set(both.told.number_keys)
    assert blank.told.key in blank.told.number_keys
    (other,) = _read(voucher("v2", trade=""))
    assert other.told is not None
    assert not set(other.told.number_keys) & set(both.told.number_keys)


def test_a_file_without_one_of_the_numbers_is_refused() -> None:
    """The same redemption would have another key, and be counted a second time."""
    for name in ("transactionId", "transactionRequestId"):
        place = HEADS.split(",").index(name)
        cells = [line.split(",") for line in (HEADS, voucher("v1"))]
        cut = "\n".join(",".join([*one[:place], *one[place + 1 :]]) for one in cells)
        with pytest.raises(CallRefused) as refused:
            read(cut.encode())
        assert f"has no column {name}" in str(refused.value.refusal.problems[0].description)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (voucher(kind="X"), "paymentType: must be S or I, not 'X'"),
        (voucher(currency="XXX"), "currency: is none that Alipay settles"),
        (voucher(amount="2.001"), "voucherAmount: finer than the minor unit of HKD"),
        (voucher(amount="0.00"), "voucherAmount: is no amount of a payment"),
        (voucher(amount="-1"), "voucherAmount: not a plain decimal amount"),
        (voucher(order="9" * 14), "orderAmount: is no amount of a payment"),
        (voucher(template=""), "templateId: must have 1 to 64 characters"),
        (voucher(template="2.02013E+45"), "templateId: a spreadsheet has shortened it"),
        (voucher(trade="2E+27"), "transactionRequestId: a spreadsheet has shortened it, '2E+27'"),
        (voucher("v" * 65), "voucherId: must have 1 to 64 characters"),
        (voucher("ü"), "voucherId: must have 1 to 64 characters"),
        ("v1,T1", "has 2 cells, and the first line 11"),
    ],
)
def test_what_is_wrong_is_said(line: str, said: str) -> None:
    """With the column's name."""
    (told,) = _read(line)
    assert told.told is None
    assert any(one.startswith(said) for one in told.problems), told.problems


def test_a_line_that_comes_twice_is_wrong_both_times() -> None:
    """Nobody knows which one counts."""
    assert [(TWICE,), (TWICE,)] == [one.problems for one in _read("v1", "v1")]
    blank = _read("v1", voucher("v1", trade=""), "v2")
    assert [(TWICE,), (TWICE,), ()] == [one.problems for one in blank]


def test_a_file_of_something_else_is_refused() -> None:
    """Another report, an empty file, one that is too long."""
    for content, said in (
        (b"", "is empty"),
        (b"voucherId,userId\n1,2\n", "has no column templateId, transactionId"),
        ((HEADS + "\n" + "\n".join(["x"] * (LINES_MAX + 1))).encode(), "at most 10000 lines"),
    ):
        with pytest.raises(CallRefused) as refused:
            read(content)
        assert said in str(refused.value.refusal.problems[0].description)
