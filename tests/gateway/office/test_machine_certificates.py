"""MachineCertificateService: tokens with which machines are enrolled, and what came of them."""

from typing import Any

import grpc
import pytest

from gateway.office.v1 import machine_certificate_service_pb2 as wire
from gateway.office.v1.machine_certificate_service_pb2_grpc import MachineCertificateServiceStub
from storage.office.enrolment_tokens import EnrolmentTokens
from tests.gateway.trust.enrolled import enrolling
from tests.support.csr import csr
from tests.support.fleet_calls import refusal
from tests.support.site import Site

ANN = (("x-actor", "ann"),)


def wanted(machine_id: str = "VM-1", **more: Any) -> wire.CreateEnrolmentTokenRequest:
    return wire.CreateEnrolmentTokenRequest(machine_id=machine_id, **more)


async def test_a_token_is_told_once_and_its_certificate_is_listed(site: Site) -> None:
    """What is kept of the call lets nobody in."""
    await site.register()
    calls: Any = MachineCertificateServiceStub(site.channel)
    asked = wanted(request_id="r1", reason="a new machine")
    made = await calls.CreateEnrolmentToken(asked, metadata=ANN)
    assert made.payload == f"vendgate:enrol?machine=VM-1&token={made.token}"
    assert made.token.replace("-", "").startswith(made.token_id)
    again = await calls.CreateEnrolmentToken(asked, metadata=ANN)
    assert ("", "", made.token_id) == (again.token, again.payload, again.token_id)
    async with enrolling(site) as enroller:
        await enroller.enrol(made.token, csr())
    listed = wire.ListMachineCertificatesRequest(machine_id="VM-1")
    (one,) = (await calls.ListMachineCertificates(listed)).certificates
    assert (1, False, False) == (one.generation, one.denied, one.HasField("used_at"))
    assert 30 * 86_400 == one.expires_at.seconds - one.issued_at.seconds


async def test_a_check_makes_no_token(site: Site) -> None:
    """It says whose it would be."""
    await site.register()
    calls: Any = MachineCertificateServiceStub(site.channel)
    made = await calls.CreateEnrolmentToken(wanted(validate_only=True), metadata=ANN)
    assert ("VM-1", "") == (made.machine_id, made.token)
    known = await EnrolmentTokens(site.database).open(made.token_id, "X", now_ms=0)
    assert "WRONG" == known


async def test_a_wrong_request_says_what_is_wrong(site: Site, subtests: pytest.Subtests) -> None:
    """And makes no token."""
    for request_, field in [
        (wanted("no id"), "machine_id"),
        (wanted(valid_s=299), "valid_s"),
        (wanted(valid_s=2_592_001), "valid_s"),
        (wanted(valid_s=-1), "valid_s"),
    ]:
        with subtests.test(field=field):
            calls: Any = MachineCertificateServiceStub(site.channel)
            code, _, fields = await refusal(calls.CreateEnrolmentToken(request_, metadata=ANN))
            assert (grpc.StatusCode.INVALID_ARGUMENT, [field]) == (code, fields)


async def test_a_token_is_for_a_machine_that_is_there(site: Site) -> None:
    """Register it first."""
    calls: Any = MachineCertificateServiceStub(site.channel)
    code, reason, _ = await refusal(calls.CreateEnrolmentToken(wanted(), metadata=ANN))
    assert (grpc.StatusCode.NOT_FOUND, "MACHINE_NOT_FOUND") == (code, reason)
