"""A file of anybody is cut into transmissions, or refused with a sentence, within bounds."""

import random

import pytest

from gateway.office.evadts import segments
from gateway.office.evadts.segments import Defect, ReadoutRefused, transmissions
from tests.gateway.office.evadts.files import a_file


def defects(content: bytes) -> list[str]:
    """Return what is wrong about the form."""
    return [one.defect.value for one in transmissions(content)[0].findings.found]


def test_a_sound_file_has_no_findings() -> None:
    """Each line is a segment with its fields, which count from 1."""
    (found,) = transmissions(a_file("ID1*7**9"))
    assert [] == found.findings.found
    assert ["DXS", "ST", "ID1", "G85", "SE", "DXE"] == [one.name for one in found.segments]
    identity = found.segments[2]
    assert ("7", "", "9", "") == tuple(map(identity.field, (1, 2, 3, 4)))
    assert 3 == identity.line


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n\r\n"])
def test_other_line_ends_are_one_finding(end: str) -> None:
    """And make the same content of it, so that it is the same read-out."""
    assert ["LINE_ENDS"] == defects(a_file(end=end))
    assert transmissions(a_file())[0].content == transmissions(a_file(end=end))[0].content


def test_what_stands_around_a_transmission_is_not_read() -> None:
    """It is told, by its name."""
    content = b"MC5*SiLine*EvaData\r\n" + a_file() + b"bye\r\n"
    (found,) = transmissions(content)
    assert "DXS" == found.segments[0].name
    (finding,) = found.findings.found
    assert (1, Defect.OUTSIDE) == (finding.line, finding.defect)
    assert "2 lines" in finding.sentence
    assert "MC5" in finding.sentence


def test_several_transmissions_are_several() -> None:
    """Each is told that there are others."""
    both = transmissions(a_file("ID1*7") + a_file("ID1*8"))
    assert ["7", "8"] == [one.segments[2].field(1) for one in both]
    assert [["SEVERAL"]] * 2 == [[one.defect.value for one in each.findings.found] for each in both]
    assert [2] == [len(transmissions(a_file("ID1*7", header=False) + a_file("ID1*8")))]


def test_what_cannot_be_shown_is_not_shown() -> None:
    """Not a byte of it flows out as text."""
    content = a_file("ID1*\x1b[31m7\x00\u202e*\xff".replace("\u202e", "\x9b"))
    (found,) = transmissions(content)
    assert ["CHARACTERS"] == [one.defect.value for one in found.findings.found]
    texts = [text for one in found.segments for text in (one.name, *one.fields)]
    assert all(text.isascii() and text.isprintable() for text in texts)
    assert "?[31m7??" == found.segments[2].field(1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "no EVA-DTS read-out"),
        (b"hello\r\nID1*7\r\n", "no EVA-DTS read-out"),
        (b"DXS*A\r\n" + b"x" * segments.FILE_BYTES_MAX, "bytes, and no more than"),
        (b"DXS*A\r\n" + b"x" * (segments.SEGMENT_BYTES_MAX + 1), "line 2 has more than"),
        (b"DXS*A\r\n" + b"A\n" * segments.SEGMENTS_MAX, "more than 10000 lines"),
        (b"DXS*A\r\n" * (segments.TRANSMISSIONS_MAX + 1), "17 transmissions"),
    ],
)
def test_what_is_no_readout_is_refused(content: bytes, said: str) -> None:
    """With a sentence."""
    with pytest.raises(ReadoutRefused, match=said):
        transmissions(content)


def test_any_bytes_are_cut_or_refused() -> None:
    """Nothing else comes of them, whatever they are."""
    chance = random.Random(7)
    sound = a_file()
    for _ in range(500):
        content = bytearray(sound)
        for _ in range(chance.randint(1, 30)):
            place = chance.randrange(len(content))
            content[place : place + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        try:
            found = transmissions(bytes(content))
        except ReadoutRefused:
            continue
        for each in found:
            texts = [text for one in each.segments for text in (one.name, *one.fields)]
            assert all(text.isprintable() for text in texts)
            assert len(each.findings.found) <= segments.FINDINGS_MAX
