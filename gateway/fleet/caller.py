"""Who calls the administrators' service: as the audit log names them, and as two people are told
apart. What is proven the door has found out (``gateway.rpc.callers``).
"""

import hashlib
import re
from typing import Any

import grpc.aio

from gateway.fleet.act import Act
from gateway.fleet.errors import invalid
from gateway.rpc import callers
from gateway.rpc.callers import Caller
from gateway.rpc.peers import peer_of
from gateway.rpc.statuses import FieldProblem

UNKNOWN = "unknown"
LENGTH_MAX = 64
_LIKE_A_PROOF = re.compile(r"[()]|certificate|token", re.IGNORECASE)
"""What a claim must not hold, so that nobody who reads it takes it for a proof."""


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return the metadata ``x-actor`` and, behind it, the name in the client's certificate or
    token, which alone is proven. Raises CallRefused.
    """
    claimed = claimed_of(context)
    return shown(claimed, proven_of(context))


def shown(claimed: str, caller: Caller) -> str:
    """Return who it is, for people to read: what they claim, and behind it what is proven."""
    if not caller.name:
        return claimed or UNKNOWN
    proven = f"{caller.proof} {caller.name[:LENGTH_MAX]}"
    return f"{claimed} ({proven})" if claimed else proven


def may_be_claimed(name: str) -> bool:
    """Return whether somebody may call themselves so."""
    return len(name) <= LENGTH_MAX and name.isprintable() and not _LIKE_A_PROOF.search(name)


def claimed_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return the metadata ``x-actor``, for which nobody vouches. Raises CallRefused."""
    metadata = {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
    claimed = metadata.get("x-actor", "").strip()
    if not may_be_claimed(claimed):
        raise invalid(
            FieldProblem(
                field="x-actor",
                description=f"must have at most {LENGTH_MAX} printable characters, no bracket and "
                "neither the word certificate nor the word token",
            )
        )
    return claimed


def person_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return who calls, so that two people are two and one is one, whatever they claim to be
    called. Raises CallRefused.

    What is proven alone says it where there is something: several x-actor names over one
    certificate are one person. Without it the claim does, and its case does not make two people of
    one.
    """
    caller = proven_of(context)
    person = caller.person or caller.name
    if not person:
        return caller_of(context).casefold()
    return person if len(person) <= LENGTH_MAX else hashlib.sha256(person.encode()).hexdigest()


def act_of(context: grpc.aio.ServicerContext[Any, Any], *, longest_s: float) -> Act:
    """Return who acts and how long they wait: as long as their own deadline, ``longest_s`` at most.
    Raises CallRefused.
    """
    left_s: float | None = (
        context.time_remaining()
    )  # None without a deadline, whatever its stub says
    within_s = longest_s if left_s is None else min(left_s, longest_s)
    caller = proven_of(context)
    return Act(
        actor=caller_of(context),
        within_s=within_s,
        person=person_of(context),
        claimed=claimed_of(context),
        proven=caller.name[:LENGTH_MAX],
        told_by=caller.told_by,
        roles=caller.roles,
    )


def named(act: Act) -> Act:
    """Return the act if it has a name. Raises CallRefused.

    For what gives money away, ends somebody's question, takes a halt back or is for ever: the
    journal, or the audit log, must say who did it.
    """
    if act.actor == UNKNOWN:
        raise invalid(
            FieldProblem(
                field="x-actor", description="this needs the caller's name: send -H 'x-actor: name'"
            )
        )
    return act


def proven_of(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """Return what the door found out about the caller; where none stands, what their certificate
    says.
    """
    found = callers.present()
    if found is not None:
        return found
    peer = peer_of(context.auth_context())
    return Caller() if peer is None else Caller(proof="certificate", name=peer.name)
