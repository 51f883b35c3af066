"""``vendgate qr``: a machine's code, drawn into the terminal.

Flows in: a machine's id and the address of the administrators' door. Flows out: a picture and the
text of the code, or a sentence that says why there is none.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from gateway.demo.stage import DIRECT
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from gateway.simulator.picture import for_terminal

ANSWER_TIMEOUT_S = 15


class NoCode(Exception):
    """There is no code to draw. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where administrators are answered; without ``ca`` the connection is plaintext."""

    address: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def qr(machine_id: str, door: Door) -> str:
    """Return the code of a machine as lines for a terminal. Raises NoCode, OSError."""
    payload = asyncio.run(payload_of(machine_id, door))
    return f"{for_terminal(payload)}\n{machine_id}  {payload}"


async def payload_of(machine_id: str, door: Door) -> str:
    """Return the text of a machine's code. Raises NoCode, OSError."""
    async with _channel(door) as channel:
        fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
        request = fleet_service_pb2.GetMachineRequest(machine_id=machine_id)
        try:
            answer = await fleet.GetMachine(request, timeout=ANSWER_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            said = f"{door.address} answers {error.code().name}: {error.details()}"
            raise NoCode(f"{said}{_proof_wanted(door, error)}") from None
    machine = answer.machine
    if not machine.qr_payload:
        why = machine.code_error or "Alipay has not given it one yet; try again in a moment"
        raise NoCode(f"{machine_id} has no code: {why}")
    return machine.qr_payload


def _proof_wanted(door: Door, error: grpc.aio.AioRpcError) -> str:
    """Return what to try if the gateway may want to know who asks."""
    if door.ca is not None or door.address.startswith("unix:"):
        return ""
    if error.code() is not grpc.StatusCode.UNAVAILABLE:
        return ""
    return (
        ". If the gateway serves there and wants certificates, give yours (--ca, --cert, --key), "
        "or its socket (--admin unix:FOLDER/admin.sock)."
    )


def _channel(door: Door) -> grpc.aio.Channel:
    if door.ca is None:
        return grpc.aio.insecure_channel(door.address, options=DIRECT)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=door.ca.read_bytes(),
        private_key=door.key.read_bytes() if door.key else None,
        certificate_chain=door.cert.read_bytes() if door.cert else None,
    )
    return grpc.aio.secure_channel(door.address, credentials)
