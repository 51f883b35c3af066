"""Who is in front of the console: by the certificate that their browser shows, or by a session that
a link has opened; and that a form was sent by a page of ours.

Flows in: what a request brings. Flows out: a person, or nobody. A browser keeps one cookie, which
no script can read and no other site's request brings along.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from actors.ports import Clock
from gateway.rpc.roles import Role
from gateway.web.asking import Person
from storage.fleet.logins import Login, Logins, hash_of

COOKIE = "vendgate_console"
COOKIE_SECURE = "__Host-vendgate_console"
"""A browser takes this one over TLS only, for this host and all paths."""
SECRET_LENGTH_MAX = 64
MS_DIGITS_MAX = 18
DONE_WITHIN_MS = 60_000
"""For so long the next page may say what a form did."""


def key_of(salt: bytes) -> bytes:
    """Return the key of forms, which all gateways of an installation make of the same secret and
    from which that secret does not follow.
    """
    return hmac.new(salt, b"vendgate console forms", hashlib.sha256).digest()


def new_secret() -> str:
    """Return what nobody guesses."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Somebody who may look. ``form_key`` goes with their forms and with nobody else's."""

    person: Person
    form_key: str
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors:
    """``key`` makes the form keys: the same in all gateways of an installation."""

    logins: Logins
    clock: Clock
    key: bytes
    secure: bool

    @property
    def cookie(self) -> str:
        """What the cookie is called."""
        return COOKIE_SECURE if self.secure else COOKIE

    async def present(
        self, cookies: Mapping[str, str], certified: Mapping[str, bytes]
    ) -> Present | None:
        """Return who asks; None: somebody who has to sign in. Raises StoreError."""
        if certified:
            named = "".join(f"{name}={value!r};" for name, value in sorted(certified.items()))
            return Present(person=Person(proven=certified), form_key=self._form_key(named))
        session = cookies.get(self.cookie, "")
        if not 0 < len(session) <= SECRET_LENGTH_MAX:
            return None
        login = await self.logins.signed_in(session, now_ms=self.clock.now_ms())
        if login is None:
            return None
        return Present(
            person=Person(claimed=login.person, role=Role(login.role)),
            form_key=self._form_key(hash_of(session)),
            session=session,
        )

    async def sign_in(self, link: str) -> tuple[str, Login] | None:
        """Return the secret of a new session for whoever has a link; None: the link lets nobody
        in, any more. Raises StoreError.
        """
        if not 0 < len(link) <= SECRET_LENGTH_MAX:
            return None
        session = new_secret()
        login = await self.logins.redeem(link, session, now_ms=self.clock.now_ms())
        return None if login is None else (session, login)

    async def sign_out(self, session: str) -> None:
        """End a session. Raises StoreError."""
        await self.logins.end(session, now_ms=self.clock.now_ms())

    @property
    def done_cookie(self) -> str:
        """What the cookie is called that tells the next page what was done."""
        return f"{self.cookie}_done"

    def done(self, present: Present, act: str) -> str:
        """Return what this person's browser brings to the next page. It is theirs alone: no link
        and no neighbour on this host can make one.
        """
        at_ms = self.clock.now_ms()
        return f"{act}.{at_ms}.{self._done_mark(present, act, at_ms)}"

    def was_done(self, present: Present, cookies: Mapping[str, str]) -> str:
        """Return the act that this person's form just did; empty if none."""
        act, _, rest = cookies.get(self.done_cookie, "").partition(".")
        at, _, mark = rest.partition(".")
        if not (at.isascii() and at.isdecimal() and len(at) <= MS_DIGITS_MAX):
            return ""
        wanted = self._done_mark(present, act, int(at))
        is_theirs = hmac.compare_digest(wanted.encode(), mark.encode())
        is_new = 0 <= self.clock.now_ms() - int(at) <= DONE_WITHIN_MS
        return act if is_theirs and is_new else ""

    def _done_mark(self, present: Present, act: str, at_ms: int) -> str:
        told = f"done:{present.form_key}:{act}:{at_ms}"
        return hmac.new(self.key, told.encode(), hashlib.sha256).hexdigest()[:32]

    def _form_key(self, of: str) -> str:
        return hmac.new(self.key, f"form:{of}".encode(), hashlib.sha256).hexdigest()[:32]


def is_ours(present: Present, form: Mapping[str, str]) -> bool:
    """Return whether a form was made by a page for this person."""
    return hmac.compare_digest(present.form_key.encode(), form.get("form_key", "").encode())
