"""A CA whose key another program holds."""

import copy
import datetime as dt
import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from gateway.trust import command_key
from gateway.trust.authority import CannotIssue, Leaf, Profile, Root, new_key
from gateway.trust.authority_files import issuer_from
from gateway.trust.command_key import CommandKey, issuer_by
from tests.support.patience import HANGS_AFTER_S

NOW = dt.datetime.now(dt.UTC)
ROOT = Root.made("vending.example", now=NOW)
CA = ROOT.issuer(Profile.MACHINE, now=NOW)
PEM = CA.certificate.public_bytes(Encoding.PEM)
KEY_PEM = CA.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
WANTED = Leaf(profile=Profile.MACHINE, name="VM-1", public_key=new_key().public_key(), days=30)
SIGNS = """
import os, sys
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.serialization import load_pem_private_key
assert not [name for name in os.environ if name.startswith("VENDGATE_")]
key = load_pem_private_key(open(sys.argv[1], "rb").read(), None)
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read(), ECDSA(SHA256())))
"""
MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")


def python(script: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script, *arguments)


def test_a_command_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it signed is proved by the CA; it is told no secret of ours."""
    monkeypatch.setenv("VENDGATE_PAYER_SALT", "a secret")
    key = tmp_path / "key.pem"
    key.write_bytes(KEY_PEM)
    issuer = issuer_by(PEM, python(SIGNS, str(key)))
    leaf, above = issuer.issue(WANTED, now=NOW)
    leaf.verify_directly_issued_by(CA.certificate)
    assert ("vending.example", CA.certificate) == (issuer.domain, above)
    key.write_bytes(new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(CannotIssue, match="signs with another key"):
        issuer.issue(WANTED, now=NOW)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("/nowhere/sign",), "did not sign"),
        (python("import sys; sys.exit('no token is there')"), "status 1 and 0 bytes: 'no token"),
        (python("pass"), "status 0 and 0 bytes"),
        (python("print('x' * 300)"), "wrote more than the 256 bytes"),
        (python("import os\nfor _ in range(64): os.write(1, b'x' * 65536)"), "wrote more than"),
        (python("import os\nos.close(0)\nos.close(1)\nos.close(2)"), "status 0 and 0 bytes"),
        (python("import time; time.sleep(600)", "PIN"), r"timed out after 0\.01 s$"),
    ],
)
def test_a_command_that_does_not_is_told(
    command: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, and within its time."""
    if "timed out" in says:
        monkeypatch.setattr(command_key, "WITHIN_S", 0.01)
    with pytest.raises(CannotIssue, match=says):
        issuer_by(PEM, command).issue(WANTED, now=NOW)


def test_what_a_command_started_ends_with_it(tmp_path: Path) -> None:
    """A script's own program that hangs is not left behind, once for each certificate."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Whoever reads it comes to an end when nobody has the other one any more.
    reads = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    script = f"exec 3>{pipe}; sleep 600 & head -c 300 /dev/zero; wait"
    with pytest.raises(CannotIssue, match="wrote more than"):
        issuer_by(PEM, ("sh", "-c", script)).issue(WANTED, now=NOW)
    ready, _, _ = select.select([reads], [], [], HANGS_AFTER_S)
    assert [reads] == ready
    os.close(reads)


def test_a_key_that_nobody_knows_is_told() -> None:
    """In a sentence, at the start and when the files are exchanged."""
    der = CA.certificate.public_bytes(Encoding.DER)
    unknown = der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f"))
    assert unknown != der
    pem = x509.load_der_x509_certificate(unknown).public_bytes(Encoding.PEM)
    with pytest.raises(CannotIssue, match="of a kind that nobody here knows"):
        issuer_by(pem, ("sign",))
    with pytest.raises(CannotIssue, match="of a kind that nobody here knows"):
        issuer_from(pem, KEY_PEM)


def test_it_signs_and_does_nothing_else() -> None:
    """Nobody here has the key."""
    issuer = issuer_by(PEM, ("sign",))
    key = issuer.key
    assert isinstance(key, CommandKey)
    assert ("secp256r1", 256) == (key.curve.name, key.key_size)
    assert key is copy.copy(key) is copy.deepcopy(key)
    for ask in (key.private_numbers, key.private_bytes):
        with pytest.raises(NotImplementedError):
            ask()
    with pytest.raises(CannotIssue, match="as PEM"):
        issuer_by(b"none", ("sign",))


def certificate_for(public: object) -> x509.Certificate:
    """A CA's certificate like ours, for another key."""
    assert isinstance(public, ec.EllipticCurvePublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(CA.certificate.subject)
        .issuer_name(ROOT.certificate.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(CA.certificate.not_valid_before_utc)
        .not_valid_after(CA.certificate.not_valid_after_utc)
    )
    for one in CA.certificate.extensions:
        builder = builder.add_extension(one.value, critical=one.critical)
    return builder.sign(ROOT.key, hashes.SHA256())


@pytest.mark.skipif(
    not (shutil.which("pkcs11-tool") and shutil.which("softhsm2-util")),
    reason="SoftHSM and OpenSC are not installed",
)
def test_a_key_in_a_pkcs11_token_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the script of docs/operations.md; the key is made in the token and never leaves it."""
    module = next(path for path in MODULES if Path(path).exists())
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    (tmp_path / "pin").write_text("123456\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.setenv("MODULE", module)
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text()
    script = page.partition("  #!/bin/sh\n")[2].partition("```")[0]
    sign = tmp_path / "sign"
    sign.write_text("#!/bin/sh\n" + script.replace("/etc/vendgate/pin", str(tmp_path / "pin")))
    sign.chmod(0o700)

    def run(*words: str) -> bytes:
        return subprocess.run(words, check=True, capture_output=True, env=os.environ).stdout

    token = ("--label", "vendgate", "--so-pin", "12345678", "--pin", "123456")
    run("softhsm2-util", "--init-token", "--free", *token)
    tool = ("pkcs11-tool", "--module", module, "--token-label", "vendgate", "--pin", "123456")
    run(*tool, "--keypairgen", "--key-type", "EC:prime256v1", "--label", "machines")
    public = load_der_public_key(
        run(*tool, "--read-object", "--type", "pubkey", "--label", "machines")
    )
    ca = certificate_for(public)
    issuer = issuer_by(ca.public_bytes(Encoding.PEM), (str(sign),))
    leaf, above = issuer.issue(WANTED, now=NOW)
    leaf.verify_directly_issued_by(above)
    above.verify_directly_issued_by(ROOT.certificate)
