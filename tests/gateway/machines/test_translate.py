"""Wire to values, as properties and field by field. Commands: ``test_commanding``."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from actors.machine import events
from actors.machine.command import CommandAnswered, CommandOutcome, MachineReport
from actors.machine.ids import BootId, MachineId, RequestId, SessionId, StreamId, VendId
from actors.machine.incident import FaultReported
from actors.machine.state import FailureCause
from gateway.machines import translate
from gateway.machines.translate import BadFrame, Beat, Greeting, Numbered
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest

LIMITS = EdgeLimits()
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Cores may be busy with other tests."""
UNNAMED: Any = 7
BAD_FIELD = wire.PROTOCOL_ERROR_CODE_BAD_FIELD

# --- whole frames ---

anything = st.text(max_size=80) | st.sampled_from(["", "A1", "m1-v7", "b-1", "EJB"])
integers = st.integers(min_value=-(2**63), max_value=2**63 - 1) | st.integers(
    min_value=-1, max_value=300
)
naturals = integers.map(abs).map(lambda number: min(number, 2**63 - 1)) | st.just(2**64 - 1)
choices = st.integers(min_value=-1, max_value=6)
evidence = st.builds(wire.Evidence, motor=choices, drop=choices)
entry = st.builds(
    wire.JournalEntry, vend_id=anything, stage=choices, evidence=st.none() | evidence, cause=choices
)
hello = st.builds(
    wire.Hello,
    machine_id=anything,
    boot_id=anything,
    firmware=anything,
    mode=choices,
    last_acked_seq=naturals,
    planogram_version=naturals,
    journal_tail=st.lists(entry, max_size=3) | st.just([wire.JournalEntry()] * 33),
    journal_lost=st.booleans(),
)
payload = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"hello": hello}),
    st.just({"heartbeat": wire.Heartbeat()}),
    st.just({"reader_enable": wire.ReaderEnable()}),
    st.fixed_dictionaries({"reader_disable": st.builds(wire.ReaderDisable, reason=anything)}),
    st.fixed_dictionaries(
        {
            "vend_request": st.builds(
                wire.VendRequest,
                request_id=anything,
                column=anything,
                price_minor=integers,
                planogram_version=naturals,
            )
        }
    ),
    st.fixed_dictionaries({"vend_cancel": st.builds(wire.VendCancel, request_id=anything)}),
    st.fixed_dictionaries(
        {
            "vend_success": st.builds(
                wire.VendSuccess, vend_id=anything, evidence=st.none() | evidence
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "vend_failure": st.builds(
                wire.VendFailure, vend_id=anything, cause=choices, evidence=st.none() | evidence
            )
        }
    ),
    st.fixed_dictionaries(
        {"session_complete": st.builds(wire.SessionComplete, session_id=anything)}
    ),
    st.fixed_dictionaries(
        {"cash_sale": st.builds(wire.CashSale, column=anything, price_minor=integers)}
    ),
    st.fixed_dictionaries(
        {
            "command_result": st.builds(
                wire.CommandResult,
                command_id=anything,
                outcome=choices,
                detail=anything,
                evidence=st.none() | evidence,
                report=st.none()
                | st.builds(wire.MachineReport, firmware=anything, free_flash_bytes=naturals),
            )
        }
    ),
    st.fixed_dictionaries({"fault": st.builds(wire.Fault, code=anything, detail=anything)}),
)


@PATIENT
@given(st.binary(max_size=200))
def test_any_bytes(frame: bytes) -> None:
    """Whatever bytes come, they are a value or a refusal that says something."""
    _checked(translate.from_bytes(frame))


@PATIENT
@example(0, {"hello": wire.Hello(machine_id="VM-1", boot_id="b1")})
@given(naturals, payload)
def test_any_frame(seq: int, content: dict[str, Any]) -> None:
    """Whatever frame comes, it is a value that keeps the rules or a refusal that names its seq."""
    frame = translate.from_bytes(ConnectRequest(seq=seq, **content).SerializeToString())
    _checked(frame)
    if isinstance(frame, BadFrame):
        assert seq == frame.seq
    if isinstance(frame, Numbered):
        assert 1 <= frame.seq <= 2**63 - 1


