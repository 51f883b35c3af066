"""The file that must survive a kill at any point."""

import os
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from gateway.simulator import journal as journals
from gateway.simulator.journal import Journal, decode, encode
from gateway.simulator.memory import Booted, JournalLine, Settled, VendLine
from gateway.v1 import machine_pb2 as pb

LINES: list[JournalLine] = [
    Booted(number=1, boot_id="b1", lost=True),
    VendLine(vend_id="v1", boot_id="b1", stage=pb.JOURNAL_STAGE_ACCEPTED, column="A1"),
    VendLine(
        vend_id="v1",
        boot_id="b1",
        stage=pb.JOURNAL_STAGE_FAILED,
        column="A1",
        cause=pb.VEND_FAILURE_CAUSE_JAMMED,
        motor=pb.MOTOR_EVIDENCE_JAMMED,
        drop=pb.DROP_EVIDENCE_NOT_SEEN,
        request_id="b1-r1",
    ),
    Settled(vend_ids=("v1",), loss_told=True),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: type(line).__name__)
def test_a_line_reads_as_it_was_written(line: JournalLine) -> None:
    """Encoding and decoding lose nothing."""
    assert line == decode(encode(line).removesuffix(b"\n"))


def test_a_line_of_older_firmware_is_read(tmp_path: Path) -> None:
    """Journals from before lines named their request count as they did."""
    body = (
        b'{"vend":"v1","boot_id":"b1","stage":"JOURNAL_STAGE_ACCEPTED","column":"A1",'
        b'"cause":"VEND_FAILURE_CAUSE_UNSPECIFIED","motor":"MOTOR_EVIDENCE_UNSPECIFIED",'
        b'"drop":"DROP_EVIDENCE_UNSPECIFIED"}'
    )
    path = tmp_path / "journal.log"
    path.write_bytes(b"%08x %s\n" % (zlib.crc32(body), body))

    with Journal(path) as journal:
        assert not journal.unreadable
        assert [("v1", "")] == [(line.vend_id, line.request_id) for line in journal.memory.tail]


def test_each_line_but_a_settled_one_is_waited_for(tmp_path: Path) -> None:
    """As its machine wants it: by the disk, or by nobody."""
    waited: list[int] = []
    with Journal(tmp_path / "journal.log", sync=waited.append) as journal:
        journal.append(Booted(number=1, boot_id="b1", lost=False))
        journal.append(Settled(vend_ids=(), loss_told=True))
    assert 1 == len(waited)


def write(path: Path, lines: list[JournalLine]) -> None:
    """Write a journal."""
    with Journal(path) as journal:
        for line in lines:
            journal.append(line)


def test_a_new_journal_says_that_it_is_new(tmp_path: Path) -> None:
    """An empty flash cannot know whether there was another one before."""
    with Journal(tmp_path / "vm" / "journal.log") as journal:
        assert journal.unreadable
        assert 0 == journal.memory.boots


def test_a_journal_is_read_again(tmp_path: Path) -> None:
    """What was appended is there at the next power-up."""
    path = tmp_path / "journal.log"
    write(path, LINES[:2])

    with Journal(path) as journal:
        assert not journal.unreadable
        assert 1 == journal.memory.boots
        assert ["v1"] == [line.vend_id for line in journal.memory.tail]


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_torn_last_line_is_dropped(tmp_path: Path, cut: int) -> None:
    """A line that a power cut tore never counted, and the next line begins cleanly."""
    path = tmp_path / "journal.log"
    write(path, LINES[:2])
    path.write_bytes(path.read_bytes()[:-cut])

    with Journal(path) as journal:
        assert not journal.unreadable
        assert () == journal.memory.tail
        journal.append(LINES[1])
    with Journal(path) as journal:
        assert ["v1"] == [line.vend_id for line in journal.memory.tail]


def test_a_last_line_with_rubbish_in_it_is_dropped(tmp_path: Path) -> None:
    """A torn block may hold a line end; the checksum finds it out."""
    path = tmp_path / "journal.log"
    write(path, LINES[:1])
    path.write_bytes(path.read_bytes() + b'00000000 {"vend":"v1"}\n')

    with Journal(path) as journal:
        assert not journal.unreadable
        assert () == journal.memory.tail


def test_damage_elsewhere_is_a_lost_journal(tmp_path: Path) -> None:
    """A bad line before good ones means that lines may be missing: the machine must say so, and
    keeps what it can read.
    """
    path = tmp_path / "journal.log"
    write(path, LINES[:2])
    path.write_bytes(path.read_bytes().replace(b'"boot":1', b'"boot":7'))

    with Journal(path) as journal:
        assert journal.unreadable
        assert ["v1"] == [line.vend_id for line in journal.memory.tail]
    with Journal(path) as journal:
        assert not journal.unreadable


def test_a_long_journal_is_rewritten_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is bounded; open vends stay."""
    monkeypatch.setattr(journals, "LINES_MAX", 10)
    path = tmp_path / "journal.log"
    write(
        path,
        [
            *LINES * 5,
            VendLine(vend_id="v2", boot_id="b1", stage=pb.JOURNAL_STAGE_MOTOR_ON, column="A1"),
        ],
    )
    before = path.stat().st_size

    with Journal(path) as journal:
        assert ["v2"] == [line.vend_id for line in journal.memory.tail]
        assert journal.memory.known("v1") is not None
    assert path.stat().st_size < before / 2


APPENDER = """
import sys
from pathlib import Path
from gateway.simulator.journal import Journal
from gateway.simulator.memory import VendLine
from gateway.v1 import machine_pb2 as pb
with Journal(Path(sys.argv[1])) as journal:
    for number in range(1_000_000):
        vend_id = f"v{number}"
        stage = pb.JOURNAL_STAGE_ACCEPTED
        journal.append(VendLine(vend_id=vend_id, boot_id="b1", stage=stage, column="A1"))
        print(number, flush=True)
"""


def test_a_killed_process_loses_no_line_that_counted(tmp_path: Path) -> None:
    """After kill -9 every line whose append had returned is in the journal."""
    path = tmp_path / "journal.log"
    with subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    ) as process:
        assert process.stdout is not None
        counted = [int(process.stdout.readline()) for _ in range(50)]
        time.sleep(0.003)
        process.send_signal(signal.SIGKILL)
        counted += [int(text) for text in process.stdout.read().splitlines()]

    with Journal(path) as journal:
        kept = [line.vend_id for line in journal.memory.tail]
    assert [f"v{number}" for number in counted] == kept[: len(counted)]
    assert len(kept) - len(counted) <= 1
