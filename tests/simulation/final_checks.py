"""The truths that hold when all has come to rest: the three books agree, and nothing is left lying.

Flows in: the world after its quiet time. Flows out: the first truth that does not hold. Each
function names its promise.
"""

import hashlib
import hmac
import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, get_args

from actors.machine import check
from actors.machine.code import Code, trouble
from actors.machine.code_calls import settled
from actors.machine.events import MachineFact
from storage import codec
from storage.auditing import prove_within
from tests.simulation import movers, rewrites
from tests.simulation.backend import SALT
from tests.simulation.checker import TOLERANCE_MS
from tests.simulation.disk import PARTITIONS
from tests.simulation.followers import facts_are_the_ledger, what_is_ready_is_the_state
from tests.simulation.givers import what_was_paid_was_moved
from tests.simulation.keys import PARTNER
from tests.simulation.machines import journal_says_delivered
from tests.simulation.orderers import (
    nobody_is_restarted_before_a_customer,
    statuses_are_what_machines_did,
)
from tests.simulation.planners import (
    applications_are_carried_out_once,
    goods_leave_as_was_agreed,
    kept_back,
    machines_show_what_is_wanted,
)
from tests.simulation.recallers import locks_are_known
from tests.simulation.shelvers import by_people, goods_are_moved_as_was_said
from tests.simulation.shown import charged_as_shown
from tests.simulation.transitions import allowed_transitions

if TYPE_CHECKING:
    from tests.simulation.world import World

BOOTS_REMEMBERED = 16
FACTS = frozenset(kind.__name__ for kind in get_args(MachineFact))


def unrest(world: "World") -> str:
    """Return what is not at rest yet, empty if all is."""
    world.checker.nobody_was_halted()
    rows = world.disk.rows
    for what, sql in (
        ("sessions", "SELECT session_id FROM sessions WHERE status <> 'ENDED'"),
        (
            "vends",
            (
                "SELECT vend_id || ' ' || status FROM vends WHERE status NOT IN ('SUCCEEDED', "
                "'FAILED', 'DENIED', 'VOIDED')"
            ),
        ),
        (
            "refunds",
            (
                "SELECT refund_id || ' ' || status || ' ' || error FROM refunds WHERE status NOT "
                "IN ('SUCCEEDED', 'WRITTEN_OFF')"
            ),
        ),
        ("trades", "SELECT trade_id FROM trades WHERE status <> 'CLOSED' OR held_minor <> 0"),
        (
            "commands",
            "SELECT command_id FROM machine_commands WHERE status IN ('QUEUED', 'SENT')",
        ),
        ("inbox", "SELECT cause FROM inbox WHERE taken_at_ms IS NULL"),
        (
            "recalls",
            (
                "SELECT recall_id FROM recalls WHERE looked_at_ms IS NULL "
                "OR (released_at_ms IS NOT NULL AND look_at_ms IS NOT NULL)"
            ),
        ),
        ("applications", "SELECT import_id FROM machine_imports WHERE state = 'RUNNING'"),
        (
            "registry",
            (
                "SELECT m.machine_id FROM machines m JOIN machine_states s ON s.machine_id = "
                "m.machine_id WHERE m.revision > json_extract(s.body, '$.configuration.revision')"
            ),
        ),
    ):
        if found := rows(sql + " LIMIT 3"):
            return f"{what}: {[row[0] for row in found]}"
    for (machine_id,) in rows("SELECT machine_id FROM planogram_waits"):
        if machine_id not in world.gone and not kept_back(world, machine_id):
            return f"machine {machine_id} has not acknowledged its planogram"
    for machine_id, code in codes(world).items():
        if not settled(code):
            return f"the code of {machine_id} is {code.status}, {code.wanted} is wanted"
    if unfinished := rewrites.unfinished(world) or movers.unmoved(world):
        return unfinished
    if world.provider.book.next_due_ms() is not None:
        return "Alipay has something to do"
    for machine in world.machines.values():
        if machine.machine_id not in world.gone and not machine.at_rest:
            return f"machine {machine.machine_id} is not at rest"
    return ""


def codes(world: "World") -> dict[str, Code]:
    """Return what each actor believes of its machine's code."""
    return {
        machine_id: codec.decode_state(state_format, body).code
        for machine_id, state_format, body in world.disk.rows(
            "SELECT machine_id, format, body FROM machine_states"
        )
    }


