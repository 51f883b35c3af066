"""Who everybody in the demo is, when they prove it: a CA, certificates of the gateway and an owner,
and a token for each machine, which gets its certificate by itself.

Flows in: the demo's folder and ports. Flows out: settings of the gateway, and what machines and
people call it with.
"""

import asyncio
import datetime as dt
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
import grpc.aio

from gateway.demo.screen import Calling
from gateway.demo.stage import Ports
from gateway.office.v1 import machine_certificate_service_pb2 as wire
from gateway.office.v1.machine_certificate_service_pb2_grpc import MachineCertificateServiceStub
from gateway.process.addresses import can_be_a_socket
from gateway.trust import authority_files
from gateway.trust.authority import DAYS, Profile

DOMAIN = "demo.vendgate.local"
OWNER = "owner"
_OF_THIS_COMPUTER = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The files of a demo in which nobody is believed without a proof, below ``folder``."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, *, now: dt.datetime) -> Self:
        """Make the CA and the certificates that are not asked for; a folder that was kept has them,
        and its machines trust no others. Raises CannotIssue, OSError.
        """
        one = cls(folder=folder / "tls")
        if one.key.is_file():  # it is written last
            return one
        authority_files.make(one.folder, DOMAIN, now=now)
        for profile, name, names in (
            (Profile.GATEWAY, "gateway", _OF_THIS_COMPUTER),
            (Profile.ADMINISTRATOR, OWNER, ()),
        ):
            authority_files.issue(
                authority_files.issuer_of(one.folder, profile),
                one.folder,
                profile=profile,
                name=name,
                days=DAYS[profile],
                names=names,
                now=now,
            )
        return one

    @property
    def ca(self) -> Path:
        """What everybody trusts."""
        return self._pem(authority_files.ROOT)

    @property
    def certificate(self) -> Path:
        """The owner's certificate."""
        return self._pem(OWNER)

    @property
    def key(self) -> Path:
        """The owner's key."""
        return self._pem(f"{OWNER}_key")

    def tables(self, ports: Ports) -> Mapping[str, Mapping[str, object]]:
        """Return the gateway's tables that are otherwise than without a proof."""
        pair = {
            "certificate_file": str(self._pem("gateway")),
            "private_key_file": str(self._pem("gateway_key")),
        }
        machines = authority_files.stem(Profile.MACHINE)
        people = authority_files.stem(Profile.ADMINISTRATOR)
        return {
            "machines": {
                "listen": f"127.0.0.1:{ports.machines}",
                **pair,
                "client_ca_file": str(self._pem(machines)),
                "spiffe_domain": DOMAIN,
            },
            "admin": {
                "listen": f"127.0.0.1:{ports.admin}",
                **pair,
                "client_ca_file": str(self._pem(people)),
                **({"socket_file": str(self._socket)} if self._has_socket else {}),
            },
            "admin.roles": {OWNER: "owner"},
            "enrolment": {
                "enabled": True,
                "listen": f"127.0.0.1:{ports.enrolment}",
                **pair,
                "ca_certificate_file": str(self._pem(machines)),
                "ca_private_key_file": str(self._pem(f"{machines}_key")),
            },
        }

    def channel(self, address: str, options: Sequence[tuple[str, int]]) -> grpc.aio.Channel:
        """Return a channel of the owner's."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self.ca.read_bytes(),
            private_key=self.key.read_bytes(),
            certificate_chain=self.certificate.read_bytes(),
        )
        return grpc.aio.secure_channel(address, credentials, options=options)

    async def make_tokens(self, channel: grpc.aio.Channel, machine_ids: Sequence[str]) -> None:
        """Have a token for each machine, in a file that its technician types."""
        calls = MachineCertificateServiceStub(channel)
        answers = await asyncio.gather(
            *(
                calls.CreateEnrolmentToken(
                    wire.CreateEnrolmentTokenRequest(machine_id=machine_id, reason="the demo"),
                    timeout=60,
                )
                for machine_id in machine_ids
            )
        )
        for answer in answers:
            path = self.folder / f"{answer.machine_id}.token"
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{answer.token}\n")

    def fleet_arguments(self, ports: Ports) -> list[str]:
        """Return what machines are started with."""
        return [
            *("--ca", str(self.ca), "--enrol", f"127.0.0.1:{ports.enrolment}"),
            *("--token-file", str(self.folder / "{machine_id}.token")),
        ]

    def calling(self, address: str) -> Calling:
        """Return how a visitor's shell calls as an owner: through a socket that is theirs alone, or
        with the owner's certificate at ``address`` where there is none.
        """
        if self._has_socket:
            return Calling.plain(f"unix:{self._socket}")
        options = self._options("--ca", "--cert", "--key")
        return Calling(
            grpcurl=self._options("-cacert", "-cert", "-key"),
            address=address,
            qr=f"--admin {address} {options}",
        )

    @property
    def _socket(self) -> Path:
        return self.folder.parent / "admin.sock"

    @property
    def _has_socket(self) -> bool:
        return can_be_a_socket(self._socket)

    def _options(self, ca: str, certificate: str, key: str) -> str:
        files = ((ca, self.ca), (certificate, self.certificate), (key, self.key))
        return " ".join(f"{name} {shlex.quote(str(path))}" for name, path in files)

    def _pem(self, name: str) -> Path:
        return self.folder / f"{name}.pem"
