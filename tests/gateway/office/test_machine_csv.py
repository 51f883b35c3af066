"""Machines as a file: what is read, what is wrong with it, and what is written."""

from typing import Any

import pytest

from actors.machine.policy import PolicyOverrides
from gateway.fleet.errors import CallRefused
from gateway.office import machine_csv
from gateway.office.machine_csv import LINES_MAX, MachineWish
from storage.fleet.limits import GUARDS
from storage.fleet.views import MachineView
from storage.office.profiles import ProfileContent, ProfileView

LIMIT = "idle_refund_ms"
WHOLE = (
    "machine_id,store_name,currency,country_code,address,mode,serial,model,site,from_day,"
    f"label route,policy {LIMIT}\n"
    'VM-1,Lobby,HKD,HK,"1, Pier",BOTH,S-1,Snack,pier,2026-11-28,7,60000\n'
)


def problems(text: str) -> list[tuple[str, ...]]:
    """Return what is wrong with each line."""
    return [line.problems for line in machine_csv.read(text.encode())]


def test_a_whole_line_is_read() -> None:
    """Every column, and it is kept as it was read."""
    (line,) = machine_csv.read(f"\ufeff{WHOLE}".encode())
    assert ((), 2, "VM-1") == (line.problems, line.number, line.wish.machine_id)
    wish = MachineWish.read(line.wish.kept())
    assert line.wish == wish
    assert ({"route": "7"}, (LIMIT,), 60_000) == (
        wish.labels,
        wish.limits,
        wish.policy.idle_refund_ms,
    )
    assert ("1, Pier", "BOTH") == (wish.cells["address"], wish.mode)


def test_every_problem_of_a_line_is_said_by_its_column() -> None:
    """A line that has too few cells, and a machine that is there twice, too."""
    text = WHOLE.splitlines()[0] + "\n"
    text += ',,XXX,hk,,PAY,"a\nb",,a b,tomorrow,,soon\nVM-2\nVM-3' + "," * 11 + "\nVM-3" + "," * 11
    first, second, third, fourth = problems(text)
    assert [
        *("machine_id", "store_name", "currency", "country_code", "mode", "serial"),
        *("site", "from_day", f"policy {LIMIT}"),
    ] == [one.split(":")[0] for one in first]
    assert ("line: has 1 cells, and the first line has 12",) == second
    assert third[-1] == fourth[-1] == "machine_id: is in the file more than once, in lines 5, 6"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no machine"),
        ("machine_id\n", "names no machine"),
        ("machine_id,colour\nVM-1,red", "cannot have the column 'colour'"),
        ("machine_id\tmodel\nVM-1\tx", "parted by commas"),
        (f"machine_id,policy {GUARDS[0]}\nVM-1,1", "cannot have the column"),
        ("machine_id,model,model\nVM-1,x,x", "more than once"),
        ("model\nx", "must have the column machine_id"),
        ("machine_id,site\nVM-1,pier", "must have site and from_day, or neither"),
        ('machine_id\n"VM-1', "line 2 is no CSV"),
        ("machine_id\n" + "VM-1\n" * (LINES_MAX + 1), f"at most {LINES_MAX} lines"),
    ],
)
def test_a_file_that_cannot_be_taken_apart_is_refused(text: str, says: str) -> None:
    """With the reason, and limits that guard money are not set by a file."""
    with pytest.raises(CallRefused, match=says):
        machine_csv.read(text.encode())


def test_what_is_not_utf_8_or_too_long_is_refused() -> None:
    """A spreadsheet of another time, and a film."""
    with pytest.raises(CallRefused, match="not UTF-8 at byte 0"):
        machine_csv.read(b"\xff\xfe")
    with pytest.raises(CallRefused, match="at most"):
        machine_csv.read(b"x" * (machine_csv.BYTES_MAX + 1))


def test_what_is_written_is_read_as_it_was() -> None:
    """A cell that a spreadsheet would run is guarded."""
    values: dict[str, Any] = dict.fromkeys(MachineView.__dataclass_fields__, "")
    values |= {
        "machine_id": "VM-1",
        "store_name": "=Lobby",
        "currency": "HKD",
        "mode": "BOTH",
        "overrides": PolicyOverrides(idle_refund_ms=60_000),
    }
    profile = ProfileView(
        machine_id="VM-1",
        content=ProfileContent(serial="'x", labels={"route": "-7"}),
        site="pier",
        from_day="2026-11-28",
    )
    file = machine_csv.written([(MachineView(**values), profile)])
    assert b",'=Lobby," in file
    (line,) = machine_csv.read(file)
    assert () == line.problems
    assert ("=Lobby", "'x", "-7", "60000", "pier") == tuple(
        line.wish.cells[one]
        for one in ("store_name", "serial", "label route", f"policy {LIMIT}", "site")
    )
