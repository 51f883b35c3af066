"""What docs/firmware.md shows is true."""

import json
import re
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format

from gateway.simulator import backoff, connection, console, line, machine, memory, outbox
from gateway.simulator.board import CutPoint
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.support.conversations import fixtures

DOCS = Path(__file__).resolve().parents[3] / "docs"
PROTOS = DOCS.parent / "protos"
TOOLS = Path(sys.executable).parent
TEXT = (DOCS / "firmware.md").read_text()
FRAMES = re.findall(r"^([<>]) (\{.*\})$", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("side", "text"), FRAMES)
def test_every_frame_is_one(side: str, text: str) -> None:
    """Each line of the conversations is a frame with exactly one payload, or an acknowledgement."""
    frame = json_format.Parse(
        text, service_pb.ConnectRequest() if side == ">" else service_pb.ConnectResponse()
    )

    assert frame.WhichOneof("payload") is not None or "<" == side


def test_bytes_and_json_say_the_same() -> None:
    """Of each conversation, in Python."""
    for told in fixtures().values():
        for each in told:
            frame = (
                service_pb.ConnectRequest.FromString(each["body"])
                if each["from"] == "machine"
                else service_pb.ConnectResponse.FromString(each["body"])
            )
            assert each["frame"] == json_format.MessageToDict(frame)
            assert each["message"] == frame.DESCRIPTOR.full_name


def test_others_read_the_bytes_alike() -> None:
    """The C++ of protoc reads and writes each frame, and the Go of buf the longest ones."""
    found = fixtures()
    assert {"pay-first", "purchase-first", "a-lower-last-seq", "an-approval-at-motor-on"} <= set(
        found
    )
    for each in (each for told in found.values() for each in told):
        text = protoc("--decode", each["message"], each["body"])
        assert each["body"] == protoc("--encode", each["message"], text)
    for speaker in ("machine", "backend"):
        frames = (each for told in found.values() for each in told if each["from"] == speaker)
        longest = max(frames, key=lambda each: len(each["body"]))
        assert longest["frame"] == json.loads(buf(longest["message"], longest["body"]))


def protoc(act: str, message: str, given: bytes) -> bytes:
    """What protoc makes of it."""
    call = [str(TOOLS / "protoc"), f"-I{PROTOS}", act, message, "gateway/v1/machine_service.proto"]
    return subprocess.run(call, input=given, check=True, capture_output=True).stdout


def buf(message: str, given: bytes) -> bytes:
    """The JSON that buf makes of it."""
    call = [str(TOOLS / "buf"), "convert", str(PROTOS), "--type", message]
    source, target = "-#format=binpb", "-#format=json"
    return subprocess.run(
        [*call, "--from", source, "--to", target], input=given, check=True, capture_output=True
    ).stdout


def test_both_modes_are_shown() -> None:
    """The conversations hold every step of a sale."""
    payloads = {
        json_format.Parse(
            text, service_pb.ConnectRequest() if side == ">" else service_pb.ConnectResponse()
        ).WhichOneof("payload")
        for side, text in FRAMES
    }

    assert {
        "begin_session",
        "show_qr",
        "vend_approved",
        "vend_denied",
        "funds_update",
        "end_session",
        "protocol_error",
    } <= payloads


@pytest.mark.parametrize(
    "enum",
    [pb.VendDeniedReason, pb.ProtocolErrorCode, pb.JournalStage],
    ids=["denied", "error", "stage"],
)
def test_every_answer_is_explained(enum: type[pb.VendDeniedReason]) -> None:
    """No reason, code or stage is left out."""
    names = [name for name, number in enum.items() if number]
    prefix = {
        "VEND_DENIED": "VEND_DENIED_REASON_",
        "PROTOCOL_ER": "PROTOCOL_ERROR_CODE_",
        "JOURNAL_STA": "JOURNAL_STAGE_",
    }[names[0][:11]]

    assert [] == [name for name in names if f"`{name.removeprefix(prefix)}`" not in TEXT]


def test_every_status_is_explained() -> None:
    """Each gRPC status that the reference machine tells apart has its line."""
    told = {
        *backoff.REFUSALS,
        *backoff.LONG_WAITS,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }

    assert [] == [code.name for code in told if f"`{code.name}`" not in TEXT]


def test_the_numbers_are_the_reference_machines() -> None:
    """Windows, waits and keepalive are the same in the document and in the code."""
    assert (32, 32, 256) == (outbox.UNACKED_MAX, memory.TAIL_MAX, memory.SETTLED_KEPT)
    assert (1_000, 60_000) == (backoff.INITIAL_MS, backoff.MAX_MS)
    assert [1, 5, 15, 60] == [wait // 60_000 for wait in backoff.REFUSAL_WAITS_MS]
    assert 40_000 == machine.Identity(machine_id="VM-0001").response_time_ms
    assert (3, 16) == (connection.SILENT_BEATS_MAX, connection.UNTOLD_ACKS_MAX)
    for name, value in line.OPTIONS:
        if "keepalive" in name or "ping" in name:
            assert re.search(rf"`{re.escape(name)}` \| {value:,}".replace(",", " "), TEXT), name


def test_the_consoles_commands_exist() -> None:
    """What the document tells to type, the help of the console knows."""
    for command in (
        "select",
        "cancel",
        "complete",
        "cash",
        "jam",
        "repair",
        "door open",
        "unplug",
        "plug",
        "power-cut",
        "power-on",
        "status",
    ):
        assert command in console.HELP
    assert all(f"`{point.lower()}`" in TEXT and point.lower() in console.HELP for point in CutPoint)
