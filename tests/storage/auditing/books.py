"""A database in which a little of everything has happened, saved as the product saves it, and how
an intruder changes it.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from actors.machine.command import (
    CommandAnswered,
    CommandKind,
    CommandOrdered,
    CommandOutcome,
)
from actors.machine.events import (
    CodeCreated,
    Connected,
    Disconnected,
    Event,
    RefundRefused,
    RefundSucceeded,
    RefundUnknown,
    RefundWrittenOff,
    SessionCompleted,
    TimePassed,
    TopUpPaid,
    VendFailed,
    VendRequested,
    VendSucceeded,
)
from actors.machine.ids import BootId, MachineId, RequestId, SessionId, StreamId, VendId
from actors.machine.state import FailureCause
from actors.machine.values import replace
from storage.auditing import Audit, prove
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from storage.machines.inbox import Inbox, Received
from tests.storage.offered import FIFTY, give
from tests.storage.owner import START_MS, Owner, new_machine, paid, refund_of
from tests.storage.unlocked import SAID_OTHERWISE, speak_of_transfers
from tests.support.proven import path_of, prove_file

MACHINES = ("VM-1", "VM-2", "VM-3", "VM-4")
NOW_MS = START_MS + 3_600_000


async def notified(
    db: Database, owner: Owner, machine_id: str, event: Event, cause: str, trade_id: str
) -> None:
    """A notification is saved, and decided upon."""
    received = Received(
        cause=cause,
        kind="PAID",
        machine_id=MachineId(machine_id),
        trade_id=trade_id,
        event=event,
        fields={"trade_no": trade_id, "seller_id": "2088000000000001"},
        told_sha256="0" * 64,
        received_at_ms=owner.now_ms,
    )
    stored = await Inbox(db).put(received)
    await owner.do(machine_id, event, inbox_id=stored.inbox_id)


async def pays(
    db: Database,
    owner: Owner,
    machine_id: str,
    trade_id: str,
    amount_minor: int = 1_000,
    payer_id: str = "payer-alice",
) -> None:
    """A customer pays, in the machine's currency."""
    event: TopUpPaid = paid(trade_id, amount_minor, payer_id=payer_id, at_ms=owner.now_ms)
    event = replace(event, currency=owner.states[machine_id].currency)
    await notified(db, owner, machine_id, event, f"payment:{trade_id}", trade_id)


async def write_sound_books(db: Database) -> None:
    """Sales, a failure, a denial, a doubt, late goods, refunds of all kinds, two currencies, an
    open session, and a new host.
    """
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-4")
    await Registry(db).register(new_machine("VM-3", currency="JPY"), actor="test", now_ms=START_MS)
    await _sells(db, owner)
    owner = await Owner.claim(db, *MACHINES, holder="h2")
    await owner.start("VM-3")
    await _reconnects(owner, "VM-1", "VM-2", "VM-4")
    await _fails(db, owner)
    await _is_in_the_middle(db, owner)
    await _delivers_late(db, owner)
    await _gives_up(db, owner)
    await _is_tested(owner)
    await _uses_an_offer(db, owner)


async def _uses_an_offer(db: Database, owner: Owner) -> None:
    """VM-4: a purchase for less than the machine shows."""
    await give(db, budget_minor=1_000)
    event = replace(paid("VM-4-t2", payer_id="payer-carol", at_ms=owner.now_ms), offers=(FIFTY,))
    await notified(db, owner, "VM-4", event, "payment:VM-4-t2", "VM-4-t2")
    delivered = VendSucceeded(vend_id=VendId("VM-4-v1"))
    done = SessionCompleted(session_id=SessionId("VM-4-s2"))
    await _does(owner, "VM-4", _wants(owner, "VM-4", "q9"), owner.frame("VM-4", delivered))
    await _does(owner, "VM-4", owner.frame("VM-4", done))
    await owner.do("VM-4", RefundSucceeded(refund_id=refund_of("VM-4-t2", 550)))


async def _is_tested(owner: Owner) -> None:
    """VM-4: a test vend that drops an item."""
    await _reconnects(owner, "VM-4", commands=True)
    ordered = CommandOrdered(
        command_id="c4",
        kind=CommandKind.TEST_VEND,
        version=0,
        ordered_at_ms=owner.now_ms,
        expires_at_ms=owner.now_ms + 60_000,
        column="A1",
        actor="eve",
    )
    told = CommandAnswered(
        command_id="c4", outcome=CommandOutcome.APPLIED, evidence="motor=RAN drop=SEEN"
    )
    await _does(owner, "VM-4", ordered, owner.frame("VM-4", told))


async def _reconnects(owner: Owner, *machine_ids: str, commands: bool = False) -> None:
    for machine_id in machine_ids:
        owner._seq[machine_id] = 0
        stream = StreamId(f"g-{machine_id}")
        hello = Connected(
            stream_id=stream,
            opened_at_ms=owner.now_ms + 1,
            boot_id=BootId("b3" if commands else "b2"),
            planogram_version=1,
            knows_commands=commands,
        )
        await owner.do(machine_id, hello)


