"""Another program that verifies the digests: written from what ``storage.books.chain`` documents,
with nothing of its code.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

LINE = "machine_id, version, partition, epoch, at_ms, kind, session_id, effects, notes, body"
TRANSFER = (
    "machine_id, version, line, at_ms, kind, cause, debit_account, debit_reference, "
    "credit_account, credit_reference, trade_id, amount_minor, currency"
)


def sha256(value: str) -> str:
    """Return the hash of a text."""
    return hashlib.sha256(value.encode()).hexdigest()


def as_json(value: object) -> str:
    """Return the one JSON text of a value."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def line_content(line: Sequence[Any], transfers: Sequence[Sequence[Any]]) -> str:
    """Return the content of a machine's line."""
    *plain, effects, notes, body = line
    told = [*plain, json.loads(effects), json.loads(notes), json.loads(body)]
    return sha256(as_json([told, [list(transfer) for transfer in transfers]]))


def digests(connection: Connection, machine_id: str) -> list[tuple[str, str]]:
    """Return what stands in the digests of a machine's lines, each with what should stand there."""
    found, before = [], ""
    named = {"machine_id": machine_id}
    lines = connection.execute(
        text(f"SELECT {LINE}, digest FROM journal WHERE machine_id = :machine_id ORDER BY version"),
        named,
    ).all()
    for *line, digest in lines:
        wanted = text(
            f"SELECT {TRANSFER} FROM transfers WHERE machine_id = :machine_id AND version = "
            ":version ORDER BY line"
        )
        transfers = connection.execute(wanted, {**named, "version": line[1]}).all()
        found.append((digest, sha256(before + line_content(line, transfers))))
        before = digest
    return found


def audit_digests(connection: Connection) -> list[tuple[str, str]]:
    """Return the same of the rows of ``audit``."""
    found, before = [], ""
    for *row, digest in connection.execute(
        text(
            "SELECT at_ms, actor, action, machine_id, detail, claimed, proven, outcome, digest "
            "FROM audit ORDER BY id"
        )
    ).all():
        if not row[7]:
            row = row[:5]  # noqa: PLW2901 - rows from before outcomes were written
        found.append((digest, sha256(before + sha256(as_json(row)))))
        before = digest
    return found
