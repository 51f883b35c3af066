"""Each text and list of the machine's protocol has one bound: said in the proto, in the options
for firmware, and kept both ways.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from actors.machine import ids
from actors.machine.ids import MachineId
from gateway.machines import bounds, commanding, fields, translate
from gateway.machines.bounds import BYTES_MAX, COUNT_MAX, Unsendable
from gateway.machines.translate import BadFrame, Greeting
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse
from protos import compatibility

ROOT = Path(__file__).resolve().parents[3]
TEXTS = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES}


def needs_a_bound(field: FieldDescriptor) -> bool:
    """Whether nanopb cannot know how much room the field needs."""
    return field.is_repeated or field.type in TEXTS


def reached(message: Any) -> Iterator[Any]:
    """The message and all that is in it."""
    yield message
    for field in message.fields:
        if field.message_type is not None:
            yield from reached(field.message_type)


def bounded(frame: type[Message]) -> list[str]:
    """Every field with a bound that such a frame can hold."""
    held = {message.name for message in reached(frame.DESCRIPTOR)}
    return [name for name in [*BYTES_MAX, *COUNT_MAX] if name.split(".")[0] in held]


# --- one fact ---


def test_each_text_and_list_has_a_bound() -> None:
    """No text and no list of the machine's protocol is without a bound, and no bound is without
    its field.
    """
    messages = {
        message
        for frame in (ConnectRequest, ConnectResponse)
        for message in reached(frame.DESCRIPTOR)
    }
    found = {
        f"{message.name}.{field.name}"
        for message in messages
        for field in message.fields
        if needs_a_bound(field)
    }
    assert found == BYTES_MAX.keys() | COUNT_MAX.keys()
    assert set(wire.DESCRIPTOR.message_types_by_name) <= {message.name for message in messages}


def test_firmware_is_made_with_the_same_bounds() -> None:
    """The options for nanopb and the gateway's table say the same numbers."""
    assert {**BYTES_MAX, **COUNT_MAX} == compatibility.bounds(
        (ROOT / compatibility.OPTIONS).read_text()
    )


def test_each_comment_says_its_bound(tmp_path: Path) -> None:
    """Whoever reads only the proto knows how long a text or a list may be."""
    made = tmp_path / "machine.binpb"
    subprocess.run(
        [compatibility.BUF, "build", "--path", "protos/gateway/v1/machine.proto", "-o", made],
        cwd=ROOT,
        check=True,
    )
    file = FileDescriptorSet.FromString(made.read_bytes()).file[0]
    comments = {
        tuple(place.path): place.leading_comments for place in file.source_code_info.location
    }
    silent = [
        f"{message.name}.{field.name}"
        for number, message in enumerate(file.message_type)
        for index, field in enumerate(message.field)
        for bound in [{**BYTES_MAX, **COUNT_MAX}.get(f"{message.name}.{field.name}")]
        if bound is not None and f"at most {bound}" not in comments[4, number, 2, index].lower()
    ]
    assert [] == silent


def test_our_ids_keep_their_bound() -> None:
    """The ids that the backend makes for the machine with the longest name fit, however many
    there were.
    """
    longest, number = MachineId("m" * BYTES_MAX["Hello.machine_id"]), fields.NUMBER_MAX
    mark = ids.mark_of("t" * BYTES_MAX["Welcome.resume_token"], "r" * bounds.ID_BYTES_MAX)
    assert (
        max(len(ids.session_id(longest, number, mark)), len(ids.vend_id(longest, number, mark)))
        <= bounds.ID_BYTES_MAX
    )


# --- from the machine ---


PLAY = wire.PlayCount(manifest_sha256="a", day=20261129)


def a_request(name: str) -> tuple[ConnectRequest, Message, str]:
    """A frame that keeps all rules, the message in it that has the field, and the path that a
    refusal names.
    """
    entry = wire.JournalEntry(vend_id="v1", stage=wire.JOURNAL_STAGE_SUCCEEDED)
    contents = {
        "hello": wire.Hello(machine_id="m1", boot_id="b1", journal_tail=[entry]),
        "reader_disable": wire.ReaderDisable(),
        "vend_request": wire.VendRequest(request_id="r1", column="A1", price_minor=1),
        "vend_cancel": wire.VendCancel(request_id="r1"),
        "vend_success": wire.VendSuccess(vend_id="v1"),
        "vend_failure": wire.VendFailure(vend_id="v1", cause=wire.VEND_FAILURE_CAUSE_JAMMED),
        "session_complete": wire.SessionComplete(session_id="s1"),
        "cash_sale": wire.CashSale(column="A1", price_minor=1),
        "fault": wire.Fault(code="EJB"),
        "command_result": wire.CommandResult(command_id="c1", report=wire.MachineReport()),
        "screen_applied": wire.ScreenApplied(manifest_sha256="a"),
        "screen_rejected": wire.ScreenRejected(manifest_sha256="a"),
        "play_counts": wire.PlayCounts(counts=[PLAY]),
    }
    message, field = name.split(".")
    for kind, content in contents.items():
        request = ConnectRequest(seq=0 if kind in translate.UNNUMBERED else 1)
        getattr(request, kind).CopyFrom(content)
        if content.DESCRIPTOR.name == message:
            return request, getattr(request, kind), f"{kind}.{field}"
        if (kind, message) == ("command_result", "MachineReport"):
            return request, request.command_result.report, f"command_result.report.{field}"
        if (kind, message) == ("play_counts", "PlayCount"):
            return request, request.play_counts.counts[0], f"play_counts.counts[0].{field}"
        if message == "JournalEntry":
            return request, request.hello.journal_tail[0], f"hello.journal_tail[0].{field}"
    raise AssertionError(f"no frame holds {name}")


