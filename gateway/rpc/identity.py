"""Who is calling: TLS for a listener, and the machine that a client certificate names.

Flows in: PEM texts and a call's authentication context. Flows out: server credentials and a machine
id. A machine's certificate carries one URI ``spiffe://<domain>/machine/<machine_id>`` as subject
alternative name; nothing else in it is believed.
"""

import re
from collections.abc import Iterable, Mapping

import grpc

from actors.machine.ids import MACHINE_ID_PATTERN, MachineId
from gateway.rpc.tls import Tls

_MACHINE_URI = re.compile(
    rf"spiffe://(?P<domain>[a-z0-9._-]{{1,255}})/machine/(?P<machine_id>{MACHINE_ID_PATTERN})"
)
_TRANSPORT = "transport_security_type"


def server_credentials(tls: Tls) -> grpc.ServerCredentials:
    """Return what gRPC needs of a listener's TLS, which asks at each handshake whether it was
    renewed.
    """
    renewed = tls.renewed
    if renewed is None:
        return grpc.ssl_server_credentials(
            [(tls.private_key, tls.certificate)],
            root_certificates=tls.client_ca or None,
            require_client_auth=bool(tls.client_ca),
        )

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        newer = renewed()
        return None if newer is None else _configuration(newer)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(tls),
        fetch,  # type: ignore[arg-type]  # gRPC's documents: None keeps what is in use
        require_client_authentication=bool(tls.client_ca),
    )


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(tls.private_key, tls.certificate)], root_certificates=tls.client_ca or None
    )


class NotIdentified(Exception):
    """The client proved who it is to TLS, but its certificate names no machine of ours."""


def certified_machine(
    auth_context: Mapping[str, Iterable[bytes]], *, spiffe_domain: str = ""
) -> MachineId | None:
    """Return the machine that the client's certificate names, or None on a connection without TLS.
    Raises NotIdentified.
    """
    if b"ssl" not in auth_context.get(_TRANSPORT, ()):
        return None
    matches = [
        _MACHINE_URI.fullmatch(uri.decode("utf-8", "replace"))
        for uri in auth_context.get("peer_uri", ())
    ]
    named = [
        match for match in matches if match is not None and spiffe_domain in {"", match["domain"]}
    ]
    if len(named) != 1:
        raise NotIdentified
    return MachineId(named[0]["machine_id"])
