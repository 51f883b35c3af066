"""From the wire to values; total and pure. With ``gateway.machines.commanding``, the way back, the
only place that knows both the messages and the core.

Flows in: the bytes of a ``ConnectRequest``. Flows out: what the machine said, checked field by
field, or a ``BadFrame`` that tells what was expected. Whatever bytes a machine sends, nothing here
raises.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import UInt64Value
from msgspec import Struct

from actors.machine import effects, events
from actors.machine.command import CommandAnswered, CommandOutcome, MachineReport
from actors.machine.ids import BootId, MachineId, RequestId, SessionId, StreamId, VendId
from actors.machine.incident import FaultReported
from actors.machine.state import FailureCause
from gateway.machines import bounds, fields, newer, showing
from gateway.machines.bounds import BYTES_MAX, COUNT_MAX
from gateway.machines.fields import FieldWrong
from gateway.rpc.statuses import FieldProblem
from gateway.screens.saying import Said
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest

_STAGES = fields.names_of(wire.JournalStage.items(), "JOURNAL_STAGE")
_CAUSES = fields.names_of(wire.VendFailureCause.items(), "VEND_FAILURE_CAUSE")
_MOTOR = fields.names_of(wire.MotorEvidence.items(), "MOTOR_EVIDENCE")
_DROP = fields.names_of(wire.DropEvidence.items(), "DROP_EVIDENCE")
_OUTCOMES = fields.names_of(wire.CommandOutcome.items(), "COMMAND_OUTCOME")


# --- from the machine ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A good Hello. ``machine_id`` is what it claims to be; the certificate decides. ``remarks``:
    what of it could not be read, for people.
    """

    machine_id: MachineId
    boot_id: BootId
    firmware: str
    planogram_version: int
    last_acked_seq: int
    journal: tuple[events.JournalEntry, ...]
    journal_lost: bool
    remarks: tuple[str, ...] = ()
    returned_token: str = ""
    keeps_token: bool = False
    knows_commands: bool = False
    shows: bool = False
    """It has a screen that shows what it is told to."""
    manifest: str = ""
    """What it shows."""

    def connected(
        self, stream_id: StreamId, opened_at_ms: int, *, token: str = ""
    ) -> events.Connected:
        """Return the fact for the core. ``token`` is what the stream's Welcome will tell."""
        return events.Connected(
            stream_id=stream_id,
            opened_at_ms=opened_at_ms,
            boot_id=self.boot_id,
            firmware=self.firmware,
            planogram_version=self.planogram_version,
            journal=self.journal,
            journal_lost=self.journal_lost,
            remarks=self.remarks,
            token=token,
            returned_token=self.returned_token,
            keeps_token=self.keeps_token,
            knows_commands=self.knows_commands,
        )


class Beat(Struct, frozen=True, kw_only=True):
    """The machine is still there. ``ack``: the highest of our frames that it has handled."""

    ack: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OfScreen:
    """Something of the machine's screen, which the core does not hear. ``ack`` as in ``Beat``."""

    said: Said
    ack: int = 0


class Numbered(Struct, frozen=True, kw_only=True):
    """A frame that the core must see, once for its ``seq``. ``remarks``: what of it could not be
    read, for people. ``ack`` as in ``Beat``.
    """

    seq: int
    fact: events.MachineFact
    remarks: tuple[str, ...] = ()
    ack: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFrame:
    """A frame that breaks a rule. ``detail`` says what was expected; ``field`` is empty if no
    single field is to blame. ``seq`` is 0 if nobody can tell its number.
    """

    code: "wire.ProtocolErrorCode.ValueType"
    seq: int
    detail: str
    field: str = ""
    numbered: bool = False
    """It has a number of the machine's numbered frames, which the core must use up."""

    def fact(self) -> events.FrameNotRead:
        """Return the fact for the core, of a frame that is numbered."""
        name = wire.ProtocolErrorCode.Name(self.code).removeprefix("PROTOCOL_ERROR_CODE_")
        return events.FrameNotRead(code=effects.RejectCode(name), detail=self.detail)

    def problems(self) -> tuple[FieldProblem, ...]:
        """Return what is wrong with its field, if one is to blame."""
        said = self.detail.removeprefix(f"{self.field}: ")
        return (FieldProblem(field=self.field, description=said),) if self.field else ()


