"""The files of an archive: written whole or not at all, and read as they were written."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from storage.archiving.files import (
    ArchiveRefused,
    Month,
    MonthWriter,
    months_in,
    name_of,
    rows_of,
)
from storage.tables import inbox, journal, starts, transfers

LINE = (7, "VM-1", 3, 1, 2, 1_000, "TimePassed", None, '[["A",1]]', '["€"]', '{"x":[1,null]}', "aa")


def written(folder: Path, month: str = "2026-01", previous: str = "") -> Month:
    """A month with one line."""
    writer = MonthWriter(folder / month)
    assert 1 == writer.write(journal, [LINE])
    for table in (transfers, inbox, starts):
        assert 0 == writer.write(table, [])
    return writer.finish(
        installation_ms=1, month=month, end_ms=2, now_ms=3, previous_sha256=previous
    )


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    """With ``zcat`` they are JSON by the names of the columns, for whoever looks for something."""
    month = written(tmp_path)
    assert [LINE] == list(rows_of(month, journal))
    assert [] == list(rows_of(month, inbox))
    (line,) = gzip.decompress((month.folder / name_of(journal)).read_bytes()).splitlines()
    told = json.loads(line)
    assert ("VM-1", 3, {"x": [1, None]}, None) == (
        told["machine_id"],
        told["version"],
        told["body"],
        told["session_id"],
    )
    assert {0o600} == {path.stat().st_mode & 0o777 for path in month.folder.iterdir()}


def test_months_are_chained(tmp_path: Path) -> None:
    """Each manifest holds the hash of the one before; without one in between they do not hold."""
    first = written(tmp_path)
    second = written(tmp_path, "2026-02", first.sha256)
    assert [first, second] == months_in(tmp_path)
    assert [] == months_in(tmp_path / "none")
    third = written(tmp_path, "2026-03", "another")
    with pytest.raises(ArchiveRefused, match=r"2026-03/manifest.json does not follow"):
        months_in(tmp_path)
    (third.folder / "manifest.json").unlink()
    assert [first, second] == months_in(tmp_path)  # unfinished: it counts for nothing


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    """So that a run that was cut off and one that was not give the same archive."""
    one, other = written(tmp_path / "a"), written(tmp_path / "b")
    assert one.manifest.files == other.manifest.files
    assert one.sha256 == other.sha256


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [_flip, _cut, _remove])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, harm: Any) -> None:
    """By its hash, before a row of it is believed."""
    month = written(tmp_path)
    harm(month.folder / name_of(journal))
    with pytest.raises(ArchiveRefused, match=r"journal.jsonl.gz (was changed|cannot be used)|read"):
        list(rows_of(month, journal))


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"format": 1}'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: bytes) -> None:
    """With a sentence that names the file."""
    month = written(tmp_path)
    (month.folder / "manifest.json").write_bytes(text)
    with pytest.raises(ArchiveRefused, match=r"manifest.json is no manifest"):
        months_in(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("mode", [0o755, 0o744])
def test_a_month_of_another_user_is_a_sentence(mode: int) -> None:
    """Whoever archived as root and audits as the gateway's user reads what is in the way."""
    # Not below pytest's own folder, which each pytest that starts closes to others.
    with tempfile.TemporaryDirectory(prefix="vendgate-archive-") as above:
        Path(above).chmod(0o755)
        folder = written(Path(above) / "archive").folder.parent
        folder.chmod(mode)
        said = _months_as_nobody(folder)
    assert "2026-01" in said
    assert "cannot be used: Permission denied." in said


def _months_as_nobody(folder: Path) -> str:
    """What somebody else is told who looks into the folder."""
    code = (
        "import os, sys; from pathlib import Path; from storage.archiving import files\n"
        "os.setuid(65534)\n"
        "try: files.months_in(Path(sys.argv[1]))\n"
        "except files.ArchiveRefused as refused: print(refused)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True
    )
    return done.stdout
