"""Each defect that real files have is told and kept, or refused with a sentence; a figure that
cannot be read is unknown, never 0.
"""

import random
from collections.abc import Callable

import pytest

from gateway.office.evadts.reading import COLUMNS_MAX, Read, read
from gateway.office.evadts.segments import ReadoutRefused
from storage.office.audit_figures import Meter
from tests.gateway.office.evadts.files import BODY, a_file

SALES = Meter(number=5, minor=2_500)


def one(content: bytes) -> Read:
    """Return what the only transmission says."""
    (found,) = read(content)
    return found


def defects(found: Read) -> list[str]:
    """Return what is wrong about it."""
    return [each.defect.value for each in found.findings]


def test_a_sound_file_is_read_whole() -> None:
    """Whose it is, how its amounts are written, and what was sold of what."""
    found = one(a_file())
    assert [] == defects(found)
    assert ("SN-7", "VM-1", "Snack 40") == (found.serial, found.asset, found.model)
    assert ("HKD", 2, "20260115 120000") == (found.currency, found.decimals, found.said_at)
    assert (SALES, SALES, Meter(number=0, minor=0)) == (
        found.counters.paid,
        found.counters.cashless,
        found.counters.cash,
    )
    columns = {
        "A1": Meter(number=4, minor=2_000),
        "A2": Meter(number=1, minor=500),
    }
    assert columns == found.counters.columns
    assert not found.damaged
    assert not found.partial


def cut(content: bytes, name: bytes) -> bytes:
    """Return the file without its line of this name."""
    return b"".join(line for line in content.splitlines(keepends=True) if not line.startswith(name))


