"""The truths about money that must hold whatever goes wrong, each a function with the promise that
it checks.

Flows in: our SQL after each COMMIT, frames as they leave a gateway, refunds as they reach Alipay,
motors as they turn. Flows out: the first truth that does not hold. Reads the three books only (SQL,
Alipay's, the shelves) and what went over the network. What holds at rest is in ``final_checks``.
"""

import copy
import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from actors.link import FromMachine, ToHost
from actors.machine.events import Disconnected
from gateway.v1 import machine_service_pb2 as service_pb
from tests.simulation import givers, movers, recallers
from tests.simulation.books import Fold
from tests.simulation.keys import minor

if TYPE_CHECKING:
    from tests.simulation.network import Call
    from tests.simulation.world import World

_PAGE = Path(__file__).parents[2] / "docs" / "alipay.md"
_OF_THE_BOOKS = (
    "fold",
    "_epochs",
    "_claims",
    "_versions",
    "_credited",
    "_claimed_s",
    "_reserved_s",
    "_waiting",
    "successes",
)
TOLERANCE_MS = 5_000
"""Clocks of Alipay and of ours may differ by so much, and its times are whole seconds."""
DOES_NOT_FIT = "what is planted fits into the product"
"""A planted function that cannot be called halts machines, and proves nothing."""


@functools.cache
def definite_codes() -> frozenset[str]:
    """Return the codes that the document calls a definite no."""
    _, _, rest = _PAGE.read_text().partition("* **5.5 Business codes.**")
    listed, _, _ = rest.partition("Not definite:")
    return frozenset(re.findall(r"`([A-Z_]+)`", listed))


