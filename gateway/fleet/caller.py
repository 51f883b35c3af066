"""Who calls the administrators' service: as the audit log names them, and as two people are told
apart.
"""

import hashlib
import re
from typing import Any

import grpc.aio

from gateway.fleet.act import Act
from gateway.fleet.errors import invalid
from gateway.rpc.statuses import FieldProblem

UNKNOWN = "unknown"
_LENGTH_MAX = 64
_LIKE_A_PROOF = re.compile(r"[()]|certificate", re.IGNORECASE)
"""What a claim must not hold, so that nobody who reads it takes it for a proof."""


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return the metadata ``x-actor`` and, behind it, the name in the client's certificate, which
    alone is proven. Raises CallRefused.
    """
    claimed = _claimed(context)
    certified = _certified(context)[:_LENGTH_MAX]
    if not certified:
        return claimed or UNKNOWN
    return f"{claimed} (certificate {certified})" if claimed else f"certificate {certified}"


def may_be_claimed(name: str) -> bool:
    """Return whether somebody may call themselves so."""
    return len(name) <= _LENGTH_MAX and name.isprintable() and not _LIKE_A_PROOF.search(name)


def _claimed(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    metadata = {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
    claimed = metadata.get("x-actor", "").strip()
    if not may_be_claimed(claimed):
        raise invalid(
            FieldProblem(
                field="x-actor",
                description=f"must have at most {_LENGTH_MAX} printable characters, no bracket and "
                "not the word certificate",
            )
        )
    return claimed


def person_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return who calls, so that two people are two and one is one, whatever they claim to be
    called. Raises CallRefused.

    The certificate alone says it where there is one: several x-actor names over it are one person.
    Without one the claim does, and its case does not make two people of one.
    """
    certified = _certified(context)
    if not certified:
        return caller_of(context).casefold()
    return (
        certified
        if len(certified) <= _LENGTH_MAX
        else hashlib.sha256(certified.encode()).hexdigest()
    )


def act_of(context: grpc.aio.ServicerContext[Any, Any], *, longest_s: float) -> Act:
    """Return who acts and how long they wait: as long as their own deadline, ``longest_s`` at most.
    Raises CallRefused.
    """
    left_s: float | None = (
        context.time_remaining()
    )  # None without a deadline, whatever its stub says
    within_s = longest_s if left_s is None else min(left_s, longest_s)
    return Act(
        actor=caller_of(context),
        within_s=within_s,
        person=person_of(context),
        claimed=_claimed(context),
        proven=_certified(context)[:_LENGTH_MAX],
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


def _certified(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return the name in the client's certificate, its fingerprint if it has none, and nothing if
    there is no certificate.
    """
    proven = context.auth_context()
    for name in ("peer_uri", "x509_common_name"):
        for value in proven.get(name, ()):
            if value:
                return value.decode("utf-8", "replace")
    for value in proven.get("x509_pem_cert", ()):
        return f"sha256:{hashlib.sha256(value).hexdigest()[:32]}"
    return ""
