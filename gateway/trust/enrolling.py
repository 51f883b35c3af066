"""Machines' certificates: the first one for a token, the next ones for the one before.

Flows in: a token or a certificate that TLS has proved, and a certificate request. Flows out: the
chain, saved before it is given, so that the same request gets the same answer as often as it comes;
or a refusal. What signs is behind ``Issuer``.
"""

import asyncio
import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from actors.ports import Clock
from gateway.fleet.errors import CallRefused
from gateway.process.enrolment import EnrolmentConfig
from gateway.rpc import statuses
from gateway.rpc.peers import Peer
from gateway.trust import refusals
from gateway.trust.authority import EARLIER, CannotIssue, Issuer, KeyIssuer, Leaf, Profile
from gateway.trust.authority_files import issuer_from
from gateway.trust.command_key import issuer_by
from gateway.trust.doubles import came_of
from gateway.trust.enrolment_tokens import EnrolmentToken
from gateway.trust.requests import Requested, requested
from storage.fleet.answers import KeepingClock
from storage.office.certificates import (
    Certificate,
    Certificates,
    Denied,
    NotInFleet,
    TooMany,
    TooOften,
)
from storage.office.enrolment_tokens import EnrolmentTokens, TokenRefused

_log = structlog.get_logger()
_REFUSED = {
    TokenRefused.WRONG: refusals.TOKEN_WRONG,
    TokenRefused.EXPIRED: refusals.TOKEN_EXPIRED,
    TokenRefused.USED: refusals.TOKEN_USED,
}
SIGN_AT_ONCE = 2
"""In threads of their own: what hangs there must keep nobody else's, such as names to be looked up.
"""
SIGN_MAX = 256
"""So many are signed or wait for it: more than the bursts that all callers together have."""
_UNIX = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A chain that was issued, PEM, and when to renew it and when it ends."""

    machine_id: str
    chain: str
    renew_at_ms: int
    expires_at_ms: int


@dataclass(slots=True, kw_only=True)
class Enrolling:
    """Gives machines their certificates, dated by ``keeping``: one that a gateway dated whose clock
    is wrong would have ended, or not begun, wherever its machine goes, and let it renew nowhere.
    ``denied`` is told that some were denied. Another ``issuer`` may take the place of the first.
    """

    tokens: EnrolmentTokens
    certificates: Certificates
    issuer: Issuer
    days: int
    clock: Clock
    keeping: KeepingClock
    denied: Callable[[], None]
    _signers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(SIGN_AT_ONCE, thread_name_prefix="signs"),
        init=False,
        repr=False,
    )
    _signing: int = field(default=0, init=False)

    async def enrol(self, token: str, request: str) -> Issued:
        """Return the first certificate of the machine that the token is for. Raises CallRefused or
        StoreError.
        """
        read, now_ms = EnrolmentToken.read(token), self.clock.now_ms()
        if read is None:
            raise CallRefused(refusals.TOKEN_WRONG)
        machine_id = await self.tokens.open(read.token_id, read.secret, now_ms=now_ms)
        if isinstance(machine_id, TokenRefused):
            raise CallRefused(_REFUSED[machine_id])
        asked = self._requested(request, machine_id)
        made = await self._issue(asked, machine_id, await self.keeping.likely_ms())
        try:
            chain = await self.tokens.use(read.token_id, made, now_ms=now_ms)
        except NotInFleet:
            raise CallRefused(refusals.NOT_IN_FLEET.about(machine_id=machine_id)) from None
        except TooOften:
            raise CallRefused(refusals.ENROLLED_TOO_OFTEN.about(machine_id=machine_id)) from None
        if isinstance(chain, TokenRefused):
            raise CallRefused(_REFUSED[chain])
        self.denied()  # What it had before is denied.
        _log.info("a machine was enrolled", machine_id=machine_id, token_id=read.token_id)
        return issued(machine_id, chain)

    async def renew(self, machine_id: str, peer: Peer, request: str, *, address: str) -> Issued:
        """Return the next certificate of a machine that shows its present one. Raises CallRefused
        or StoreError.
        """
        now_ms = self.clock.now_ms()
        asked = self._requested(request, machine_id)
        here = came_of(machine_id, peer, at_ms=now_ms, address=address)
        if await self.certificates.came([here], now_ms=now_ms):
            self.denied()
            raise CallRefused(statuses.DENIED)
        before = await self.certificates.answered(machine_id, asked.sha256, shown=peer.serial)
        if before is not None:
            return issued(machine_id, before.chain)
        present = Certificate(
            serial=peer.serial,
            machine_id=machine_id,
            request_sha256=f"by hand {peer.serial}",
            chain="",
            issued_at_ms=now_ms,
            not_after_ms=peer.not_after_ms or now_ms,
        )
        made = await self._issue(asked, machine_id, await self.keeping.likely_ms())
        try:
            kept = await self.certificates.renew(made, present, now_ms=now_ms)
        except Denied:
            self.denied()
            raise CallRefused(statuses.DENIED) from None
        except TooMany:
            raise CallRefused(refusals.TOO_MANY_CERTIFICATES.about(machine_id=machine_id)) from None
        except NotInFleet:
            raise CallRefused(refusals.NOT_IN_FLEET.about(machine_id=machine_id)) from None
        _log.info(
            "a machine's certificate was renewed",
            machine_id=machine_id,
            serial=kept.serial,
            generation=kept.generation,
        )
        return issued(machine_id, kept.chain)

    def _requested(self, request: str, machine_id: str) -> Requested:
        try:
            return requested(request, machine_id, self.issuer.domain)
        except CannotIssue as error:
            raise CallRefused(refusals.REQUEST_WRONG.about(why=str(error))) from None

    async def _issue(self, asked: Requested, machine_id: str, now_ms: int) -> Certificate:
        now = _UNIX + dt.timedelta(milliseconds=now_ms)
        # At the end of a CA's life shorter ones, rather than none.
        days = min(self.days, (self.issuer.until - now).days)
        leaf = Leaf(
            profile=Profile.MACHINE, name=machine_id, public_key=asked.public_key, days=days
        )
        chain = await self._signed(leaf, now)
        pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
        return Certificate(
            serial=f"{chain[0].serial_number:x}",
            machine_id=machine_id,
            request_sha256=asked.sha256,
            chain=pem.decode(),
            issued_at_ms=now_ms,
            not_after_ms=_ms(chain[0].not_valid_after_utc),
        )

    async def _signed(self, leaf: Leaf, now: dt.datetime) -> tuple[x509.Certificate, ...]:
        if self._signing >= SIGN_MAX:
            _log.error("more wait for a certificate than may", waiting=self._signing)
            raise CallRefused(refusals.CANNOT_ISSUE)
        self._signing += 1
        # A key in hardware, or another program's CA, takes its time. Whoever gives up meanwhile
        # leaves the queue, or else a thread that is taken until it has signed.
        issue = partial(self.issuer.issue, leaf, now=now)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._signers, issue)
        except CannotIssue as error:
            _log.error("no certificate can be issued", machine_id=leaf.name, error=str(error))
            raise CallRefused(refusals.CANNOT_ISSUE) from None
        finally:
            self._signing -= 1


def issuer_of(config: EnrolmentConfig, spiffe_domain: str) -> KeyIssuer:
    """Return the CA of the settings. Raises CannotIssue with what is wrong with them."""
    try:
        issuer = (
            issuer_by(config.ca_certificate, config.ca_sign_command)
            if config.ca_sign_command
            else issuer_from(config.ca_certificate, config.ca_private_key)
        )
        domain = issuer.domain
    except CannotIssue as error:
        raise CannotIssue(
            "enrolment.ca_certificate_file, with enrolment.ca_private_key_file or "
            f"enrolment.ca_sign_command: {error}"
        ) from None
    if spiffe_domain not in {"", domain}:
        raise CannotIssue(
            f"machines.spiffe_domain is {spiffe_domain}, and the CA of "
            f"enrolment.ca_certificate_file issues for {domain}: no machine could connect with "
            "what it is given; let both be the same"
        )
    return issuer


def issued(machine_id: str, chain: str) -> Issued:
    """Return what a machine is told of its chain: it is the same whenever it asks."""
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    began_ms, ends_ms = _ms(leaf.not_valid_before_utc + EARLIER), _ms(leaf.not_valid_after_utc)
    return Issued(
        machine_id=machine_id,
        chain=chain,
        renew_at_ms=began_ms + (ends_ms - began_ms) * 2 // 3,
        expires_at_ms=ends_ms,
    )


def _ms(at: dt.datetime) -> int:
    return (at - _UNIX) // dt.timedelta(milliseconds=1)
