"""What only a newer backend knows of a machine's frame."""

from gateway.machines import newer
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest

FIELD_9 = bytes([0x48, 0x01])
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
