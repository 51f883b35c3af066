"""Read-outs of a machine of these tests, as they are brought."""

import hashlib
from dataclasses import replace
from typing import Any

from storage.office.audit_figures import MachineCounters, Meter
from storage.office.deeds import Deed
from storage.office.readout_check import CounterDifference, ReadoutSpan
from storage.office.readout_rows import DifferenceView, NewReadout, ReadoutFinding, ReadoutView
from tests.storage.owner import START_MS

READ_AT_MS = START_MS + 3_600_000
SOLD = MachineCounters(
    paid=Meter(number=1, minor=500),
    cashless=Meter(number=1, minor=500),
    cash=Meter(number=0, minor=0),
    columns={"A1": Meter(number=1, minor=500), "A2": Meter(number=0, minor=0)},
)
"""One purchase of ``tests.storage.owner``."""
DIFFERENCE = CounterDifference(
    counter="DA2",
    machine=Meter(number=3, minor=None),
    ours=Meter(number=1, minor=500),
    said="It differs.",
    cause="Somebody looked away.",
)
VIEW = ReadoutView(
    readout_id="a" * 64,
    machine_id="VM-1",
    serial="SN-7",
    asset="VM-1",
    said_at="20260115 120000",
    read_at_ms=READ_AT_MS,
    imported_at_ms=READ_AT_MS + 1,
    actor="ann",
    baseline=False,
    damaged=False,
    previous_id="b" * 64,
    difference_count=1,
    size=3,
    currency="HKD",
    counters=SOLD,
    findings=(ReadoutFinding(line=3, defect="FIGURE", sentence="It is none."),),
    span=ReadoutSpan(from_ms=7, until_ms=READ_AT_MS, compared=True, days=2, columns_compared=2),
    differences=(DifferenceView(item_id="", difference=DIFFERENCE, currency="HKD"),),
)


def by(now_ms: int = READ_AT_MS, **more: Any) -> Deed:
    """Return what somebody brings a read-out with."""
    return Deed(actor="ann", action="ImportReadout", now_ms=now_ms, **more)


def brought(content: bytes = b"1", **changes: Any) -> NewReadout:
    """Return a read-out that agrees with one purchase."""
    values: dict[str, Any] = {
        "readout_id": hashlib.sha256(content).hexdigest(),
        "machine_id": "VM-1",
        "serial": "",
        "asset": "",
        "said_at": "",
        "read_at_ms": READ_AT_MS,
        "baseline": False,
        "damaged": False,
        "partial": False,
        "currency": "HKD",
        "decimals": 2,
        "counters": SOLD,
        "findings": (),
        "content": content,
        **changes,
    }
    return NewReadout(**values)


def one_sale_too_many() -> NewReadout:
    """Return a read-out in which one counter differs from the books of no sale."""
    return brought(counters=MachineCounters(cashless=Meter(number=1, minor=500)))


def counted(number: int) -> MachineCounters:
    """Return the counters of a machine that sold so many from its first column."""
    told = Meter(number=number, minor=500 * number)
    return replace(SOLD, paid=told, cashless=told, columns={**SOLD.columns, "A1": told})
