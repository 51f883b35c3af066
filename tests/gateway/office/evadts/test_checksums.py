"""The checksum is the one of real machines."""

from gateway.office.evadts.checksums import crc16, of_segments


def test_the_check_value_of_this_crc() -> None:
    """As the catalogues of CRCs have it, under the name CRC-16/ARC."""
    assert 0xBB3D == crc16(b"123456789")
    assert 0 == crc16(b"")


def test_it_goes_on_from_a_value() -> None:
    """Piece by piece comes to the same as at once."""
    assert crc16(b"ST*001*0001\r\nID1*7\r\n") == crc16(b"ID1*7\r\n", crc16(b"ST*001*0001\r\n"))


def test_a_segment_counts_with_its_line_end() -> None:
    """And a digest is always four digits in upper case."""
    assert f"{crc16(b'ST*001*0001' + bytes((13, 10))):04X}" == of_segments([b"ST*001*0001"])
    assert "0000" == of_segments([])
