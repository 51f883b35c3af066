"""The simulator's own signatures against the published and derived vectors."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from alipay_client.simulator import SimulatorConfig
from alipay_client.simulator.signing import KeyRing, canonical, key_ring, sign, verifies
from tests.alipay_client.simulator.merchant import KEY, PARTNER

SHOP = (
    '{"address": "No.278, Road YinCheng, Shanghai, China","country_code": "CN","currency": '
    '"USD","secondary_merchant_id": "xxx001",'
    '"secondary_merchant_industry": "7011","secondary_merchant_name": "xxx Store","store_id": '
    '"0001","store_name": "Apple store",'
    '"trans_currency": "USD"}'
)
BATCH = (
    "_input_charset=utf-8&account_name=毛毛&batch_fee=1000.0&batch_no=20080107001&batch_num=1"
    "&detail_data=0315006^testture0002@126.com^常炜买家^1000.00^hello&email=biz_932@alitest.com"
    "&notify_url=https://example.com/orders/20150401000-0001/notify&partner=1000000000000000&pay_date=20080107&service=batch_trans_notify"
)
NOTIFICATION = (
    'buyer_email=tes***@example.com&buyer_id=2088000000000099&currency=EUR&extra_common_param={"machine":"VM_0001"}'
    "&gmt_create=2026-01-15 18:20:30&gmt_payment=2026-01-15 "
    "18:20:34&notify_action_type=payByAccountAction"
    "&notify_id=0123456789abcdef0123456789abcdef01&notify_time=2026-01-15 "
    "18:20:35&notify_type=trade_status_sync"
    '&out_trade_no=OT202601150001&paytools_pay_amount=[{"ALIPAYACCOUNT":"5.00"}]&price=5.00&quantity=1'
    "&seller_email=seller@example.com&seller_id=2088000000000001&subject=Example+Vending "
    "100%&total_fee=5.00"
    "&trade_no=2026011522001400000000000001&trade_status=TRADE_SUCCESS"
)
VECTORS = {
    "partner=123&service=test": "bbd13b52823b576291595f472ebcfbc2",
    "notify_id=1234": "22fc7e38e5acdfede396aa463870d111",
    "_input_charset=utf-8&partner=1000000000000000&partner_trans_id=2010121000000002&service=alipay.acquire.overseas.query": (
        "2a7f598bbb13d02f7de819ae689f80ba"
    ),
    "_input_charset=utf-8&currency=USD&is_sync=Y&partner=1000000000000000&partner_refund_id=301012133000002"
    "&partner_trans_id=2010121000000002&refund_amount=0.01&service=alipay.acquire.overseas.spot.refund": "397685a0c6b2d71d0d1f374ddba331a0",
    f"_input_charset=utf-8&biz_data={SHOP}&biz_type=OVERSEASHOPQRCODE&partner=1000000000000000&service=alipay.commerce.qrcode.create"
    "&timestamp=2023-12-11 17:01:01": "fbfcc8c9316cc209c385eefcbceb2105",
    f"_input_charset=utf-8&biz_data={SHOP}&biz_type=OVERSEASHOPQRCODE&partner=1000000000000000&qr_code=https://qr.alipay.com/baxxxxx"
    "&service=alipay.commerce.qrcode.modify&timestamp=2023-12-11 17:01:01": "5a72863d023163147f2909e74b741e52",
    BATCH: "59c611607daafd1337e96b22404bd521",
    "_input_charset=utf-8&currency=USD&gmt_return=20150101000000&out_return_no=1&out_trade_no=12345678980&partner=1000000000000000"
    "&reason=reason&return_amount=0.01&service=forex_refund": "c9681fff5505fe993d1b2b8141308d0d",
    '_input_charset=UTF-8&biz_data={"store_name":"Example Vending VM 0001 '
    'bis"}&biz_type=OVERSEASHOPQRCODE&partner=2088000000000001'
    "&qrcode=https://qr.alipay.com/bax00000000000000000001&service=alipay.commerce.qrcode.modify&timestamp=2026-01-15 "
    "10:20:31": ("e26fac051851b090c566ab72ee085052"),
    "_input_charset=UTF-8&biz_type=OVERSEASHOPQRCODE&partner=2088000000000001&qrcode=https://qr.alipay.com/bax00000000000000000001"
    "&service=alipay.commerce.qrcode.modifyStatus&status=STOP&timestamp=2026-01-15 10:20:32": "0af46897ced13315faaf4a62a96b0464",
    "_input_charset=UTF-8&currency=JPY&is_sync=N&notify_url=https://gw.example.com/notify/refund&partner=2088000000000001"
    "&partner_refund_id=RF202601150002&partner_trans_id=OT202601150002&refund_amount=100&service=alipay.acquire.overseas.spot.refund": (
        "0322953fa6065b3ee17f257f53f7929e"
    ),
    "_input_charset=UTF-8&out_return_no=RF202601150001&out_trade_no=OT202601150001&partner=2088000000000001"
    "&service=alipay.acquire.refund.query": "e2222c949c585ef9e332d2a98da1ad51",
    "_input_charset=UTF-8&out_trade_no=OT202601150001&partner=2088000000000001&service=alipay.acquire.cancel&timestamp=1456507704121": (
        "8aa0c67afd8f4ff57444fd94704c2ff1"
    ),
    "alipay_trans_id=2026011522001400000000000001&currency=EUR&exchange_rate=7.84239700&partner_refund_id=RF202601150001"
    "&partner_trans_id=OT202601150001&refund_amount=1.50&refund_amount_cny=11.76&result_code=SUCCESS": "dc1a28b21d5ebaade9427d93581c0b5d",
    NOTIFICATION: "bf48b85894a22b89b17b2ccc475ffb54",
}
RSA_PUBLIC = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCjNVhJf9PYDFN1PFd4SXEvxmjD0dn+xQ4lQu6o8HbGXz4de/RRVTJDL48qwxn81lar5cNSIjbnhDRXm9fZcrzu"
    "wbjqxXOv2Ov7MZAa/WJEcfvp3XcSgxKPB54FLVvHo/rxuMK2xpps47Lpc7vppkvi3ofbXW61S+aT0TWFkUMTnwIDAQAB"
)
RSA_SIGN = (
    "TaVXdP/0ia5NxIv9T76v6vGOrtgoaFrwnchKIWP9PQeX1UkUVxaq6ejDFmXFrFR+Plk+E/XzfV2DYJSVt0Am0qJRSgeg+PuvK+yWGCGm9GJgUJlS4Eyta3g+8DWw"
    "RWTjUyh5yzlf9JoSnbNjYpBolnMRD7B/u1JLkTMJuMx2TVM="
)


@pytest.fixture(name="private", scope="module")
def a_private_key() -> rsa.RSAPrivateKey:
    """A throw-away key of Alipay's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(("text", "digest"), VECTORS.items(), ids=range(len(VECTORS)))
