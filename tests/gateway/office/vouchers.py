"""Alipay's file of redeemed vouchers, as its documents show one."""

HEADS = (
    "voucherId,templateId,voucherType,merchantId,transactionId,transactionRequestId,orderAmount,"
    "voucherAmount,currency,paymentType,paymentTime"
)


def voucher(
    name: str = "v1",
    *,
    template: str = "T1",
    trade: str = "2021030421001004680219786774",
    amount: str = "2.00",
    kind: str = "S",
    order: str = "8.50",
    currency: str = "HKD",
) -> str:
    """A line of the file. The payment's number stands where the documents' example has it."""
    return (
        f"{name},{template},FIXED_VOUCHER,21601200345678,51051001000000000002,{trade},{order},"
        f"{amount},{currency},{kind},2021-05-25 16:04:04"
    )


def vouchers(*lines: str) -> str:
    """A file of these lines; a single word is the name of a voucher."""
    told = [line if "," in line else voucher(line) for line in lines]
    return "\n".join((HEADS, *told, ""))