def _checked(frame: translate.Frame) -> None:
    if isinstance(frame, BadFrame):
        assert frame.detail
        assert frame.code != wire.PROTOCOL_ERROR_CODE_UNSPECIFIED
        return
    values: list[Any] = (
        [frame.fact]
        if isinstance(frame, Numbered)
        else [frame, *frame.journal]
        if isinstance(frame, Greeting)
        else []
    )
    for value in values:
        for name in getattr(value, "__struct_fields__", Greeting.__slots__):
            _storable(name, getattr(value, name))


def _storable(name: str, value: object) -> None:
    """SQL takes it, and so does a log."""
    if isinstance(value, str):
        assert "\x00" not in value
        value.encode()
        assert len(value.encode()) <= 256
        if name.endswith("_id"):
            assert 1 <= len(value) <= 64
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63


# --- field by field ---


def a_hello(**changes: Any) -> wire.Hello:
    """A Hello that keeps all rules, but for the changes."""
    return wire.Hello(**{"machine_id": "m1", "boot_id": "b1", **changes})


def test_good_hello() -> None:
    """A good Hello becomes Connected with its journal in the core's words."""
    frame = translate.from_wire(
        ConnectRequest(
            hello=a_hello(
                firmware="fw 1.2 ✓",
                planogram_version=4,
                last_acked_seq=6,
                mode=wire.MODE_BOTH,
                journal_tail=[
                    wire.JournalEntry(vend_id="v1", stage=wire.JOURNAL_STAGE_ACCEPTED),
                    wire.JournalEntry(
                        vend_id="v2",
                        stage=wire.JOURNAL_STAGE_MOTOR_ON,
                        evidence=wire.Evidence(motor=wire.MOTOR_EVIDENCE_RAN),
                    ),
                    wire.JournalEntry(
                        vend_id="v3",
                        stage=wire.JOURNAL_STAGE_FAILED,
                        cause=wire.VEND_FAILURE_CAUSE_EMPTY,
                    ),
                ],
                journal_lost=True,
            )
        )
    )
    assert isinstance(frame, Greeting)
    assert (MachineId("m1"), 6) == (frame.machine_id, frame.last_acked_seq)
    expected = events.Connected(
        stream_id=StreamId("g1-1"),
        opened_at_ms=8,
        boot_id=BootId("b1"),
        firmware="fw 1.2 ✓",
        planogram_version=4,
        journal=(
            events.JournalEntry(vend_id=VendId("v1"), stage=events.JournalStage.ACCEPTED),
            events.JournalEntry(
                vend_id=VendId("v2"), stage=events.JournalStage.MOTOR_ON, evidence="motor=RAN"
            ),
            events.JournalEntry(
                vend_id=VendId("v3"), stage=events.JournalStage.FAILED, cause=FailureCause.EMPTY
            ),
        ),
        journal_lost=True,
    )
    assert expected == frame.connected(StreamId("g1-1"), 8)


