"""No customer can be told from what is saved: nowhere stands an Alipay user id, which is 2088 and
twelve more digits (docs/alipay.md), nor anything that was computed from one. The table of payers,
which leads from a hash to a random number, is left out: it is there to be deleted from.
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Row, Select, Table, Text, cast, func, or_, select

from alipay_client.notify import names_buyer
from storage import codec
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, made_once
from storage.tables import (
    audit,
    inbox,
    journal,
    machine_halts,
    machine_states,
    reconciliation_differences,
    refunds,
    sessions,
    trades,
    vends,
    work_item_closings,
)

# Not inside a longer number or a hash: a trade number may hold the same digits.
BUYER = re.compile(r"(?<![0-9A-Za-z])2088\d{12}(?![0-9A-Za-z])")
NOT_BUYERS = frozenset(
    {"seller_id", "seller_user_id", "partner", "trade_no", "out_trade_no", "notify_id", "file"}
)
"""Fields of a notification that are the seller's (the daily file is named after the partner id) or
number something else.
"""

PAYER_ID_LENGTH_MAX = 26
"""128 random bits in base32; a hash is longer."""

_TEXTS: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (sessions, ("payer_id",)),
    (trades, ("payer_id",)),
    (vends, ("reason", "evidence")),
    (refunds, ("proposed_reason", "error")),
    (machine_states, ("body",)),
    (machine_halts, ("error",)),
    (journal, ("effects", "notes", "body")),
    (inbox, ("event", "fields")),
    (audit, ("detail",)),
    (reconciliation_differences, ("subject", "said", "cause", "advice")),
    (work_item_closings, ("reason",)),
)


def no_buyer_is_named(books: Books) -> Iterator[int | Finding]:
    """No text holds a buyer's id at Alipay."""
    for table, names in _TEXTS:
        yield books.count(table)
        for row in _suspects(books, table, names):
            for name in names:
                if _names_a_buyer(table.c[name], getattr(row, name), books.own_ids):
                    yield _finding(table, name, row)


def payers_are_random_numbers(books: Books) -> Iterator[int | Finding]:
    """Where the books say who paid stands nothing longer than a random number: no hash of a
    buyer.
    """
    for table in (sessions, trades):
        yield books.count(table)
        for row in books.odd_ones(_too_long(table)):
            yield Finding(
                sentence=f"{table.name}.payer_id of {row.key} is too long for a random number "
                f"(machine {row.machine_id})",
                machine_id=row.machine_id,
            )


@made_once
def _too_long(table: Table) -> Select[Any]:
    (key,) = table.primary_key.columns
    return (
        select(key.label("key"), table.c.machine_id)
        .where(func.length(table.c.payer_id) > PAYER_ID_LENGTH_MAX)
        .order_by(key)
    )


def notifications_keep_no_buyer(books: Books) -> Iterator[int | Finding]:
    """No notification is kept with a field that names its buyer, or with the signature that was
    made over one. Fields whose names do not stand in the text (``codec.FIELDS``) name no buyer.
    """
    yield books.count(inbox)
    text = cast(inbox.c.fields, Text)
    suspect = or_(
        func.lower(text).like("%buyer%"), func.lower(text).like("%payer%"), text.like('%"sign"%')
    )
    wanted = select(inbox.c.id, inbox.c.machine_id, text.label("fields")).where(suspect)
    for row in books.odd_ones(wanted.order_by(inbox.c.id)):
        told = [name for name in _fields(row.fields) if names_buyer(name) or name == "sign"]
        if told:
            yield Finding(
                sentence=f"inbox.fields of {row.id} holds {', '.join(told)}, from which its buyer "
                f"can be told (machine {row.machine_id})",
                machine_id=row.machine_id,
            )


@made_once
def _suspect(table: Table, names: tuple[str, ...]) -> Select[Any]:
    (key,) = table.primary_key.columns
    texts = [cast(table.c[name], Text).label(name) for name in names]
    told = [table.c.machine_id] if "machine_id" in table.c else []
    return (
        select(key.label("key"), *(column.label("of_machine") for column in told), *texts)
        .where(or_(*(cast(table.c[name], Text).like("%2088%") for name in names)))
        .order_by(key)
    )


def _suspects(books: Books, table: Table, names: tuple[str, ...]) -> Iterator[Row[Any]]:
    (key,) = table.primary_key.columns
    wanted = _suspect(table, names)
    last: Any = None
    while page := books.odd_ones(wanted if last is None else wanted.where(key > last)):
        yield from page
        last = page[-1].key


def _names_a_buyer(column: Column[Any], text: str | None, own_ids: frozenset[str]) -> bool:
    if column is inbox.c.fields:
        text = _of_buyers(text)
    return text is not None and any(found not in own_ids for found in BUYER.findall(text))


def _of_buyers(text: str | None) -> str | None:
    """Return the values of those fields that could name a buyer."""
    fields = _fields(text or "{}")
    return "\n".join(value for name, value in fields.items() if name not in NOT_BUYERS)


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a notification; all of a text that holds none is one without a name."""
    try:
        return codec.decode_fields(text)
    except codec.CodecError:
        return {"": text}


def _finding(table: Table, name: str, row: Row[Any]) -> Finding:
    machine_id = getattr(row, "of_machine", "")
    # The id itself is not repeated here: what an audit says is kept in logs.
    return Finding(
        sentence=f"{table.name}.{name} of {row.key} holds a buyer's id (machine {machine_id})",
        machine_id=machine_id,
    )
