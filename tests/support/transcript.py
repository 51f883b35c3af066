"""Golden conversations: a script of what happens, and under each line exactly what the core makes
of it.

A block is a line of the script, ``----``, and the reaction: ``!`` notes, ``$`` money, ``%`` goods,
``>`` orders, the state, ``@`` the next deadline. Words of the script: ``connect [boot]
[vend=STAGE ...] [journal-lost]``, ``disconnect``, ``pay AMOUNT by NAME [as TRADE] [late
MS|unknown]``, ``select
COLUMN [at PRICE]``, ``cancel``, ``success [VEND]``, ``failure CAUSE [VEND]``, ``complete``, ``wait
SECONDS``, ``reprice COLUMN PRICE``,
``refund WHAT ID``, ``configure NAME=VALUE``, ``reader on|off``, ``count COLUMN STOCK``, ``settle
VEND delivered|not-delivered``. ``refund write-off ID`` may end in ``by NAME``. The first line is
``mode NAME [review-above AMOUNT] [two-people-above AMOUNT]``.
"""

from collections.abc import Callable, Iterable

from actors.machine import Decision, MachineState, describe, events
from actors.machine.ids import RefundId, VendId
from actors.machine.policy import Policy
from actors.machine.state import FailureCause, Mode
from tests.support.story import Story, a_machine

REFUND_ANSWERS: dict[str, Callable[[RefundId], events.Event]] = {
    "done": lambda refund_id: events.RefundSucceeded(refund_id=refund_id),
    "unknown": lambda refund_id: events.RefundUnknown(refund_id=refund_id, detail="time-out"),
    "not-found": lambda refund_id: events.RefundNotFound(refund_id=refund_id),
    "short": lambda refund_id: events.RefundShortOfFunds(
        refund_id=refund_id, detail="MERCHANT_BALANCE_NOT_ENOUGH"
    ),
    "refused": lambda refund_id: events.RefundRefused(
        refund_id=refund_id, detail="TRADE_HAS_CLOSE"
    ),
    "failed": lambda refund_id: events.RefundRefused(
        refund_id=refund_id, detail="TRADE_HAS_CLOSE", source="query"
    ),
    "unlisted": lambda refund_id: events.RefundUnknown(
        refund_id=refund_id, detail="SYSTEM_BUSY", ask_first=True
    ),
    "accepted": lambda refund_id: events.RefundAccepted(refund_id=refund_id),
    "write-off": lambda refund_id: events.RefundWrittenOff(
        refund_id=refund_id, actor="eve", reason="paid in cash"
    ),
    "retry": lambda refund_id: events.RefundRetryAsked(
        refund_id=refund_id, actor="eve", reason="customer called"
    ),
    "ask": lambda refund_id: events.RefundQueryAsked(
        refund_id=refund_id, actor="eve", reason="customer called"
    ),
}


def play(script: str) -> str:
    """Return the script with the reactions that the core has now."""
    commands = [block.split("\n----\n")[0] for block in script.strip().split("\n\n")]
    story, blocks = Story(), []
    for command in commands:
        words = [line for line in command.splitlines() if not line.startswith("#")]
        if words and words[0].startswith("mode "):
            _, mode, *limits = words[0].split()
            above = {
                name: int(amount) for name, amount in zip(limits[::2], limits[1::2], strict=True)
            }
            policy = Policy(
                doubt_review_above_minor=above.get("review-above"),
                write_off_second_person_above_minor=above.get("two-people-above"),
            )
            story = Story(a_machine(Mode(mode)), policy)
            blocks.append(command)
        elif words:
            blocks.append(f"{command}\n----\n" + "\n".join(_react(story, words[0].split())))
        else:
            blocks.append(command)
    return "\n\n".join(blocks) + "\n"


def _react(story: Story, words: list[str]) -> Iterable[str]:
    made = _perform(story, words)
    for decision in made:
        yield from _describe(decision, story.state)
    yield describe.state(story.state)
    deadline = describe.deadline(story.state, story.policy, story.now_ms)
    if deadline:
        yield f"@ {deadline}"


def _describe(decision: Decision, state: MachineState) -> Iterable[str]:
    yield from (f"! {note}" for note in decision.notes)
    yield from (
        f"$ {describe.transfer(transfer, state.currency)}" for transfer in decision.transfers
    )
    yield from (f"% {describe.goods(move)}" for move in decision.goods)
    yield from (f"> {describe.effect(effect)}" for effect in decision.effects)


def _perform(story: Story, words: list[str]) -> list[Decision]:
    match words:
        case ["wait", seconds]:
            return story.wait(round(1000 * float(seconds)))
        case ["connect", *rest]:
            boot = (
                rest.pop(0) if rest and "=" not in rest[0] and rest[0] != "journal-lost" else None
            )
            return [story.connect(boot, *_journal(rest), lost="journal-lost" in rest)]
        case ["disconnect"]:
            return [story.disconnect()]
        case ["pay", amount, "by", name, *rest]:
            trade = rest[rest.index("as") + 1] if "as" in rest else ""
            late = rest[rest.index("late") + 1] if "late" in rest else "0"
            age_ms = None if late == "unknown" else int(late)
            return [
                story.pay(int(amount), "" if name == "nobody" else name, trade=trade, age_ms=age_ms)
            ]
        case ["select", column, *rest]:
            return [story.select(column, price=int(rest[1]) if rest else None)]
        case ["cancel"]:
            return [story.cancel()]
        case ["complete"]:
            return [story.complete()]
        case ["success", *vend]:
            return [story.success(*vend)]
        case ["failure", cause, *vend]:
            return [story.failure(FailureCause(cause), *vend)]
        case ["refund", "write-off", refund_id, "by", name]:
            return [
                story.do(
                    events.RefundWrittenOff(
                        refund_id=RefundId(refund_id), actor=name, reason="paid in cash"
                    )
                )
            ]
        case ["refund", answer, refund_id]:
            return [story.do(REFUND_ANSWERS[answer](RefundId(refund_id)))]
        case ["reader", "on"]:
            return [story.frame(events.ReaderEnabled())]
        case ["reader", "off"]:
            return [story.frame(events.ReaderDisabled(reason="door open"))]
        case ["settle", vend, result]:
            settled = events.VendSettled(
                vend_id=VendId(vend),
                delivered=result == "delivered",
                actor="eve",
                reason="looked at the shelf",
            )
            return [story.do(settled)]
        case ["count", column, stock]:
            return [story.do(events.StockCounted(column=column, stock=int(stock)))]
        case ["reprice", column, price]:
            return [story.reprice(column, int(price))]
        case ["configure", change]:
            name, value = change.split("=")
            return [story.configure(**{name: Mode(value) if name == "mode" else value == "yes"})]
        case _:
            raise ValueError(f"no such word in a transcript: {' '.join(words)}")


def _journal(words: list[str]) -> list[events.JournalEntry]:
    pairs = (word.split("=") for word in words if "=" in word)
    return [
        events.JournalEntry(vend_id=VendId(vend), stage=events.JournalStage(stage))
        for vend, stage in pairs
    ]
