"""DenialService: who may not connect or call any more."""

from typing import Any

import grpc
import pytest

from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.fleet.v1 import session_service_pb2
from gateway.office.denials import DenialCalls
from gateway.office.v1 import denial_pb2
from gateway.office.v1 import denial_service_pb2 as wire
from gateway.office.v1.denial_service_pb2_grpc import DenialServiceStub
from gateway.rpc.offenders import Principal
from gateway.rpc.roles import Role
from gateway.v1 import machine_pb2 as machine_wire
from storage.office.denials import Denials
from tests.support.fleet_calls import refusal, registered, word
from tests.support.site import Site, found
from tests.support.site_machine import a_door, approved

ANN = (("x-actor", "ann"),)
MACHINE = denial_pb2.DENIAL_KIND_MACHINE
PERSON = denial_pb2.DENIAL_KIND_PERSON
CERTIFICATE = denial_pb2.DENIAL_KIND_CERTIFICATE


def deny(kind: Any, name: str, **more: Any) -> wire.DenyAccessRequest:
    return wire.DenyAccessRequest(**{"kind": kind, "name": name, "reason": "stolen", **more})


async def test_denied_listed_and_allowed(site: Site) -> None:
    """And a gateway that looks knows it."""
    calls: Any = DenialServiceStub(site.channel)
    made = (await calls.DenyAccess(deny(MACHINE, "VM-1"), metadata=ANN)).denial
    assert ("VM-1", MACHINE, "ann", "stolen") == (
        made.name,
        made.kind,
        made.denied_by,
        made.reason,
    )
    assert [made] == list((await calls.ListDenials(wire.ListDenialsRequest())).denials)
    denying = site.gateway.office.denying
    await denying.look()
    assert denying.denied.machine("VM-1")
    ended = wire.AllowAccessRequest(kind=MACHINE, name="VM-1", reason="found")
    assert made == (await calls.AllowAccess(ended, metadata=ANN)).denial
    await denying.look()
    assert not denying.denied.machine("VM-1")
    code, reason, _ = await refusal(calls.AllowAccess(ended, metadata=ANN))
    assert (grpc.StatusCode.NOT_FOUND, "DENIAL_NOT_FOUND") == (code, reason)


async def test_who_denies_a_number_hears_whom_it_hits(site: Site) -> None:
    """Before, with validate_only, and then; whoever names the machine hits nobody else."""
    calls: Any = DenialServiceStub(site.channel)
    for machine_id in ("VM-2", "VM-1"):
        of_one = deny(CERTIFICATE, "1", machine_id=machine_id)
        told = await calls.DenyAccess(of_one, metadata=ANN)
        assert (machine_id, [], 0) == (
            told.denial.machine_id,
            list(told.machine_ids),
            told.machines,
        )
    denying = site.gateway.office.denying
    for more in ({"validate_only": True}, {}):
        told = await calls.DenyAccess(deny(CERTIFICATE, "1", **more), metadata=ANN)
        assert ("", ["VM-1", "VM-2"], 2) == (
            told.denial.machine_id,
            list(told.machine_ids),
            told.machines,
        )
        await denying.look()
        assert bool(more) is not denying.denied.machine("VM-3", "1")
    several = wire.AllowAccessRequest(kind=CERTIFICATE, name="1", reason="found")
    await calls.AllowAccess(several, metadata=ANN)
    _, reason, _ = await refusal(calls.AllowAccess(several, metadata=ANN))
    assert "SEVERAL_DENIALS" == reason
    several.machine_id = "VM-2"
    assert "VM-2" == (await calls.AllowAccess(several, metadata=ANN)).denial.machine_id
    await denying.look()
    assert [True, False] == [denying.denied.machine(one, "1") for one in ("VM-1", "VM-2")]


