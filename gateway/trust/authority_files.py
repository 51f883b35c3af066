"""A CA in a folder: what ``vendgate ca`` makes and reads.

Flows in: a folder, and what is wanted. Flows out: PEM files; keys are for their owner alone, and
nothing that is there is overwritten.
"""

import datetime as dt
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.trust.authority import (
    CannotIssue,
    KeyIssuer,
    Leaf,
    Profile,
    PublicKey,
    Root,
    new_key,
)

ROOT = "root"
_PEM = serialization.Encoding.PEM


def make(folder: Path, domain: str, *, now: dt.datetime) -> tuple[Path, ...]:
    """Make a root and the three CAs below it; return the files. Raises CannotIssue or OSError."""
    root = Root.made(domain, now=now)
    made: list[tuple[str, x509.Certificate, ec.EllipticCurvePrivateKey]] = [
        (ROOT, root.certificate, root.key)
    ]
    for profile in Profile:
        issuer = root.issuer(profile, now=now)
        made.append((stem(profile), issuer.certificate, issuer.key))
    paths = [folder / f"{name}{end}" for name, *_ in made for end in (".pem", "_key.pem")]
    _require_new(paths)
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        file
        for name, certificate, key in made
        for file in (
            (folder / f"{name}.pem", certificate.public_bytes(_PEM), 0o644),
            (folder / f"{name}_key.pem", _private(key), 0o600),
        )
    )
    return tuple(paths)


def issuer_of(folder: Path, profile: Profile) -> KeyIssuer:
    """Return the CA that issues for the profile. Raises CannotIssue or OSError."""
    certificate, key = folder / f"{stem(profile)}.pem", folder / f"{stem(profile)}_key.pem"
    try:
        return issuer_from(certificate.read_bytes(), key.read_bytes())
    except FileNotFoundError as error:
        raise CannotIssue(
            f"{error.filename} is not there: name the folder that 'vendgate ca init' made"
        ) from None
    except CannotIssue as error:
        raise CannotIssue(f"{certificate} and {key}: {error}") from None


def issuer_from(certificate: bytes, key: bytes) -> KeyIssuer:
    """Return the CA of these two PEM texts. Raises CannotIssue."""
    try:
        read = serialization.load_pem_private_key(key, password=None)
        issuing = x509.load_pem_x509_certificate(certificate)
        issued_to = issuing.public_key()
    except (ValueError, TypeError):
        raise CannotIssue("they cannot be read as PEM") from None
    except UnsupportedAlgorithm:
        raise CannotIssue("the key is of a kind that nobody here knows") from None
    fits = issued_to == read.public_key()
    if not isinstance(read, ec.EllipticCurvePrivateKey) or not fits:
        raise CannotIssue("the key does not belong to the certificate, or is not on a curve")
    return KeyIssuer(certificate=issuing, key=read)


def issue(
    issuer: KeyIssuer,
    out: Path,
    *,
    profile: Profile,
    name: str,
    days: int,
    names: tuple[str, ...] = (),
    units: tuple[str, ...] = (),
    request: Path | None = None,
    now: dt.datetime,
) -> tuple[Path, ...]:
    """Write ``name.pem`` (with the chain) and, unless a request (CSR) brings a public key,
    ``name_key.pem``; return the files. Raises CannotIssue or OSError.
    """
    certificate, key = out / f"{name}.pem", out / f"{name}_key.pem"
    private = None if request is not None else new_key()
    public = private.public_key() if private is not None else _requested(request)
    wanted = Leaf(
        profile=profile, name=name, public_key=public, days=days, names=names, units=units
    )
    chain = issuer.issue(wanted, now=now)
    written = (certificate,) if private is None else (certificate, key)
    _require_new(written)
    out.mkdir(parents=True, exist_ok=True)
    keys = [] if private is None else [(key, _private(private), 0o600)]
    _write([*keys, (certificate, b"".join(one.public_bytes(_PEM) for one in chain), 0o644)])
    return written


def stem(profile: Profile) -> str:
    """Return the name of the files of the CA that issues for a profile."""
    return f"{profile}s_ca"


def _requested(path: Path | None) -> PublicKey:
    """Return the public key of a request. Nothing else in it is believed."""
    assert path is not None
    try:
        request = x509.load_pem_x509_csr(path.read_bytes())
        key = request.public_key()
    except ValueError:
        raise CannotIssue(f"{path} is no certificate request (CSR) in PEM") from None
    if not request.is_signature_valid:
        raise CannotIssue(f"{path} is not signed by the key that is in it")
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise CannotIssue(f"{path} holds neither an ECDSA nor an RSA key")
    return key


def _require_new(paths: tuple[Path, ...] | list[Path]) -> None:
    there = next((path for path in paths if path.exists()), None)
    if there is not None:
        raise CannotIssue(f"{there} is there already, and is not overwritten: name another folder")


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _write(files: Iterable[tuple[Path, bytes, int]]) -> None:
    """Write all of them, each with its mode, or leave none behind: what is half there would be in
    the way of whoever does it again.
    """
    with ExitStack() as undo:
        for path, content, mode in files:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            undo.callback(path.unlink, missing_ok=True)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)  # whatever the umask takes away
        undo.pop_all()
