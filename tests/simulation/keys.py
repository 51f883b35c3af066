"""What we and the Alipay of a world have agreed upon: who we are, and which keys sign.

Flows in: a kind of signature; most worlds take MD5, which costs nothing, some RSA2. Flows out: our
settings with their loaded keys, and Alipay's.
"""

import functools
from collections.abc import Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from alipay_client.config import AlipayConfig, SignType
from alipay_client.keys import Keys, load_keys

PARTNER = "2088101122136241"
MD5_KEY = "760bdzec6y9goq7ctyx96ezkz78287de"
_DECIMALS = {"HKD": 2, "JPY": 0}
CURRENCIES = tuple(_DECIMALS)


def spelt(amount_minor: int, currency: str) -> str:
    """Return an amount as Alipay writes it; written here once more, because a checker asks no code
    of the product.
    """
    decimals = _DECIMALS[currency]
    return (
        f"{amount_minor // 10**decimals}.{amount_minor % 10**decimals:0{decimals}d}"
        if decimals
        else str(amount_minor)
    )


def minor(amount: str, currency: str) -> int:
    """Return the minor units of what Alipay writes."""
    whole, _, cents = amount.partition(".")
    assert len(cents) <= _DECIMALS[currency], f"{amount} {currency}"
    return int(whole + cents.ljust(_DECIMALS[currency], "0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantKeys:
    """``ours``: settings of our client. ``theirs``: what the pretend Alipay is made with."""

    ours: AlipayConfig
    keys: Keys
    theirs: Mapping[str, Any]


@functools.cache
def merchant_keys(sign_type: SignType) -> MerchantKeys:
    """Return the contract; its RSA keys are new in each Python, and no story depends on them."""
    if sign_type is SignType.MD5:
        ours = AlipayConfig(partner=PARTNER, sign_type=sign_type, md5_key=MD5_KEY)
        return MerchantKeys(
            ours=ours,
            keys=load_keys(ours),
            theirs={"partner": PARTNER, "sign_type": "MD5", "md5_key": MD5_KEY},
        )
    our_private, our_public = _pair()
    their_private, their_public = _pair()
    ours = AlipayConfig(
        partner=PARTNER,
        sign_type=sign_type,
        private_key=our_private,
        alipay_public_key=their_public,
    )
    theirs = {
        "partner": PARTNER,
        "sign_type": sign_type.value,
        "alipay_private_key": their_private,
        "merchant_public_key": our_public,
    }
    return MerchantKeys(ours=ours, keys=load_keys(ours), theirs=theirs)


def _pair() -> tuple[str, str]:
    key = rsa.generate_private_key(65_537, 2_048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


class AtOnce(Executor):
    """Signs in the moment in which it is asked: a world has no threads."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Do it now."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is the asker's
            done.set_exception(error)
        return done
