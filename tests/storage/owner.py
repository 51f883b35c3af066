"""A host in short for these tests: decides with the real core, commits, and remembers what was
acknowledged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from actors.leases import Claimant
from actors.machine import MachineState, decide
from actors.machine.events import (
    CodeCreated,
    Connected,
    Event,
    FrameReceived,
    MachineFact,
    RefundSucceeded,
    SessionCompleted,
    TopUpPaid,
    VendRequested,
    VendSucceeded,
)
from actors.machine.goods import FOUND, GoodsKind, GoodsMove, column_place
from actors.machine.ids import (
    BootId,
    Currency,
    MachineId,
    RefundId,
    RequestId,
    SessionId,
    StreamId,
    TradeId,
    VendId,
    refund_id,
)
from actors.machine.policy import Policy
from actors.machine.state import Column
from actors.machine.values import replace
from actors.placement import partition_of
from actors.ports import Change, Ownership
from storage.database.engine import Database
from storage.fleet.joining import NewMachine
from storage.fleet.registry import Registry
from storage.machines.holding import SqlLeases
from storage.machines.store import SqlMachineStore

START_MS = 1_767_225_600_000
HKD = Currency("HKD")
COLUMNS = (
    Column(column="A1", product="cola", price_minor=500, capacity=10, stock=5),
    Column(column="A2", product="tea", price_minor=300, capacity=10, stock=5),
)


def new_machine(
    machine_id: str, *, columns: tuple[Column, ...] = COLUMNS, currency: str = HKD
) -> NewMachine:
    """A machine as an administrator registers it."""
    return NewMachine(
        machine_id=MachineId(machine_id),
        store_name="Pier 7",
        currency=Currency(currency),
        country_code="HK",
        address="Central, Hong Kong",
        columns=columns,
    )


def paid(
    trade_id: str,
    amount_minor: int = 1_000,
    *,
    payer_id: str = "payer-alice",
    at_ms: int = START_MS,
) -> TopUpPaid:
    """A payment."""
    return TopUpPaid(
        trade_id=TradeId(trade_id),
        partner_trans_id=f"out-{trade_id}",
        amount_minor=amount_minor,
        currency=HKD,
        paid_at_ms=at_ms,
        payer_id=payer_id,
    )


def refund_of(trade_id: str, amount_minor: int = 1_000) -> RefundId:
    """The id of a trade's first refund."""
    return refund_id(TradeId(trade_id), 1, amount_minor)


async def take(
    db: Database, *, host: str, holder: str, partitions: Sequence[int], home: str = "tests"
) -> Ownership:
    """Claim, as who has watched the leases of all others run out."""
    store = SqlMachineStore(db, notify_base_url="https://vend.example/")
    still = {each.holder: each.beat for each in await SqlLeases(db).holders()}
    return await store.claim(
        Claimant(holder=holder, host=host, home=home),
        partitions=partitions,
        now_ms=START_MS,
        still=still,
    )