class Checker:
    """Looks on."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.fold = Fold(world.disk)
        self._epochs: dict[int, int] = {}
        self._claims: dict[int, int] = {}
        self._versions: dict[str, int] = {}
        self._credited: set[str] = set()
        self.minds_halts = True
        """Not where a bug is planted: the books must find it, not the product's own precautions."""
        self._claimed_s: dict[int, list[float]] = {}
        """Partition: when it got each of its owners."""
        self._reserved_s: dict[str, float] = {}  # when the price of each vend was
        self._waiting: dict[str, int] = {}
        """Vend that waits for its payment: the epoch under which it began."""
        self._given: dict[tuple[str, int], list[tuple[str, int]]] = {}
        """(stream, frame; 0 for its Hello): to which host it was given, and when by that host's
        clock.
        """
        self.successes: set[tuple[str, str]] = set()
        """(kind, trade) of each notification that was answered ``success``."""

    def of_the_books(self) -> dict[str, Any]:
        """Return a copy of what it made of our SQL so far."""
        disk = self._world.disk
        return {
            name: copy.deepcopy(getattr(self, name), {id(disk): disk}) for name in _OF_THE_BOOKS
        }

    def put_back(self, kept: dict[str, Any]) -> None:
        """Our SQL is again what it was when this was kept."""
        for name, value in copy.deepcopy(kept, {id(self._world.disk): self._world.disk}).items():
            setattr(self, name, value)

    def broken(self, truth: str, detail: str) -> None:
        """A truth does not hold: the world ends here."""
        self._world.fail(truth, detail)

    # --- after each COMMIT ---

    def committed(self) -> None:
        """Look at what a COMMIT changed."""
        self.nobody_is_halted()
        self._look_at_claims()
        if self._world.gives:
            givers.nobody_gives_too_much(self._world)
        self.payment_waits()
        self.refused_is_refused_for_good()
        news = self.fold.ledger_news()
        journal = self.fold.journal_news()
        if journal:
            self.one_owner_per_epoch(journal)
        if not news:
            return
        for kind, cause, trade_id, amount in news:
            if kind == "TOP_UP":
                self.no_unverified_credit(trade_id, amount)
            elif kind == "REFUND_CONFIRMED":
                self.done_is_done_at_alipay(cause)
            elif kind == "REFUND_GIVEN_UP":
                self.given_up_was_not_done(cause)
            elif kind in {"SETTLE", "RETURN", "WRITE_OFF"}:
                self.one_settlement_per_vend(cause.partition("/")[0])
                if kind == "RETURN":
                    self.machines_are_heard(cause.partition("/")[0])
                elif kind == "WRITE_OFF":
                    self.evidence_before_deadlines(cause)
            elif kind == "GOODWILL":
                self.given_back_once_and_whole(cause.partition("/")[0])
            elif kind == "RESERVE":
                self._reserved_s[cause.partition("/")[0]] = self._world.loop.now_s
                recallers.sells_nothing_locked(self._world, cause.partition("/")[0])
                self.no_money_across_sessions(cause.partition("/")[0], trade_id)
        for trade_id in {trade_id for _, _, trade_id, _ in news if trade_id}:
            self.conservation(trade_id)
            self.refund_bound(trade_id)

    def nobody_is_halted(self) -> None:
        """No machine is halted, not even for as long as it takes until it is tried again: each halt
        is a defect of ours.
        """
        for machine_id, fact, error in self._world.disk.rows(
            "SELECT machine_id, fact, error FROM machine_halts"
        ):
            what = f"{machine_id} over {fact or 'its rows'}: {error}"
            if self.minds_halts:
                self.broken("no machine is halted", what)
            elif error.startswith(("TypeError", "AttributeError")):
                self.broken(DOES_NOT_FIT, what)

    def nobody_was_halted(self) -> None:
        """The same of halts that were over before they were written down."""
        for slot in self._world.slots:
            for host in slot.everyone:
                if self.minds_halts and (halted := host.host.stats()["halted"]):
                    self.broken("no machine is halted", f"{host.process.name} halted {halted}")

    def host_ended(self, name: str, reason: str) -> None:
        """A host ends by itself only when another one owns its machines: whatever else ends it is
        a defect, also a machine's life that goes where it cannot go.
        """
        if self.minds_halts and not reason.startswith("another holder owns"):
            self.broken("no host breaks", f"{name}: {reason}")
        elif movers.nobody_else_ends_hosts(self._world):
            self.broken("a move ends no host", f"{name}: {reason}")

    def conservation(self, trade_id: str) -> None:
        """B1: paid = free + held + sold + due back + given back, none below zero, as in the row."""
        sums = self.fold.trades[trade_id]
        if self.fold.crooked:
            self.broken("conservation", f"the ledger says {self.fold.crooked}")
        if min(sums.funds, sums.held, sums.due, sums.sold) < 0:
            self.broken("conservation", f"trade {trade_id}: {sums}")
        rows = self._world.disk.rows(
            "SELECT paid_minor, sold_minor, held_minor FROM trades WHERE trade_id = ?", trade_id
        )
        expected = (sums.paid, sums.sold, sums.funds + sums.held)
        if rows != [expected]:
            self.broken(
                "conservation",
                f"trade {trade_id}: the ledger has paid, sold, held {expected}, its row {rows}",
            )

    def refund_bound(self, trade_id: str) -> None:
        """B2: all that was ever asked back of a trade is no more than what Alipay's book says was
        paid.
        """
        sums = self.fold.trades[trade_id]
        trade = self._world.provider.book.trade(trade_id)
        if trade is not None and sums.asked - sums.cancelled > trade.paid_minor:
            self.broken(
                "refund bound", f"trade {trade_id} of {trade.paid_minor}: {sums.asked} asked back"
            )

    def no_unverified_credit(self, trade_id: str, amount: int) -> None:
        """B9, A26, A27: each credit is a payment in Alipay's book, of that amount, once."""
        trade = self._world.provider.book.trade(trade_id)
        if trade is None or trade.paid_minor != amount:
            self.broken(
                "no unverified credit", f"{amount} credited for {trade_id}; Alipay has {trade}"
            )
        if trade_id in self._credited:
            self.broken("no unverified credit", f"trade {trade_id} is credited twice")
        self._credited.add(trade_id)

    def done_is_done_at_alipay(self, refund_id: str) -> None:
        """C-i: we call a refund done only when it is done in Alipay's book."""
        refund = self._world.provider.book.refund(refund_id)
        if refund is None or refund.state != "SUCCEEDED":
            self.broken(
                "unknown is not done", f"refund {refund_id} counts as done; Alipay has {refund}"
            )

    def refused_is_refused_for_good(self) -> None:
        """C-i: a refund waits for a person as refused only over a code that docs/alipay.md 5.5
        lists as a definite no.
        """
        for refund_id, error in self._world.disk.rows(
            "SELECT refund_id, error FROM refunds WHERE status = 'REFUSED'"
        ):
            if error.partition(":")[0] not in definite_codes():
                self.broken("a no is on the list", f"refund {refund_id} is refused over {error}")

    def odd_is_kept(self, body: str) -> None:
        """B8: what Alipay signed and a gateway has answered is kept, however odd: as a row of its
        trade, or of its telling.
        """
        fields = dict(parse_qsl(body))
        if fields.get("trade_status") not in {"TRADE_SUCCESS", "TRADE_PENDING"}:
            return
        told = (fields.get("trade_no", "none"), f"%:{fields['notify_id']}")
        if not self._world.disk.rows(
            "SELECT 1 FROM inbox WHERE trade_id = ? OR cause LIKE ?", *told
        ):
            self.broken("every notification accounted", f"no row of what Alipay signed: {fields}")

    def given_up_was_not_done(self, refund_id: str) -> None:
        """C-i: only what Alipay has not paid is written off, unless a backup was put back that did
        not know of it.
        """
        refund = self._world.provider.book.refund(refund_id)
        if refund is None or refund.trade_no in self._world.lost.trades:
            return
        if refund.state == "SUCCEEDED":
            self.broken(
                "given up is not done", f"refund {refund_id} is written off; Alipay has {refund}"
            )

    def one_settlement_per_vend(self, vend_id: str) -> None:
        """B5: a reservation is sold or given back, once and whole; goods are written off once, and
        only after the money went back.
        """
        vend = self.fold.vends[vend_id]
        out: dict[str, int] = dict(vend.settled)
        for trade_id, amount in vend.returned.items():
            out[trade_id] = out.get(trade_id, 0) + amount
        if out != {
            trade_id: amount for trade_id, amount in vend.reserved.items() if trade_id in out
        }:
            self.broken("one settlement per vend", f"vend {vend_id}: {vend}")
        price = sum(vend.reserved.values())
        if vend.written_off and (vend.written_off != price or vend.settled):
            self.broken("one settlement per vend", f"vend {vend_id} written off: {vend}")

    def _look_at_claims(self) -> None:
        for partition, epoch in self._world.disk.rows("SELECT partition, epoch FROM partitions"):
            if self._claims.get(partition) != epoch:
                self._claims[partition] = epoch
                self._claimed_s.setdefault(partition, []).append(self._world.loop.now_s)

    def machines_are_heard(self, vend_id: str) -> None:
        """C-xi: who takes over leaves a machine its time to report, within ten such times."""
        rows = self._world.disk.rows(
            "SELECT m.partition FROM vends v JOIN machines m ON m.machine_id = v.machine_id WHERE "
            "v.vend_id = ? AND v.status = 'VOIDED' AND v.reason = 'UNSETTLED'",
            vend_id,
        )
        now_s, wait_s = self._world.loop.now_s, self._world.policy.report_wait_ms / 1_000
        for (partition,) in rows:
            since_s = self._reserved_s[vend_id]
            owned_s = [at for at in self._claimed_s[partition] if at >= since_s] or [-wait_s]
            heard_s = now_s - owned_s[-1]
            if heard_s < wait_s - 0.01 and now_s - owned_s[0] < 10 * wait_s:
                what = f"vend {vend_id} is voided {heard_s:.1f} s after its host took over"
                self.broken("machines are heard", what)

    def evidence_before_deadlines(self, vend_id: str) -> None:
        """C-xi: no goods are written off whose result the host had in its hands when it voided
        them.
        """
        sql = (
            "SELECT r.at_ms, j.body FROM transfers w JOIN journal j ON j.machine_id = w.machine_id "
            "AND j.version = w.version JOIN transfers r ON r.machine_id = w.machine_id AND r.kind "
            "= 'RETURN' AND r.cause LIKE ? JOIN journal i ON i.machine_id = r.machine_id AND "
            "i.version = r.version AND i.epoch = j.epoch "
            "WHERE w.kind = 'WRITE_OFF' AND w.cause = ?"
        )
        for voided_at_ms, body in self._world.disk.rows(sql, f"{vend_id}/%", vend_id):
            stream_id, seq = (*json.loads(body), "", 0)[:2]
            given = self._given.get((stream_id, seq), [])
            if len({name for name, _ in given}) == 1 and given[0][1] < voided_at_ms:
                self.broken(
                    "evidence before deadlines",
                    f"vend {vend_id} is voided {voided_at_ms - given[0][1]} ms after its result "
                    f"was given to {given[0][0]}",
                )

    def payment_waits(self) -> None:
        """C-x: who chose has the whole wait to pay, however clocks are set, while the machine's
        host is the same.
        """
        rows = self._world.disk.rows(
            "SELECT v.vend_id, m.partition FROM vends v JOIN machines m ON m.machine_id = "
            "v.machine_id WHERE v.status = 'AWAITING_PAYMENT'"
        )
        now = {vend_id: self._claims[partition] for vend_id, partition in rows}
        for vend_id in self._waiting.keys() - now.keys():
            self._waited(vend_id, self._waiting[vend_id])
        self._waiting = {
            vend_id: self._waiting.get(vend_id, epoch) for vend_id, epoch in now.items()
        }

    def _waited(self, vend_id: str, began_under: int) -> None:
        rows = self._world.disk.rows(
            "SELECT v.request_id, p.epoch FROM vends v JOIN machines m ON m.machine_id = "
            "v.machine_id JOIN partitions p ON p.partition = m.partition "
            "WHERE v.vend_id = ? AND v.reason = 'PAYMENT_TIMEOUT'",
            vend_id,
        )
        for request_id, epoch in rows:
            pressed_at_ms = self._world.pressed.get(request_id)
            if epoch != began_under or pressed_at_ms is None:
                continue
            waited_ms = self._world.clock.now_ms() - pressed_at_ms
            if waited_ms < self._world.policy.payment_wait_ms:
                self.broken("waits are kept", f"vend {vend_id} waited {waited_ms} ms for its money")

    def given(self, host: str, at_ms: int, messages: Sequence[ToHost]) -> None:
        """A gateway gives a host what machines said; ``at_ms`` by the host's clock."""
        for message in messages:
            if isinstance(message, FromMachine) and not isinstance(message.event, Disconnected):
                key = message.event.stream_id, getattr(message.event, "seq", 0)
                self._given.setdefault(key, []).append((host, at_ms))

    def given_back_once_and_whole(self, vend_id: str) -> None:
        """B2: what a person gives back of a vend is what it was sold for, of the same payments, in
        one COMMIT.
        """
        vend = self.fold.vends[vend_id]
        if vend.given != vend.settled:
            self.broken("given back once and whole", f"vend {vend_id}: {vend}")

    def no_money_across_sessions(self, vend_id: str, trade_id: str) -> None:
        """B15, C-vi: a trade feeds vends of its own session, of one payer, and no choice made after
        it was paid for another.
        """
        rows = self._world.disk.rows(
            "SELECT v.session_id, t.session_id, s.mode, v.request_id, s.payer_id, t.payer_id FROM "
            "vends v, trades t, sessions s "
            "WHERE v.vend_id = ? AND t.trade_id = ? AND s.session_id = v.session_id",
            vend_id,
            trade_id,
        )
        if not rows:
            self.broken(
                "no money across sessions",
                f"trade {trade_id} feeds vend {vend_id}, of which there is no row",
            )
            return
        vend_session, trade_session, mode, request_id, session_payer, trade_payer = rows[0]
        if vend_session != trade_session or session_payer != trade_payer:
            self.broken(
                "no money across sessions",
                f"trade {trade_id} of {trade_session} feeds vend {vend_id} of {vend_session}",
            )
        trade = self._world.provider.book.trade(trade_id)
        pressed_at_ms = self._world.pressed.get(request_id)
        if mode != "SELECTION_FIRST" or trade is None or pressed_at_ms is None:
            return
        if trade.paid_at_ms + TOLERANCE_MS < pressed_at_ms and self._paid_for_another(vend_session):
            early_s = (pressed_at_ms - trade.paid_at_ms) / 1_000
            detail = (
                f"trade {trade_id} was paid {early_s:g} s before choice {request_id} was made, and "
                "pays for it"
            )
            self.broken("no money across sessions", detail)

    def _paid_for_another(self, session_id: str) -> bool:
        """Whether an earlier choice at the machine was given up without a payment so shortly before
        this session that it may still come.
        """
        world = self._world
        if world.clocks_jump:
            return False  # then our own times mean nothing
        late_ms = world.policy.late_watch_ms
        sql = (
            "SELECT 1 FROM sessions s JOIN vends v ON v.machine_id = s.machine_id WHERE "
            "s.session_id = ? AND v.session_id <> s.session_id "
            "AND v.reason IN ('PAYMENT_TIMEOUT', 'CANCELLED') AND v.ended_at_ms <= "
            "s.started_at_ms AND v.ended_at_ms + ? > s.started_at_ms"
        )
        return bool(world.disk.rows(sql, session_id, late_ms))

    def one_owner_per_epoch(self, journal: list[tuple[str, int, int, int]]) -> None:
        """B7, A10, A11: nothing is written under an epoch that is over; versions of a machine are
        1, 2, 3 ...
        """
        epochs = dict(self._world.disk.rows("SELECT partition, epoch FROM partitions"))
        for partition, epoch in epochs.items():
            if epoch < self._epochs.get(partition, 0):
                self.broken(
                    "one owner per epoch", f"the epoch of partition {partition} fell to {epoch}"
                )
        self._epochs = epochs
        for machine_id, version, partition, epoch in journal:
            if epoch != epochs[partition]:
                self.broken(
                    "one owner per epoch",
                    (
                        f"{machine_id} written under epoch {epoch}, partition {partition} has "
                        f"{epochs[partition]}"
                    ),
                )
            if version != self._versions.get(machine_id, 0) + 1:
                self.broken(
                    "one owner per epoch",
                    f"{machine_id}: version {version} after {self._versions.get(machine_id, 0)}",
                )
            self._versions[machine_id] = version

    # --- on the network ---

    def frame_leaves(self, call: "Call", frame: service_pb.ConnectResponse) -> None:
        """A gateway writes a frame for a machine."""
        if frame.HasField("vend_approved"):
            self.nothing_dispensed_unpaid(frame)
        elif frame.HasField("vend_denied"):
            movers.nobody_is_denied(self._world, frame)
        if frame.ack > call.acked:
            call.acked = frame.ack
            self.acked_is_durable(call, frame.ack)

    def nothing_dispensed_unpaid(self, frame: service_pb.ConnectResponse) -> None:
        """B6: an approval leaves only after the COMMIT in which the vend's whole price is held on
        trades that were paid.
        """
        told = frame.vend_approved
        reserved = sum(self.fold.vends[told.vend_id].reserved.values())
        if reserved != told.amount_minor or reserved <= 0:
            self.broken(
                "nothing dispensed unpaid",
                f"vend {told.vend_id} of {told.amount_minor} is approved, {reserved} is held",
            )

    def acked_is_durable(self, call: "Call", ack: int) -> None:
        """B13, B14, A6: what is acknowledged is saved, at the moment in which the acknowledgement
        leaves.
        """
        sql = (
            "SELECT json_extract(body, '$.link.boot_id'), json_extract(body, '$.link.last_seq') "
            "FROM machine_states WHERE machine_id = ?"
        )
        rows = self._world.disk.rows(sql, call.machine_id)
        if not rows or (rows[0][0] == call.boot_id and rows[0][1] < ack):
            self.broken(
                "acked is durable",
                f"{call.machine_id} hears ack {ack} of boot {call.boot_id}; saved is {rows}",
            )

    def motor_turns(self, machine_id: str, cause: str) -> None:
        """B5, A31, A32: a motor turns at most once for a vend, and only for one whose price is
        held.
        """
        if cause == "cash":
            return
        if self._world.machines[machine_id].shelf.turns[cause] > 1:
            self.broken(
                "at most one turn", f"the motor of {machine_id} turns again for vend {cause}"
            )
        if not self.fold.vends[cause].reserved and cause not in self._world.lost.vends:
            self.broken(
                "nothing dispensed unpaid",
                f"the motor of {machine_id} turns for vend {cause}, for which nothing is held",
            )

    # --- at Alipay ---

    def refund_asked(self, refund_id: str, out_trade_no: str, amount: str, currency: str) -> None:
        """B4, C-i: a refund is asked for after the COMMIT that says so, always under one id with
        one amount.
        """
        saved = self.fold.refunds.get(refund_id)
        trade = self._world.provider.book.trade_by_out(out_trade_no)
        if (
            saved is None
            or trade is None
            or currency != trade.currency
            or saved != (trade.trade_no, minor(amount, currency))
        ):
            self.broken(
                "one refund per cause",
                (
                    f"Alipay is asked for {refund_id} of {amount} {currency}, {out_trade_no}; "
                    f"saved is {saved}"
                ),
            )
        ways = self._world.provider.witness.asked[refund_id]
        if len(ways) > 1 and trade is not None and trade.trade_no not in self._world.lost.trades:
            self.broken("one refund per cause", f"refund {refund_id} is asked for in two ways")

    def success_said(self, kind: str, trade_id: str, refund_id: str) -> None:
        """B8, A23, C-iii: ``success`` is answered only once the inbox has the fact."""
        cause = {"payment": f"payment:{trade_id}", "refund": f"refund:{refund_id}"}.get(
            kind, f"{kind}:{trade_id}"
        )
        if not self._world.disk.rows("SELECT 1 FROM inbox WHERE cause = ?", cause):
            self.broken(
                "every notification accounted", f"success for {cause}, of which there is no row"
            )
        self.successes.add((kind, trade_id))
