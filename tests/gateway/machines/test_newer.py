"""What only a newer backend knows of a machine's frame."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from gateway.machines import newer
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest

FIELD_9 = bytes([0x48, 0x01])
FIELD_999 = bytes([0xB8, 0x3E, 0x01])
PAYLOAD_99 = bytes([0x9A, 0x06, 0x02, 0x08, 0x01])


def test_what_is_known_is_not_remarked() -> None:
    """An ordinary frame has nothing new."""
    frame = ConnectRequest(
        seq=1,
        vend_success=wire.VendSuccess(
            vend_id="v1", evidence=wire.Evidence(motor=wire.MOTOR_EVIDENCE_RAN)
        ),
    )
    assert () == newer.remarks(frame)
    assert None is newer.payload_number(frame)


def test_fields_and_numbers_are_named_where_they_stand() -> None:
    """In lists and in nested messages too."""
    hello = wire.Hello(machine_id="m1", journal_tail=[wire.JournalEntry(vend_id="v1")])
    hello.journal_tail[0].evidence.MergeFromString(FIELD_9)
    hello.journal_tail[0].MergeFromString(bytes([0x10, 0x63]))
    frame = ConnectRequest(hello=hello)
    frame.MergeFromString(FIELD_9)
    assert {
        "ConnectRequest: field 9 is not known here",
        "hello.journal_tail[0]: number 99 is not known here",
        "hello.journal_tail[0].stage: number 99 is not known here",
        "hello.journal_tail[0].evidence: field 9 is not known here",
    } >= set(newer.remarks(frame))
    assert 3 == len(newer.remarks(frame))


def test_a_payload_of_a_newer_firmware_is_named_by_its_number() -> None:
    """Fields below the payloads are none."""
    assert 99 == newer.payload_number(ConnectRequest.FromString(PAYLOAD_99))
    assert None is newer.payload_number(ConnectRequest.FromString(FIELD_9))


def test_remarks_are_bounded() -> None:
    """A frame of nothing but new fields makes a few remarks."""
    frame = ConnectRequest.FromString(FIELD_9 * 1_000)
    assert newer.REMARKS_MAX == len(newer.remarks(frame))


def ways(message: Descriptor, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The way to each message and to each enum that a message can hold."""
    yield path
    for field in message.fields:
        if field.message_type is not None:
            yield from ways(field.message_type, (*path, field.name))
        elif field.enum_type is not None:
            yield (*path, field.name)


def at(frame: ConnectRequest, path: tuple[str, ...]) -> Message:
    """The message at the end of a way, made if it is not there."""
    message: Message = frame
    for name in path:
        held = getattr(message, name)
        message = held.add() if hasattr(held, "add") else held
        message.SetInParent()
    return message


@pytest.mark.parametrize("path", list(ways(ConnectRequest.DESCRIPTOR)), ids=".".join)
def test_nothing_new_is_overlooked(path: tuple[str, ...]) -> None:
    """Wherever it stands: without it the frame has no remark, with it there is one."""
    frame = ConnectRequest(seq=1)
    holder = at(frame, path[:-1])
    field = holder.DESCRIPTOR.fields_by_name[path[-1]] if path else None
    is_enum = field is not None and field.enum_type is not None
    message = holder if is_enum else at(frame := ConnectRequest(seq=1), path)
    assert () == newer.remarks(frame)
    if is_enum:
        setattr(message, path[-1], 99)
    else:
        message.MergeFromString(FIELD_999)
    assert 1 == len(newer.remarks(frame))