def test_md5_vectors(text: str, digest: str) -> None:
    """Each published and derived MD5 vector comes out, and verifies."""
    ring = KeyRing(md5_key=KEY)
    assert digest == sign(text.encode(), "MD5", ring)
    assert verifies(text.encode(), digest, "MD5", ring)
    assert not verifies(text.encode() + b" ", digest, "MD5", ring)


def test_another_key_gives_another_digest() -> None:
    """Vector 2: the key is part of what is hashed."""
    ring = KeyRing(md5_key="2" + 31 * "0")
    assert "6d581af270c023fdaaca6880491e9bf7" == sign(b"partner=123&service=test", "MD5", ring)


def test_bytes_of_the_charset_are_hashed() -> None:
    """Vectors D10 and D11: one text, two charsets, two digests."""
    ring = KeyRing(md5_key=KEY)
    text = "_input_charset={}&partner=2088000000000001&service=test&subject=自动售货机"
    assert "c37bb715bb6e9cadbacc0169139c6f8e" == sign(text.format("UTF-8").encode(), "MD5", ring)
    assert "729f3b36ab578ad8f0ce48bd555c6c77" == sign(text.format("GBK").encode("gbk"), "MD5", ring)


def test_canonical_drops_empty_values_and_the_signature() -> None:
    """Vector D3: an empty reason vanishes, raw values stay raw, names stand in ASCII order."""
    parameters = {
        "service": "alipay.acquire.overseas.spot.refund",
        "refund_reason": "",
        "sign": "x",
        "sign_type": "MD5",
        "refund_amount": "1.50",
        "_input_charset": "UTF-8",
        "currency": "EUR",
        "is_sync": "Y",
        "partner": PARTNER,
        "partner_refund_id": "RF202601150001",
        "partner_trans_id": "OT202601150001",
    }
    assert "711a98e75877da36404caa7d14ba5d6d" == sign(
        canonical(parameters).encode(), "MD5", KeyRing(md5_key=KEY)
    )
    image = "https://mobilecodec.alipay.com/show.htm?code=bax00000000000000000001&picSize=L"
    answer = {"qrcode_img_url": image, "qrcode": "https://qr.alipay.com/bax00000000000000000001"}
    assert "b6802ffb4350fe1ee5f45fd33d56c12c" == sign(
        canonical(answer).encode(), "MD5", KeyRing(md5_key=KEY)
    )


