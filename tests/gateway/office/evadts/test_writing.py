"""What is written can be read by whoever reads EVA-DTS, and comes to the same figures."""

import random

from gateway.office.evadts.checksums import crc16
from gateway.office.evadts.reading import read
from gateway.office.evadts.writing import write
from storage.office.audit_figures import (
    AuditColumn,
    ColumnFigures,
    Figures,
    MachineAudit,
    Meter,
    Tally,
)

NOW_MS = 1_768_478_400_000  # 2026-01-15 12:00 UTC
TOTAL = Figures(
    columns={
        "A1": ColumnFigures(paid=Tally(4, 2_000), free=Tally(1, 500), cash=2, tested=1),
        "Z9": ColumnFigures(paid=Tally(1, 300)),
    },
    topped_up=Tally(6, 4_000),
    given_back=Tally(1, 500),
    events={"ELA": 3},
)
SINCE = Figures(
    columns={"A1": ColumnFigures(paid=Tally(1, 500), cash=1), "Z9": ColumnFigures()},
    topped_up=Tally(1, 1_000),
    events={"ELA": 1},
)
AUDIT = MachineAudit(
    machine_id="VM-1",
    serial="SN-7",
    model="Snack 40",
    store_name="Lobby",
    currency="HKD",
    columns=(
        AuditColumn(column="A1", product="cola", price_minor=500, capacity=10),
        AuditColumn(
            column="A2", product="tea", price_minor=300, capacity=5, emptied_at_ms=NOW_MS - 1_000
        ),
    ),
    total=TOTAL,
    interval=SINCE,
    resets=2,
    reset_at_ms=NOW_MS - 86_400_000,
)
EXPECTED = """\
DXS*VGT0000000*VA*V1/1*1
ST*001*0001
ID1*SN-7*Snack 40**Lobby**VM-1*6*1
ID4*2*344*HKD
ID5*20260115*120000**OFF
CB1*VM-1*VENDGATE*0.1.0
VA1*2300*5*500*1
VA2**1**0
VA3*500*1*0*0
CA2**2**1
DA1*VM-1*ALIPAY*0.1.0
DA2*2300*5*500*1
DA4*4000*1000
DA5*0*0*500*1
PA1*A1*500*cola*10
PA2*4*2000*1*500
PA3*1**0
PA4*1*500*0*0
PA7*A1*CA*1*500*2**1
PA7*A1*DA*1*500*4*2000*1*500
PA1*A2*300*tea*5
PA2*0*0*0*0
PA5*20260115*115959
PA1*Z9
PA2*1*300*0*0
PA7*Z9*DA*1**1*300*0*0
EA2*ELA*1*3
EA3*2*20260115*120000*VENDGATE*20260114*120000
"""


def written(audit: MachineAudit = AUDIT) -> bytes:
    """Return the file."""
    return write(audit, now_ms=NOW_MS, version="0.1.0")


def test_a_whole_file() -> None:
    """Line by line, but for the trailer."""
    body, trailer = written().decode("ascii").split("G85*")
    assert EXPECTED == body.replace("\r\n", "\n")
    assert "SE*29*0001\r\nDXE*1*1\r\n" == trailer[6:]


def test_the_trailer_is_right() -> None:
    """G85 over all from ST on, with line ends; SE counts from ST to itself."""
    content = written()
    start, end = content.index(b"ST*"), content.index(b"G85*")
    assert f"{crc16(content[start:end]):04X}".encode() == content[end + 4 : end + 8]
    assert 29 == content[start : content.index(b"DXE")].count(b"\r\n")
    assert all(line.isascii() and line.decode().isprintable() for line in content.splitlines())


def test_an_export_is_read_without_a_finding() -> None:
    """And comes to what was written."""
    (found,) = read(written())
    assert () == found.findings
    assert ("SN-7", "VM-1", "HKD", 2) == (
        found.serial,
        found.asset,
        found.currency,
        found.decimals,
    )
    assert Meter(number=5, minor=2_300) == found.counters.cashless
    assert Meter(number=2, minor=None) == found.counters.cash
    assert Meter(number=1, minor=300) == found.counters.columns["Z9"]


def test_any_figures_come_back() -> None:
    """Of any machine, in a currency with decimals or without."""
    chance = random.Random(7)

    def tally() -> Tally:
        number = chance.randrange(10**6)
        return Tally(number, number * chance.randrange(1, 10**5))

    for _ in range(200):
        columns = {
            f"{chance.choice('ABC')}{number}": ColumnFigures(
                paid=tally(), free=tally(), cash=chance.randrange(3)
            )
            for number in range(chance.randrange(60))
        }
        total = Figures(columns=columns, topped_up=tally(), given_back=tally())
        audit = MachineAudit(
            machine_id="VM-1",
            serial="",
            model="",
            store_name="",
            currency=chance.choice(["HKD", "JPY", "CNY", "USD"]),
            columns=(),
            total=total,
            interval=total,
        )
        (found,) = read(written(audit))
        assert () == found.findings
        assert audit.currency == found.currency
        sold = {
            name: Meter(number=one.paid.number, minor=one.paid.minor)
            for name, one in columns.items()
        }
        assert sold == found.counters.columns
        assert total.paid == Tally(
            found.counters.cashless.number or 0, found.counters.cashless.minor or 0
        )


def test_no_text_of_a_person_ends_a_field_or_a_line() -> None:
    """Neither an asterisk nor a line end nor what a terminal obeys."""
    hostile = "*\r\nG85*0000\x1b[2J\u202e\uff0a"
    audit = MachineAudit(
        machine_id="VM-1",
        serial=hostile,
        model=hostile,
        store_name=hostile,
        currency="HKD",
        columns=(AuditColumn(column="A*1", product=hostile, price_minor=500, capacity=1),),
        total=Figures(columns={"A*1": ColumnFigures(paid=Tally(1, 500))}),
        interval=Figures(),
    )
    (found,) = read(written(audit))
    assert () == found.findings
    assert Meter(number=1, minor=500) == found.counters.columns["A?1"]
