"""A folder as an operator would have it: keys, certificates and a configuration file that is right,
to be spoilt by tests.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.alipay_client.wire import PARTNER, Pair, private_pem, public_pem

SALT = "a salt that only tests may use"


def good(folder: Path, pair: Pair) -> dict[str, Any]:
    """Write the key files and return the tables of a configuration that is accepted."""
    (folder / "merchant.pem").write_text(private_pem(pair.merchant))
    (folder / "alipay.pem").write_text(public_pem(pair.alipay))
    (folder / "salt").write_text(SALT + "\n")
    for secret in ("merchant.pem", "salt"):
        (folder / secret).chmod(0o600)
    return {
        "payer_salt_file": "salt",
        "database": {"url": "sqlite:///vendgate.db"},
        "machines": {},
        "admin": {},
        "http": {},
        "health": {},
        "alipay": {
            "environment": "http://127.0.0.1:8188/gateway.do",
            "partner": PARTNER,
            "private_key_file": "merchant.pem",
            "public_key_file": "alipay.pem",
            "merchant": {
                "secondary_merchant_id": "M1",
                "secondary_merchant_name": "Corner Vending",
                "secondary_merchant_industry": "5812",
            },
        },
        "ray": {"mode": "none"},
        "limits": {"move_notice_ms": 0},  # no balancer need notice an end
    }


def write(folder: Path, tables: dict[str, Any]) -> str:
    """Write the tables as ``vendgate.toml`` and return its path."""
    path = folder / "vendgate.toml"
    path.write_text("\n".join(_lines("", tables)) + "\n")
    return str(path)


def _lines(name: str, table: dict[str, Any]) -> list[str]:
    lines = [f"[{name}]"] if name else []
    lines += [
        f"{json.dumps(key)} = {_text(value)}"
        for key, value in table.items()
        if not isinstance(value, dict)
    ]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _lines(f"{name}.{key}" if name else key, value)
    return lines


def _text(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def certificate(folder: Path, name: str, *, days: int = 36_500) -> tuple[str, str]:
    """Write a self-signed certificate and its key; return their file names. It is valid for so
    many days of 2026.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / f"{name}.key").chmod(0o600)
    return f"{name}.crt", f"{name}.key"
