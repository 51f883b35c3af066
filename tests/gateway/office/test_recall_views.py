"""Recalls and locks are shown with what is known of them, and their pages begin where they say."""

from typing import Any

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office import recall_views as views
from gateway.office.v1 import recall_pb2
from storage.office.locks import HeldView, LockView
from storage.office.recalls import RecallCause, RecallView

RECALL = RecallView(
    recall_id="r1",
    cause=RecallCause.RECALLED,
    product="cola",
    lot="L1",
    expires_on="",
    actor="ann",
    claimed="",
    proven="",
    reason="glass",
    created_at_ms=1_000,
    released_at_ms=None,
    released_by="",
    look_at_ms=1_000,
    looked_at_ms=None,
    locked=3,
    not_obeyed=1,
)
LOCK = LockView(
    machine_id="VM-1",
    column="A1",
    recall_id="r1",
    cause=RecallCause.EXPIRED,
    product="cola",
    lot="L1",
    locked_at_ms=1_000,
    obeyed_at_ms=None,
    online=True,
)


def test_what_has_not_happened_yet_is_absent() -> None:
    """A release, a first look, and a machine's obedience."""
    recall, lock = views.recall(RECALL), views.lock(LOCK)
    assert not recall.HasField("released_at")
    assert not recall.HasField("looked_at")
    assert not lock.HasField("obeyed_at")
    assert (3, 1, recall_pb2.RECALL_CAUSE_EXPIRED) == (
        recall.locked_count,
        recall.not_obeyed_count,
        lock.cause,
    )


def test_how_much_is_in_a_column_is_told_beside_all_that_is() -> None:
    """So that a person sees what else is locked with it."""
    held = views.held(HeldView(machine_id="VM-1", column="A1", quantity=3, stock=7))
    assert (3, 7) == (held.quantity, held.stock)


def test_a_page_begins_behind_the_last_one() -> None:
    """Or at the start."""
    assert (1_000, "r1") == views.recall_key(views.position_of(RECALL))
    assert LOCK.key == views.lock_key(views.position_of(LOCK))
    assert (None, ("", "", "")) == (views.recall_key(""), views.lock_key(""))


@pytest.mark.parametrize(
    "text", ["x", "1", "[]", "[1]", '[-1, "a"]', '["a", 1]', '["a\\u0000", "b", "c"]', "[null, 1]"]
)
@pytest.mark.parametrize("read", [views.recall_key, views.lock_key])
def test_a_position_that_none_of_ours_has_is_refused(read: Any, text: str) -> None:
    """Whatever a token holds, a database is not asked for it."""
    with pytest.raises(CallRefused):
        read(text)