async def _does(owner: Owner, machine_id: str, *events: Event) -> None:
    for event in events:
        await owner.do(machine_id, event)


def _wants(owner: Owner, machine_id: str, request: str, column: str = "A1") -> Event:
    return owner.frame(
        machine_id,
        VendRequested(
            request_id=RequestId(request), column=column, price_minor=500, planogram_version=1
        ),
    )


async def _sells(db: Database, owner: Owner) -> None:
    """VM-1: two whole purchases."""
    for number in (1, 2):
        first, *rest = owner.purchase("VM-1", number)
        assert isinstance(first, TopUpPaid)
        await pays(db, owner, "VM-1", first.trade_id)
        await _does(owner, "VM-1", *rest)


async def _fails(db: Database, owner: Owner) -> None:
    """VM-1: a denial without a session; then a jam, and a refund of which nobody knows what became
    of it.
    """
    await owner.do("VM-1", _wants(owner, "VM-1", "q1", column="Z9"))
    await pays(db, owner, "VM-1", "VM-1-t3")
    jam = VendFailed(vend_id=VendId("VM-1-v4"), cause=FailureCause.JAMMED)
    await _does(owner, "VM-1", _wants(owner, "VM-1", "q2"), owner.frame("VM-1", jam))
    await owner.do("VM-1", owner.frame("VM-1", SessionCompleted(session_id=SessionId("VM-1-s3"))))
    await owner.do("VM-1", RefundUnknown(refund_id=refund_of("VM-1-t3"), detail="time-out"))


async def _is_in_the_middle(db: Database, owner: Owner) -> None:
    """VM-2: a customer with free funds and an approved vend; another one's money went back."""
    await pays(db, owner, "VM-2", "VM-2-t1")
    await owner.do("VM-2", _wants(owner, "VM-2", "q1"))
    await pays(db, owner, "VM-2", "VM-2-t2", payer_id="payer-bob")
    done = RefundSucceeded(refund_id=refund_of("VM-2-t2"), source="notification")
    await notified(db, owner, "VM-2", done, f"refund:{done.refund_id}", "VM-2-t2")


async def _delivers_late(db: Database, owner: Owner) -> None:
    """VM-3: a doubt that nobody settles; the money goes back, and the goods turn up."""
    await pays(db, owner, "VM-3", "VM-3-t1")
    await owner.do("VM-3", _wants(owner, "VM-3", "q1"))
    await owner.do("VM-3", Disconnected(stream_id=StreamId("g-VM-3")))
    owner.now_ms += 700_000
    await owner.do("VM-3", TimePassed())
    await owner.do("VM-3", RefundSucceeded(refund_id=refund_of("VM-3-t1")))
    hello = Connected(
        stream_id=StreamId("g-VM-3"),
        opened_at_ms=owner.now_ms,
        boot_id=BootId("b1"),
        planogram_version=1,
    )
    await owner.do("VM-3", hello)
    await owner.do("VM-3", owner.frame("VM-3", VendSucceeded(vend_id=VendId("VM-3-v1"))))


async def _gives_up(db: Database, owner: Owner) -> None:
    """VM-4: a refund that Alipay refuses and a person writes off."""
    await pays(db, owner, "VM-4", "VM-4-t1", 700)
    await owner.do("VM-4", owner.frame("VM-4", SessionCompleted(session_id=SessionId("VM-4-s1"))))
    await owner.do(
        "VM-4",
        RefundRefused(
            refund_id=refund_of("VM-4-t1", 700), detail="TRADE_HAS_CLOSE", source="query"
        ),
    )
    await owner.do(
        "VM-4",
        RefundWrittenOff(refund_id=refund_of("VM-4-t1", 700), actor="eve", reason="paid in cash"),
    )
    await owner.do("VM-4", CodeCreated(qr_payload="again"))


def damage(path: Path, *statements: str) -> None:
    """Change the file as somebody would who has it: past all constraints and triggers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA ignore_check_constraints = ON")
        for (trigger,) in file.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            file.execute(f"DROP TRIGGER {trigger}")
        if speak_of_transfers(statements):
            for statement in SAID_OTHERWISE:
                file.execute(statement)
        for statement in statements:
            before = file.total_changes
            file.execute(statement)
            assert file.total_changes > before, f"{statement} changed nothing"


async def audited(url: str, *, now_ms: int = NOW_MS) -> Audit:
    """Audit a database that is opened for reading only."""
    if (path := path_of(url)) is not None:
        return prove_file(path, now_ms=now_ms)
    database = await Database.open(StorageConfig(url=url, readers=1, read_only=True))
    try:
        return await prove(database, now_ms=now_ms)
    finally:
        await database.close()


def broken(audit: Audit) -> Sequence[str]:
    """Return the names of the checks that found something."""
    return [check.name for check in audit.checks if not check.holds]


def found(result: Audit, name: str = "journals_are_as_written") -> Sequence[str]:
    """Return what one check found."""
    (check,) = [check for check in result.checks if check.name == name]
    return [finding.sentence for finding in check.findings]
