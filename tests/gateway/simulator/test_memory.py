"""What the journal's lines add up to."""

from gateway.simulator.memory import SETTLED_KEPT, Booted, JournalLine, Memory, Settled, VendLine
from gateway.v1 import machine_pb2 as pb


def vend(vend_id: str, stage: pb.JournalStage.ValueType, column: str = "A1") -> VendLine:
    """Make a line."""
    return VendLine(vend_id=vend_id, boot_id="b1", stage=stage, column=column)


def test_the_tail_holds_the_last_line_of_each_open_vend() -> None:
    """Each vend that is not settled appears once, with the stage that it reached, oldest first."""
    memory = Memory(
        [
            vend("v1", pb.JOURNAL_STAGE_ACCEPTED),
            vend("v2", pb.JOURNAL_STAGE_ACCEPTED),
            vend("v1", pb.JOURNAL_STAGE_MOTOR_ON, column=""),
        ]
    )

    assert [
        ("v1", pb.JOURNAL_STAGE_MOTOR_ON, "A1"),
        ("v2", pb.JOURNAL_STAGE_ACCEPTED, "A1"),
    ] == [(line.vend_id, line.stage, line.column) for line in memory.tail]


def test_a_settled_vend_is_still_known() -> None:
    """Settled means nothing more to tell; a second approval must still find it."""
    memory = Memory([vend("v1", pb.JOURNAL_STAGE_SUCCEEDED), Settled(vend_ids=("v1", "v9"))])

    assert () == memory.tail
    known = memory.known("v1")
    assert known is not None
    assert known.ended
    assert memory.known("v9") is None


def test_settled_vends_are_forgotten_in_the_end() -> None:
    """Memory is bounded: the oldest settled vends go first."""
    memory = Memory()
    for number in range(SETTLED_KEPT + 3):
        memory.add(vend(f"v{number}", pb.JOURNAL_STAGE_SUCCEEDED))
        memory.add(Settled(vend_ids=(f"v{number}",)))

    assert memory.known("v2") is None
    assert memory.known("v3") is not None


def test_a_loss_is_remembered_until_it_was_told() -> None:
    """A journal that could not be read is told in every Hello until one of them is answered."""
    lines: list[JournalLine] = [
        Booted(number=1, boot_id="b1", lost=True),
        Booted(number=2, boot_id="b2"),
    ]

    assert Memory(lines).lost
    assert not Memory([*lines, Settled(loss_told=True)]).lost


def test_the_fewest_lines_say_the_same() -> None:
    """Rewriting the journal loses nothing that counts."""
    memory = Memory(
        [
            Booted(number=1, boot_id="b1", lost=True),
            vend("v1", pb.JOURNAL_STAGE_ACCEPTED),
            vend("v1", pb.JOURNAL_STAGE_SUCCEEDED),
            Settled(vend_ids=("v1",)),
            Booted(number=2, boot_id="b2"),
            vend("v2", pb.JOURNAL_STAGE_ACCEPTED),
            vend("v2", pb.JOURNAL_STAGE_MOTOR_ON),
        ]
    )
    lines = list(memory.lines())
    again = Memory(lines)

    assert 4 == len(lines)
    assert (memory.boots, memory.boot_id, memory.lost, memory.tail) == (
        again.boots,
        again.boot_id,
        again.lost,
        again.tail,
    )
    assert memory.known("v1") == again.known("v1")
    assert [] == list(Memory().lines())


def test_an_entry_tells_only_what_its_stage_allows() -> None:
    """ACCEPTED has no evidence, and only FAILED has a cause."""
    accepted = vend("v1", pb.JOURNAL_STAGE_ACCEPTED).entry()
    failed = VendLine(
        vend_id="v2",
        boot_id="b1",
        stage=pb.JOURNAL_STAGE_FAILED,
        cause=pb.VEND_FAILURE_CAUSE_JAMMED,
        motor=pb.MOTOR_EVIDENCE_JAMMED,
        drop=pb.DROP_EVIDENCE_NOT_SEEN,
    ).entry()

    assert not accepted.HasField("evidence")
    assert pb.VEND_FAILURE_CAUSE_UNSPECIFIED == accepted.cause
    assert (
        pb.VEND_FAILURE_CAUSE_JAMMED,
        pb.MOTOR_EVIDENCE_JAMMED,
    ) == (failed.cause, failed.evidence.motor)