DEFECTS: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "a line before the header": (lambda it: b"MC5*Evadata*List10\r\n" + it, ["OUTSIDE"]),
    "no header": (lambda it: cut(it, b"DXS"), ["NO_HEADER"]),
    "no start": (lambda it: cut(it, b"ST*"), ["NO_HEADER", "CHECKSUM"]),
    "cut off between lines": (lambda it: it[: it.index(b"G85")], ["CUT_OFF"]),
    "cut off behind the checksum": (lambda it: it[: it.index(b"SE*")], ["CUT_OFF"]),
    "a wrong count": (lambda it: it.replace(b"SE*13", b"SE*99"), ["SEGMENT_COUNT"]),
    "no checksum": (lambda it: cut(it, b"G85").replace(b"SE*13", b"SE*12"), ["NO_CHECKSUM"]),
    "a wrong checksum": (lambda it: it.replace(b"Lobby", b"Labby"), ["CHECKSUM"]),
    "a checksum that is none": (
        lambda it: it[: it.index(b"G85*") + 4] + b"\r\n" + it[it.index(b"SE*") :],
        ["CHECKSUM"],
    ),
    "line feeds only": (lambda it: it.replace(b"\r\n", b"\n"), ["LINE_ENDS"]),
    "empty lines": (lambda it: it.replace(b"\r\n", b"\r\n\r\n"), ["LINE_ENDS"]),
    "padding": (lambda it: it.replace(b"\r\n", b"  \r\n"), []),
    "characters of no alphabet": (
        lambda it: a_file(*(each.replace("Lobby", "Stra\xdfe") for each in BODY)),
        ["CHARACTERS"],
    ),
    "no scaling": (
        lambda it: a_file(*(each for each in BODY if not each.startswith("ID4"))),
        ["NO_SCALING"],
    ),
    "a scaling that is none": (
        lambda it: a_file(*(each.replace("ID4*2", "ID4*x") for each in BODY)),
        ["NO_SCALING"],
    ),
    "a segment twice": (lambda it: a_file(*BODY, "DA2*9*9"), ["REPEATED"]),
    "a column twice": (lambda it: a_file(*BODY, "PA1*A1", "PA2*9*9"), ["REPEATED"] * 2),
    "sales of no column": (lambda it: a_file(*BODY, "PA2*9*9"), ["REPEATED"]),
    "no identity": (
        lambda it: a_file(*(each for each in BODY if not each.startswith("ID1"))),
        ["NO_IDENTITY"],
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_told_and_the_rest_is_read(name: str) -> None:
    """With a sentence for a person, and all counters as the machine told them."""
    spoil, expected = DEFECTS[name]
    found = one(spoil(a_file()))
    assert expected == defects(found)
    assert all(each.sentence.isprintable() for each in found.findings)
    assert SALES == found.counters.cashless
    assert 4 == found.counters.columns["A1"].number


def test_several_transmissions_are_read_apart() -> None:
    """Also where one of them has a defect of its own."""
    both = read(a_file() + a_file("ID1*SN-8*****VM-2", "ID4*2", "DA2*0*x"))
    assert ["VM-1", "VM-2"] == [each.asset for each in both]
    assert [["SEVERAL"], ["SEVERAL", "FIGURE"]] == [defects(each) for each in both]


@pytest.mark.parametrize("figure", ["x", "-5", "1.5", "1 000", "0x10", "9" * 15])
def test_what_is_no_count_is_unknown(figure: str) -> None:
    """A wrong figure would be believed."""
    found = one(a_file(*(each.replace("DA2*2500*5", f"DA2*2500*{figure}") for each in BODY)))
    assert ["FIGURE"] == defects(found)
    assert Meter(number=None, minor=2_500) == found.counters.cashless


def test_what_is_left_out_is_unknown_and_no_defect() -> None:
    """Machines leave out what they do not count."""
    found = one(a_file("ID1*7", "ID4*2", "DA2**", "PA1*A1", "PA1*A2"))
    assert [] == defects(found)
    assert Meter() == found.counters.cashless
    assert {"A1": Meter(), "A2": Meter()} == found.counters.columns


def test_a_wrong_checksum_of_nobody_is_refused() -> None:
    """Whose counters they are, nobody could find out."""
    nameless = a_file(*(each for each in BODY if not each.startswith("ID1")))
    with pytest.raises(ReadoutRefused, match="no ID1 says which machine"):
        read(nameless.replace(b"cola", b"coca"))
    with pytest.raises(ReadoutRefused, match="transmission 2 of 2"):
        read(a_file() + nameless.replace(b"cola", b"coca"))


def test_the_line_in_which_a_file_ends_is_not_believed() -> None:
    """Its last digits may be missing."""
    content = a_file()
    place = content.index(b"PA2*1*500")
    found = one(content[: place + len(b"PA2*1")])
    assert ["CUT_OFF"] == defects(found)
    assert found.partial
    assert Meter() == found.counters.columns["A2"]
    assert 4 == found.counters.columns["A1"].number


def test_the_checksum_with_what_stands_around_its_segments_is_right_too() -> None:
    """Some machines write spaces and mean them."""
    spaced = a_file(*(f"{each} " for each in BODY))
    assert [] == defects(one(spaced))
    assert one(spaced).content == one(a_file(*BODY)).content.replace(
        one(a_file(*BODY)).content.split(b"G85*")[1][:4], spaced.split(b"G85*")[1][:4]
    )


def test_a_checksum_with_its_lower_byte_first_is_right_too() -> None:
    """As machines of the standard's fifth level write it; any other order is wrong."""
    content = a_file()
    place = content.index(b"G85*") + 4
    high, low = content[place : place + 2], content[place + 2 : place + 4]
    assert high != low
    assert [] == defects(one(content.replace(high + low, low + high)))
    assert ["CHECKSUM"] == defects(one(content.replace(high + low, (high + low)[::-1])))


def test_columns_are_bounded() -> None:
    """No machine has so many."""
    body = [f"PA1*{number}" for number in range(COLUMNS_MAX + 1)]
    with pytest.raises(ReadoutRefused, match="more than 512 columns"):
        read(a_file("ID1*7", *body))


def test_any_flipped_byte_is_found() -> None:
    """Between ST and G85 the checksum tells of each one; nothing raises, whatever it is."""
    chance = random.Random(7)
    content = a_file()
    first, last = content.index(b"ID1*") + 4, content.index(b"G85")
    for _ in range(300):
        spoiled = bytearray(content)
        place = chance.randrange(first, last)
        if content[place] in b"\r\n*" or content[place : place + 1].isupper():
            continue
        spoiled[place] ^= 1 << chance.randrange(7)
        if spoiled[place] in b"\r\n* \t":
            continue
        assert "CHECKSUM" in defects(one(bytes(spoiled)))
