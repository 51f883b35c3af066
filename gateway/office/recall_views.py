"""Recalls and locks as administrators read them: views in, messages of ``gateway.office.v1`` out.
Pure and total.
"""

import json

from gateway.fleet import enums
from gateway.fleet.pages import wrong_token
from gateway.fleet.views import timestamp
from gateway.office.v1 import recall_pb2
from gateway.process.texts import plain
from storage.office.locks import HeldView, LockKey, LockView
from storage.office.recalls import RecallView

_CAUSE = enums.descriptor_of(recall_pb2.RecallCause)
_MS_MAX = 2**63 - 1


def recall(view: RecallView) -> recall_pb2.Recall:
    """Return a recall."""
    made = recall_pb2.Recall(
        recall_id=view.recall_id,
        cause=enums.number_of(_CAUSE, view.cause),  # type: ignore[arg-type]  # of this very enum
        product=plain(view.product),
        lot=plain(view.lot),
        expires_on=view.expires_on,
        actor=plain(view.actor),
        reason=plain(view.reason),
        created_at=timestamp(view.created_at_ms),
        released_by=plain(view.released_by),
        locked_count=view.locked,
        not_obeyed_count=view.not_obeyed,
    )
    if view.released_at_ms is not None:
        made.released_at.CopyFrom(timestamp(view.released_at_ms))
    if view.looked_at_ms is not None:
        made.looked_at.CopyFrom(timestamp(view.looked_at_ms))
    return made


def held(view: HeldView) -> recall_pb2.RecalledColumn:
    """Return how much of what is recalled is in a column."""
    return recall_pb2.RecalledColumn(
        machine_id=view.machine_id,
        column=plain(view.column),
        quantity=view.quantity,
        stock=view.stock,
    )


def lock(view: LockView) -> recall_pb2.LockedColumn:
    """Return a locked column."""
    made = recall_pb2.LockedColumn(
        machine_id=view.machine_id,
        column=plain(view.column),
        recall_id=view.recall_id,
        cause=enums.number_of(_CAUSE, view.cause),  # type: ignore[arg-type]  # of this very enum
        product=plain(view.product),
        lot=plain(view.lot),
        locked_at=timestamp(view.locked_at_ms),
        online=view.online,
    )
    if view.obeyed_at_ms is not None:
        made.obeyed_at.CopyFrom(timestamp(view.obeyed_at_ms))
    return made


def position_of(view: RecallView | LockView) -> str:
    """Return where it stands in its list."""
    if isinstance(view, RecallView):
        return json.dumps([view.created_at_ms, view.recall_id])
    return json.dumps(view.key)


def recall_key(text: str) -> tuple[int, str] | None:
    """Return behind which recall a page begins, None for the first one. Raises CallRefused."""
    match _parts(text):
        case None:
            return None
        case [int(at_ms), str(recall_id)] if 0 <= at_ms <= _MS_MAX and _can_be_asked(recall_id):
            return at_ms, recall_id
    raise wrong_token()


def lock_key(text: str) -> LockKey:
    """Return behind which lock a page begins, the lowest for the first one. Raises CallRefused."""
    match _parts(text):
        case None:
            return "", "", ""
        case [str(machine_id), str(column), str(recall_id)] as key if _can_be_asked("".join(key)):
            return machine_id, column, recall_id
    raise wrong_token()


def _parts(text: str) -> object:
    try:
        return json.loads(text) if text else None
    except ValueError:
        raise wrong_token() from None


def _can_be_asked(text: str) -> bool:
    # Escaped twice, they came past the check of the token; a database does not take them.
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)
