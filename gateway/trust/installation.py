"""A developer's folder in which everybody proves who they are: ``vendgate init``.

Flows in: a folder. Flows out: what ``gateway.process.development`` makes, with a CA, and with a
certificate for the gateway, for an owner and for three machines.
"""

import datetime as dt
from pathlib import Path

from gateway.process import development
from gateway.process.addresses import can_be_a_socket
from gateway.trust import authority_files
from gateway.trust.authority import DAYS, Profile

CA, CERTIFICATES = "ca", "tls"
DOMAIN = "vendgate.local"
OWNER = "owner"
SOCKET = "admin.sock"
MACHINES = ("VM-0001", "VM-0002", "VM-0003")
_OF_THE_GATEWAY = f"""
certificate_file = "{CERTIFICATES}/gateway.pem"
private_key_file = "{CERTIFICATES}/gateway_key.pem"
client_ca_file = "{CA}/{{ca}}.pem"
"""

_ENROLMENT = f"""
[enrolment]
# Machines without a certificate get theirs here, for a token of 'vendgate trust token'.
enabled = true
listen = "127.0.0.1:7446"
certificate_file = "{CERTIFICATES}/gateway.pem"
private_key_file = "{CERTIFICATES}/gateway_key.pem"
ca_certificate_file = "{CA}/{authority_files.stem(Profile.MACHINE)}.pem"
ca_private_key_file = "{CA}/{authority_files.stem(Profile.MACHINE)}_key.pem"
"""


def make(folder: Path, *, now: dt.datetime) -> tuple[Path, bool]:
    """Make the folder's content; return the configuration's path and whether it is new. A
    configuration that is there is kept, and nothing else is made. Raises CannotIssue or OSError.
    """
    config = folder / development.CONFIG_FILE
    if config.exists():
        return config, False
    authority_files.make(folder / CA, DOMAIN, now=now)
    _issue(folder, Profile.GATEWAY, "gateway", now, names=("localhost", "127.0.0.1"))
    _issue(folder, Profile.ADMINISTRATOR, OWNER, now)
    for machine_id in MACHINES:
        _issue(folder, Profile.MACHINE, machine_id, now)
    machines = _OF_THE_GATEWAY.format(ca=authority_files.stem(Profile.MACHINE))
    admin = _OF_THE_GATEWAY.format(ca=authority_files.stem(Profile.ADMINISTRATOR))
    through = f'\nsocket_file = "{SOCKET}"' if can_be_a_socket(folder / SOCKET) else ""
    return development.make_installation(
        folder,
        machines=f'{machines}spiffe_domain = "{DOMAIN}"',
        admin=f'{admin}roles = {{ {OWNER} = "owner" }}{through}',
        tables=_ENROLMENT,
    )


def proves(folder: Path) -> bool:
    """Return whether the folder's gateway asks for proofs: one that was made plain stays so."""
    return (folder / CA).is_dir()


def next_steps(folder: Path) -> str:
    """Return how machines and people call that gateway."""
    root, tls = folder / CA / "root.pem", folder / CERTIFICATES
    config, socket = folder / development.CONFIG_FILE, (folder / SOCKET).absolute()
    owner = f"-cacert {root} -cert {tls}/{OWNER}.pem -key {tls}/{OWNER}_key.pem"
    through = f"  grpcurl -plaintext unix:{socket} list\n" if can_be_a_socket(socket) else ""
    return (
        f"as an administrator, with the owner's certificate{', or shorter:' if through else ':'}\n"
        f"  grpcurl {owner} localhost:7444 list\n"
        f"{through}"
        "as a machine that is registered, with a certificate, or with a token:\n"
        f"  vendgate simulate machines --machine VM-0001 --gateway localhost:7443 --ca {root} "
        f"--cert '{tls}/{{machine_id}}.pem' --key '{tls}/{{machine_id}}_key.pem'\n"
        f"  vendgate trust token VM-0004 --config {config} --out VM-0004.token\n"
        f"  vendgate simulate machines --machine VM-0004 --gateway localhost:7443 --ca {root} "
        "--enrol localhost:7446 --token-file VM-0004.token"
    )


def _issue(
    folder: Path, profile: Profile, name: str, now: dt.datetime, names: tuple[str, ...] = ()
) -> None:
    authority_files.issue(
        authority_files.issuer_of(folder / CA, profile),
        folder / CERTIFICATES,
        profile=profile,
        name=name,
        days=DAYS[profile],
        names=names,
        now=now,
    )
