"""What people see happening."""

import inspect
from typing import get_args

import pytest

from gateway.simulator import happenings
from gateway.simulator.happenings import (
    Denied,
    Greeted,
    Happening,
    NotNow,
    PowerLost,
    Scolded,
    SessionEnded,
    TurnedAway,
    VendEnded,
    one_line,
)
from gateway.v1 import machine_pb2 as pb


def test_every_happening_can_be_watched_for() -> None:
    """Each class of the module is in the union that watches wait for, reasons left out."""
    defined = {
        each
        for _, each in inspect.getmembers(happenings, inspect.isclass)
        if each.__module__ == happenings.__name__
    }

    assert {*get_args(Happening), NotNow} == defined


@pytest.mark.parametrize(
    ("line", "happening"),
    [
        ("PowerLost", PowerLost()),
        ("Greeted boot_id=b1", Greeted(boot_id="b1")),
        ("TurnedAway reason=DOOR_OPEN column=A1", TurnedAway(reason=NotNow.DOOR_OPEN, column="A1")),
        (
            "Denied request_id=r1 reason=VEND_DENIED_REASON_SOLD_OUT funds_minor=5",
            Denied(request_id="r1", reason=pb.VEND_DENIED_REASON_SOLD_OUT, funds_minor=5),
        ),
        (
            (
                "VendEnded vend_id=v1 request_id=r1 column=A1 delivered=False "
                "cause=VEND_FAILURE_CAUSE_JAMMED"
            ),
            VendEnded(
                vend_id="v1",
                request_id="r1",
                column="A1",
                delivered=False,
                cause=pb.VEND_FAILURE_CAUSE_JAMMED,
            ),
        ),
        (
            "SessionEnded session_id=s1 reason=END_SESSION_REASON_IDLE refund_minor=None",
            SessionEnded(session_id="s1", reason=pb.END_SESSION_REASON_IDLE, refund_minor=None),
        ),
        (
            "Scolded code=PROTOCOL_ERROR_CODE_OUT_OF_ORDER detail=why",
            Scolded(code=pb.PROTOCOL_ERROR_CODE_OUT_OF_ORDER, detail="why"),
        ),
    ],
)
def test_a_happening_reads_in_one_line(line: str, happening: Happening) -> None:
    """A line has the name of what happened and its fields, enumerations by their names."""
    assert line == one_line(happening)