def hello_expected(where: str, *, seq: int = 0) -> BadFrame:
    """Return what is said when something else than a Hello came, or none, or one too many."""
    return BadFrame(
        code=wire.PROTOCOL_ERROR_CODE_HELLO_EXPECTED, seq=seq, detail=f"expected Hello {where}"
    )


Frame = Greeting | Beat | OfScreen | Numbered | BadFrame
UNNUMBERED = frozenset({"hello", "heartbeat"}) | showing.KINDS
"""The payloads whose frames bear no number."""


def from_bytes(frame: bytes) -> Frame:
    """Return what a machine said."""
    try:
        request = ConnectRequest.FromString(frame)
    except DecodeError:
        seq = _seq_alone(frame)
        return BadFrame(
            code=wire.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD,
            seq=seq,
            detail="the bytes are no ConnectRequest: expected its protobuf encoding, UTF-8 texts",
            numbered=seq > 0,
        )
    return from_wire(request)


def _seq_alone(frame: bytes) -> int:
    """Return the number of a frame that cannot be decoded as a whole, 0 if it has none: a text that
    is no UTF-8 must not be sent again for ever.
    """
    try:
        # Its one field has the number and the type of ConnectRequest.seq; it skips all others.
        seq = UInt64Value.FromString(frame).value
    except DecodeError:
        return 0
    return seq if seq <= fields.NUMBER_MAX else 0


def from_wire(request: ConnectRequest) -> Frame:
    """Return what a machine said."""
    try:
        return _checked(request)
    except FieldWrong as wrong:
        kind = request.WhichOneof("payload")
        return BadFrame(
            code=wire.PROTOCOL_ERROR_CODE_BAD_FIELD,
            seq=request.seq,
            detail=str(wrong),
            field=wrong.field,
            numbered=kind not in UNNUMBERED and 1 <= request.seq <= fields.NUMBER_MAX,
        )


def _checked(request: ConnectRequest) -> Frame:
    kind = request.WhichOneof("payload")
    if kind is None:
        number = newer.payload_number(request)
        got = "none" if number is None else f"number {number}"
        return BadFrame(
            code=wire.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD,
            seq=request.seq,
            detail=f"expected exactly one payload that this backend knows, got {got}",
            numbered=1 <= request.seq <= fields.NUMBER_MAX,
        )
    ack = fields.number("ack", request.ack)
    if kind in UNNUMBERED:
        if request.seq != 0:
            raise FieldWrong("seq", f"expected 0 with {kind}, got {request.seq}")
        if kind in showing.KINDS:
            return OfScreen(said=showing.said_of(kind, request), ack=ack)
        return _greeting(request) if kind == "hello" else Beat(ack=ack)
    seq = fields.number("seq", request.seq, least=1)
    return Numbered(seq=seq, fact=_FACTS[kind](request), remarks=newer.remarks(request), ack=ack)


def _greeting(request: ConnectRequest) -> Greeting:
    hello = request.hello
    entries, entries_max = len(hello.journal_tail), COUNT_MAX["Hello.journal_tail"]
    if entries > entries_max:
        raise FieldWrong(
            "hello.journal_tail", f"expected at most {entries_max} entries, got {entries}"
        )
    journal, unread = _journal(hello)
    return Greeting(
        machine_id=fields.machine_id("hello.machine_id", hello.machine_id),
        boot_id=BootId(_identifier("hello.boot_id", hello.boot_id)),
        firmware=fields.text(
            "hello.firmware", hello.firmware, bytes_max=BYTES_MAX["Hello.firmware"]
        ),
        planogram_version=fields.number("hello.planogram_version", hello.planogram_version),
        last_acked_seq=fields.number("hello.last_acked_seq", hello.last_acked_seq),
        journal=journal,
        # A line that cannot be read may be about any vend: that a vend has none proves nothing.
        journal_lost=hello.journal_lost or bool(unread),
        remarks=(*newer.remarks(request), *unread),
        returned_token=fields.text(
            "hello.resume_token", hello.resume_token, bytes_max=BYTES_MAX["Hello.resume_token"]
        ),
        keeps_token=hello.capabilities.resume_token or hello.resume_token != "",
        knows_commands=hello.capabilities.commands,
        shows=hello.capabilities.screens,
        manifest=fields.text(
            "hello.manifest_sha256",
            hello.manifest_sha256,
            bytes_max=BYTES_MAX["Hello.manifest_sha256"],
        ),
    )