@dataclass
class Owner:
    """The owner of some partitions."""

    store: SqlMachineStore
    ownership: Ownership
    now_ms: int = START_MS
    policy: Policy = field(default_factory=Policy)
    states: dict[str, MachineState] = field(default_factory=dict)
    stream_of: dict[str, StreamId] = field(default_factory=dict)
    _seq: dict[str, int] = field(default_factory=dict)
    _found: dict[str, tuple[GoodsMove, ...]] = field(default_factory=dict)

    @classmethod
    async def of(
        cls, db: Database, *machine_ids: str, holder: str = "h1", host: str = "vendgate-host-0"
    ) -> "Owner":
        """Register the machines, claim their partitions and bring each to where it can sell."""
        for machine_id in machine_ids:
            await Registry(db).register(new_machine(machine_id), actor="test", now_ms=START_MS)
        owner = await cls.claim(db, *machine_ids, holder=holder, host=host)
        for machine_id in machine_ids:
            await owner.start(machine_id)
        return owner

    @classmethod
    async def claim(
        cls, db: Database, *machine_ids: str, holder: str, host: str = "vendgate-host-0"
    ) -> "Owner":
        """Claim the machines' partitions and load the machines."""
        store = SqlMachineStore(db, notify_base_url="https://vend.example/")
        partitions = sorted(
            {partition_of(MachineId(machine_id), db.partition_count) for machine_id in machine_ids}
        )
        ownership = await take(db, host=host, holder=holder, partitions=partitions)
        owner = cls(store=store, ownership=ownership)
        for machine_id in machine_ids:
            loaded = await store.load(MachineId(machine_id))
            if loaded is not None:
                owner.states[machine_id] = loaded.state
        return owner

    async def start(self, machine_id: str) -> None:
        """Hear of the registry's configuration, get a code, come online."""
        loaded = await self.store.load(MachineId(machine_id))
        assert loaded is not None
        await self.do(machine_id, loaded.configuration)
        await self.do(machine_id, CodeCreated(qr_payload=f"https://qr.example/{machine_id}"))
        stream = StreamId(f"g-{machine_id}")
        await self.do(
            machine_id,
            Connected(
                stream_id=stream,
                opened_at_ms=self.now_ms,
                boot_id=BootId("b1"),
                planogram_version=1,
            ),
        )

    def decide(self, machine_id: str, event: Event, *, inbox_id: int | None = None) -> Change:
        """Decide without saving; the next decision follows on this one."""
        decision = decide(self.states[machine_id], event, self.now_ms, self.policy)
        self.states[machine_id] = decision.state
        decision = replace(decision, goods=(*self._found.pop(machine_id, ()), *decision.goods))
        return Change(
            machine_id=MachineId(machine_id),
            event=event,
            decision=decision,
            now_ms=self.now_ms,
            inbox_id=inbox_id,
        )

    async def do(self, machine_id: str, event: Event, *, inbox_id: int | None = None) -> Change:
        """Decide and save."""
        change = self.decide(machine_id, event, inbox_id=inbox_id)
        await self.commit([change])
        return change

    async def commit(self, changes: Sequence[Change]) -> None:
        """Save."""
        await self.store.commit(self.ownership, changes)

    def frame(self, machine_id: str, fact: MachineFact) -> FrameReceived:
        """The machine's next frame."""
        self._seq[machine_id] = self._seq.get(machine_id, 0) + 1
        stream_id = self.stream_of.get(machine_id, StreamId(f"g-{machine_id}"))
        return FrameReceived(stream_id=stream_id, seq=self._seq[machine_id], fact=fact)

    def unsaid(self, machine_id: str) -> None:
        """The last frame was not saved: its number is free."""
        self._seq[machine_id] -= 1

    def purchase(self, machine_id: str, number: int) -> list[Event]:
        """Everything that happens when a customer pays 10.00, buys one for 5.00 and gets the rest
        back.
        """
        trade_id = f"{machine_id}-t{number}"
        session = SessionId(f"{machine_id}-s{number}")
        request = VendRequested(
            request_id=RequestId(f"r{number}"), column="A1", price_minor=500, planogram_version=1
        )
        return [
            paid(trade_id, at_ms=self.now_ms),
            self.frame(machine_id, request),
            self.frame(
                machine_id,
                VendSucceeded(vend_id=VendId(f"{machine_id}-v{number}"), evidence="drop sensor"),
            ),
            self.frame(machine_id, SessionCompleted(session_id=session)),
            RefundSucceeded(refund_id=refund_of(trade_id, 500)),
        ]

    async def buy(self, machine_id: str, number: int = 1) -> None:
        """Let a whole purchase happen, saved step by step."""
        for event in self.purchase(machine_id, number):
            await self.do(machine_id, event)

    def refill(self, machine_id: str) -> None:
        """Fill its columns up, for long runs: the next decision says so too."""
        state = self.states[machine_id]
        self._found[machine_id] = tuple(
            GoodsMove(
                kind=GoodsKind.COUNTED,
                cause=f"{machine_id}@{state.version + 1}/{column.column}",
                column=column.column,
                product=column.product,
                quantity=5 - column.stock,
                from_place=FOUND,
                to_place=column_place(state.machine_id, column.column),
            )
            for column in state.columns
            if column.stock < 5
        )
        self.states[machine_id] = replace(
            state, columns=tuple(replace(column, stock=5) for column in state.columns)
        )


async def hears(db: Database, machine_id: str = "VM-1") -> None:
    """Let the machine's actor hear what the registry says by now."""
    owner = await Owner.claim(db, machine_id, holder="h1")
    loaded = await owner.store.load(MachineId(machine_id))
    assert loaded is not None
    await owner.do(machine_id, loaded.configuration)
