"""TLS of one listener, as PEM texts. No gRPC here: a host's worker reads settings too."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a TLS server needs. Clients must show a certificate of ``client_ca``; empty (admin
    listener only) asks for none.
    """

    certificate: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes = b""