def _journal(hello: wire.Hello) -> tuple[tuple[events.JournalEntry, ...], tuple[str, ...]]:
    """Return the lines that can be read, and a remark for each other one. None of them bars the
    machine: the line stands on its flash, and would stand in every Hello to come.
    """
    lines: list[events.JournalEntry] = []
    unread: list[str] = []
    for index, entry in enumerate(hello.journal_tail):
        try:
            lines.append(_entry(f"hello.journal_tail[{index}]", entry))
        except FieldWrong as wrong:
            unread.append(f"a line of the machine's journal was left out: {wrong}")
    return tuple(lines), tuple(unread)


def _entry(path: str, entry: wire.JournalEntry) -> events.JournalEntry:
    stage = fields.named(
        entry.stage, _STAGES, events.JournalStage, otherwise=events.JournalStage.UNKNOWN
    )
    failed = stage is events.JournalStage.FAILED
    return events.JournalEntry(
        vend_id=_vend_id(f"{path}.vend_id", entry.vend_id),
        stage=stage,
        cause=_cause(entry.cause) if failed else None,
        evidence=_evidence(
            entry.evidence,
            stage=_number_of_newer(entry.stage, _STAGES),
            # A cause belongs to FAILED alone. Elsewhere it is kept for people.
            cause=_number_of_newer(entry.cause, _CAUSES)
            if failed
            else fields.name_or_number(entry.cause, _CAUSES),
        ),
    )


def _reader_enabled(_: ConnectRequest) -> events.ReaderEnabled:
    return events.ReaderEnabled()


def _reader_disabled(request: ConnectRequest) -> events.ReaderDisabled:
    reason = fields.text(
        "reader_disable.reason",
        request.reader_disable.reason,
        bytes_max=BYTES_MAX["ReaderDisable.reason"],
    )
    return events.ReaderDisabled(reason=reason)


def _vend_requested(request: ConnectRequest) -> events.VendRequested:
    wish = request.vend_request
    return events.VendRequested(
        request_id=_request_id("vend_request.request_id", wish.request_id),
        column=_column("vend_request.column", wish.column),
        price_minor=fields.amount("vend_request.price_minor", wish.price_minor),
        planogram_version=fields.number("vend_request.planogram_version", wish.planogram_version),
    )


def _vend_cancelled(request: ConnectRequest) -> events.VendCancelled:
    return events.VendCancelled(
        request_id=_request_id("vend_cancel.request_id", request.vend_cancel.request_id)
    )


def _vend_succeeded(request: ConnectRequest) -> events.VendSucceeded:
    success = request.vend_success
    return events.VendSucceeded(
        vend_id=_vend_id("vend_success.vend_id", success.vend_id),
        evidence=_evidence(success.evidence),
    )


def _vend_failed(request: ConnectRequest) -> events.VendFailed:
    failure = request.vend_failure
    return events.VendFailed(
        vend_id=_vend_id("vend_failure.vend_id", failure.vend_id),
        cause=_cause(failure.cause),
        evidence=_evidence(failure.evidence, cause=_number_of_newer(failure.cause, _CAUSES)),
    )


def _session_completed(request: ConnectRequest) -> events.SessionCompleted:
    session_id = SessionId(
        _identifier("session_complete.session_id", request.session_complete.session_id)
    )
    return events.SessionCompleted(session_id=session_id)


