"""Who follows a world's journal, in memory: what is told of sales is what the ledger says, at every
position.
"""

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from storage import codec
from storage.insight.exposing import Exposed, read_exposed
from storage.insight.facts import SaleFact
from storage.insight.follower import made_of
from storage.insight.reading import read_batch
from storage.insight.rollups import Sums
from storage.tables import machine_hours

if TYPE_CHECKING:
    from tests.simulation.world import World

_LEDGER = (
    "SELECT j.id, t.amount_minor * ((t.credit_account = 'SALES') - (t.debit_account = 'SALES')) "
    "FROM journal j JOIN transfers t ON t.machine_id = j.machine_id AND t.version = j.version "
    "WHERE 'SALES' IN (t.credit_account, t.debit_account) ORDER BY j.id, t.line"
)


def facts_are_the_ledger(world: "World") -> None:
    """However the journal is cut: line by line, facts add what the ledger adds to SALES, goods that
    were written off or given back later too; and so many items fell as vends were delivered.
    """
    rng = world.rng("follower")

    def work(connection: Connection) -> list[SaleFact]:
        facts: list[SaleFact] = []
        after = 0
        while batch := read_batch(
            connection, after=after, horizon=1 << 60, most=rng.randrange(40, 600)
        ):
            facts += made_of(batch)[0]
            after = batch.upto
        return facts

    facts = world.disk.read(work)
    ledger = [tuple(row) for row in world.disk.rows(_LEDGER)]
    told = [(one.position, one.sales_minor) for one in facts]
    if ledger != told:
        at, *_ = next((one for one in zip(ledger, told, strict=False) if one[0] != one[1]), (None,))
        world.checker.broken(
            "facts", f"the ledger has {len(ledger)} sales and {len(told)} are told, from {at} on"
        )
    delivered = world.disk.rows(
        "SELECT vend_id FROM vends WHERE status = 'SUCCEEDED' AND price_minor > 0"
    )
    units = Counter({one.vend_id: 0 for one in facts})
    for one in facts:
        units[one.vend_id] += one.units
    wrong = {vend_id for (vend_id,) in delivered if units.pop(vend_id, 0) != 1}
    wrong |= {vend_id for vend_id, count in units.items() if count}
    if wrong:
        world.checker.broken("facts", f"items of {sorted(wrong)} are not told once")


def what_is_ready_is_the_state(world: "World") -> None:
    """What is told of each machine by its lines and its goods is how its state has it: online, in
    service, with these items in these columns; and no second is in a smaller part of another.
    """

    def work(connection: Connection) -> Exposed:
        return read_exposed(connection, after_position=0, upto=1 << 60)

    sums = Sums()
    counted = {one.machine_id: one.ready for one in world.disk.read(work).counted(sums)}
    for machine_id, state_format, body in world.disk.rows(
        "SELECT machine_id, format, body FROM machine_states ORDER BY machine_id"
    ):
        state, ready = codec.decode_state(state_format, body), counted.get(machine_id)
        stocks = {one.column: one.stock for one in state.columns if one.stock}
        link, wanted = state.link, state.configuration
        so = (link.online, link.reader_enabled, wanted.enabled, wanted.retired, stocks)
        told = ready and (
            *(ready.online, ready.reader_enabled, ready.enabled, ready.retired),
            dict(ready.stocks),
        )
        if so != told or (ready and ready.locked != frozenset(wanted.locked or ())):
            world.checker.broken("facts", f"machine {machine_id} is {so} and is told as {told}")
    for key, (known, online, in_service, sellable, columns, empty) in sums.by_table.get(
        machine_hours, {}
    ).items():
        if not 0 <= sellable <= in_service <= online <= known <= 7_200 or empty > columns:
            world.checker.broken("facts", f"hour {key} does not fit into itself")
