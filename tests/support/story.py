"""One machine's core, driven by hand on a clock of its own: the way tests speak to ``decide``.

Every decision is checked against the invariants and the published moves, and added to a ledger
beside the state, so that a test that only tells a story also proves its money.
"""

import copy
from collections import Counter
from typing import Self

from actors.machine import (
    Decision,
    MachineState,
    check_decision,
    decide,
    events,
    next_deadline,
    owed,
)
from actors.machine.code import Code, CodeStatus
from actors.machine.effects import Effect, QueryRefund, SendRefund
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
)
from actors.machine.offer import Offered
from actors.machine.policy import Policy
from actors.machine.state import (
    Column,
    Configuration,
    FailureCause,
    Mode,
    VendStatus,
)
from actors.machine.values import replace
from tests.support.transitions import History

START_MS = 1_767_225_600_000
HKD = Currency("HKD")


def a_machine(mode: Mode = Mode.BOTH, *, stock: int = 3) -> MachineState:
    """A registered machine with its code and two columns, which has not connected yet."""
    return MachineState(
        machine_id=MachineId("VM-1"),
        currency=HKD,
        configuration=Configuration(revision=1, mode=mode, planogram_version=1),
        code=Code(status=CodeStatus.ACTIVE, qr_payload="https://qr.example/vm-1"),
        columns=(
            Column(column="A1", product="cola", price_minor=500, capacity=10, stock=stock),
            Column(column="A2", product="tea", price_minor=300, capacity=10, stock=stock),
        ),
    )


