"""Files of seals. Flows in: the newest digests that an audit has seen, or a file of them. Flows
out: a file, or its seals again.

One line each, in words that a person can compare: ``machine VM-0001 1234 <digest>`` (the version of
a machine's line) and ``audit 57 <digest>`` (the id of a row of ``audit``), under a first line that
names the format.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from actors.machine.ids import MACHINE_ID_PATTERN
from storage.auditing import Seal

FIRST_LINE = "vendgate seals, format 1"
_LINE = re.compile(
    rf"(?:machine ({MACHINE_ID_PATTERN})|audit) ([1-9][0-9]{{0,17}}) ([0-9a-f]{{64}})"
)


class SealsRefused(Exception):
    """A file cannot be used for seals; the text says why and what to do."""


def read(path: Path) -> tuple[Seal, ...]:
    """Return the seals of a file; raises SealsRefused if it is none, or holds none."""
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise SealsRefused(f"{path} cannot be read: {why}") from error
    if first != FIRST_LINE:
        raise SealsRefused(f"{path} is no file of seals: its first line must be {FIRST_LINE!r}.")
    seals = tuple(_seal(path, number, line) for number, line in enumerate(lines, start=2))
    if not seals:
        raise SealsRefused(f"{path} holds no seal: take another file, this one proves nothing.")
    return seals


def refuse_to_overwrite(path: Path) -> None:
    """Raise SealsRefused if the file is there: an old seal proves more than a new one."""
    if path.exists():
        raise SealsRefused(f"{path} exists, and seals are never overwritten: name another file.")


def write(path: Path, seals: Iterable[Seal]) -> None:
    """Write a new file; raises SealsRefused if it is there or cannot be written."""
    lines = [
        (
            f"{f'machine {seal.machine_id}' if seal.machine_id else 'audit'} {seal.version} "
            f"{seal.digest}"
        )
        for seal in seals
    ]
    refuse_to_overwrite(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join((FIRST_LINE, *lines, "")))
    except OSError as error:
        raise SealsRefused(f"{path} cannot be written: {error.strerror or error}") from error


def _seal(path: Path, number: int, line: str) -> Seal:
    found = _LINE.fullmatch(line)
    if found is None:
        raise SealsRefused(
            f"{path}: line {number} is no seal: take the file as it was written, or one of "
            "another day."
        )
    machine_id, version, digest = found.groups(default="")
    return Seal(machine_id=machine_id, version=int(version), digest=digest)
