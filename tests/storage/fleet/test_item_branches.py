"""All kinds of items have the same columns, so that one list can hold them."""

import pytest
from sqlalchemy import literal

from storage.fleet.item_branches import Branch, columns
from storage.fleet.readout_items import branch
from storage.fleet.views import WorkItemKind
from storage.item_ids import MACHINE_ITEM
from storage.tables import machine_halts

HALTS = Branch(
    kind=WorkItemKind.MACHINE_HALTED,
    table=machine_halts,
    since=machine_halts.c.halted_at_ms,
    item_id=MACHINE_ITEM,
    where=(),
    columns=columns(amount_minor=literal(0), reason=machine_halts.c.error),
)


def test_they_can_stand_in_one_list() -> None:
    """By the names of their columns and their order."""
    assert list(HALTS.items().selected_columns.keys()) == list(
        branch().items().selected_columns.keys()
    )


def test_a_text_that_no_item_has_is_a_mistake() -> None:
    """It would be in one kind only."""
    with pytest.raises(AssertionError):
        columns(amount_minor=literal(0), reason=literal(""), colour=literal("red"))


def test_a_page_begins_behind_a_position() -> None:
    """Which is asked with the query, as its machine and its length are."""
    first = HALTS.page(of_machine=False, goes_on=False).compile()
    assert first.params.keys() >= {"limit"}
    assert not first.params.keys() & {"machine_id", "after_ms", "after_item"}
    further = HALTS.page(of_machine=True, goes_on=True).compile()
    assert further.params.keys() >= {"limit", "machine_id", "after_ms", "after_item"}
