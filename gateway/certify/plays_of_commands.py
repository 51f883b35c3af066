"""The plays about commands: each kind there is, one of later, expired, repeated, at a bad time.

Flows in: the desk, the machine at rest. Flows out: the recording, which the judge of the same name
reads. What cannot be played raises Unplayed.
"""

import contextlib
from typing import Any

from gateway.certify.desk import Call, Desk, Unplayed
from gateway.certify.hands import HandAct
from gateway.certify.moments import MachineMoment
from gateway.certify.selling import (
    approval,
    begin_session,
    chosen,
    chosen_again,
    deny,
    end_session,
    result,
    settle,
)
from gateway.certify.times import SHORT_MS, VALID_FOR_MS
from gateway.v1 import machine_pb2 as pb

SHOW_MS = 2_000
STREAMS_MAX = 5
"""On so many streams a column is unlocked."""


async def told_again(desk: Desk) -> None:
    """Somebody orders something that comes later, then a report and a name on the screen, each
    twice under one id.
    """
    call = await _commanded(desk)
    await call.say(command=_order(desk))
    for harmless in (
        _order(desk, report=pb.Report()),
        _order(desk, show_identity=pb.ShowIdentity(for_ms=SHOW_MS)),
    ):
        for _ in range(2):
            await _tell(desk, call, harmless)
            await desk.wait(SHORT_MS)


async def locked(desk: Desk) -> None:
    """A column is locked and unlocked, and the lock's order comes again; then somebody chooses."""
    call = await _commanded(desk)
    lock = _order(desk, lock_column=_lock(desk, locked=True))
    unlock = _order(desk, lock_column=_lock(desk, locked=False))
    for order in (lock, lock, unlock, lock):
        await _tell(desk, call, order)
    try:
        request = await chosen_again(desk, call)
    finally:
        await _unlock(desk)
    if request is not None:
        await deny(call, request.said_by_machine.vend_request.request_id)


async def column_tried(desk: Desk) -> None:
    """A column is tried, the order comes again at once, somebody chooses meanwhile, and the order
    comes once more.
    """
    call = await _commanded(desk)
    await desk.count()
    order = _order(desk, test_vend=pb.TestVend(column=desk.terms.columns[0]))
    before = len(desk.moments)
    await call.say(command=order)
    await call.say(command=order)
    await desk.wait(desk.terms.cut_after_ms)
    await desk.act(HandAct.SELECT, desk.terms.columns[0], in_vain=True)
    await _answered(desk, call, order, before)
    await desk.wait(SHORT_MS)
    await _tell(desk, call, order)
    await desk.wait(desk.terms.still_ms)
    await desk.count()


async def column_tried_and_cut(desk: Desk) -> None:
    """The power fails while a column is tried; after the boot the order comes again."""
    call = await _commanded(desk)
    await desk.count()
    order = _order(desk, test_vend=pb.TestVend(column=desk.terms.columns[0]))
    await call.say(command=order)
    await desk.wait(desk.terms.cut_after_ms)
    await desk.act(HandAct.POWER_CUT)
    call = await desk.next_call(desk.hands.patience_ms + desk.terms.come_ms)
    await desk.welcome(call)
    await call.say(command=order)
    await desk.wait(desk.terms.still_ms)
    await desk.count()


async def at_a_bad_time(desk: Desk) -> None:
    """A customer has funds, then waits for an answer, then for goods, then is gone: what is refused
    meanwhile comes again.
    """
    call = await _commanded(desk)
    orders = [
        _order(desk, reboot=pb.Reboot()),
        _order(desk, test_vend=pb.TestVend(column=desk.terms.columns[0])),
        _order(desk, reboot=pb.Reboot()),
        _order(desk, test_vend=pb.TestVend(column=desk.terms.columns[0])),
        _order(desk, reboot=pb.Reboot()),
    ]
    await begin_session(desk, call)
    await _tell(desk, call, orders[0])
    if call.over:  # it restarts
        await _at_rest(desk, call)
        return
    request = await chosen(desk, call)
    for order in orders[1:3]:
        await _tell(desk, call, order)
    await _ordered_in_vend(desk, call, request, orders[3:])
    if desk.session_id:
        await end_session(desk, call)
    await desk.wait(SHORT_MS)
    for order in orders:
        await _tell(desk, call, order)
    await _at_rest(desk, call)