def check_all(world: "World") -> None:
    """Check every truth that holds at rest, but for the audit, which takes longer than all the
    others.
    """
    for truth in TRUTHS:
        truth(world)
        if world.failure is not None:
            return


def books_are_equal(world: "World") -> None:
    """B3: paid and refunded of each trade are the same in Alipay's book and in ours, and neither
    knows a trade that the other does not.
    """
    ours = {
        row[0]: row[1:]
        for row in world.disk.rows(
            "SELECT trade_id, paid_minor, refunded_minor, sold_minor, written_off_minor FROM trades"
        )
    }
    theirs = {trade.trade_no: trade for trade in world.provider.book.trades(10_000)}
    only_one = (ours.keys() ^ theirs.keys()) - world.lost.trades
    if only_one:
        world.checker.broken("equality of the books", f"only in one book: {sorted(only_one)}")
    for trade_id, (paid, refunded, sold, given_up) in ours.items():
        trade = theirs.get(trade_id)
        if trade is None:
            continue
        back = world.provider.book.refunded_minor(trade_id)
        if (trade.paid_minor, back) != (paid, refunded) and trade_id not in world.lost.trades:
            world.checker.broken(
                "equality of the books",
                f"{trade_id}: Alipay has {trade.paid_minor} - {back}, we have {paid} - {refunded}",
            )
        if paid != sold + refunded + given_up:
            detail = (
                f"{trade_id}: paid {paid}, sold {sold}, refunded {refunded}, written off {given_up}"
            )
            world.checker.broken("equality of the books", detail)


def one_refund_per_cause(world: "World") -> None:
    """B4: Alipay did exactly the refunds that we have, each under its one id with its one amount,
    but for those that were given up.
    """
    rows = world.disk.rows("SELECT refund_id, trade_id, amount_minor, status FROM refunds")
    ours = {row[0]: (row[1], row[2]) for row in rows}
    done = {
        row[0]: ours[row[0]]
        for row in rows
        if row[3] != "WRITTEN_OFF" and row[1] not in world.lost.trades
    }
    theirs = {
        refund.refund_id: (refund.trade_no, refund.amount_minor)
        for trade_id in world.checker.fold.trades.keys() - world.lost.trades
        for refund in world.provider.book.refunds_of(trade_id)
        if refund.state == "SUCCEEDED"
    }
    if done != theirs:
        world.checker.broken(
            "one refund per cause",
            f"ours {done.items() - theirs.items()}, Alipay's {theirs.items() - done.items()}",
        )
    if ours != world.checker.fold.refunds:
        world.checker.broken(
            "one refund per cause",
            f"rows and ledger differ: {ours.items() ^ world.checker.fold.refunds.items()}",
        )


def written_off_by_who_may(world: "World") -> None:
    """B20: nothing is written off without a name, and above the limit by two different people."""
    limit = world.policy.write_off_second_person_above_minor
    names: dict[str, set[str]] = defaultdict(set)
    for (body,) in world.disk.rows("SELECT body FROM journal WHERE kind = 'RefundWrittenOff'"):
        refund_id, actor, *_ = json.loads(body)
        names[refund_id].add(actor)
    for refund_id, amount in world.disk.rows(
        "SELECT refund_id, amount_minor FROM refunds WHERE status = 'WRITTEN_OFF'"
    ):
        if len(names[refund_id]) < (2 if limit is not None and amount > limit else 1):
            world.checker.broken(
                "two people",
                (
                    f"refund {refund_id} of {amount} was written off by {sorted(names[refund_id])} "
                    "alone"
                ),
            )


def no_id_names_two_vends(world: "World") -> None:
    """B5: a vend that a restore has forgotten is in a machine's journal: its id is no other's."""
    ours = {vend_id for (vend_id,) in world.disk.rows("SELECT vend_id FROM vends")}
    if again := ours & world.lost.vends.keys():
        world.checker.broken("one settlement per vend", f"ids given out twice: {sorted(again)}")


