"""How what waits for a person is named, as SQL: ``refund:<id>``, ``vend:<id>``, ``machine:<id>``,
``alarm:<id>``, ``inbox:<row>``, ``difference:<row>.<edition>``, ``clock:<process>.<since>``,
``loading:<place>``, ``code:<machine>.<since>``, ``readout:<row>``, ``doubled:<machine>.<since>``,
``tag:<tag>``.

A difference that comes with other money is another item: whoever closed the first has not seen the
second.
"""

from sqlalchemy import ColumnElement, String, cast, exists, literal

from storage.tables import (
    doubled_machines,
    goods_balances,
    inbox,
    machine_alarms,
    machine_halts,
    machine_states,
    readout_differences,
    reconciliation_differences,
    refunds,
    tag_runs,
    vends,
    work_item_closings,
    wrong_clocks,
)

REFUND_ITEM: ColumnElement[str] = literal("refund:") + refunds.c.refund_id
VEND_ITEM: ColumnElement[str] = literal("vend:") + vends.c.vend_id
CODE_ITEM: ColumnElement[str] = (
    literal("code:")
    + machine_states.c.machine_id
    + literal(".")
    + cast(machine_states.c.code_differs_since_ms, String)
)
MACHINE_ITEM: ColumnElement[str] = literal("machine:") + machine_halts.c.machine_id
INBOX_ITEM: ColumnElement[str] = literal("inbox:") + cast(inbox.c.id, String)
ALARM_ITEM: ColumnElement[str] = literal("alarm:") + machine_alarms.c.alarm_id
DIFFERENCE_ITEM: ColumnElement[str] = (
    literal("difference:")
    + cast(reconciliation_differences.c.id, String)
    + literal(".")
    + cast(reconciliation_differences.c.edition, String)
)
CLOCK_ITEM: ColumnElement[str] = (
    literal("clock:")
    + wrong_clocks.c.teller
    + literal(".")
    + cast(wrong_clocks.c.since_at_ms, String)
)
# An act's place, product and lot are one.
LOADING_ITEM: ColumnElement[str] = literal("loading:") + goods_balances.c.place
READOUT_ITEM: ColumnElement[str] = literal("readout:") + cast(readout_differences.c.id, String)
DOUBLED_ITEM: ColumnElement[str] = (
    literal("doubled:")
    + doubled_machines.c.machine_id
    + literal(".")
    + cast(doubled_machines.c.found_at_ms, String)
)

TAG_ITEM: ColumnElement[str] = literal("tag:") + tag_runs.c.tag


def not_closed(item_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether no person has closed the item; one look at a key for each."""
    return ~exists().where(work_item_closings.c.item_id == item_id)
