"""What a page is told is what gRPC tells."""

import grpc
import pytest

from gateway.fleet.v1 import fleet_service_pb2, trade_service_pb2
from gateway.office import services
from gateway.rpc.roles import Role
from gateway.web.asking import Guard, Handler, LocalCalls, Person, Refused
from tests.support.certificates import Authority
from tests.support.fleet_calls import registered
from tests.support.site import Site

ANN = Person(claimed="ann", role=Role.OWNER)


def _asking(site: Site, *, guard: Guard | None = None) -> LocalCalls:
    return LocalCalls(
        lambda to: services.add_services(site.gateway.office, to),
        guard=guard or site.gateway.door.guarded,
        allowed=site.gateway.door.allowed,
    )


def _whoever(_path: str, handler: Handler) -> Handler:
    """No door: who is named how is asked here, and not who may."""
    return handler


async def test_an_answer_is_that_of_grpc(site: Site) -> None:
    """To the byte, and it is counted as a call."""
    await registered(site)
    for request, call in (
        (fleet_service_pb2.GetMachineRequest(machine_id="VM-1"), site.fleet.GetMachine),
        (trade_service_pb2.GetBalancesRequest(), site.trades.GetBalances),
    ):
        assert await call(request) == await _asking(site).ask(ANN, request)


async def test_a_refusal_has_its_sentence(site: Site) -> None:
    """With the reason that programs know."""
    with pytest.raises(Refused, match="there is no machine 'VM-1'") as caught:
        await _asking(site).ask(ANN, fleet_service_pb2.GetMachineRequest(machine_id="VM-1"))
    assert (grpc.StatusCode.NOT_FOUND, "MACHINE_NOT_FOUND") == (
        caught.value.code,
        caught.value.reason,
    )


async def test_a_role_allows_here_what_it_allows_there(site: Site) -> None:
    """Whoever may look may not act, and the try stands in the audit log; whose certificate has no
    role may not even look.
    """
    await registered(site)
    bea = Person(claimed="bea")
    look = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    assert "VM-1" == (await _asking(site).ask(bea, look)).machine.machine_id
    act = fleet_service_pb2.DisableMachineRequest(machine_id="VM-1", reason="a test")
    stranger = Person(proven={"peer_uri": b"spiffe://v/admin/eve"})
    for person, request, reason in ((bea, act, "ROLE_NEEDED"), (stranger, look, "NO_ROLE")):
        with pytest.raises(Refused) as caught:
            await _asking(site).ask(person, request)
        assert (grpc.StatusCode.PERMISSION_DENIED, reason) == (
            caught.value.code,
            caught.value.reason,
        )
    assert (await _asking(site).ask(ANN, look)).machine.enabled


@pytest.mark.parametrize(
    ("person", "actor"),
    [
        (ANN, "ann"),
        (Person(proven={"peer_uri": b"spiffe://v/admin/ann"}), "certificate spiffe://v/admin/ann"),
        (Person(proven={"x509_common_name": b"Ann"}), "certificate Ann"),
    ],
)
async def test_an_act_has_its_persons_name(site: Site, person: Person, actor: str) -> None:
    """As the audit log has it of grpcurl."""
    await registered(site)
    await _asking(site, guard=_whoever).ask(
        person, fleet_service_pb2.DisableMachineRequest(machine_id="VM-1", reason="broken")
    )
    rows = await site.database.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT actor FROM audit WHERE action = 'DisableMachine'"
        ).all()
    )
    assert [(actor,)] == [tuple(row) for row in rows]


def test_a_person_has_a_name() -> None:
    """Of a certificate without one, too."""
    nameless = Authority().nameless().certificate
    assert "ann" == ANN.name
    assert "Ann" == Person(proven={"x509_common_name": b"Ann", "x509_pem_cert": nameless}).name
    assert "certificate without a name" == Person(proven={"x509_pem_cert": nameless}).name
