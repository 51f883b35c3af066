"""The signature vectors: nine published MD5 ones (the Ruby gem chloerei/alipay), one RSA one,
eleven derived from the rules.
"""

from dataclasses import dataclass

KEY = "1" + "0" * 31
OTHER_KEY = "2" + "0" * 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """``text`` in ``charset`` with ``key`` gives ``md5``. ``whole`` names a field whose value holds
    an ampersand.
    """

    name: str
    text: str
    md5: str
    key: str = KEY
    charset: str = "utf-8"
    whole: str = ""

    def fields(self) -> dict[str, str]:
        """Cut the text back into its fields, in an order that is not the sorted one."""
        if self.whole:
            head, tail = self.text.split(f"&{self.whole}=")
            parts = [*head.split("&"), f"{self.whole}={tail}"]
        else:
            parts = self.text.split("&")
        return dict(part.split("=", 1) for part in reversed(parts))


_SHOP = (
    'biz_data={"address": "No.278, Road YinCheng, Shanghai, China","country_code": '
    '"CN","currency": "USD",'
    '"secondary_merchant_id": "xxx001","secondary_merchant_industry": '
    '"7011","secondary_merchant_name": "xxx Store",'
    '"store_id": "0001","store_name": "Apple store","trans_currency": '
    '"USD"}&biz_type=OVERSEASHOPQRCODE&partner=1000000000000000'
)
_CODE = "qrcode=https://qr.alipay.com/bax00000000000000000001"

D2_BODY = (
    b"service=alipay.commerce.qrcode.modifyStatus&partner=2088000000000001&timestamp=2026-01-15+10%3A20%3A32&biz_type=OVERSEASHOPQRCODE"
    b"&qrcode=https%3A%2F%2Fqr.alipay.com%2Fbax00000000000000000001&status=STOP&sign_type=MD5&sign=0af46897ced13315faaf4a62a96b0464"
)

PUBLISHED = [
    Vector(name="1", text="partner=123&service=test", md5="bbd13b52823b576291595f472ebcfbc2"),
    Vector(
        name="2",
        text="partner=123&service=test",
        md5="6d581af270c023fdaaca6880491e9bf7",
        key=OTHER_KEY,
    ),
    Vector(name="3", text="notify_id=1234", md5="22fc7e38e5acdfede396aa463870d111"),
    Vector(
        name="4",
        text="_input_charset=utf-8&partner=1000000000000000&partner_trans_id=2010121000000002&service=alipay.acquire.overseas.query",
        md5="2a7f598bbb13d02f7de819ae689f80ba",
    ),
    Vector(
        name="5",
        text="_input_charset=utf-8&currency=USD&is_sync=Y&partner=1000000000000000&partner_refund_id=301012133000002"
        "&partner_trans_id=2010121000000002&refund_amount=0.01&service=alipay.acquire.overseas.spot.refund",
        md5="397685a0c6b2d71d0d1f374ddba331a0",
    ),
    Vector(
        name="6",
        text=(
            f"_input_charset=utf-8&{_SHOP}&service=alipay.commerce.qrcode.create&timestamp=2023-12-11 "
            "17:01:01"
        ),
        md5="fbfcc8c9316cc209c385eefcbceb2105",
    ),
    Vector(
        name="7",
        text=f"_input_charset=utf-8&{_SHOP}&qr_code=https://qr.alipay.com/baxxxxx&service=alipay.commerce.qrcode.modify"
        "&timestamp=2023-12-11 17:01:01",
        md5="5a72863d023163147f2909e74b741e52",
    ),
    Vector(
        name="8",
        text="_input_charset=utf-8&account_name=毛毛&batch_fee=1000.0&batch_no=20080107001&batch_num=1"
        "&detail_data=0315006^testture0002@126.com^常炜买家^1000.00^hello&email=biz_932@alitest.com"
        "&notify_url=https://example.com/orders/20150401000-0001/notify&partner=1000000000000000&pay_date=20080107"
        "&service=batch_trans_notify",
        md5="59c611607daafd1337e96b22404bd521",
    ),
    Vector(
        name="9",
        text="_input_charset=utf-8&currency=USD&gmt_return=20150101000000&out_return_no=1&out_trade_no=12345678980"
        "&partner=1000000000000000&reason=reason&return_amount=0.01&service=forex_refund",
        md5="c9681fff5505fe993d1b2b8141308d0d",
    ),
]

