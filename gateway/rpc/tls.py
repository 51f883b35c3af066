"""TLS of one listener, as PEM texts. No gRPC here: a host's worker reads settings too."""

from dataclasses import dataclass, field
from typing import Protocol


class Renewed(Protocol):
    """Tells at each handshake whether other certificates are to be used from now on."""

    def __call__(self) -> "Tls | None":
        """Return them; None: those in use stay."""
        ...

    def to_come(self) -> "Tls | None":
        """Return those that the next handshake is to use, which stays as it is; None: the first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a TLS server needs. Clients must show a certificate of ``client_ca``; empty (admin
    listener only) asks for none.
    """

    certificate: bytes
    private_key: bytes = field(repr=False)
    client_ca: bytes = b""
    renewed: Renewed | None = field(default=None, repr=False, compare=False)
    """None: what was read at the start stays in use."""
