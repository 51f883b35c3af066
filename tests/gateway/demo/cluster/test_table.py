"""What chaos has shown fits a terminal of 80 columns."""

from gateway.demo.cluster.blows import BlowKind
from gateway.demo.cluster.table import Measured, lines


def measured(kind: BlowKind, seconds: float | None, note: str = "") -> Measured:
    """A blow under a load of 12.5."""
    return Measured(kind=kind, seconds=seconds, pause_s=119.9, load=12.5, note=note)


def test_ours_stands_beside_the_goal() -> None:
    """Whether it was met, and never where it did not come back."""
    table = lines(
        [
            measured(BlowKind.NODE_KILLED, 20.04, "ray-1 had 2 of 2 hosts"),
            measured(BlowKind.HOST_KILLED, 3.0),
            measured(BlowKind.HEAD_KILLED, None),
            measured(BlowKind.HOST_KILLED, 3.01),
        ]
    )
    rows = [line.split() for line in table[1:5]]
    assert [
        ["3", "s", "3.0", "s", "119.9", "s", "12.5", "yes"],
        ["3", "s", "3.0", "s", "119.9", "s", "12.5", "no"],
        ["20", "s", "20.0", "s", "119.9", "s", "12.5", "no"],
        ["3", "s", "never", "119.9", "s", "12.5", "no"],
    ] == [row[-len(row) + len(_words(line)) :] for row, line in zip(rows, table[1:5], strict=True)]
    assert "a node with hosts is killed: ray-1 had 2 of 2 hosts" == table[-1]


def _words(line: str) -> list[str]:
    """Those of the kind of blow."""
    return line[:38].split()


def test_every_kind_fits() -> None:
    """Each line is at most 80 columns wide, and says how it is counted."""
    table = lines([measured(kind, 100.0) for kind in BlowKind])
    assert [] == [line for line in table if len(line) > 80]
    assert 2 * len(BlowKind) == sum(any(kind in line for kind in BlowKind) for line in table)
