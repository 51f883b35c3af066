"""One code and one trade of the pretend Alipay."""

from alipay_client.simulator import gmt8, model
from alipay_client.simulator.model import Code, CodeStatus

NOON_MS = gmt8.parse("2026-01-15 12:00:00")


CODE = Code(
    qrcode="https://qr.alipay.com/bax1",
    secondary_merchant_id="m",
    store_id="VM_0001",
    store_name="Lobby",
    trans_currency="HKD",
    currency="HKD",
    channel_fee="",
    passback="",
    notify_url="",
    notify_sign_type="",
    notify_charset="",
    status=CodeStatus.ACTIVE,
    created_at_ms=NOON_MS,
)


TRADE = model.pay(CODE, amount_minor=1_000, buyer="alice", now_ms=NOON_MS, birth=NOON_MS, number=1)
