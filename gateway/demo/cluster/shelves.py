"""The third book: what the machines' own shelves say of each vend.

Flows in: the shelves' logs, and the vends that our ledger calls delivered. Flows out: every
difference, in words.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path


def acts(fleet: Path, act: str) -> Counter[str]:
    """Return how often a motor turned (``turn``) or an item fell (``drop``) for each vend."""
    found: Counter[str] = Counter()
    for shelf in fleet.glob("*/shelf.log"):
        for line in shelf.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            if entry["act"] == act and entry["cause"]:
                found[entry["cause"]] += 1
    return found


def differences(
    turns: Mapping[str, int], dropped: Mapping[str, int], succeeded: Iterable[str]
) -> list[str]:
    """Return one sentence for each motor that turned twice, and each sale without its goods."""
    found = [
        f"vend {vend_id}: the motor turned {count} times"
        for vend_id, count in sorted(turns.items())
        if count > 1
    ]
    found += [
        f"vend {vend_id}: sold, and {dropped.get(vend_id, 0)} items fell"
        for vend_id in sorted(succeeded)
        if dropped.get(vend_id, 0) != 1
    ]
    return found