def _cash_sold(request: ConnectRequest) -> events.CashSold:
    return events.CashSold(
        column=_column("cash_sale.column", request.cash_sale.column),
        price_minor=fields.amount("cash_sale.price_minor", request.cash_sale.price_minor),
    )


def _fault_reported(request: ConnectRequest) -> FaultReported:
    fault = request.fault
    return FaultReported(
        code=fields.identifier("fault.code", fault.code, bytes_max=BYTES_MAX["Fault.code"]),
        detail=fields.text("fault.detail", fault.detail, bytes_max=BYTES_MAX["Fault.detail"]),
        column=fields.text("fault.column", fault.column, bytes_max=BYTES_MAX["Fault.column"]),
        cleared=fault.cleared,
    )


def _answered(request: ConnectRequest) -> CommandAnswered:
    result = request.command_result
    report = result.report if result.HasField("report") else None
    return CommandAnswered(
        command_id=_identifier("command_result.command_id", result.command_id),
        outcome=fields.named(
            result.outcome, _OUTCOMES, CommandOutcome, otherwise=CommandOutcome.UNKNOWN
        ),
        detail=fields.text(
            "command_result.detail", result.detail, bytes_max=BYTES_MAX["CommandResult.detail"]
        ),
        evidence=_evidence(result.evidence),
        report=None if report is None else _report(report),
    )


def _report(said: wire.MachineReport) -> MachineReport:
    known = {
        name: getattr(said, name)
        for name in ("uptime_s", "free_flash_bytes", "signal_dbm", "temperature_c", "door_open")
        if said.HasField(name)
    }
    if "free_flash_bytes" in known:
        fields.number("command_result.report.free_flash_bytes", known["free_flash_bytes"])
    firmware = fields.text(
        "command_result.report.firmware",
        said.firmware,
        bytes_max=BYTES_MAX["MachineReport.firmware"],
    )
    return MachineReport(firmware=firmware, **known)


def _identifier(path: str, value: str) -> str:
    return fields.identifier(path, value, bytes_max=bounds.ID_BYTES_MAX)


def _vend_id(path: str, value: str) -> VendId:
    return VendId(_identifier(path, value))


def _request_id(path: str, value: str) -> RequestId:
    return RequestId(_identifier(path, value))


def _column(path: str, value: str) -> str:
    return fields.text(path, value, bytes_max=bounds.COLUMN_BYTES_MAX, empty=False)


def _cause(value: int) -> FailureCause:
    return fields.named(value, _CAUSES, FailureCause, otherwise=FailureCause.UNKNOWN)


def _number_of_newer(value: int, names: Mapping[int, str]) -> str:
    """The number of a value that has no name here, else empty."""
    return "" if value in names else str(value)


def _evidence(evidence: wire.Evidence, *, stage: str = "", cause: str = "") -> str:
    return _evidence_text(evidence.motor, evidence.drop, stage, cause)


@lru_cache(maxsize=256)  # Nearly all machines say one of a few things.
def _evidence_text(motor: int, drop: int, stage: str, cause: str) -> str:
    """Each sensor that said something, for example "motor=RAN drop=SEEN"; empty if none did. What a
    newer firmware says stands there with its number: "motor=9 cause=12".
    """
    said = (
        ("motor", fields.name_or_number(motor, _MOTOR)),
        ("drop", fields.name_or_number(drop, _DROP)),
        ("stage", stage),
        ("cause", cause),
    )
    return " ".join(f"{name}={value}" for name, value in said if value)


_FACTS: Mapping[str, Callable[[ConnectRequest], events.MachineFact]] = {
    "reader_enable": _reader_enabled,
    "reader_disable": _reader_disabled,
    "vend_request": _vend_requested,
    "vend_cancel": _vend_cancelled,
    "vend_success": _vend_succeeded,
    "vend_failure": _vend_failed,
    "session_complete": _session_completed,
    "cash_sale": _cash_sold,
    "fault": _fault_reported,
    "command_result": _answered,
}
"""What makes the fact of each numbered payload."""
