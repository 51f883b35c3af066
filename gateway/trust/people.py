"""Who makes an administrator's call, and with which roles.

Flows in: what gRPC knows of the call: its certificate, its metadata, where it comes from. Flows
out: a ``Caller``, or why there is none. A certificate proves a person, a token does too and says
the roles; who comes through the socket or the loopback address proves nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from actors.ports import Clock
from gateway.fleet import errors
from gateway.fleet.errors import CallRefused
from gateway.rpc.callers import Caller
from gateway.rpc.peers import Peer, peer_of
from gateway.rpc.roles import NOBODY, Role, Roles, RolesOf
from gateway.trust.key_sets import KeySet, of_file
from gateway.trust.provider import of_url
from gateway.trust.tokens import Tokens

_BEARER = "bearer "
_UNPROVEN = "nobody in particular"
CONSOLE = "console:"
"""Before the role of whoever was signed in at the console by a link: the name of that way here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Tells people by the rules of the settings. ``tokens``: None takes none."""

    rules: RolesOf
    clock: Clock
    tokens: Tokens | None = None

    async def caller(
        self,
        auth_context: Mapping[str, Iterable[bytes]],
        metadata: Sequence[tuple[str, str | bytes]],
        *,
        through: str,
    ) -> Caller:
        """Return who calls; ``through`` is gRPC's name of the other end ("ipv4:...", "unix:..."),
        or CONSOLE with a role. Raises CallRefused.
        """
        now_ms, peer = self.clock.now_ms(), peer_of(auth_context)
        if peer is not None:
            _require_person(peer, now_ms)
        token = _bearer(metadata)
        if token:
            return await self._of_token(token, peer, now_ms)
        if peer is not None:
            return Caller(
                proof="certificate",
                name=peer.name,
                person=peer.name,
                roles=self._of_certificate(peer),
                until_ms=peer.not_after_ms,
                serial=peer.serial,
            )
        roles = self._of_way(through)
        if not roles:
            raise CallRefused(errors.NOT_PROVEN)
        # Where others can prove who they are, all who do not are one person: two names over the
        # socket must not confirm each other.
        person = "" if self.rules.claims_are_people else _UNPROVEN
        return Caller(person=person, roles=roles, signed_in=_signed_in(metadata, through))

    async def _of_token(self, token: str, peer: Peer | None, now_ms: int) -> Caller:
        if self.tokens is None:
            why = "this gateway believes no tokens: [admin.tokens] in its settings says which"
            raise CallRefused(errors.TOKEN_REFUSED.about(why=why))
        caller = await self.tokens.caller(token, now_ms=now_ms)
        if peer is None:
            return caller
        # Whoever has both is one person, and not two: the certificate says which.
        until_ms = min(end for end in (caller.until_ms, peer.not_after_ms) if end is not None)
        return replace(caller, person=peer.name, until_ms=until_ms, serial=peer.serial)

    def _of_way(self, through: str) -> Roles:
        if through.startswith(CONSOLE):
            return frozenset({Role(through.removeprefix(CONSOLE))})
        return self.rules.socket if through.startswith("unix") else self.rules.unproven

    def _of_certificate(self, peer: Peer) -> Roles:
        named = self.rules.names.get(peer.name, NOBODY)
        return named.union(*(self.rules.units.get(unit, NOBODY) for unit in peer.units))


def people_of(rules: RolesOf, *, clock: Clock, monotonic: Callable[[], float]) -> People:
    """Return the people of these rules, whose tokens are read with the provider's keys."""
    tokens = None
    if rules.tokens is not None:
        kept = rules.tokens.keys_file
        fetch = of_url(rules.tokens.keys_url) if kept is None else of_file(kept)
        tokens = Tokens(rules=rules.tokens, keys=KeySet(fetch, monotonic=monotonic))
    return People(rules=rules, clock=clock, tokens=tokens)


def _require_person(peer: Peer, now_ms: int) -> None:
    if peer.of_machine:
        raise CallRefused(errors.NO_PERSON)
    # TLS looked when the connection began; it may be a day old.
    if peer.not_after_ms is not None and peer.not_after_ms <= now_ms:
        raise CallRefused(errors.CERTIFICATE_ENDED)


def _signed_in(metadata: Sequence[tuple[str, str | bytes]], through: str) -> str:
    """Return under which name a link has let somebody into the console; others claim one."""
    if not through.startswith(CONSOLE):
        return ""
    return next((str(value) for key, value in metadata if key == "x-actor"), "")


def _bearer(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    """Return the token of the call; a header of another kind is refused rather than overlooked."""
    said = [value for key, value in metadata if key == "authorization"]
    if not said:
        return ""
    header = said[0]
    if len(said) > 1 or not isinstance(header, str) or not header.lower().startswith(_BEARER):
        why = "the metadata 'authorization' must be there once, as 'Bearer', a space and a token"
        raise CallRefused(errors.TOKEN_REFUSED.about(why=why))
    return header[len(_BEARER) :].strip()