class Story:
    """A machine and everything that happens to it."""

    def __init__(self, state: MachineState | None = None, policy: Policy | None = None) -> None:
        self.state = self.before = a_machine() if state is None else state
        self.policy = policy or Policy()
        self.now_ms = START_MS
        self.decisions: list[Decision] = []
        self.history = History(self.state)
        self.accounts: Counter[str] = Counter()
        self.asked: dict[str, int] = {}
        self.boot = BootId("b1")
        self.stream = StreamId("")
        self._seq = 0
        self._streams = 0
        self._trades = 0
        self._requests = 0

    def branch(self) -> Self:
        """Return another story that was the same until now."""
        other = copy.copy(self)
        other.decisions = self.decisions.copy()
        other.history = self.history.branch()
        other.accounts = self.accounts.copy()
        other.asked = self.asked.copy()
        return other

    # --- telling ---

    def do(self, event: events.Event) -> Decision:
        """Let something happen now."""
        decision = decide(self.state, event, self.now_ms, self.policy)
        check_decision(self.state, decision)
        self.history.goes_on(*decision.records)
        self.before, self.state = self.state, decision.state
        self.decisions.append(decision)
        for transfer in decision.transfers:
            self.accounts[transfer.debit_account] += transfer.amount_minor
            self.accounts[transfer.credit_account] -= transfer.amount_minor
        for effect in decision.effects:
            if isinstance(effect, SendRefund):
                # One id, one amount, for ever.
                assert (
                    self.asked.setdefault(effect.refund_id, effect.amount_minor)
                    == effect.amount_minor
                )
        return decision

    def connect(
        self,
        boot: str | None = None,
        *journal: events.JournalEntry,
        lost: bool = False,
        commands: bool = False,
    ) -> Decision:
        """The machine opens a stream, after a reboot if ``boot`` is new."""
        if boot is not None and boot != self.boot:
            self.boot, self._seq = BootId(boot), 0
        self._streams += 1
        self.stream = StreamId(f"g-{self._streams}")
        return self.do(
            events.Connected(
                stream_id=self.stream,
                opened_at_ms=self.now_ms,
                boot_id=self.boot,
                planogram_version=1,
                journal=journal,
                journal_lost=lost,
                knows_commands=commands,
            )
        )

    def disconnect(self) -> Decision:
        """The stream is lost."""
        return self.do(events.Disconnected(stream_id=self.stream))

    def frame(self, fact: events.MachineFact) -> Decision:
        """The machine says something, in its order."""
        self._seq += 1
        return self.do(events.FrameReceived(stream_id=self.stream, seq=self._seq, fact=fact))

    def pay(
        self,
        amount_minor: int,
        payer_id: str = "ann",
        *,
        trade: str = "",
        age_ms: int | None = 0,
        offers: tuple[Offered, ...] = (),
    ) -> Decision:
        """A customer pays; we hear of it ``age_ms`` later, None: nobody says how much later."""
        if not trade:
            self._trades += 1
            trade = f"t{self._trades}"
        return self.do(
            events.TopUpPaid(
                trade_id=TradeId(trade),
                partner_trans_id=f"o-{trade}",
                amount_minor=amount_minor,
                currency=HKD,
                paid_at_ms=None if age_ms is None else self.now_ms - age_ms,
                payer_id=payer_id,
                offers=offers,
            )
        )

    def select(
        self, column: str = "A1", *, price: int | None = None, version: int | None = None
    ) -> Decision:
        """The customer chooses."""
        self._requests += 1
        prices = {item.column: item.price_minor for item in self.state.columns}
        return self.frame(
            events.VendRequested(
                request_id=RequestId(f"q{self._requests}"),
                column=column,
                price_minor=prices.get(column, 100) if price is None else price,
                planogram_version=self.state.configuration.planogram_version
                if version is None
                else version,
            )
        )

    def cancel(self) -> Decision:
        """The customer changes their mind about the last selection."""
        return self.frame(events.VendCancelled(request_id=RequestId(f"q{self._requests}")))

    def success(self, vend_id: str = "") -> Decision:
        """The machine delivered."""
        return self.frame(
            events.VendSucceeded(vend_id=VendId(vend_id) if vend_id else self.vend_id)
        )

    def failure(self, cause: FailureCause = FailureCause.JAMMED, vend_id: str = "") -> Decision:
        """The machine did not deliver."""
        return self.frame(
            events.VendFailed(vend_id=VendId(vend_id) if vend_id else self.vend_id, cause=cause)
        )

    def complete(self) -> Decision:
        """The customer is finished."""
        session = self.state.session
        return self.frame(
            events.SessionCompleted(
                session_id=SessionId("VM-1-s0") if session is None else session.session_id
            )
        )

    def configure(self, **changes: object) -> Decision:
        """An administrator changes something."""
        before = self.state.configuration
        after = replace(before, revision=before.revision + 1, **changes)  # type: ignore[arg-type]  # names are the test's
        return self.do(events.ConfigurationChanged(configuration=after))

    def reprice(self, column: str, price_minor: int) -> Decision:
        """An administrator wants another price in a new planogram."""
        before, waiting = self.state.configuration, self.state.next_planogram
        columns = self.state.columns if waiting is None else waiting.columns
        version = before.planogram_version if waiting is None else waiting.version
        after = replace(before, revision=before.revision + 1, planogram_version=version + 1)
        wanted = tuple(
            replace(one, price_minor=price_minor) if one.column == column else one
            for one in columns
        )
        return self.do(events.ConfigurationChanged(configuration=after, columns=wanted))

    def replan(self, *columns: Column) -> Decision:
        """An administrator wants other columns; goods without a place in them may be removed."""
        before = self.state.configuration
        after = replace(
            before, revision=before.revision + 1, planogram_version=before.planogram_version + 1
        )
        return self.do(
            events.ConfigurationChanged(
                configuration=after, columns=columns, goods_may_be_removed=True
            )
        )

    def wait(self, ms: int) -> list[Decision]:
        """Let time pass; every deadline on the way fires in its moment."""
        end_ms, made = self.now_ms + ms, []
        while (
            deadline := next_deadline(self.state, self.policy)
        ) is not None and deadline <= end_ms:
            self.now_ms = max(self.now_ms, deadline)
            made.append(self.do(events.TimePassed()))
        self.now_ms = end_ms
        return made

    def refunds_done(self) -> None:
        """Alipay does all that was asked of it."""
        for call in owed(self.state):
            if isinstance(call, SendRefund | QueryRefund):
                self.do(events.RefundSucceeded(refund_id=RefundId(call.refund_id)))

    # --- looking ---

    @property
    def vend_id(self) -> VendId:
        """The vend that is open, or was the last one."""
        session = self.state.session
        if (
            session is not None
            and session.vend is not None
            and session.vend.status is not VendStatus.AWAITING_PAYMENT
        ):
            return session.vend.vend_id
        return VendId(f"VM-1-v{self.state.vends_made}")

    @property
    def last(self) -> Decision:
        """The newest decision."""
        return self.decisions[-1]

    def effects(self, kind: type[Effect]) -> list[Effect]:
        """All orders of one kind, in order."""
        return [
            effect
            for decision in self.decisions
            for effect in decision.effects
            if isinstance(effect, kind)
        ]

    def money(self) -> dict[str, int]:
        """What came in and where it is, in minor units: ``paid = held + sold + due + back +
        given_up``.
        """
        paid = sum(
            t.amount_minor for d in self.decisions for t in d.transfers if t.kind == "TOP_UP"
        )
        return {
            "paid": paid,
            "held": -(self.accounts["CUSTOMER_FUNDS"] + self.accounts["RESERVED"]),
            "sold": -self.accounts["SALES"] - self.accounts["GOODS_WRITTEN_OFF"],
            "due": -self.accounts["REFUND_DUE"],
            "back": paid - self.accounts["RECEIVABLE"],
            "given_up": self.given_up(),
        }

    def given_up(self) -> int:
        """Refunds that were refused and written off, in minor units."""
        return -self.accounts["REFUNDS_WRITTEN_OFF"]
