"""The lake answers what the sums answer, to the cent."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from storage.database.engine import Database
from storage.insight.sales import By, SalesLine, SalesWanted
from storage.lake import asking, cubes, lists
from storage.lake.asking import LakeAnswer, ask, listed
from storage.lake.duck import LakeError
from storage.lake.folder import LakeFolder
from storage.lake.lists import Stream
from storage.office.costs import Costed
from storage.office.deeds import NotPossible, NotThere
from tests.storage.lake.pond import SMALL, THURSDAY, exported, fact, keeping, told
from tests.storage.lake.questions import LAST, QUESTIONS, from_sums, shop

pytest.importorskip("duckdb")


async def asked(db: Database, root: Path, wanted: SalesWanted) -> LakeAnswer:
    """Ask it."""
    return await ask(db, LakeFolder(root), wanted, bounds=SMALL)


async def cubed(db: Database, root: Path) -> int:
    """Make the cubes."""
    async with keeping(db, root) as keeper:
        return await cubes.make_cubes(keeper, cubes.here, bounds=SMALL, tell=lambda _, __: None)


async def test_questions_are_answered_as_the_sums_answer_them(db: Database, tmp_path: Path) -> None:
    """From facts, from cubes, and from cubes of all days but some that came later."""
    await shop(db)
    expected = await from_sums(db)
    assert 12 == len(QUESTIONS) == len(expected)
    assert all(len(lines) > 1 for lines in expected)
    await exported(db, tmp_path)
    assert expected == as_sums([await asked(db, tmp_path, one) for one in QUESTIONS])
    assert 14 == await cubed(db, tmp_path)
    answers = [await asked(db, tmp_path, one) for one in QUESTIONS]
    assert expected == as_sums(answers)
    assert {0} == {one.from_sales for one in answers}
    await told(db, [fact(500 + one, d=LAST - one, machine_id="VM-0") for one in range(3)])
    await exported(db, tmp_path)
    answers = [await asked(db, tmp_path, one) for one in QUESTIONS]
    assert await from_sums(db) == as_sums(answers)
    assert {3} == {one.from_sales for one in answers}
    assert {502} == {one.position for one in answers}


async def test_a_folder_that_went_is_said(db: Database, tmp_path: Path) -> None:
    """Its disk is not there: not that files of some pattern are not found."""
    await shop(db)
    await exported(db, tmp_path / "lake")
    (tmp_path / "lake").rename(tmp_path / "gone")
    with pytest.raises(LakeError, match="is its disk there"):
        await asked(db, tmp_path / "lake", QUESTIONS[0])


def as_sums(answers: Sequence[LakeAnswer]) -> list[Sequence[SalesLine]]:
    """Answers to the QUESTIONS without what only files know: costs where sums have no products."""
    has_costs = [wanted.with_margin or wanted.by is By.CATEGORY for wanted in QUESTIONS]
    return [
        list(one.lines)
        if known
        else [
            replace(
                line,
                now=replace(line.now, costed=None),
                before=replace(line.before, costed=None),
            )
            for line in one.lines
        ]
        for one, known in zip(answers, has_costs, strict=True)
    ]


@pytest.mark.slow_on_postgres
async def test_margins_are_told_by_anything(db: Database, tmp_path: Path) -> None:
    """By hours and offers too, of which sums do not know them: they add up to those by products."""
    await shop(db)
    await exported(db, tmp_path)
    wholes = set()
    for by in (By.PRODUCT, By.HOUR, By.WEEKDAY_HOUR, By.OFFER):
        wanted = SalesWanted(first=20260108, last=LAST, by=by)
        lines = (await asked(db, tmp_path, wanted)).lines
        for currency in ("HKD", "JPY"):
            whole = Costed()
            for line in lines:
                if line.currency == currency and line.now.costed is not None:
                    whole = whole.plus(line.now.costed)
            wholes.add((currency, whole))
    assert {"HKD", "JPY"} == {currency for currency, _ in wholes}
    assert 2 == len(wholes)
    assert all(whole.units and whole.cost_minor for _, whole in wholes)


async def test_an_empty_lake_answers_nothing(db: Database, tmp_path: Path) -> None:
    """And what cannot be asked is refused as everywhere."""
    wanted = SalesWanted(first=THURSDAY, last=LAST, by=By.CATEGORY)
    assert () == (await asked(db, tmp_path, wanted)).lines
    with pytest.raises(NotPossible):
        await asked(db, tmp_path, SalesWanted(first=LAST, last=THURSDAY, by=By.DAY))
    with pytest.raises(NotThere):
        await asked(db, tmp_path, replace(wanted, district="nowhere"))
    with pytest.raises(NotThere):
        await asked(db, tmp_path, replace(wanted, machine_ids=("VM-1",)))


async def test_files_that_went_meanwhile_are_looked_for_again(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is read anew, some times; what is gone for good is told."""
    await told(db, [fact(1)])
    await exported(db, tmp_path)
    (one,) = (await listed(db, Stream.SALES))[1]
    there = LakeFolder(tmp_path).path(one.path)
    aside = there.with_suffix(".aside")
    there.rename(aside)
    looked = []
    read = lists.written

    def back(*arguments: object, **named: object) -> list[lists.LakeFile]:
        looked.append(1)
        if len(looked) == 3 and aside.exists():
            aside.rename(there)
        return read(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(lists, "written", back)
    wanted = SalesWanted(first=THURSDAY, last=THURSDAY, by=By.DAY)
    (line,) = (await asked(db, tmp_path, wanted)).lines
    assert 500 == line.now.sales_minor
    there.unlink()
    looked.clear()
    with pytest.raises(LakeError, match="DuckDB cannot do it"):
        await asked(db, tmp_path, wanted)
    assert 2 * asking._TRIES <= len(looked)
