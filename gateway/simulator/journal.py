r"""The machine's flash: an append-only file that survives a kill at any point.

Flows in: lines of ``memory``. Flows out: the same lines after the next power-up. A line counts once
``append`` has returned; a last line that was torn by a power cut never counted and is dropped. A
line that is damaged elsewhere means that the journal is lost, and the machine says so in Hello.

On disk a line is ``<crc32 of the JSON, 8 hex digits> <JSON>\n``.
"""

import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, assert_never

from gateway.simulator.memory import (
    Booted,
    CommandLine,
    JournalLine,
    Memory,
    Settled,
    Token,
    VendLine,
)
from gateway.v1 import machine_pb2 as pb

LINES_MAX = 4096
"""A longer journal is rewritten with only what still counts, at the next power-up."""


class Journal:
    """One machine's journal file. Opened at power-up, closed at power-down."""

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        """Read what is there. ``memory`` holds all lines that count; the file is ready for more.
        ``sync`` sees to it that what was written to a descriptor is on the disk.
        """
        self._sync = sync
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines, damaged = _read(path)
        self.memory = Memory(lines)
        self.unreadable = damaged or not lines
        if damaged or len(lines) > LINES_MAX:
            _rewrite(path, self.memory)
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        _sync_directory(path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, line: JournalLine) -> None:
        """Write the line and return when it is on the disk. Losing a ``Settled`` only means telling
        twice, so it does not wait.
        """
        os.write(self._file, encode(line))
        if not isinstance(line, Settled):
            self._sync(self._file)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def encode(line: JournalLine) -> bytes:
    """Return the line as it stands on the disk."""
    body: dict[str, Any]
    match line:
        case Booted():
            body = {"boot": line.number, "boot_id": line.boot_id, "lost": line.lost}
        case VendLine():
            body = {
                "vend": line.vend_id,
                "request": line.request_id,
                "boot_id": line.boot_id,
                "stage": pb.JournalStage.Name(line.stage),
                "column": line.column,
                "cause": pb.VendFailureCause.Name(line.cause),
                "motor": pb.MotorEvidence.Name(line.motor),
                "drop": pb.DropEvidence.Name(line.drop),
            }
        case CommandLine():
            body = {
                "command": line.command_id,
                "kind": line.kind,
                "boot_id": line.boot_id,
                "column": line.column,
                "locked": line.locked,
                "outcome": pb.CommandOutcome.Name(line.outcome),
                "detail": line.detail,
                "motor": pb.MotorEvidence.Name(line.motor),
                "drop": pb.DropEvidence.Name(line.drop),
            }
        case Settled():
            body = {"settled": list(line.vend_ids), "loss_told": line.loss_told}
        case Token():
            body = {"resume_token": line.resume_token}
        case _:
            assert_never(line)
    text = json.dumps(body, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(text: bytes) -> JournalLine:
    """Return the line, or raise ValueError if it is damaged."""
    checksum, _, body_text = text.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(body_text):
        raise ValueError("checksum")
    body = json.loads(body_text)
    if "boot" in body:
        return Booted(number=body["boot"], boot_id=body["boot_id"], lost=body["lost"])
    if "resume_token" in body:
        return Token(resume_token=body["resume_token"])
    if "command" in body:
        return CommandLine(
            command_id=body["command"],
            kind=body["kind"],
            boot_id=body["boot_id"],
            column=body["column"],
            locked=body["locked"],
            outcome=pb.CommandOutcome.Value(body["outcome"]),
            detail=body["detail"],
            motor=pb.MotorEvidence.Value(body["motor"]),
            drop=pb.DropEvidence.Value(body["drop"]),
        )
    if "settled" in body:
        return Settled(vend_ids=tuple(body["settled"]), loss_told=body["loss_told"])
    return VendLine(
        vend_id=body["vend"],
        boot_id=body["boot_id"],
        stage=pb.JournalStage.Value(body["stage"]),
        column=body["column"],
        cause=pb.VendFailureCause.Value(body["cause"]),
        motor=pb.MotorEvidence.Value(body["motor"]),
        drop=pb.DropEvidence.Value(body["drop"]),
        # Lines of older firmware have none.
        request_id=body.get("request", ""),
    )


def _read(path: Path) -> tuple[list[JournalLine], bool]:
    """Return the lines that count and whether one before the last was damaged; cut a torn last line
    off the file.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], False
    raw = content.split(b"\n")
    torn = raw.pop()  # what follows the last line end: nothing, or a line that was being written
    lines: list[JournalLine] = []
    damaged = False
    for number, text in enumerate(raw, start=1):
        try:
            lines.append(decode(text))
        except (ValueError, KeyError):
            if number == len(raw) and not torn:
                torn = text + b"\n"
            else:
                damaged = True
    if torn:
        os.truncate(path, len(content) - len(torn))
    return lines, damaged


def _rewrite(path: Path, memory: Memory) -> None:
    """Replace the file by the fewest lines that say the same; the old file stands until the new one
    is complete.
    """
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.writelines(encode(line) for line in memory.lines())
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
