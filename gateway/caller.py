"""Who calls the administrators' service, as the audit log names them."""

from typing import Any

import grpc.aio

from gateway.fleet_errors import invalid
from gateway.statuses import FieldProblem

UNKNOWN = "unknown"
_LENGTH_MAX = 64


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Return the metadata ``x-actor`` and, behind it, the name in the client's certificate, which alone is proven. Raises CallRefused."""
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    claimed = metadata.get("x-actor", "").strip()
    if len(claimed) > _LENGTH_MAX or not claimed.isprintable():
        raise invalid(FieldProblem(field="x-actor", description=f"must have at most {_LENGTH_MAX} printable characters"))
    certified = _certified(context)
    if not certified:
        return claimed or UNKNOWN
    return f"{claimed} (certificate {certified})" if claimed else f"certificate {certified}"


def _certified(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    proven = context.auth_context()
    for name in ("peer_uri", "x509_common_name"):
        for value in proven.get(name, ()):
            return value.decode("utf-8", "replace")[:_LENGTH_MAX]
    return ""
