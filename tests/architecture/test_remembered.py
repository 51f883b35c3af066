"""The tests' own audit makes no check again of the same rows, and each of others."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.auditing import CHECKS, Check
from storage.auditing.findings import Look
from storage.auditing.reading import Books
from tests.support import proven, remembered, upgraded
from tests.support.proven import prove_file


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which checks were made, by name."""
    names: list[str] = []
    make = remembered._make

    def noted(books: Books, look: Look) -> Check:
        names.append(look.__name__)
        return make(books, look)

    monkeypatch.setattr(remembered, "_make", noted)
    monkeypatch.setattr(proven, "_MEMORY", remembered.Memory())
    return names


def test_only_who_reads_another_row_is_asked_again(tmp_path: Path, made: list[str]) -> None:
    """Of an empty database each check is made once; then somebody writes into the audit log."""
    path = upgraded.make(f"sqlite:///{tmp_path / 'empty.db'}")
    first = prove_file(path, now_ms=1)
    assert [look.__name__ for look in CHECKS] == made

    made.clear()
    again = prove_file(path, now_ms=2)
    assert [] == made
    assert first.checks == again.checks

    with closing(sqlite3.connect(path)) as file:
        file.execute(
            "INSERT INTO audit (at_ms, actor, action, machine_id, detail)"
            " VALUES (1, 'ann', 'Gossip', '', '2088123412341234')"
        )
        file.commit()
    spoilt = prove_file(path, now_ms=3)
    assert ["audit_rows_are_as_written", "no_buyer_is_named"] == made
    assert ["no_buyer_is_named"] == [check.name for check in spoilt.checks if check.findings]

    assert () == prove_file(path, now_ms=4, own_ids={"2088123412341234"}).sentences
