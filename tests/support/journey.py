"""One machine to which Hypothesis lets anything happen, in any order."""

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.machine import decide, events, owed
from actors.machine.code import CodeStatus, Says
from actors.machine.code_calls import rests
from actors.machine.effects import (
    ApproveVend,
    ChangeCodeStatus,
    CodeCall,
    CreateCode,
    DeleteCode,
    ModifyCode,
    QueryRefund,
    SendRefund,
)
from actors.machine.ids import RefundId, VendId
from actors.machine.policy import Policy
from actors.machine.state import FailureCause, Mode, VendStatus
from actors.machine.with_a_person import WITH_A_PERSON
from tests.support.story import Story, a_machine

AMOUNTS = st.sampled_from([1, 299, 300, 500, 501, 1_000, 2_000])


PAYERS = st.sampled_from(["ann", "bob", ""])


CODE_CALLS_MAX = 24
"""Stop, delete, create, modify and restart, and those that wait for a repetition."""
WAITS = st.sampled_from([1, 1_000, 24_900, 25_000, 61_000, 120_000, 300_000, 700_000, 3_600_000])


class MachineJourney(RuleBasedStateMachine):
    """One machine with a physical shelf beside it, which counts what really dropped."""

    @initialize(
        mode=st.sampled_from(list(Mode)),
        stock=st.integers(min_value=0, max_value=4),
        review_above=st.sampled_from([None, 400]),
        two_above=st.sampled_from([None, 0, 400]),
    )
    def begin(
        self, mode: Mode, stock: int, review_above: int | None, two_above: int | None
    ) -> None:
        policy = Policy(
            doubt_review_above_minor=review_above,
            write_off_second_person_above_minor=two_above,
            refund_unresolved_ms=60_000,
            refund_unresolved_tries=3,
        )
        self.story = Story(a_machine(mode, stock=stock), policy)
        self.wanted_by: dict[RefundId, str] = {}
        self.boots = 1
        self.dropped: set[str] = set()
        self.told: set[str] = set()
        self.story.connect()

    # --- customers and machine ---

    @rule(amount=AMOUNTS, payer_id=PAYERS, age_ms=st.sampled_from([0, 1_000, 400_000, None]))
    def pay(self, amount: int, payer_id: str, age_ms: int | None) -> None:
        self.story.pay(amount, payer_id, age_ms=age_ms)

    @rule(number=st.integers(min_value=1, max_value=5))
    def pay_again(self, number: int) -> None:
        before = self.story.money()["paid"]
        if number <= self.story._trades:
            self.story.pay(500, trade=f"t{number}")
            assert before == self.story.money()["paid"]

    @rule(column=st.sampled_from(["A1", "A2", "Z9"]), price=st.sampled_from([None, 1]))
    def select(self, column: str, price: int | None) -> None:
        self.story.select(column, price=price)

    @rule()
    def cancel(self) -> None:
        self.story.cancel()

    @rule()
    def complete(self) -> None:
        self.story.complete()

    @rule(success=st.booleans(), cause=st.sampled_from(list(FailureCause)))
    def result(self, success: bool, cause: FailureCause) -> None:
        vend_id = self.story.vend_id
        if success and vend_id in self.approved():
            self.dropped.add(vend_id)
        if success:
            self.story.success()
        elif vend_id not in self.dropped:
            self.story.failure(cause)

    @rule(delivered=st.booleans())
    def person_settles(self, delivered: bool) -> None:
        vend_id = self.story.vend_id
        self.story.do(
            events.VendSettled(vend_id=vend_id, delivered=delivered, actor="eve", reason="looked")
        )

    @rule(on=st.booleans())
    def reader(self, on: bool) -> None:
        self.story.frame(events.ReaderEnabled() if on else events.ReaderDisabled(reason="door"))

    @rule(seq=st.integers(min_value=0, max_value=40))
    def stray_frame(self, seq: int) -> None:
        story, expected = self.story, self.story.state.link.last_seq + 1
        if seq != expected:
            before = story.state
            story.do(
                events.FrameReceived(
                    stream_id=story.stream,
                    seq=seq,
                    fact=events.SessionCompleted(session_id="VM-1-s1"),  # type: ignore[arg-type]
                )
            )
            assert before.link.last_seq == story.state.link.last_seq

    # --- streams ---

    @rule()
    def drop_stream(self) -> None:
        self.story.disconnect()

    @rule()
    def same_boot(self) -> None:
        self.story.connect()

    @rule(stage=st.sampled_from([None, *events.JournalStage]), lost=st.booleans())
    def reboot(self, stage: events.JournalStage | None, lost: bool) -> None:
        self.boots += 1
        vend_id = self.story.vend_id
        if stage is events.JournalStage.SUCCEEDED and vend_id in self.approved():
            self.dropped.add(vend_id)
        if vend_id in self.dropped and stage is not events.JournalStage.SUCCEEDED:
            stage, lost = None, True
        journal = (
            []
            if stage is None
            else [
                events.JournalEntry(vend_id=VendId(vend_id), stage=stage, cause=FailureCause.JAMMED)
            ]
        )
        self.story.connect(f"b{self.boots}", *journal, lost=lost)

    # --- Alipay ---

    @precondition(lambda self: self.story.state.refunds)
    @rule(
        answer=st.sampled_from(
            [
                "ok",
                "unknown",
                "unlisted",
                "short",
                "refused",
                "failed",
                "accepted",
                "not found",
                "retry",
                "ask",
            ]
        ),
        which=st.integers(0, 3),
    )
    def refund(self, answer: str, which: int) -> None:
        refunds = self.story.state.refunds
        refund = refunds[which % len(refunds)]
        refund_id: RefundId = refund.refund_id
        answers: dict[str, events.Event] = {
            "ok": events.RefundSucceeded(refund_id=refund_id),
            "unknown": events.RefundUnknown(refund_id=refund_id, detail="time-out"),
            "unlisted": events.RefundUnknown(
                refund_id=refund_id, detail="SYSTEM_BUSY", ask_first=True
            ),
            "short": events.RefundShortOfFunds(
                refund_id=refund_id, detail="MERCHANT_BALANCE_NOT_ENOUGH"
            ),
            "refused": events.RefundRefused(refund_id=refund_id, detail="TRADE_HAS_CLOSE"),
            "failed": events.RefundRefused(
                refund_id=refund_id, detail="TRADE_HAS_CLOSE", source="query"
            ),
            "accepted": events.RefundAccepted(refund_id=refund_id),
            "not found": events.RefundNotFound(refund_id=refund_id),
            "retry": events.RefundRetryAsked(refund_id=refund_id, actor="eve"),
            "ask": events.RefundQueryAsked(refund_id=refund_id, actor="eve"),
        }
        self.story.do(answers[answer])
        same = answer in {"refused", "failed"} and refund.error == "TRADE_HAS_CLOSE"
        being_tried = answer == "retry" and refund.asked_by_person
        if answer != "ask" and not same and not being_tried:
            self.wanted_by.pop(refund_id, None)

    @precondition(lambda self: self.story.state.refunds)
    @rule(
        claimed=st.sampled_from(["ann", "bob"]),
        certificate=st.sampled_from(["", "ann's", "bob's"]),
        which=st.integers(0, 3),
    )
    def write_off(self, claimed: str, certificate: str, which: int) -> None:
        """One that is a person's is given up by one of them, or above the limit by two, whatever
        they call themselves.
        """
        refunds = self.story.state.refunds
        refund = refunds[which % len(refunds)]
        before = self.story.given_up()
        self.story.do(
            events.RefundWrittenOff(
                refund_id=refund.refund_id, actor=claimed, reason="paid in cash", person=certificate
            )
        )
        limit, person = (
            self.story.policy.write_off_second_person_above_minor,
            certificate or claimed,
        )
        alone = limit is None or refund.amount_minor <= limit
        refused = refund.status in WITH_A_PERSON and not refund.asked_by_person
        first = (
            self.wanted_by.setdefault(refund.refund_id, person) if refused and not alone else person
        )
        assert (
            refund.amount_minor if refused and (alone or first != person) else 0
        ) == self.story.given_up() - before

    @rule(final=st.booleans())
    def code(self, final: bool) -> None:
        for call in owed(self.story.state):
            if isinstance(call, CodeCall):
                self.story.do(
                    events.CodeFailed(final=True, detail="no") if final else self._answer(call)
                )

    def _answer(self, call: CodeCall) -> events.Event:
        code = self.story.state.code
        match call:
            case ModifyCode():
                return events.CodeModified(says=code.saying.asked or Says())
            case DeleteCode():
                return events.CodeDeleted()
            case CreateCode(store=store):
                return events.CodeCreated(qr_payload=f"https://qr.example/{store}")
            case ChangeCodeStatus(status=status):
                return events.CodeStatusChanged(status=status)

    @rule(
        notify=st.sampled_from("ab"), name=st.sampled_from("no"), store=st.sampled_from(("", "2"))
    )
    def wish(self, notify: str, name: str, store: str) -> None:
        self.story.do(events.CodeWished(says=Says(notify=notify, name=name, store=store)))

    @rule()
    def code_call_is_lost(self) -> None:
        self.story.do(events.CodeFailed(final=False, detail="time-out"))

    @rule(enabled=st.booleans(), mode=st.sampled_from(list(Mode)))
    def configure(self, enabled: bool, mode: Mode) -> None:
        self.story.configure(enabled=enabled, mode=mode)

    @rule(ms=WAITS)
    def wait(self, ms: int) -> None:
        self.story.wait(ms)

    # --- what is always true ---

    def approved(self) -> set[str]:
        """Every vend that the machine was ever allowed to dispense."""
        return {
            effect.vend_id
            for effect in self.story.effects(ApproveVend)
            if isinstance(effect, ApproveVend)
        }

    @invariant()
    def money_is_conserved(self) -> None:
        money = self.story.money()
        assert (
            money["paid"]
            == money["held"] + money["sold"] + money["due"] + money["back"] + money["given_up"]
        )
        assert min(money.values()) >= 0

    @invariant()
    def nothing_leaves_unpaid(self) -> None:
        """Each approval stands on a reservation of the same decision, or repeats one."""
        for decision in self.story.decisions[-1:]:
            for effect in decision.effects:
                if isinstance(effect, ApproveVend):
                    session = decision.state.session
                    assert session is not None
                    assert session.vend is not None
                    assert (effect.vend_id, VendStatus.APPROVED) == (
                        session.vend.vend_id,
                        session.vend.status,
                    )

    @invariant()
    def a_load_owes_what_is_under_way(self) -> None:
        """What is owed after a crash are exactly calls that were ordered before, under the same
        ids.
        """
        sent = {
            effect.refund_id  # type: ignore[union-attr]
            for kind in (SendRefund, QueryRefund)
            for effect in self.story.effects(kind)
        }
        assert {
            call.refund_id
            for call in owed(self.story.state)
            if isinstance(call, SendRefund | QueryRefund)
        } <= sent

    def teardown(self) -> None:
        """In the end, with Alipay willing and everybody quiet, nothing is held and nothing is
        owed.
        """
        if not hasattr(self, "story"):
            return
        for _ in range(4):
            self.story.wait(86_400_000 // 4)
            for vend in self.story.state.doubts:
                self.story.do(
                    events.VendSettled(
                        vend_id=vend.vend_id, delivered=False, actor="eve", reason="looked"
                    )
                )
            for refund in self.story.state.refunds:
                self.story.do(events.RefundRetryAsked(refund_id=refund.refund_id, actor="eve"))
            self.story.refunds_done()
        for _ in range(CODE_CALLS_MAX):
            if not rests(self.story.state.code):
                self.code(final=False)
                self.story.wait(86_400_000)
        money = self.story.money()
        assert (0, 0) == (money["held"], money["due"])
        assert () == self.story.state.trades
        after = decide(
            self.story.state, events.TimePassed(), self.story.now_ms + 1, self.story.policy
        )
        assert not after.changed
        code = self.story.state.code
        assert code.status in {code.wanted, CodeStatus.REFUSED}
        assert rests(code)