def test_rsa_vector(private: rsa.RSAPrivateKey) -> None:
    """The published RSA-SHA1 signature verifies, and only as RSA."""
    config = SimulatorConfig(
        partner=PARTNER,
        sign_type="RSA",
        alipay_private_key=_pem(private),
        merchant_public_key=RSA_PUBLIC,
    )
    ring = key_ring(config)
    assert verifies(b"partner=123&service=test", RSA_SIGN, "RSA", ring)
    assert not verifies(b"partner=123&service=test", RSA_SIGN, "RSA2", ring)
    assert not verifies(b"partner=123&service=test", "not base64!", "RSA", ring)
    assert not verifies(b"partner=123&service=test", RSA_SIGN, "MD5", ring)


def test_keys_load_in_every_form(private: rsa.RSAPrivateKey) -> None:
    """PEM and bare base64, PKCS#1 and PKCS#8; what one form signs, each form of the public key
    verifies.
    """
    forms = [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
    privates = [_pem(private, form) for form in forms]
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    publics = [private.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()]
    for text in (*privates, *(_bare(pem) for pem in privates)):
        for public in (*publics, *(_bare(pem) for pem in publics)):
            config = SimulatorConfig(
                partner=PARTNER,
                sign_type="RSA2",
                alipay_private_key=text,
                merchant_public_key=public,
            )
            ring = key_ring(config)
            signature = sign(b"text", "RSA2", ring)
            assert 344 == len(signature)
            assert verifies(b"text", signature, "RSA2", ring)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "sign type RSA2 needs alipay_private_key and merchant_public_key"),
        ({"alipay_private_key": "AAAA"}, "alipay_private_key is no RSA private key"),
        (
            {"merchant_public_key": "-----BEGIN PUBLIC KEY-----"},
            "merchant_public_key is no RSA public key",
        ),
    ],
)
def test_a_missing_key_is_named(keys: dict[str, str], sentence: str) -> None:
    """A configuration without its keys is refused with a sentence, and keys are never printed."""
    config = SimulatorConfig(partner=PARTNER, sign_type="RSA2", **json.loads(json.dumps(keys)))
    with pytest.raises(ValueError, match=sentence):
        key_ring(config)
    assert not any(value in repr(config) for value in keys.values())


def test_no_key_signs_nothing() -> None:
    """A signature without a key is an error, never an empty text."""
    with pytest.raises(ValueError, match="no key"):
        sign(b"", "MD5", KeyRing())


def test_the_digest_is_over_text_and_key() -> None:
    """The key follows the text directly."""
    assert sign(b"a=b", "MD5", KeyRing(md5_key="k")) == hashlib.md5(b"a=bk").hexdigest()


def _pem(
    private: rsa.RSAPrivateKey,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
) -> str:
    return private.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def _bare(pem: str) -> str:
    text = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    assert base64.b64decode(text)
    return text
