"""The public keys of the tokens' provider (JWKS, RFC 7517), from a file or from a URL.

Flows in: the file's or the provider's text. Flows out: the key of an id, read again when the file
changes, when a token names a key that is not known yet, or when what is known is old. A provider
that is away changes nothing for a day: its last keys stay in use.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.process.files import content_of

_log = structlog.get_logger()

BYTES_MAX = 262_144
RSA_BITS_MIN = 2_048
"""Whoever finds the private key of a shorter one can be anybody here."""
READ_AGAIN_S = 300.0
"""Keys that are older are read again, so that one that the provider withdrew does not stay."""
ASK_AGAIN_S = 10.0
"""A key that nobody knows has them read again, but not more often than this: anybody can name
one.
"""
GOOD_FOR_S = 86_400.0
Fetch = Callable[[], Awaitable[bytes]]


class KeysAway(Exception):
    """There are no keys, or none that are young enough to be believed."""


class KeySet:
    """The keys as ``fetch`` brought them last. ``monotonic``: seconds that only grow."""

    def __init__(self, fetch: Fetch, *, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: dict[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._asked_at: float | None = None
        self._reading: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key of this id; of an empty id, the only one there is. Raises KeysAway."""
        if self._older(self._read_at, READ_AGAIN_S) or self._found(key_id) is None:
            await self._read()
        if self._older(self._read_at, GOOD_FOR_S):
            raise KeysAway
        return self._found(key_id)

    def _found(self, key_id: str) -> jwt.PyJWK | None:
        if not key_id and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _older(self, since: float | None, span_s: float) -> bool:
        return since is None or self._monotonic() - since >= span_s

    async def _read(self) -> None:
        """Wait until they are read. A caller who hangs up meanwhile, as a stranger may on purpose,
        keeps them from nobody else.
        """
        if self._reading is None:
            if not self._older(self._asked_at, ASK_AGAIN_S):
                return
            self._asked_at = self._monotonic()
            self._reading = asyncio.create_task(self._fetched(), name="token-keys")
        await asyncio.shield(self._reading)

    async def _fetched(self) -> None:
        try:
            self._keys = keys_of(await self._fetch())
        except (OSError, ValueError) as error:
            _log.warning("the keys of the tokens' provider cannot be read", error=str(error))
        except Exception:  # noqa: BLE001 - whatever it is, the keys that are known stay
            _log.exception("the keys of the tokens' provider cannot be read")
        else:
            self._read_at = self._monotonic()
        finally:
            self._reading = None


def keys_of(content: bytes) -> dict[str, jwt.PyJWK]:
    """Return the keys for signatures by their ids. Raises ValueError with a sentence."""
    if len(content) > BYTES_MAX:
        raise ValueError(f"it has more than {BYTES_MAX} bytes")
    try:
        read = jwt.PyJWKSet.from_json(content.decode())
    except (jwt.PyJWTError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"it is no JWKS: {error}") from None
    # A symmetric key in it would let everybody who reads the set sign.
    public = [one for one in read.keys if one.key_type in {"RSA", "EC", "OKP"}]
    signs = [one for one in public if one.public_key_use in {None, "sig"}]
    found = {one.key_id or "": one for one in signs if not _is_short(one)}
    if signs and not found:
        raise ValueError(f"its keys are RSA of fewer than {RSA_BITS_MIN} bits, which others find")
    if not found:
        raise ValueError("it holds no public key for signatures")
    return found


def _is_short(key: jwt.PyJWK) -> bool:
    return isinstance(key.key, rsa.RSAPublicKey) and key.key.key_size < RSA_BITS_MIN


def of_file(path: Path) -> Fetch:
    """Return what reads the set from a file."""

    async def fetch() -> bytes:
        return content_of(path, most=BYTES_MAX)

    return fetch