def vends_agree_with_shelves(world: "World") -> None:
    """B5, C-ii: sold means that goods fell, not sold means that none did, unless the machine itself
    cannot know, or a person was told that it contradicted itself.
    """
    vends = {
        row[0]: row[1:]
        for row in world.disk.rows(
            "SELECT vend_id, machine_id, status, reason, price_minor FROM vends"
        )
    }
    told = {
        row[0]
        for row in world.disk.rows(
            "SELECT subject FROM machine_alarms WHERE kind = 'VEND_CONTRADICTED'"
        )
    }
    for machine in world.machines.values():
        for vend_id in machine.shelf.turns:
            if vend_id not in {"cash", *vends, *world.lost.vends, *world.orderers.tests}:
                world.checker.broken(
                    "nothing dispensed unpaid",
                    f"{machine.machine_id} turned for {vend_id}, of which there is no row",
                )
    for vend_id, (machine_id, status, reason, price) in vends.items():
        if vend_id in world.lost.endings:
            continue  # how it ended is forgotten, and what became of it instead may be another
        machine = world.machines[machine_id]
        drops, sums = machine.shelf.drops[vend_id], world.checker.fold.vends[vend_id]
        sold = sum(sums.settled.values()) + sums.written_off
        what = f"vend {vend_id} is {status} {reason}, {drops} fell, {sold} of {price} sold"
        if (drops != 1 or sold != price) if status == "SUCCEEDED" else sold:
            world.checker.broken("one settlement per vend", what)
        elif status == "DENIED" and machine.shelf.turns[vend_id]:
            world.checker.broken("nothing dispensed unpaid", what)
        elif status == "FAILED" and drops and machine_id not in world.flash_lost:
            world.checker.broken("one settlement per vend", what)
        elif (
            status == "VOIDED"
            and drops
            and vend_id not in told
            and journal_says_delivered(machine, vend_id)
            and machine_id not in world.flash_lost
        ):
            world.checker.broken(
                "one settlement per vend", f"{what}; the machine knows, and nothing is written off"
            )


def stock_agrees_with_shelves(world: "World") -> None:
    """A vend takes one item out of its column, once: our stock differs from the shelf only by what
    no machine could tell us.
    """
    unsaid: dict[tuple[str, str], int] = defaultdict(int)
    for vend_id, machine_id, column in world.disk.rows(
        "SELECT vend_id, machine_id, \"column\" FROM vends WHERE status <> 'SUCCEEDED'"
    ):
        unsaid[machine_id, column] += world.machines[machine_id].shelf.drops[vend_id]
    untold = world.orderers.unsaid(world)
    for machine in world.machines.values():
        for column, ours in world.stock(machine.machine_id).items():
            there = machine.shelf.stock[column]
            if world.shelvers.wishes:
                there += by_people(world, machine.machine_id, column)
            most = there + unsaid[machine.machine_id, column] + machine.shelf.drops["cash"]
            most += world.lost.drops(world, machine.machine_id, column)
            most += untold[machine.machine_id, column]
            if not there <= ours <= most:
                world.checker.broken(
                    "stock",
                    f"{machine.machine_id} {column}: we count {ours}, on the shelf are {there}",
                )


def device_order(world: "World") -> None:
    """B13, A2, C-ix: the frames of each boot were applied 1, 2, 3 ... without gap or repeat. One
    behind which sixteen others came may be forgotten, and is then as new.
    """
    boots: dict[tuple[str, str], str] = {}
    applied: dict[tuple[str, str], int] = defaultdict(int)
    welcome: dict[str, list[str]] = defaultdict(list)
    for machine_id, kind, body, notes, effects in world.disk.rows(
        "SELECT machine_id, kind, body, notes, effects FROM journal ORDER BY id"
    ):
        if kind == "Connected":
            stream_id, _, boot_id, *_ = json.loads(body)
            boots[machine_id, stream_id] = boot_id
            if any(order[0] == "Welcome" for order in json.loads(effects)):
                came = welcome[machine_id]
                since = came[len(came) - came[::-1].index(boot_id) :] if boot_id in came else []
                if len(set(since)) > BOOTS_REMEMBERED:
                    applied[machine_id, boot_id] = 0
                came.append(boot_id)
        if kind not in FACTS:
            continue
        stream_id, seq, fact, *_ = json.loads(body)
        refused = (
            f"frame {seq} was applied before",
            f"NUMBER_REUSED: frame {seq} of ",
            f"frame {seq} came before frame",
            "a frame of stream ",
        )
        if any(note.startswith(refused) for note in json.loads(notes)):
            continue
        boot = (machine_id, boots[machine_id, stream_id])
        first = fact[0] if kind == "FaultsCounted" else seq  # of faults that are told as one
        if not first <= applied[boot] + 1 <= seq:
            world.checker.broken(
                "device order", f"{boot}: frame {seq} was applied after frame {applied[boot]}"
            )
        applied[boot] = seq


