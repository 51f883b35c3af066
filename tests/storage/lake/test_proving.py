"""The lake is proved fact by fact, and whatever is wrong about it is found."""

from pathlib import Path

import pytest
from sqlalchemy import Update, delete, insert, update

from storage.database.engine import Database
from storage.lake import compacting, proving
from storage.lake.folder import LakeFolder
from storage.lake.proving import LakeProof, prove_lake
from storage.tables import lake_files, sale_facts, starts
from tests.storage.insight.shop import follower, sold
from tests.storage.lake.pond import SMALL, exported, files_of, keeping

pytest.importorskip("duckdb")
START = {"digest": "", "at_ms": 1, "from_day": 0, "balances": "{}", "link": "{}"}


async def proved(db: Database, root: Path) -> LakeProof:
    """Prove it."""
    return await prove_lake(db, LakeFolder(root), bounds=SMALL)


async def lake(db: Database, root: Path) -> None:
    """Of two machines that sold two colas each."""
    await sold(db, "VM-1", "VM-2")
    await follower(db).catch_up()
    await exported(db, root, facts_at_once=1)


@pytest.mark.slow_on_postgres
async def test_it_is_what_the_ledger_says(db: Database, tmp_path: Path) -> None:
    """Before anything was written, at each position, and compacted."""
    assert (0, []) == ((await proved(db, tmp_path)).facts, (await proved(db, tmp_path)).findings)
    await lake(db, tmp_path)
    proof = await proved(db, tmp_path)
    assert ([], 4, {"HKD": 2_000}) == (proof.findings, proof.facts, proof.sums)
    async with keeping(db, tmp_path) as keeper:
        await compacting.compact(keeper, bounds=SMALL, tell=lambda _, __: None)
    again = await proved(db, tmp_path)
    assert ([], 4, 1) == (again.findings, again.facts, again.files)
    archived = {**START, "machine_id": "VM-1", "version": 99}
    await db.write(lambda connection: connection.execute(insert(starts), archived))
    assert [] == (await proved(db, tmp_path)).findings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (update(sale_facts).values(sales_minor=501), "has another sales_minor than its fact"),
        (update(sale_facts).values(product="tea"), "has another product than its fact"),
        (update(sale_facts).values(payer_id="p-other"), ""),
        (update(sale_facts).values(offer="tea-time"), "has another offer than its fact"),
        (update(sale_facts).values(offer=None), ""),
        (delete(sale_facts).where(sale_facts.c.machine_id == "VM-2"), "is in no table"),
        (update(lake_files).values(sha256="0" * 64), "is not as it was written"),
        (update(lake_files).values(path="sales/20260101/x.parquet"), "is not there"),
    ],
)
async def test_what_is_wrong_is_found(
    db: Database, tmp_path: Path, wrong: Update, said: str
) -> None:
    """But a payer of whom one side says nothing any more, and an offer of which it never did."""
    await lake(db, tmp_path)
    if "x.parquet" in str(wrong.compile().params):
        first = (await files_of(db))[0].path
        wrong = wrong.where(lake_files.c.path == first)
    await db.write(lambda connection: connection.execute(wrong))
    findings = (await proved(db, tmp_path)).findings
    assert bool(said) == bool(findings)
    assert all(said in one for one in findings if "the ledger" not in one), findings


async def test_what_is_missing_or_twice_is_found(db: Database, tmp_path: Path) -> None:
    """Fact by fact, in pages however small; and by what the ledger says."""
    await lake(db, tmp_path)
    (first, *_) = await files_of(db)
    gone = delete(lake_files).where(lake_files.c.path == first.path)
    await db.write(lambda connection: connection.execute(gone))
    findings = (await proved(db, tmp_path)).findings
    assert ["is missing", "by the ledger"] == [
        next(word for word in ("is missing", "by the ledger") if word in one) for one in findings
    ]


@pytest.mark.slow_on_postgres
async def test_a_fact_that_stands_twice_is_found(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under another name in the list."""
    await lake(db, tmp_path)
    (first, *_) = await files_of(db)
    folder = LakeFolder(tmp_path)
    folder.path("copy").write_bytes(folder.path(first.path).read_bytes())
    values = {column.name: getattr(first, column.name) for column in lake_files.c}
    again = insert(lake_files).values({**values, "path": "copy"})
    await db.write(lambda connection: connection.execute(again))
    for page in (10_000, 1):
        monkeypatch.setattr(proving, "_PAGE_OF_FACTS", proving._PAGE_OF_FACTS.limit(page))
        monkeypatch.setattr(proving, "_PAGE", page)
        findings = (await proved(db, tmp_path)).findings
        assert any("stands there twice" in one for one in findings)
        assert any("by the lake" in one for one in findings)
        assert not any("missing" in one or "no table" in one for one in findings)
