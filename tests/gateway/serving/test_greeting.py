"""A gateway that is ready says where it is and what to call first."""

from pathlib import Path

from gateway.process.sections import Admin
from gateway.serving.greeting import DESK, welcome
from gateway.serving.wiring import Addresses

THERE = Addresses(
    machines="127.0.0.1:1",
    admin="127.0.0.1:2",
    http="127.0.0.1:3",
    health="127.0.0.1:4",
    console="",
    enrolment="",
    public_url="https://vend.example",
    gateway_id="gw",
    pid=5,
    host_pids=(),
)


def test_the_first_call_can_be_copied() -> None:
    """As the administrators' door wants it."""
    register = f"-d '{DESK}' 127.0.0.1:2 gateway.fleet.v1.FleetService/RegisterMachine"
    assert f"  grpcurl -plaintext {register}\n" in welcome(THERE, Admin())
    proven = Admin(certificate_file=Path("c"), private_key_file=Path("k"), client_ca_file=Path("a"))
    assert f"-cert YOU.pem -key YOU.key {register}\n" in welcome(THERE, proven)
    socket = proven.model_copy(update={"socket_file": Path("/a b/admin.sock")})
    through = register.replace("127.0.0.1:2", "'unix:/a b/admin.sock'")
    assert f"  grpcurl -plaintext {through}\n" in welcome(THERE, socket)
    assert "  console         off\n" in welcome(THERE, Admin())
    assert "  hosts           elsewhere\n" in welcome(THERE, Admin())