SEEN = wire.Evidence(motor=wire.MOTOR_EVIDENCE_RAN, drop=wire.DROP_EVIDENCE_SEEN)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        ({"reader_enable": wire.ReaderEnable()}, events.ReaderEnabled()),
        (
            {"reader_disable": wire.ReaderDisable(reason="door")},
            events.ReaderDisabled(reason="door"),
        ),
        (
            {
                "vend_request": wire.VendRequest(
                    request_id="r1", column="A 1", price_minor=500, planogram_version=2
                )
            },
            events.VendRequested(
                request_id=RequestId("r1"), column="A 1", price_minor=500, planogram_version=2
            ),
        ),
        (
            {"vend_cancel": wire.VendCancel(request_id="r1")},
            events.VendCancelled(request_id=RequestId("r1")),
        ),
        (
            {"vend_success": wire.VendSuccess(vend_id="v1", evidence=SEEN)},
            events.VendSucceeded(vend_id=VendId("v1"), evidence="motor=RAN drop=SEEN"),
        ),
        (
            {"vend_failure": wire.VendFailure(vend_id="v1", cause=wire.VEND_FAILURE_CAUSE_JAMMED)},
            events.VendFailed(vend_id=VendId("v1"), cause=FailureCause.JAMMED),
        ),
        (
            {"session_complete": wire.SessionComplete(session_id="s1")},
            events.SessionCompleted(session_id=SessionId("s1")),
        ),
        (
            {"cash_sale": wire.CashSale(column="A1", price_minor=1)},
            events.CashSold(column="A1", price_minor=1),
        ),
        (
            {"fault": wire.Fault(code="EJB", detail="motor 3")},
            FaultReported(code="EJB", detail="motor 3"),
        ),
        (
            {
                "command_result": wire.CommandResult(
                    command_id="c1", outcome=wire.COMMAND_OUTCOME_APPLIED, evidence=SEEN
                )
            },
            CommandAnswered(
                command_id="c1",
                outcome=CommandOutcome.APPLIED,
                evidence="motor=RAN drop=SEEN",
            ),
        ),
        (
            {
                "command_result": wire.CommandResult(
                    command_id="c1",
                    outcome=wire.COMMAND_OUTCOME_REJECTED,
                    detail="busy",
                    report=wire.MachineReport(uptime_s=0, firmware="f", door_open=False),
                )
            },
            CommandAnswered(
                command_id="c1",
                outcome=CommandOutcome.REJECTED,
                detail="busy",
                report=MachineReport(uptime_s=0, firmware="f", door_open=False),
            ),
        ),
    ],
)
def test_good_frames(content: dict[str, Any], fact: events.MachineFact) -> None:
    """Each numbered frame becomes its fact."""
    assert Numbered(seq=7, fact=fact) == translate.from_wire(ConnectRequest(seq=7, **content))


def test_heartbeat() -> None:
    """A heartbeat is a beat, and nothing for the core."""
    assert Beat() == translate.from_wire(ConnectRequest(heartbeat=wire.Heartbeat()))


def test_an_outcome_of_a_newer_firmware_is_unknown_and_kept_with_its_number() -> None:
    """It ends no command."""
    content = wire.CommandResult(command_id="c1", outcome=9)  # type: ignore[arg-type]  # a newer one's
    frame = translate.from_wire(ConnectRequest(seq=7, command_result=content))
    assert isinstance(frame, Numbered)
    assert CommandAnswered(command_id="c1", outcome=CommandOutcome.UNKNOWN) == frame.fact
    assert ("command_result.outcome: number 9 is not known here",) == frame.remarks


def test_a_hello_says_whether_its_firmware_knows_commands() -> None:
    """Without the flag it does not."""
    for knows in (True, False):
        hello = a_hello(capabilities=wire.Capabilities(commands=knows))
        greeting = translate.from_wire(ConnectRequest(hello=hello))
        assert isinstance(greeting, Greeting)
        assert knows == greeting.connected(StreamId("g"), 1).knows_commands


@pytest.mark.parametrize(
    ("seq", "content", "field", "says"),
    [
        (1, {"hello": a_hello()}, "seq", "expected 0 with hello, got 1"),
        (3, {"heartbeat": wire.Heartbeat()}, "seq", "expected 0 with heartbeat, got 3"),
        (
            0,
            {"reader_enable": wire.ReaderEnable()},
            "seq",
            "expected 1 to 9223372036854775807, got 0",
        ),
        (2**63, {"reader_enable": wire.ReaderEnable()}, "seq", "expected 1 to"),
        (0, {"hello": a_hello(machine_id="")}, "hello.machine_id", "got nothing"),
        (
            0,
            {"hello": a_hello(machine_id="m" * 33)},
            "hello.machine_id",
            "expected 1 to 32 letters",
        ),
        (0, {"hello": a_hello(machine_id="m\n1")}, "hello.machine_id", r"got 'm\n1'"),
        (0, {"hello": a_hello(boot_id="é")}, "hello.boot_id", r"got '\xe9'"),
        (0, {"hello": a_hello(boot_id="b" * 65)}, "hello.boot_id", "bbb...'"),
        (0, {"hello": a_hello(firmware="é" * 33)}, "hello.firmware", "at most 64 bytes, got 66"),
        (0, {"hello": a_hello(firmware="a\x00b")}, "hello.firmware", "no control characters"),
        (
            0,
            {"hello": a_hello(planogram_version=2**63)},
            "hello.planogram_version",
            "expected 0 to",
        ),
        (
            0,
            {"hello": a_hello(journal_tail=[wire.JournalEntry()] * 33)},
            "hello.journal_tail",
            "at most 32 entries, got 33",
        ),
        (
            1,
            {"vend_request": wire.VendRequest(request_id="r1", price_minor=1)},
            "vend_request.column",
            "1 to 16 bytes, got nothing",
        ),
        (
            1,
            {"vend_request": wire.VendRequest(request_id="r1", column="A1")},
            "vend_request.price_minor",
            "got 0",
        ),
        (
            1,
            {"vend_request": wire.VendRequest(request_id="r1", column="A1", price_minor=-5)},
            "vend_request.price_minor",
            "got -5",
        ),
        (1, {"fault": wire.Fault(code="E" * 17)}, "fault.code", "expected 1 to 16"),
    ],
)
def test_bad_fields(seq: int, content: dict[str, Any], field: str, says: str) -> None:
    """A field that breaks its rule is named, with what was expected."""
    frame = translate.from_wire(ConnectRequest(seq=seq, **content))
    assert isinstance(frame, BadFrame)
    assert (BAD_FIELD, seq, field) == (frame.code, frame.seq, frame.field)
    assert frame.detail.startswith(f"{field}: ")
    assert says in frame.detail


