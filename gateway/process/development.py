"""A folder in which a developer can start: keys of both sides, a salt, and a configuration that
points to the pretend Alipay.

Nothing that is there is overwritten. What is made here proves nothing to the real Alipay.
"""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PARTNER = "2088000000000001"
"""The pretend Alipay's only merchant."""
SIMULATOR_PORT = 8_188
CONFIG_FILE = "vendgate.toml"
_SALT_FILE = "payer_salt"
_BITS = 2_048

_CONFIG = """\
# A gateway on a developer's computer, with the pretend Alipay (vendgate simulate alipay) for money.
# Each setting may also come from the environment,
# for example VENDGATE_POLICY__IDLE_REFUND_MS=60000.
# Relative paths start at this file.
# `vendgate config check --config {path}` shows every setting there is.
payer_salt_file = "{salt}"

[database]
url = "sqlite:///vendgate.db"

[lake]
folder = "lake"

[machines]
listen = "127.0.0.1:7443"{machines}

[admin]
listen = "127.0.0.1:7444"{admin}

[http]
listen = "127.0.0.1:8080"
# What Alipay can reach; needed for the sandbox, for example a tunnel's address.
# public_url = "https://..."

[health]
# /healthz, /readyz and /metrics, for operators.
listen = "127.0.0.1:8081"

[alipay]
# sandbox or production for the real one;
# then partner, keys and merchant are those of your contract.
environment = "http://127.0.0.1:{port}/gateway.do"
partner = "{partner}"
sign_type = "RSA2"
private_key_file = "merchant_private_key.pem"
public_key_file = "alipay_public_key.pem"
connect_timeout_ms = 1000
read_timeout_ms = 5000

[alipay.merchant]
secondary_merchant_id = "dev_vending"
secondary_merchant_name = "Development Vending Ltd"
secondary_merchant_industry = "5499"

[ray]
# local: a Ray of our own. none: hosts in the gateway's own process, which starts quicker.
mode = "local"

[limits]
# A developer's gateway stops quickly; no balancer need notice.
move_notice_ms = 0
move_spread_ms = 1000
move_deadline_ms = 5000

[logs]
format = "console"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFiles:
    """The two key pairs of one contract."""

    merchant_private: Path
    merchant_public: Path
    alipay_private: Path
    alipay_public: Path


def make_keys(folder: Path) -> KeyFiles:
    """Make both key pairs in ``folder``, private files for the owner alone; those that are there
    are kept. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _pair(folder, "merchant")
    _pair(folder, "alipay")
    return KeyFiles(
        merchant_private=folder / "merchant_private_key.pem",
        merchant_public=folder / "merchant_public_key.pem",
        alipay_private=folder / "alipay_private_key.pem",
        alipay_public=folder / "alipay_public_key.pem",
    )


def make_installation(
    folder: Path, *, machines: str = "", admin: str = "", tables: str = ""
) -> tuple[Path, bool]:
    """Make keys, salt and configuration; return the configuration's path and whether it is new.
    ``machines`` and ``admin`` are further lines for those tables, ``tables`` further ones. Raises
    OSError.
    """
    make_keys(folder)
    salt = folder / _SALT_FILE
    if not salt.exists():
        _write_secret(salt, secrets.token_urlsafe(32).encode() + b"\n")
    config = folder / CONFIG_FILE
    if config.exists():
        return config, False
    config.write_text(
        _CONFIG.format(
            path=config,
            salt=_SALT_FILE,
            port=SIMULATOR_PORT,
            partner=PARTNER,
            machines=machines,
            admin=admin,
        )
        + tables,
        encoding="utf-8",
    )
    return config, True


def _pair(folder: Path, owner: str) -> None:
    private, public = folder / f"{owner}_private_key.pem", folder / f"{owner}_public_key.pem"
    if private.exists() and public.exists():
        return
    key = rsa.generate_private_key(65_537, _BITS)
    private.unlink(missing_ok=True)
    _write_secret(
        private,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _write_secret(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