def notifications_are_taken(world: "World") -> None:
    """B8: every payment that was acknowledged is credited exactly once."""
    paid = {trade_id for kind, trade_id in world.checker.successes if kind == "payment"}
    if missing := paid - {
        trade_id for trade_id, sums in world.checker.fold.trades.items() if sums.paid
    }:
        world.checker.broken(
            "every notification accounted", f"acknowledged and never credited: {sorted(missing)}"
        )


def nothing_put_aside_waits(world: "World") -> None:
    """B8: of every odd telling of a payment a fitting one came, so that nobody has to look; forged
    ones aside.
    """
    waiting = world.disk.rows(
        "SELECT cause FROM inbox r WHERE cause LIKE 'refused:%' AND trade_id <> '' AND trade_id "
        "NOT LIKE 'FORGED%' AND NOT EXISTS (SELECT 1 FROM inbox p WHERE p.cause = 'payment:' || "
        "r.trade_id)"
    )
    waiting = [cause for (cause,) in waiting if cause.split(":")[2] not in world.lost.trades]
    if waiting:
        world.checker.broken("every notification accounted", f"put aside for good: {waiting}")


def one_customer_per_session(world: "World") -> None:
    """B15, A30, C-vi: the money in one session is one customer's."""
    buyers: dict[str, set[str]] = defaultdict(set)
    for session_id, trade_id in world.disk.rows(
        "SELECT session_id, trade_id FROM trades WHERE session_id IS NOT NULL"
    ):
        buyers[session_id].add(world.provider.witness.buyers[trade_id])
    for session_id, names in buyers.items():
        if len(names) > 1:
            world.checker.broken(
                "no money across sessions", f"session {session_id} has money of {sorted(names)}"
            )


def money_stays_in_its_time(world: "World") -> None:
    """B15: what was paid while a session was open feeds no later one, in front of which somebody
    else may stand. Only the next customer's payment ends the session in which it was made. Where
    Alipay told no time of a payment, it may feed the session in which its payer has paid already.
    """
    if world.clocks_jump:
        return  # then our own times mean nothing
    sql = (
        "SELECT t.trade_id, max(o.ended_at_ms) FROM trades t "
        "JOIN sessions s ON s.session_id = t.session_id JOIN sessions o ON "
        "o.machine_id = s.machine_id AND o.session_id <> s.session_id "
        "AND o.ended_at_ms <= s.started_at_ms AND o.end_reason <> 'NEXT_CUSTOMER' "
        "JOIN inbox i ON i.cause = 'payment:' || t.trade_id "
        "WHERE json_extract(i.event, '$[5]') IS NOT NULL OR NOT EXISTS (SELECT 1 FROM trades e "
        "WHERE e.session_id = t.session_id AND e.trade_id <> t.trade_id "
        "AND e.received_at_ms <= t.received_at_ms) GROUP BY t.trade_id"
    )
    for trade_id, ended_at_ms in world.disk.rows(sql):
        trade = world.provider.book.trade(trade_id)
        if trade is not None and trade.paid_at_ms + TOLERANCE_MS < ended_at_ms:
            world.checker.broken(
                "no money across sessions",
                f"trade {trade_id} was paid {(ended_at_ms - trade.paid_at_ms) / 1_000:g} s before "
                "the end of a session, and feeds a later one",
            )


def codes_are_as_wanted(world: "World") -> None:
    """A code can be paid at Alipay if its machine is enabled, and only then, unless Alipay refused
    that.
    """
    enabled = dict(world.disk.rows("SELECT machine_id, enabled FROM machines"))
    for machine_id, code in codes(world).items():
        there = world.provider.book.code(code.qr_payload)
        wanted = "ACTIVE" if enabled[machine_id] else "STOPPED"
        if there is not None and there.status != wanted and not trouble(code):
            world.checker.broken(
                "codes are as wanted", f"{machine_id}: {wanted} is wanted, Alipay has {there}"
            )