@pytest.mark.parametrize(
    ("seq", "content", "numbered"),
    [
        (1, {"fault": wire.Fault(code="")}, True),
        (2**63, {"fault": wire.Fault(code="")}, False),
        (0, {"fault": wire.Fault(code="")}, False),
        (4, {}, True),
        (0, {}, False),
        (3, {"heartbeat": wire.Heartbeat()}, False),
        (3, {"hello": wire.Hello()}, False),
    ],
)
def test_a_bad_frame_with_a_number_uses_it_up(
    seq: int, content: dict[str, Any], numbered: bool
) -> None:
    """Only a frame that bears a number of the machine's own row is the core's to refuse."""
    frame = translate.from_wire(ConnectRequest(seq=seq, **content))
    assert isinstance(frame, BadFrame)
    assert numbered == frame.numbered
    if numbered:
        fact = frame.fact()
        assert frame.detail == fact.detail
        assert f"PROTOCOL_ERROR_CODE_{fact.code}" == wire.ProtocolErrorCode.Name(frame.code)


def test_no_payload() -> None:
    """A frame without a payload that we know is refused as such; that of a newer firmware is
    named by its number.
    """
    frame = translate.from_wire(ConnectRequest(seq=4))
    assert isinstance(frame, BadFrame)
    assert (frame.code, frame.seq) == (wire.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD, 4)
    assert frame.detail.endswith("got none")
    newer = translate.from_bytes(ConnectRequest(seq=4).SerializeToString() + NEWER_PAYLOAD)
    assert isinstance(newer, BadFrame)
    assert (True, 4) == (newer.numbered, newer.seq)
    assert newer.detail.endswith("got number 99")


NEWER_PAYLOAD = bytes([0x9A, 0x06, 0x02, 0x08, 0x01])
"""Field 99 of ConnectRequest, a message."""


def test_a_text_that_is_no_utf8_does_not_hide_its_number() -> None:
    """What cannot be decoded is refused under its number, so that it is not sent again for ever."""
    good = ConnectRequest(seq=5, fault=wire.Fault(code="EJB", detail="xy")).SerializeToString()
    frame = translate.from_bytes(good.replace(b"xy", b"\xff\xfe"))
    assert isinstance(frame, BadFrame)
    assert (wire.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD, 5, True) == (
        frame.code,
        frame.seq,
        frame.numbered,
    )


# --- a newer firmware ---


