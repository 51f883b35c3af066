"""What the machines' own shelves say of each vend."""

import json
from pathlib import Path

from gateway.demo.cluster.shelves import acts, differences


def test_acts_are_counted_by_their_vend(tmp_path: Path) -> None:
    """Over all machines; what a person did by hand belongs to no vend."""
    for machine, entries in {
        "VM-0001": [("turn", "v1"), ("drop", "v1"), ("drop", "")],
        "VM-0002": [("turn", "v2"), ("turn", "v2")],
    }.items():
        (tmp_path / machine).mkdir()
        lines = [json.dumps({"act": act, "cause": cause}) for act, cause in entries]
        (tmp_path / machine / "shelf.log").write_text("\n".join(lines) + "\n")
    assert {"v1": 1, "v2": 2} == acts(tmp_path, "turn")
    assert {"v1": 1} == acts(tmp_path, "drop")


def test_differences_are_told() -> None:
    """A motor that turned twice, and a sale without goods."""
    assert [] == differences({"v1": 1}, {"v1": 1}, ["v1"])
    assert [
        "vend v2: the motor turned 2 times",
        "vend v3: sold, and 0 items fell",
    ] == differences({"v1": 1, "v2": 2}, {"v1": 1, "v2": 1}, ["v1", "v2", "v3"])