async def test_a_machine_that_is_denied_in_the_middle_of_a_vend_tells_later_what_came_of_it(
    site: Site,
) -> None:
    """Its stream ends, and it is refused; the vend waits in doubt, and what the machine's journal
    says when it is allowed again settles it.
    """
    calls: Any = DenialServiceStub(site.channel)
    denying = site.gateway.office.denying
    machine = await registered(site)
    async with a_door(site) as opened:
        stream = opened()
        await stream.hello("VM-1", planogram_version=1)
        vend_id = await approved(site, stream, machine.qr_payload)
        await calls.DenyAccess(deny(MACHINE, "VM-1"), metadata=ANN)
        await denying.look()
        assert grpc.StatusCode.PERMISSION_DENIED == (await stream.end())[0]
        assert await found(lambda: _has_become(site, vend_id, "IN_DOUBT"))
        refused = opened()
        await refused.say(hello=machine_wire.Hello(machine_id="VM-1", boot_id="b2"))
        assert grpc.StatusCode.PERMISSION_DENIED == (await refused.end())[0]
        ended = wire.AllowAccessRequest(kind=MACHINE, name="VM-1", reason="found")
        await calls.AllowAccess(ended, metadata=ANN)
        await denying.look()
        line = machine_wire.JournalEntry(
            vend_id=vend_id, stage=machine_wire.JOURNAL_STAGE_SUCCEEDED
        )
        back = await opened().hello("VM-1", planogram_version=1, journal_tail=[line])
        assert "welcome" == back.WhichOneof("payload")
        assert await found(lambda: _has_become(site, vend_id, "SUCCEEDED"))


async def _has_become(site: Site, vend_id: str, status: str) -> bool | None:
    """Whether the vend is so by now; None: not yet."""
    request = session_service_pb2.GetVendRequest(vend_id=vend_id)
    return status == word((await site.sessions.GetVend(request)).vend, "status") or None


async def test_those_at_their_bound_are_listed(site: Site) -> None:
    """The newest first, as this gateway heard of them."""
    offenders = site.gateway.office.offenders
    assert offenders is not None
    for name in ("VM-1", "VM-2", "VM-1"):
        offenders.note(Principal.MACHINE, name, "FLOOD")
    calls: Any = DenialServiceStub(site.channel)
    listed = (await calls.ListOffenders(wire.ListOffendersRequest())).offenders
    assert [("VM-1", 2), ("VM-2", 1)] == [(one.name, one.times) for one in listed]
    assert denial_pb2.PRINCIPAL_MACHINE == listed[0].principal
    figures = (await site.http.get("/metrics")).text
    assert 'vendgate_offenders{principal="machine"} 2.0' in figures


async def test_a_wrong_request_says_what_is_wrong(site: Site, subtests: pytest.Subtests) -> None:
    """And denies nobody."""
    for request_, field in [
        (deny(0, "VM-1"), "kind"),
        (deny(MACHINE, "no id"), "name"),
        (deny(CERTIFICATE, "4F:01"), "name"),
        (deny(CERTIFICATE, "04f"), "name"),
        (deny(PERSON, ""), "name"),
        (deny(PERSON, "x" * 201), "name"),
        (deny(MACHINE, "VM-1", reason=""), "reason"),
        (deny(CERTIFICATE, "4f", machine_id="no id"), "machine_id"),
        (deny(MACHINE, "VM-1", machine_id="VM-1"), "machine_id"),
    ]:
        with subtests.test(field=field):
            calls: Any = DenialServiceStub(site.channel)
            code, _, fields = await refusal(calls.DenyAccess(request_, metadata=ANN))
            assert (grpc.StatusCode.INVALID_ARGUMENT, [field]) == (code, fields)


async def _refused(site: Site, request: wire.DenyAccessRequest, role: Role) -> str:
    calls = DenialCalls(
        denials=Denials(site.database), clock=site.clock, changed=lambda: pytest.fail("told")
    )
    act = Act(actor="ann", within_s=1.0, person="ann", proven="ann", roles=frozenset({role}))
    with pytest.raises(CallRefused) as refused:
        await calls.deny(request, act)
    return refused.value.refusal.reason


async def test_people_are_denied_by_owners_and_nobody_by_themselves(site: Site) -> None:
    """An operator denies a machine; the last owner does not shut themselves out."""
    for request in (deny(PERSON, "bob"), deny(CERTIFICATE, "4f")):
        assert "DENIED_BY_OWNERS" == await _refused(site, request, Role.OPERATOR)
    assert "DENIES_YOURSELF" == await _refused(site, deny(PERSON, "ann"), Role.OWNER)