@pytest.mark.parametrize(
    ("content", "fact", "remarked"),
    [
        (
            {"vend_success": wire.VendSuccess(vend_id="v1", evidence=wire.Evidence(motor=UNNAMED))},
            events.VendSucceeded(vend_id=VendId("v1"), evidence="motor=7"),
            ["vend_success.evidence.motor: number 7 is not known here"],
        ),
        (
            {"vend_failure": wire.VendFailure(vend_id="v1", cause=UNNAMED)},
            events.VendFailed(vend_id=VendId("v1"), cause=FailureCause.UNKNOWN, evidence="cause=7"),
            ["vend_failure.cause: number 7 is not known here"],
        ),
        (
            {"vend_failure": wire.VendFailure(vend_id="v1")},
            events.VendFailed(vend_id=VendId("v1"), cause=FailureCause.UNKNOWN),
            [],
        ),
    ],
)
def test_a_result_of_a_newer_firmware_counts(
    content: dict[str, Any], fact: events.MachineFact, remarked: list[str]
) -> None:
    """A number that we do not know is kept and told, and refuses no result."""
    frame = translate.from_wire(ConnectRequest(seq=7, **content))
    assert Numbered(seq=7, fact=fact, remarks=tuple(remarked)) == frame


@pytest.mark.parametrize(
    ("entry", "read"),
    [
        ({}, {"stage": events.JournalStage.UNKNOWN}),
        ({"stage": UNNAMED}, {"stage": events.JournalStage.UNKNOWN, "evidence": "stage=7"}),
        (
            {"stage": wire.JOURNAL_STAGE_FAILED},
            {"stage": events.JournalStage.FAILED, "cause": FailureCause.UNKNOWN},
        ),
        (
            {"stage": wire.JOURNAL_STAGE_FAILED, "cause": UNNAMED},
            {
                "stage": events.JournalStage.FAILED,
                "cause": FailureCause.UNKNOWN,
                "evidence": "cause=7",
            },
        ),
        (
            {"stage": wire.JOURNAL_STAGE_SUCCEEDED, "cause": wire.VEND_FAILURE_CAUSE_EMPTY},
            {"stage": events.JournalStage.SUCCEEDED, "evidence": "cause=EMPTY"},
        ),
        (
            {"stage": wire.JOURNAL_STAGE_ACCEPTED, "evidence": SEEN},
            {"stage": events.JournalStage.ACCEPTED, "evidence": "motor=RAN drop=SEEN"},
        ),
    ],
)
def test_no_line_of_the_journal_bars_the_machine(
    entry: dict[str, Any], read: dict[str, Any]
) -> None:
    """Whatever a line says, it is read as far as it can be."""
    hello = a_hello(journal_tail=[wire.JournalEntry(vend_id="v1", **entry)], mode=UNNAMED)
    frame = translate.from_wire(ConnectRequest(hello=hello))
    assert isinstance(frame, Greeting)
    assert (events.JournalEntry(vend_id=VendId("v1"), **read),) == frame.journal
    assert not frame.journal_lost
    assert "hello.mode: number 7 is not known here" in frame.remarks


def test_a_line_that_names_no_vend_is_left_out_and_proves_nothing() -> None:
    """A journal with a damaged line counts as lost: what is not in it may have been begun."""
    lines = [
        wire.JournalEntry(vend_id="", stage=wire.JOURNAL_STAGE_SUCCEEDED),
        wire.JournalEntry(vend_id="v2", stage=wire.JOURNAL_STAGE_ACCEPTED),
    ]
    frame = translate.from_wire(ConnectRequest(hello=a_hello(journal_tail=lines)))
    assert isinstance(frame, Greeting)
    assert ["v2"] == [entry.vend_id for entry in frame.journal]
    assert frame.journal_lost
    assert ["a line of the machine's journal was left out"] == [
        remark.partition(":")[0] for remark in frame.remarks
    ]


def test_bytes_that_are_no_frame() -> None:
    """Bytes that are no protobuf are refused as such."""
    frame = translate.from_bytes(b"\xff\xff\xff")
    assert isinstance(frame, BadFrame)
    assert frame.code == wire.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD


def test_every_payload_has_a_fact() -> None:
    """No payload of the wire is left out of the table."""
    kinds = {each.name for each in ConnectRequest.DESCRIPTOR.oneofs_by_name["payload"].fields}
    for kind in kinds - {"hello", "heartbeat"}:
        request = ConnectRequest(seq=1)
        getattr(request, kind).SetInParent()
        frame = translate.from_wire(request)
        assert not (isinstance(frame, BadFrame) and frame.field == "payload"), kind