@pytest.mark.parametrize("name", bounded(ConnectRequest))
def test_what_a_machine_sends(name: str) -> None:
    """A field at its bound is taken; one byte or entry more is refused by its name."""
    request, message, path = a_request(name)
    field = name.split(".")[1]

    def answer_to(size: int) -> translate.Frame:
        if name == "PlayCounts.counts":
            del request.play_counts.counts[:]
            request.play_counts.counts.extend([PLAY] * size)
        elif name in COUNT_MAX:
            del request.hello.journal_tail[:]
            request.hello.journal_tail.extend(
                [wire.JournalEntry(vend_id="v1", stage=wire.JOURNAL_STAGE_SUCCEEDED)] * size
            )
        else:
            setattr(message, field, "x" * size)
        return translate.from_bytes(request.SerializeToString())

    most = {**BYTES_MAX, **COUNT_MAX}[name]
    assert not isinstance(answer_to(most), BadFrame)
    refused = answer_to(most + 1)
    if name == "JournalEntry.vend_id":
        # A line on a machine's flash must not bar it for ever: it is left out, and said to be.
        assert isinstance(refused, Greeting)
        assert ((), True) == (refused.journal, refused.journal_lost)
        assert f"{field}: " in refused.remarks[0]
        return
    assert isinstance(refused, BadFrame)
    assert path == refused.field


# --- to the machine ---


def a_response(name: str) -> tuple[ConnectResponse, Message]:
    """A frame with nothing in it but the message that has the field, and that message."""
    message = name.partition(".")[0]
    response = ConnectResponse()
    if message == "PlanogramColumn":
        return response, response.planogram_update.columns.add()
    if message == "ResumedSession":
        response.welcome.session.SetInParent()
        return response, response.welcome.session
    if message == "RecalledAsset":
        return response, response.welcome.recalled.add()
    if message in {"TestVend", "LockColumn"}:
        order = "test_vend" if message == "TestVend" else "lock_column"
        return response, getattr(response.command, order)
    fields_of = {
        each.message_type.name: each.name
        for each in ConnectResponse.DESCRIPTOR.fields
        if each.message_type is not None
    }
    return response, getattr(response, fields_of[message])


@pytest.mark.parametrize("name", bounded(ConnectResponse))
def test_what_a_machine_is_told(name: str) -> None:
    """A field at its bound leaves as it is; with one byte or entry more it is cut if it is for
    people, else the frame does not leave.
    """
    most = {**BYTES_MAX, **COUNT_MAX}[name]
    response, message = a_response(name)
    field = name.split(".")[1]

    def fill(size: int) -> None:
        if field == "recalled":
            del message.recalled[:]  # type: ignore[attr-defined]  # both messages have it
            message.recalled.extend([wire.RecalledAsset(sha256="a")] * size)  # type: ignore[attr-defined]
        elif name in COUNT_MAX:
            response.planogram_update.columns.extend(
                [wire.PlanogramColumn(column="A1")]
                * (size - len(response.planogram_update.columns))
            )
        else:
            setattr(message, field, "x" * size)

    fill(most)
    full = response.SerializeToString()
    assert full == bounds.fit(response).SerializeToString()
    fill(most + 1)
    if name == "ProtocolError.detail":
        assert "x" * (most - 3) + "..." == bounds.fit(response).protocol_error.detail
        return
    with pytest.raises(Unsendable) as caught:
        bounds.fit(response)
    assert (name, most + 1, most) == (caught.value.field, caught.value.size, caught.value.most)


def test_a_text_is_cut_between_letters() -> None:
    """A detail that is cut stays UTF-8, within its bound, and says that something is missing."""
    error = commanding.protocol_error(
        wire.PROTOCOL_ERROR_CODE_BAD_FIELD, seq=1, expected_seq=1, detail="x" + "é" * 200
    ).protocol_error
    assert "x" + "é" * 126 + "..." == error.detail
    assert len(error.detail.encode()) == BYTES_MAX["ProtocolError.detail"]
