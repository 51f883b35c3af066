"""Files of seals: what was written is read, and what is no seal is refused with a sentence."""

from pathlib import Path

import pytest

from gateway.books import seals
from storage.auditing import Seal

SEALS = (
    Seal(machine_id="VM-0001", version=1_234, digest="0123456789abcdef" * 4),
    Seal(machine_id="audit", version=1, digest="a" * 64),
    Seal(machine_id="", version=57, digest="b" * 64),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """One line each, also of a machine that is called audit."""
    path = tmp_path / "seals"
    seals.write(path, SEALS)
    assert SEALS == seals.read(path)
    assert (
        f"vendgate seals, format 1\nmachine VM-0001 1234 {'0123456789abcdef' * 4}\n"
        == path.read_text()[: 25 + 21 + 65]
    )


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    """Not by a second audit and not by a slip of the hand."""
    path = tmp_path / "seals"
    path.write_text("mine")
    with pytest.raises(seals.SealsRefused, match="never overwritten"):
        seals.write(path, SEALS)
    assert "mine" == path.read_text()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "its first line must be 'vendgate seals, format 1'"),
        (b"vendgate seals, format 2\n", "its first line must be"),
        (b"\xff\xfe", "cannot be read"),
        (b"vendgate seals, format 1\n", "holds no seal"),
        (b"vendgate seals, format 1\naudit 57 " + b"b" * 63 + b"\n", "line 2 is no seal"),
        (
            b"vendgate seals, format 1\naudit 57 " + b"b" * 64 + b"\naudit 0 " + b"b" * 64,
            "line 3 is no seal",
        ),
        (
            b"vendgate seals, format 1\nmachine " + b"V" * 33 + b" 1 " + b"b" * 64,
            "line 2 is no seal",
        ),
    ],
)
def test_what_is_no_seal_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    """The sentence names the file and the line."""
    path = tmp_path / "seals"
    path.write_bytes(content)
    with pytest.raises(seals.SealsRefused, match=sentence) as caught:
        seals.read(path)
    assert str(path) in str(caught.value)
