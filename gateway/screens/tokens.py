"""Who may fetch files: a machine that shows the token which its gateway told it. Pure.

A token names the machine and its last second, and is signed with the key of the installation's
gateways. It lets nobody do anything but read what machines show.
"""

import hashlib
import hmac

_SIGNED = b"vendgate screens 1\n"


def token_for(machine_id: str, *, until_s: int, key: bytes) -> str:
    """Return the token of a machine, good until a second of UTC."""
    said = f"{until_s}.{machine_id}"
    return f"{said}.{_mark(said, key)}"


def machine_of(token: str, *, now_s: int, key: bytes) -> str | None:
    """Return whose token it is; None if it is nobody's, or not good any more."""
    said, _, mark = token.rpartition(".")
    until, _, machine_id = said.partition(".")
    if not (until.isascii() and until.isdecimal() and len(until) <= 12 and mark.isascii()):
        return None
    if not hmac.compare_digest(mark, _mark(said, key)) or now_s > int(until):
        return None
    return machine_id


def _mark(said: str, key: bytes) -> str:
    return hmac.new(key, _SIGNED + said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
