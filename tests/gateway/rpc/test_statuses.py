"""The table of refusals."""

import re

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from actors.link import CloseReason
from gateway.rpc import statuses
from gateway.rpc.statuses import FieldProblem, Refusal

ALL = [value for value in vars(statuses).values() if isinstance(value, Refusal)]


@pytest.mark.parametrize("refusal", ALL, ids=lambda refusal: refusal.reason)
def test_every_refusal(refusal: Refusal) -> None:
    """Each has a reason for programs, says what to do next, and is no OK."""
    assert re.fullmatch(r"[A-Z][A-Z_]{1,61}[A-Z]", refusal.reason)
    assert ":" in refusal.message
    assert refusal.code is not grpc.StatusCode.OK


def test_reasons_are_different() -> None:
    """A reason names one refusal only."""
    assert len(ALL) == len({refusal.reason for refusal in ALL})


def test_every_close_reason_is_in_the_table() -> None:
    """The host's reasons have their own statuses."""
    reasons = [value for name, value in vars(CloseReason).items() if name.isupper()]
    assert reasons == [statuses.refusal_of(reason).reason for reason in reasons]


def test_details_travel() -> None:
    """ErrorInfo, RetryInfo and BadRequest are in the trailing metadata, beside code and message."""
    refusal = Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="R",
        message="machine {machine_id}: {left}",
        retry_after_ms=1_500,
        problems=(FieldProblem(field="f", description="d"),),
    ).about(machine_id="m1")
    status = statuses.to_status(refusal)
    assert (status.code, status.details) == (grpc.StatusCode.INVALID_ARGUMENT, "machine m1: {left}")
    ((key, value),) = status.trailing_metadata or ()
    assert "grpc-status-details-bin" == key
    assert isinstance(value, bytes)
    packed = status_pb2.Status.FromString(value).details
    info, retry, bad = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.RetryInfo(),
        error_details_pb2.BadRequest(),
    )
    assert [True, True, True] == [
        detail.Unpack(message) for detail, message in zip(packed, (info, retry, bad), strict=True)
    ]
    assert (
        "R",
        "vendgate",
        {"machine_id": "m1"},
    ) == (info.reason, info.domain, dict(info.metadata))
    assert 1_500 == retry.retry_delay.ToMilliseconds()
    assert ("f", "d") == (bad.field_violations[0].field, bad.field_violations[0].description)
