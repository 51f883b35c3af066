"""TLS of an HTTP port: contexts for the standard library, and who is on the other side.

Flows in: a ``Tls``, and the TLS of one connection. Flows out: the context that counts now, and the
certificate's words as gRPC names them, so that a person is the same one at both doors. A client may
show a certificate of ``client_ca`` and need not: who shows none has to sign in otherwise.
"""

import ssl
import tempfile
from collections.abc import Mapping

import structlog

from gateway.rpc.tls import Tls

_log = structlog.get_logger()


class Contexts:
    """The TLS context of a port; made again when the files of its certificate are others."""

    def __init__(self, tls: Tls) -> None:
        self._renewed = tls.renewed
        self._present = context_of(tls)
        self._newer: Tls | None = None

    def __call__(self) -> ssl.SSLContext:
        """Return the one that counts for the next connection."""
        self._newer = (self._renewed() if self._renewed is not None else None) or self._newer
        if self._newer is not None:
            try:
                self._present = context_of(self._newer)
            except (OSError, ValueError) as error:
                # For example because the disk is full: the next connection tries again.
                _log.warning("a newer certificate cannot be used yet", error=str(error))
            else:
                self._newer = None
        return self._present


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return a server's context. The key touches the disk only in a file that nobody else can open
    and that is gone at once, because the library reads files only.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as chain:
        chain.write(tls.certificate + b"\n" + tls.private_key)
        chain.flush()
        context.load_cert_chain(chain.name)
    if tls.client_ca:
        context.load_verify_locations(cadata=tls.client_ca.decode("ascii"))
        context.verify_mode = ssl.CERT_OPTIONAL
        # The CA that issues for people is trusted without the root above it, as gRPC trusts it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    return context


def certified_by(connection: ssl.SSLObject) -> Mapping[str, bytes]:
    """Return what the certificate of the other side says; nothing if it showed none."""
    told = connection.getpeercert()
    der = connection.getpeercert(binary_form=True)
    if not told or not der:
        return {}
    uris = [value for kind, value in _pairs(told.get("subjectAltName")) if kind == "URI"]
    names = [
        value
        for part in _tuples(told.get("subject"))
        for kind, value in _pairs(part)
        if kind == "commonName"
    ]
    found = {"peer_uri": uris[:1], "x509_common_name": names[:1]}
    return {
        **{name: values[0].encode() for name, values in found.items() if values},
        "x509_pem_cert": ssl.DER_cert_to_PEM_cert(der).encode(),
    }


def _tuples(of: object) -> tuple[object, ...]:
    return of if isinstance(of, tuple) else ()


def _pairs(of: object) -> list[tuple[str, str]]:
    pairs = (one for one in _tuples(of) if isinstance(one, tuple) and len(one) == 2)
    return [(str(kind), str(value)) for kind, value in pairs]
