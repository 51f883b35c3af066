"""The table of refusals."""

import re
from base64 import b64encode
from urllib.parse import quote

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


@pytest.mark.parametrize("letter", ["x", "é", "\n", "%", "\U0001f600"])
@pytest.mark.parametrize(("count", "length"), [(1, 100_000), (5_000, 3), (40, 90)])
def test_a_refusal_has_room_in_the_metadata(letter: str, count: int, length: int) -> None:
    """However much is wrong: a client drops what is beyond 8 KiB, and its reason with it."""
    problems = [
        FieldProblem(field=f"columns[{number}].{letter * length}", description=letter * length)
        for number in range(count)
    ]
    refusal = Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="INVALID_REQUEST",
        message="; ".join(one.description for one in problems),
        problems=tuple(problems),
    )
    status = statuses.to_status(refusal)
    ((_, packed),) = status.trailing_metadata or ()
    assert isinstance(packed, bytes)
    as_sent = len(quote(status.details, safe=" !#$&'()*+,/:;=?@[]~")) + len(b64encode(packed))
    assert 8_192 - 512 > as_sent
    shown = statuses.fitting(problems)
    assert 0 < len(shown) <= count
    assert shown[0].field.startswith(f"columns[0].{letter * min(length, 30)}")


def test_what_fits_is_told_whole() -> None:
    """Nothing is cut that has room."""
    problems = tuple(FieldProblem(field=f"f{number}", description="d" * 50) for number in range(9))
    assert problems == statuses.fitting(problems)
