"""The checksum of a transmission, as ``G85`` tells it."""

from collections.abc import Iterable

_POLYNOMIAL = 0xA001
"""CRC-16, 0x8005, from the lowest bit on."""
SEGMENT_END = b"\r\n"


def _of_byte(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE = tuple(map(_of_byte, range(256)))


def crc16(content: bytes, value: int = 0) -> int:
    """Return the CRC of some bytes, going on from ``value``."""
    for byte in content:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def of_segments(segments: Iterable[bytes]) -> str:
    """Return the four hexadecimal digits of these segments, from ``ST`` to the one before ``G85``.
    Each counts as if CR LF stood behind it, whatever does: so it is in the files of real machines.
    """
    value = 0
    for segment in segments:
        value = crc16(segment + SEGMENT_END, value)
    return f"{value:04X}"
