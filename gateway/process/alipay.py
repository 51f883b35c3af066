"""How to reach Alipay and with which keys, from the settings' table ``[alipay]``.

Flows in: the table, and the files that it names. Flows out: the client's configuration and loaded
keys, and a sentence for each thing that is wrong with them.
"""

import re

from alipay_client import config as alipay_config
from alipay_client.config import AlipayConfig, SignType
from alipay_client.errors import Misused
from alipay_client.keys import Keys, load_keys
from alipay_client.notify import READ_OTHERWISE
from gateway.process.files import Problems
from gateway.process.sections import Alipay


def alipay(section: Alipay, problems: Problems) -> tuple[AlipayConfig, Keys | None]:
    """Return how to reach Alipay, and with which keys; None if something is wrong with them."""
    before = len(problems.sentences)
    if not re.fullmatch(r"2088\d{12}", section.partner):
        problems.add(
            "alipay.partner must be the 16 digits of your partner id (PID), which begins with 2088."
        )
    gateway_url, backup_url = _gateway(section.environment, problems)
    if section.backup_url:
        backup_url = section.backup_url
        _gateway_url("alipay.backup_url", backup_url, problems)
    made = AlipayConfig(
        partner=section.partner,
        sign_type=section.sign_type,
        md5_key=problems.secret("alipay.md5_key_file", section.md5_key_file),
        private_key=problems.pem("alipay.private_key_file", section.private_key_file, private=True),
        alipay_public_key=problems.pem("alipay.public_key_file", section.public_key_file),
        gateway_url=gateway_url,
        backup_url=backup_url,
        connect_timeout_ms=section.connect_timeout_ms,
        read_timeout_ms=section.read_timeout_ms,
        notify_sign_types=frozenset(section.notify_sign_types),
        notify_amount_field=section.notify_amount_field,
        notify_currency_field=section.notify_currency_field,
        refund_reason_field=section.refund_reason_field,
    )
    for name, read, other in (
        ("notify_amount_field", section.notify_amount_field, "currency"),
        ("notify_currency_field", section.notify_currency_field, "total_fee"),
    ):
        if read in READ_OTHERWISE | {other}:
            problems.add(
                f"alipay.{name}: {read!r} is read as something else, so that no payment could be "
                "believed; write the field's name as Alipay's notifications have it."
            )
    wanted = {section.sign_type, *section.notify_sign_types}
    if SignType.MD5 in wanted and section.md5_key_file is None:
        problems.add(
            "alipay.md5_key_file is needed for MD5: a file with the 32 characters of your "
            "security key."
        )
    if wanted & {SignType.RSA, SignType.RSA2}:
        if section.private_key_file is None:
            problems.add(
                f"alipay.private_key_file is needed for {section.sign_type}: a file with your "
                "own private key (PEM)."
            )
        if section.public_key_file is None:
            problems.add(
                f"alipay.public_key_file is needed for {section.sign_type}: a file with "
                "Alipay's public key (PEM), not yours."
            )
    keys: Keys | None = None
    if len(problems.sentences) == before:
        try:
            keys = load_keys(made)
        except Misused as error:
            problems.add(f"alipay: {error.detail or error}")
    return made, keys


def _gateway(environment: str, problems: Problems) -> tuple[str, str]:
    if environment == "sandbox":
        return alipay_config.SANDBOX_URL, ""
    if environment == "production":
        return alipay_config.PRODUCTION_URL, alipay_config.PRODUCTION_BACKUP_URL
    if "://" not in environment:
        problems.add(
            f"alipay.environment: {environment!r} is neither sandbox, production nor a URL "
            "such as http://127.0.0.1:8188/gateway.do."
        )
    else:
        _gateway_url("alipay.environment", environment, problems)
    return environment, ""


def _gateway_url(name: str, url: str, problems: Problems) -> None:
    try:
        alipay_config.require_gateway_url(url)
    except Misused as error:
        problems.add(f"{name}: {error.detail}.")