async def _ordered_in_vend(
    desk: Desk, call: Call, request: MachineMoment, orders: list[pb.Command]
) -> None:
    """The orders are right behind the approval, so they meet the vend."""
    approved, before = approval(desk, request), len(desk.moments)
    await call.say(vend_approved=approved)
    for order in orders:
        await call.say(command=order)
    for order in orders:
        await _answered(desk, call, order, before)
    await result(desk, approved.vend_id)


async def expired(desk: Desk) -> None:
    """Orders of each kind come when their time is over."""
    call = await _commanded(desk)
    column = desk.terms.columns[0]
    for late in (
        _order(desk, valid_for_ms=0, report=pb.Report()),
        _order(desk, valid_for_ms=0, show_identity=pb.ShowIdentity(for_ms=SHOW_MS)),
        _order(desk, valid_for_ms=0, lock_column=_lock(desk, locked=True)),
        _order(desk, valid_for_ms=0, test_vend=pb.TestVend(column=column)),
        _order(desk, valid_for_ms=0, reboot=pb.Reboot()),
    ):
        await _tell(desk, call, late)
    await _at_rest(desk, call)
    await _unlock(desk)


async def reboot(desk: Desk) -> None:
    """Somebody orders a restart, and the order is told again in the boot that follows."""
    call = await _commanded(desk)
    order = _order(desk, reboot=pb.Reboot())
    await call.say(command=order)
    with contextlib.suppress(Unplayed):  # who does not restart has said so, or knows no reboot
        call = await desk.welcome(await desk.next_call())
        await call.say(command=order)
        await desk.wait(desk.terms.still_ms)


async def _commanded(desk: Desk) -> Call:
    """Return a stream of a machine that knows commands, and that Welcome has told of no session."""
    call = await settle(desk)
    if call.hello is None or not call.hello.capabilities.commands:
        raise Unplayed("Hello does not say that the machine knows commands")
    call.end()
    return await desk.online()


def _order(desk: Desk, *, valid_for_ms: int = VALID_FOR_MS, **what: Any) -> pb.Command:
    return pb.Command(command_id=desk.new_id("c"), valid_for_ms=valid_for_ms, **what)


def _lock(desk: Desk, *, locked: bool) -> pb.LockColumn:
    return pb.LockColumn(column=desk.terms.columns[0], locked=locked)


async def _unlock(desk: Desk) -> None:
    """Leave the column as it was, for the plays behind; on another stream if one is lost."""
    order = _order(desk, lock_column=_lock(desk, locked=False))
    for _ in range(STREAMS_MAX):
        await _tell(desk, await desk.online(), order)
        if desk.seen_since(0).answers(order.command_id):
            return


async def _tell(desk: Desk, call: Call, order: pb.Command) -> None:
    before = len(desk.moments)
    await call.say(command=order)
    await _answered(desk, call, order, before)


async def _answered(desk: Desk, call: Call, order: pb.Command, before: int) -> None:
    """Wait for an answer to the order, a motor's turn included; none may come."""

    def look() -> bool | None:
        return call.over or bool(desk.seen_since(before).answers(order.command_id)) or None

    await desk.until(look, max(desk.terms.answer_ms, desk.terms.result_ms))


async def _at_rest(desk: Desk, call: Call) -> None:
    """Let a motor that turns, or a board that restarts, show itself."""
    await desk.wait(desk.terms.still_ms)
    if call.over:
        with contextlib.suppress(Unplayed):
            await desk.welcome(await desk.next_call())