DERIVED = [
    Vector(
        name="D1",
        text='_input_charset=UTF-8&biz_data={"store_name":"Example Vending VM 0001 '
        'bis"}&biz_type=OVERSEASHOPQRCODE'
        f"&partner=2088000000000001&{_CODE}&service=alipay.commerce.qrcode.modify&timestamp=2026-01-15 "
        "10:20:31",
        md5="e26fac051851b090c566ab72ee085052",
    ),
    Vector(
        name="D2",
        text=f"_input_charset=UTF-8&biz_type=OVERSEASHOPQRCODE&partner=2088000000000001&{_CODE}"
        "&service=alipay.commerce.qrcode.modifyStatus&status=STOP&timestamp=2026-01-15 10:20:32",
        md5="0af46897ced13315faaf4a62a96b0464",
    ),
    Vector(
        name="D3",
        text="_input_charset=UTF-8&currency=EUR&is_sync=Y&partner=2088000000000001&partner_refund_id=RF202601150001"
        "&partner_trans_id=OT202601150001&refund_amount=1.50&service=alipay.acquire.overseas.spot.refund",
        md5="711a98e75877da36404caa7d14ba5d6d",
    ),
    Vector(
        name="D4",
        text="_input_charset=UTF-8&currency=JPY&is_sync=N&notify_url=https://gw.example.com/notify/refund&partner=2088000000000001"
        "&partner_refund_id=RF202601150002&partner_trans_id=OT202601150002&refund_amount=100&service=alipay.acquire.overseas.spot.refund",
        md5="0322953fa6065b3ee17f257f53f7929e",
    ),
    Vector(
        name="D5",
        text="_input_charset=UTF-8&out_return_no=RF202601150001&out_trade_no=OT202601150001&partner=2088000000000001"
        "&service=alipay.acquire.refund.query",
        md5="e2222c949c585ef9e332d2a98da1ad51",
    ),
    Vector(
        name="D6",
        text="_input_charset=UTF-8&out_trade_no=OT202601150001&partner=2088000000000001&service=alipay.acquire.cancel"
        "&timestamp=1456507704121",
        md5="8aa0c67afd8f4ff57444fd94704c2ff1",
    ),
    Vector(
        name="D7",
        text="alipay_trans_id=2026011522001400000000000001&currency=EUR&exchange_rate=7.84239700&partner_refund_id=RF202601150001"
        "&partner_trans_id=OT202601150001&refund_amount=1.50&refund_amount_cny=11.76&result_code=SUCCESS",
        md5="dc1a28b21d5ebaade9427d93581c0b5d",
    ),
    Vector(
        name="D8",
        text=f"{_CODE}&qrcode_img_url=https://mobilecodec.alipay.com/show.htm?code=bax00000000000000000001&picSize=L",
        md5="b6802ffb4350fe1ee5f45fd33d56c12c",
        whole="qrcode_img_url",
    ),
    Vector(
        name="D9",
        text='buyer_email=tes***@example.com&buyer_id=2088000000000099&currency=EUR&extra_common_param={"machine":"VM_0001"}'
        "&gmt_create=2026-01-15 18:20:30&gmt_payment=2026-01-15 "
        "18:20:34&notify_action_type=payByAccountAction"
        "&notify_id=0123456789abcdef0123456789abcdef01&notify_time=2026-01-15 "
        "18:20:35&notify_type=trade_status_sync"
        '&out_trade_no=OT202601150001&paytools_pay_amount=[{"ALIPAYACCOUNT":"5.00"}]&price=5.00&quantity=1'
        "&seller_email=seller@example.com&seller_id=2088000000000001&subject=Example+Vending "
        "100%&total_fee=5.00"
        "&trade_no=2026011522001400000000000001&trade_status=TRADE_SUCCESS",
        md5="bf48b85894a22b89b17b2ccc475ffb54",
    ),
    Vector(
        name="D10",
        text="_input_charset=UTF-8&partner=2088000000000001&service=test&subject=自动售货机",
        md5="c37bb715bb6e9cadbacc0169139c6f8e",
    ),
    Vector(
        name="D11",
        text="_input_charset=GBK&partner=2088000000000001&service=test&subject=自动售货机",
        md5="729f3b36ab578ad8f0ce48bd555c6c77",
        charset="gbk",
    ),
]

ALL = PUBLISHED + DERIVED

RSA_TEXT = b"partner=123&service=test"
RSA_SIGNATURE = (
    "TaVXdP/0ia5NxIv9T76v6vGOrtgoaFrwnchKIWP9PQeX1UkUVxaq6ejDFmXFrFR+Plk+E/XzfV2DYJSVt0Am0qJRSgeg+PuvK+yWGCGm9GJgUJlS4Eyta3g+8DWwRWTj"
    "Uyh5yzlf9JoSnbNjYpBolnMRD7B/u1JLkTMJuMx2TVM="
)
RSA_PUBLIC_KEY = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCjNVhJf9PYDFN1PFd4SXEvxmjD0dn+xQ4lQu6o8HbGXz4de/RRVTJDL48qwxn81lar5cNSIjbnhDRXm9fZcrzuwbjqxXOv"
    "2Ov7MZAa/WJEcfvp3XcSgxKPB54FLVvHo/rxuMK2xpps47Lpc7vppkvi3ofbXW61S+aT0TWFkUMTnwIDAQAB"
)


def named(name: str) -> Vector:
    """Find one by its name."""
    return next(vector for vector in ALL if vector.name == name)
