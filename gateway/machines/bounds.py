"""How long each text and each list of the machine's protocol may be.

Flows in: a frame. Flows out: the frame, fit to leave, or ``Unsendable``.

A machine holds these messages in memory of a fixed size, so what a comment in
``protos/gateway/v1/machine.proto`` promises is kept in both directions: ``translate`` refuses what
a machine sends beyond its bound, and ``fit`` lets nothing out beyond it. The options that firmware
is generated with (``machine.options``) say the same numbers; a test holds that.
"""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import Message

from actors.machine.code import QR_PAYLOAD_BYTES_MAX
from gateway.machines.shapes import Shape, shape_of

M = TypeVar("M", bound=Message)

ID_BYTES_MAX = 64
COLUMN_BYTES_MAX = 16
TOKEN_BYTES_MAX = 32
SHA256_BYTES = 64

BYTES_MAX: Mapping[str, int] = {
    "JournalEntry.vend_id": ID_BYTES_MAX,
    "Hello.machine_id": 32,
    "Hello.boot_id": ID_BYTES_MAX,
    "Hello.firmware": 64,
    "Hello.resume_token": TOKEN_BYTES_MAX,
    "Hello.manifest_sha256": SHA256_BYTES,
    "ReaderDisable.reason": 64,
    "VendRequest.request_id": ID_BYTES_MAX,
    "VendRequest.column": COLUMN_BYTES_MAX,
    "VendCancel.request_id": ID_BYTES_MAX,
    "VendSuccess.vend_id": ID_BYTES_MAX,
    "VendFailure.vend_id": ID_BYTES_MAX,
    "SessionComplete.session_id": ID_BYTES_MAX,
    "CashSale.column": COLUMN_BYTES_MAX,
    "Fault.code": 16,
    "Fault.detail": 256,
    "Fault.column": COLUMN_BYTES_MAX,
    "MachineReport.firmware": 64,
    "CommandResult.command_id": ID_BYTES_MAX,
    "CommandResult.detail": 64,
    "ScreenApplied.manifest_sha256": SHA256_BYTES,
    "ScreenRejected.manifest_sha256": SHA256_BYTES,
    "ScreenRejected.detail": 128,
    "PlayCount.manifest_sha256": SHA256_BYTES,
    "ResumedSession.session_id": ID_BYTES_MAX,
    "ResumedSession.vend_id": ID_BYTES_MAX,
    "PlanogramColumn.column": COLUMN_BYTES_MAX,
    "PlanogramColumn.product": 64,
    "RecalledAsset.sha256": SHA256_BYTES,
    "Welcome.currency": 3,
    "Welcome.qr_payload": QR_PAYLOAD_BYTES_MAX,
    "Welcome.resume_token": TOKEN_BYTES_MAX,
    "ScreenUpdate.manifest_sha256": SHA256_BYTES,
    "ScreenUpdate.url": 256,
    "ScreenUpdate.token": 128,
    "ServiceUpdate.qr_payload": QR_PAYLOAD_BYTES_MAX,
    "BeginSession.session_id": ID_BYTES_MAX,
    "FundsUpdate.session_id": ID_BYTES_MAX,
    "ShowQr.request_id": ID_BYTES_MAX,
    "ShowQr.qr_payload": QR_PAYLOAD_BYTES_MAX,
    "VendApproved.vend_id": ID_BYTES_MAX,
    "VendApproved.request_id": ID_BYTES_MAX,
    "VendApproved.column": COLUMN_BYTES_MAX,
    "VendDenied.request_id": ID_BYTES_MAX,
    "EndSession.session_id": ID_BYTES_MAX,
    "TestVend.column": COLUMN_BYTES_MAX,
    "LockColumn.column": COLUMN_BYTES_MAX,
    "Command.command_id": ID_BYTES_MAX,
    "ProtocolError.detail": 256,
}
"""The most bytes of UTF-8 in each text, by message and field."""
COUNT_MAX: Mapping[str, int] = {
    "Hello.journal_tail": 32,
    "PlayCounts.counts": 16,
    "Welcome.recalled": 16,
    "PlanogramUpdate.columns": 128,
    "ScreenUpdate.recalled": 16,
}
"""The most entries in each list, by message and field."""

_FOR_PEOPLE = frozenset({"ProtocolError.detail"})
"""Texts that say something also when their end is missing. Half an id, a code or a column's name
would name something else.
"""
_CUT = "..."


class Unsendable(Exception):
    """A frame holds more than its machine has room for, so it must not leave. What made it is
    broken: all that came in was checked.
    """

    def __init__(self, field: str, *, size: int, most: int) -> None:
        super().__init__(f"{field}: {size} is more than the {most} that a machine has room for")
        self.field = field
        self.size = size
        self.most = most


def fit(message: M) -> M:
    """Return the same message with its texts for people cut to their bounds. Raises Unsendable
    if anything else is beyond its bound.
    """
    _fit(message, shape_of(type(message)))
    return message


def _fit(message: Message, shape: Shape) -> None:
    for name, path in shape.texts:
        text = getattr(message, name)
        if len(text) > BYTES_MAX[path] or not text.isascii():
            setattr(message, name, _text(path, text))
    for name, held in shape.held:
        if message.HasField(name):
            _fit(getattr(message, name), held)
    for name, may_be in shape.chosen:
        chosen = message.WhichOneof(name)
        if chosen in may_be:
            _fit(getattr(message, chosen), may_be[chosen])
    for name, path, entry in shape.lists:
        entries = getattr(message, name)
        if len(entries) > COUNT_MAX[path]:
            raise Unsendable(path, size=len(entries), most=COUNT_MAX[path])
        for each in entries:
            _fit(each, entry)


def _text(field: str, value: str) -> str:
    most, encoded = BYTES_MAX[field], value.encode()
    if len(encoded) <= most:
        return value
    if field not in _FOR_PEOPLE:
        raise Unsendable(field, size=len(encoded), most=most)
    return encoded[: most - len(_CUT)].decode(errors="ignore") + _CUT
