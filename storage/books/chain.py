"""Digests that chain the books: each is made of the one before it and of what its own rows hold, so
that no row changes unseen. Pure.

Told so that another program can verify it. A hash is SHA-256, written as 64 small hex digits; texts
are UTF-8.

* The **content** of a machine's line is the hash of the JSON text ``[[line], [[transfer],
  [transfer], ...]]``: the columns ``LINE_COLUMNS`` of the row of ``journal``, then the columns
  ``TRANSFER_COLUMNS`` of each row of ``transfers`` of that machine and version, by ``line``.
* The content of a row of ``audit`` is the hash of the JSON text ``[...]`` of its columns
  ``AUDIT_COLUMNS``, without the last three where ``outcome`` is ''.
* A **digest** is the hash of the digest before it and the content behind one another: 128 hex
  digits, or 64 where none is before it. Before a machine's line is the line with the version below
  it; before a row of ``audit`` is the row with the next lower id.

JSON text has no white space, its objects' keys are sorted, only what must be escaped is (as
``json.dumps`` with ``ensure_ascii=False``, ``sort_keys=True``, ``separators=(",", ":")`` writes
it), and no number has a fraction. The columns ``JSON_COLUMNS`` stand in it as the values that their
texts mean, so that a database may write those texts in another way. NULL is ``null``.

Rows from before there were digests have '' and stand only at the beginning; the first one with a
digest has none before it. The newest digest of a machine stands in ``machine_states.digest``, that
of ``audit`` in ``installation.audit_digest``.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

LINE_COLUMNS = (
    "machine_id",
    "version",
    "partition",
    "epoch",
    "at_ms",
    "kind",
    "session_id",
    "effects",
    "notes",
    "body",
)
JSON_COLUMNS = ("effects", "notes", "body")
"""The last of ``LINE_COLUMNS``."""
TRANSFER_COLUMNS = (
    "machine_id",
    "version",
    "line",
    "at_ms",
    "kind",
    "cause",
    "debit_account",
    "debit_reference",
    "credit_account",
    "credit_reference",
    "trade_id",
    "amount_minor",
    "currency",
)
AUDIT_COLUMNS = (
    "at_ms",
    "actor",
    "action",
    "machine_id",
    "detail",
    "claimed",
    "proven",
    "outcome",
)
AUDIT_COLUMNS_BEFORE = 5
"""This many of them had rows without an outcome."""
DIGEST_LENGTH = 64

_PLAIN_COLUMNS = len(LINE_COLUMNS) - len(JSON_COLUMNS)
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def line_content(line: Sequence[Any], transfers: Sequence[Sequence[Any]]) -> str:
    """Return the content of a machine's line; the values stand in the order of the columns. Raises
    ValueError for a broken JSON text.
    """
    try:
        told = [*line[:_PLAIN_COLUMNS], *map(_decode, line[_PLAIN_COLUMNS:])]
    except (msgspec.DecodeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    return hashlib.sha256(_encode((told, transfers))).hexdigest()


def audit_content(row: Sequence[Any]) -> str:
    """Return the content of a row of ``audit``; the values stand in the order of
    ``AUDIT_COLUMNS``.
    """
    told = row if row[-1] else row[:AUDIT_COLUMNS_BEFORE]
    return hashlib.sha256(_encode(told)).hexdigest()


def digest(before: str, content: str) -> str:
    """Return the digest of the row with this content, behind the one with the digest ``before``, ''
    if there is none.
    """
    return hashlib.sha256((before + content).encode()).hexdigest()
