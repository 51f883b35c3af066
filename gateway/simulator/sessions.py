"""One customer's stay at the machine, as the backend tells of it. Pure.

Flows in: the session before, and a frame. Flows out: the session after, and what the customer sees
of it. Amounts are integers in minor units, times are the machine's own monotonic milliseconds.
"""

import dataclasses
from dataclasses import dataclass

from gateway.simulator.commands import Command, Tell
from gateway.simulator.happenings import FundsChanged, SessionBegan, SessionEnded
from gateway.v1 import machine_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One customer's stay. ``expires_at_ms`` is None while nobody told."""

    session_id: str
    funds_minor: int
    expires_at_ms: int | None = None


def began(begin: pb.BeginSession, now_ms: int) -> tuple[Session, list[Command]]:
    """Begin a stay."""
    session = Session(
        session_id=begin.session_id,
        funds_minor=begin.funds_minor,
        expires_at_ms=now_ms + begin.expires_in_ms,
    )
    seen = SessionBegan(
        session_id=begin.session_id,
        funds_minor=begin.funds_minor,
        expires_in_ms=begin.expires_in_ms,
    )
    return session, [Tell(seen)]


def resumed(before: Session | None, welcome: pb.Welcome) -> tuple[Session | None, list[Command]]:
    """Take up the stay that Welcome names; another one that the machine knew has ended unseen."""
    now = welcome.session
    if before is not None and before.session_id == now.session_id:
        return dataclasses.replace(before, funds_minor=now.funds_minor), []
    unseen: list[Command] = [] if before is None else [Tell(_ended_unseen(before))]
    if not now.session_id:
        return None, unseen
    seen = SessionBegan(session_id=now.session_id, funds_minor=now.funds_minor, expires_in_ms=None)
    return Session(session_id=now.session_id, funds_minor=now.funds_minor), [*unseen, Tell(seen)]


def funds_changed(
    before: Session | None, update: pb.FundsUpdate, now_ms: int
) -> tuple[Session | None, list[Command]]:
    """Change the funds of the stay; news of another stay change nothing."""
    if before is None or before.session_id != update.session_id:
        return before, []
    session = Session(
        session_id=update.session_id,
        funds_minor=update.funds_minor,
        expires_at_ms=now_ms + update.expires_in_ms,
    )
    seen = FundsChanged(
        session_id=update.session_id,
        funds_minor=update.funds_minor,
        expires_in_ms=update.expires_in_ms,
    )
    return session, [Tell(seen)]


def ended(before: Session | None, end: pb.EndSession) -> tuple[Session | None, list[Command]]:
    """End the stay. The end of another stay is shown too, because it may tell of a refund."""
    after = None if before is not None and before.session_id == end.session_id else before
    seen = SessionEnded(session_id=end.session_id, reason=end.reason, refund_minor=end.refund_minor)
    return after, [Tell(seen)]


def _ended_unseen(session: Session) -> SessionEnded:
    reason = pb.END_SESSION_REASON_UNSPECIFIED
    return SessionEnded(session_id=session.session_id, reason=reason, refund_minor=None)
