"""Files of machines, made by ourselves: sound ones, from which tests take something away."""

from gateway.office.evadts.checksums import of_segments

BODY = (
    "ID1*SN-7*Snack 40*01*Lobby**VM-1",
    "ID4*2*344*HKD",
    "ID5*20260115*120000",
    "VA1*2500*5*2500*5",
    "CA2*0*0*0*0",
    "DA2*2500*5*2500*5",
    "PA1*A1*500*cola*10",
    "PA2*4*2000*4*2000",
    "PA1*A2*500*tea*10",
    "PA2*1*500*1*500",
)
"""Five sales of 5.00 each since the machine was made."""


def a_file(*body: str, end: str = "\r\n", header: bool = True) -> bytes:
    """Return a sound file with these segments, or those of ``BODY``."""
    inside = ["ST*001*0001", *(body or BODY)]
    made = of_segments(one.encode("latin-1") for one in inside)
    lines = [*inside, f"G85*{made}", f"SE*{len(inside) + 2}*0001", "DXE*1*1"]
    if header:
        lines.insert(0, "DXS*ABC0000007*VA*V1/1*1")
    return "".join(f"{one}{end}" for one in lines).encode("latin-1")


def counted(a1: int, a2: int = 0, *, cash: int = 0, machine_id: str = "VM-1") -> bytes:
    """Return the file of a machine that sold so many for 5.00 each from two columns, the last of
    them for cash.
    """
    number = a1 + a2 - cash
    return a_file(
        f"ID1*SN-7*Snack 40*01*Lobby**{machine_id}",
        "ID4*2*344*HKD",
        f"VA1*{(a1 + a2) * 500}*{a1 + a2}",
        f"CA2*{cash * 500}*{cash}",
        f"DA2*{number * 500}*{number}",
        "PA1*A1*500",
        f"PA2*{a1}*{a1 * 500}",
        "PA1*A2*500",
        f"PA2*{a2}*{a2 * 500}",
    )