def nobody_keeps_a_machine(world: "World") -> None:
    """What is left goes back within two idle times of the last payment or sale, whatever is chosen
    meanwhile: no choice is heard in a session that should be over.
    """
    if world.clocks_jump:
        return  # then our own times mean nothing
    sql = (
        "SELECT v.vend_id, v.requested_at_ms - max(s.started_at_ms, "
        "coalesce((SELECT max(t.received_at_ms) FROM trades t WHERE t.session_id = s.session_id "
        "AND t.received_at_ms <= v.requested_at_ms), 0), "
        "coalesce((SELECT max(o.ended_at_ms) FROM vends o WHERE o.session_id = s.session_id "
        "AND o.status = 'SUCCEEDED' AND o.ended_at_ms <= v.requested_at_ms), 0)) AS late_ms "
        "FROM vends v JOIN sessions s ON s.session_id = v.session_id "
        "WHERE v.status = 'DENIED' AND s.mode = 'AUTHORIZATION_FIRST'"
    )
    for vend_id, late_ms in world.disk.rows(sql):
        if late_ms > 2 * world.policy.idle_refund_ms:
            world.checker.broken(
                "nobody keeps a machine",
                f"{vend_id} was asked for {late_ms} ms after anything was paid or sold",
            )


def states_agree_with_rows(world: "World") -> None:
    """B1: what the actors would go on from holds the core's own invariants, and nothing open."""
    for machine_id, state_format, body in world.disk.rows(
        "SELECT machine_id, format, body FROM machine_states"
    ):
        state = codec.decode_state(state_format, body)
        try:
            check(state)
        except Exception as error:  # noqa: BLE001 - whatever it is, the state is not sound
            world.checker.broken("conservation", f"{machine_id}: {error}")
        if state.trades or state.refunds or state.doubts or state.session or state.commands:
            world.checker.broken("rest within bounds", f"{machine_id} holds {state}")
        held = {one.incident_id for one in state.incidents}
        rows = world.disk.rows(
            f"SELECT incident_id FROM incidents WHERE machine_id = '{machine_id}' "
            "AND ended_at_ms IS NULL"
        )
        if held != {incident_id for (incident_id,) in rows}:
            world.checker.broken("conservation", f"{machine_id} has open incidents {held}")


def the_audit_is_clean(world: "World") -> None:
    """B1 to B20, as far as one database can tell: what an operator's ``vendgate audit`` would say
    of it.
    """
    now_ms = world.clock.now_ms()
    audit = world.disk.read(
        lambda connection: prove_within(
            connection, now_ms=now_ms, partition_count=PARTITIONS, own_ids={PARTNER}
        )
    )
    for sentence in audit.sentences:
        world.checker.broken("audit", sentence)


def privacy(world: "World") -> None:
    """B19: no buyer's id or login stands anywhere in the database, and once the mappings of payers
    are deleted, no hash of one.
    """
    everything = world.disk.raw.serialize()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        world.disk.raw.backup(copy)
        copy.execute("PRAGMA secure_delete = ON")  # as the disk does: nothing stays in free pages
        copy.execute("DELETE FROM payers")
        of_nobody = copy.serialize()
    for trade in world.provider.book.trades(10_000):
        for secret in (trade.buyer_id, trade.buyer_email):
            if secret.encode() in everything:
                world.checker.broken("privacy", f"{secret} stands in the database")
        keyed = hmac.new(SALT, trade.buyer_id.encode(), hashlib.sha256).hexdigest()
        if keyed.encode() in of_nobody:
            world.checker.broken("privacy", f"the hash of {trade.buyer_id} stands in the books")


def who_was_erased_is_forgotten(world: "World") -> None:
    """B19: nothing leads to a person any more from a number whose erasure was answered."""
    known = {payer_id for (payer_id,) in world.disk.rows("SELECT payer_id FROM payers")}
    if known & world.erased:
        world.checker.broken("privacy", f"{known & world.erased} were erased and are known")


TRUTHS = (
    books_are_equal,
    one_refund_per_cause,
    written_off_by_who_may,
    no_id_names_two_vends,
    vends_agree_with_shelves,
    stock_agrees_with_shelves,
    device_order,
    notifications_are_taken,
    nothing_put_aside_waits,
    one_customer_per_session,
    money_stays_in_its_time,
    nobody_keeps_a_machine,
    codes_are_as_wanted,
    states_agree_with_rows,
    allowed_transitions,
    privacy,
    who_was_erased_is_forgotten,
    charged_as_shown,
    what_was_paid_was_moved,
    goods_are_moved_as_was_said,
    locks_are_known,
    statuses_are_what_machines_did,
    nobody_is_restarted_before_a_customer,
    applications_are_carried_out_once,
    machines_show_what_is_wanted,
    facts_are_the_ledger,
    what_is_ready_is_the_state,
    goods_leave_as_was_agreed,
)
"""Every truth that holds at rest, but for the audit."""
