"""The keys of the tokens' provider."""

import asyncio
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.trust.key_sets import (
    ASK_AGAIN_S,
    BYTES_MAX,
    GOOD_FOR_S,
    READ_AGAIN_S,
    KeysAway,
    KeySet,
    keys_of,
    of_file,
)
from tests.support.signed_tokens import Provider


class Site:
    """A provider that may be away, and a clock; ``asked`` is how often it was asked."""

    def __init__(self) -> None:
        self.provider = Provider()
        self.away = self.defect = False
        self.asked = 0
        self.now = 0.0
        self.keys = KeySet(self.fetch, monotonic=lambda: self.now)

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.away:
            raise OSError("away")
        if self.defect:
            raise RuntimeError("a defect")
        return self.provider.key_set()

    def ids(self) -> list[str]:
        return sorted(keys_of(self.provider.key_set()))


async def test_keys_are_read_once_and_again_when_they_are_old() -> None:
    """A key that the provider withdrew does not stay for ever."""
    site = Site()
    (first,) = site.ids()
    assert await site.keys.key(first) is not None
    assert await site.keys.key(first) is not None
    assert 1 == site.asked
    site.provider.rotate()
    site.now = READ_AGAIN_S
    assert await site.keys.key(first) is None
    assert 2 == site.asked


async def test_a_key_that_nobody_knows_is_looked_for_but_not_by_every_stranger() -> None:
    """A rotated key is there at once, and a thousand invented names ask the provider once."""
    site = Site()
    assert await site.keys.key("invented") is None
    for number in range(1_000):
        assert await site.keys.key(f"invented-{number}") is None
    assert 1 == site.asked
    site.provider.rotate(keep=True)
    site.now = ASK_AGAIN_S
    old, new = site.ids()
    assert await site.keys.key(new) is not None
    assert await site.keys.key(old) is not None
    assert 2 == site.asked


async def test_a_provider_that_is_away_changes_nothing_for_a_day() -> None:
    """Then nobody knows any more which keys are good."""
    site = Site()
    (known,) = site.ids()
    assert await site.keys.key(known) is not None
    site.away, site.now = True, GOOD_FOR_S - 1
    assert await site.keys.key(known) is not None
    site.now = GOOD_FOR_S
    with pytest.raises(KeysAway):
        await site.keys.key(known)


async def test_without_any_keys_nothing_can_be_said() -> None:
    """Which is another answer than a key that is not there."""
    site = Site()
    site.away = True
    with pytest.raises(KeysAway):
        await site.keys.key("k")


async def test_a_token_without_a_key_s_name_means_the_only_one() -> None:
    """Of two, nobody guesses."""
    site = Site()
    assert await site.keys.key("") is not None
    site.provider.rotate(keep=True)
    site.now = READ_AGAIN_S
    await site.keys.key("x")
    assert await site.keys.key("") is None


SECRET = {"kty": "oct", "k": "AAAA", "kid": "s", "alg": "HS256"}


def rsa_key(bits: int) -> dict[str, Any]:
    """A public key as a provider shows it."""
    made = rsa.generate_private_key(public_exponent=65_537, key_size=bits).public_key()
    shown = jwt.algorithms.RSAAlgorithm.to_jwk(made, as_dict=True)
    return {**shown, "kid": str(bits), "use": "sig"}


def test_a_short_key_beside_a_long_one_is_left_out() -> None:
    """Whoever has days finds its private key, and signs for anybody."""
    both = {"keys": [rsa_key(1_024), rsa_key(2_048)]}
    assert ["2048"] == list(keys_of(json.dumps(both).encode()))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"x" * (BYTES_MAX + 1), "more than"),
        (b"\xff", "no JWKS"),
        (b"[]", "no JWKS"),
        (b"[" * 100_000, "no JWKS"),
        (b"{}", "no JWKS"),
        (json.dumps({"keys": [SECRET]}).encode(), "no public key"),
        (json.dumps({"keys": [rsa_key(1_024)]}).encode(), "RSA of fewer than 2048 bits"),
    ],
)
def test_what_is_no_set_of_public_keys_is_refused(content: bytes, why: str) -> None:
    """A secret in it would let everybody sign who can read it."""
    with pytest.raises(ValueError, match=why):
        keys_of(content)


async def test_a_file_is_read(tmp_path: Path) -> None:
    """For whoever wants no gateway to ask anybody."""
    (tmp_path / "keys").write_bytes(b"{}")
    assert b"{}" == await of_file(tmp_path / "keys")()


class SlowSite(Site):
    """Its provider answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = asyncio.Event()
        self.began = asyncio.Event()

    async def fetch(self) -> bytes:
        self.began.set()
        await self.answers.wait()
        return await super().fetch()


async def test_who_hangs_up_while_keys_are_read_keeps_them_from_nobody() -> None:
    """A stranger could ask for an invented one again and again, and never wait: nobody would ever
    know the provider's next key, and after a day none at all.
    """
    site = SlowSite()
    (known,) = site.ids()
    stranger = asyncio.create_task(site.keys.key("invented"))
    await site.began.wait()
    stranger.cancel()
    await asyncio.wait([stranger])
    honest = asyncio.create_task(site.keys.key(known))
    await asyncio.sleep(0)
    site.answers.set()
    assert await honest is not None
    assert 1 == site.asked


async def test_a_defect_while_keys_are_read_leaves_those_that_are_known() -> None:
    """Whatever a provider makes of it."""
    site = Site()
    (known,) = site.ids()
    assert await site.keys.key(known) is not None
    site.defect = True
    site.now = READ_AGAIN_S
    assert await site.keys.key(known) is not None
