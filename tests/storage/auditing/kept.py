"""A story of the core that is saved as it would be: the registry's changes, the notifications, and
every decision.
"""

from sqlalchemy import update

from actors.machine import Decision, MachineState
from actors.machine.events import ConfigurationChanged, Event, TopUpPaid
from actors.machine.goods import FOUND, GoodsKind, GoodsMove, column_place
from actors.machine.policy import Policy
from actors.machine.values import replace
from actors.ports import Change
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.machines.inbox import Inbox, Received
from storage.tables import machines
from tests.storage.owner import START_MS, Owner, new_machine
from tests.support.story import Story

Told = tuple[Event, int, Decision]


class KeptStory(Story):
    """Remembers what happened when, beside what came of it."""

    def __init__(self, state: MachineState | None = None, policy: Policy | None = None) -> None:
        super().__init__(state, policy)
        self.machine = self.state
        self.told: list[Told] = []

    def do(self, event: Event) -> Decision:
        decision = super().do(event)
        self.told.append((event, self.now_ms, decision))
        return decision


class Keeper:
    """Saves a story, as far as it has been told."""

    def __init__(self, db: Database, owner: Owner, story: KeptStory) -> None:
        self._db = db
        self._owner = owner
        self._story = story
        self._saved = 0

    @classmethod
    async def of(cls, db: Database, story: KeptStory) -> "Keeper":
        """Register the story's machine and claim it."""
        machine = story.machine
        await Registry(db).register(
            new_machine(machine.machine_id, columns=machine.columns), actor="test", now_ms=START_MS
        )
        return cls(db, await Owner.claim(db, machine.machine_id, holder="h1"), story)

    async def save(self, upto: int | None = None) -> None:
        """Save what was told and is not saved, up to the event with this number."""
        end = len(self._story.told) if upto is None else upto
        changes = [await self._change(*told) for told in self._story.told[self._saved : end]]
        if self._saved == 0 and changes:
            changes[0] = self._opened(changes[0])
        await self._owner.commit(changes)
        self._saved = end

    def _opened(self, first: Change) -> Change:
        """Let the first decision say what was in the columns before the story began."""
        machine = self._story.machine
        opened = tuple(
            GoodsMove(
                kind=GoodsKind.OPENED,
                cause=f"{machine.machine_id}@1/{column.column}",
                column=column.column,
                product=column.product,
                quantity=column.stock,
                from_place=FOUND,
                to_place=column_place(machine.machine_id, column.column),
            )
            for column in machine.columns
            if column.stock
        )
        goods = (*opened, *first.decision.goods)
        return replace(first, decision=replace(first.decision, goods=goods))

    async def _change(self, event: Event, now_ms: int, decision: Decision) -> Change:
        machine_id = decision.state.machine_id
        inbox_id = None
        if isinstance(event, ConfigurationChanged):
            new = event.configuration
            await Registry(self._db).change(
                machine_id,
                MachineChange(mode=new.mode, enabled=new.enabled),
                actor="eve",
                action="change",
                now_ms=now_ms,
            )
            # A story may tell a revision in which nothing differs that this registry keeps.
            ours = machines.c.machine_id == machine_id
            told = update(machines).where(ours).values(revision=new.revision)
            await self._db.write(lambda connection: connection.execute(told))
        if isinstance(event, TopUpPaid):
            received = Received(
                cause=f"payment:{event.trade_id}",
                kind="PAID",
                machine_id=machine_id,
                trade_id=event.trade_id,
                event=event,
                fields={"trade_no": event.trade_id},
                told_sha256=f"{self._story.told.index((event, now_ms, decision)):064}",
                received_at_ms=now_ms,
            )
            stored = await Inbox(self._db).put(received)
            # Only what was told first is decided upon; the story tells the rest to the core all the
            # same, which notes it.
            inbox_id = stored.inbox_id if stored.verdict == "NEW" else None
        return Change(
            machine_id=machine_id, event=event, decision=decision, now_ms=now_ms, inbox_id=inbox_id
        )
