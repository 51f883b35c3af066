"""The tutorial and the how-tos work as printed, for a person who types them from top to bottom.

Which block is typed, and what must be seen, says the page itself (``tests.e2e.walking``). Those
that go on where the tutorial left off are walked behind it, at one desk.
"""

import shutil
from pathlib import Path

import pytest

from tests.e2e.desk import Desk
from tests.e2e.typed import ROOT
from tests.e2e.walking import Walk, steps, untyped
from tests.support import postgres

DOCS = ROOT / "docs"
HOWTO = DOCS / "howto"
SETTINGS = {
    "VENDGATE_RAY__MODE": "none",
    "VENDGATE_POLICY__PAYMENT_WAIT_MS": "120000",
    "VENDGATE_DATABASE__DURABILITY": "weaker",  # our PostgreSQL flushes nothing
    "PYTHONPATH": str(ROOT),
}
HANGS_AFTER_S = 900
"""A block may start ten programs, on a computer that has other work."""
LAST_CHAPTER = "## 9. Tidy up"
BEHIND_THE_TUTORIAL = ("complaint", "backup", "rotate-keys", "postgresql")
BY_THEMSELVES = ("certificates", "sandbox", "go-live", "balancer")
ELSEWHERE = ("two-gateways", "scale", "rolling-update")
"""They want several computers; each says which test goes their way."""
NEEDED = {"balancer": "haproxy"}

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7_200)]


def test_every_page_is_walked_or_says_who_goes_its_way() -> None:
    """No how-to is left out; a block that nobody types has its reason, and what goes elsewhere
    names a test that is there.
    """
    pages = {path.stem for path in HOWTO.glob("*.md")}
    assert pages == {*BEHIND_THE_TUTORIAL, *BY_THEMSELVES, *ELSEWHERE}
    for name in sorted(pages):
        found = steps((HOWTO / f"{name}.md").read_text())
        assert found, name
        assert (name in ELSEWHERE) is not any(step.typed for step in found), name
        for reason in untyped(found):
            for word in reason.split():
                assert not word.startswith("tests/") or (ROOT / word).is_file(), reason


@pytest.mark.slow
@pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL is installed")
@pytest.mark.xdist_group("postgres")
async def test_the_tutorial_and_what_goes_on_from_there(tmp_path: Path) -> None:
    """From an empty folder to a machine of one's own; then a complaint is read, a backup restored,
    a certificate changed, and all of it moved to PostgreSQL.
    """
    desk = Desk(tmp_path, SETTINGS, within_s=HANGS_AFTER_S)
    tutorial = (DOCS / "tutorial.md").read_text()
    before, chapter, behind = tutorial.partition(LAST_CHAPTER)
    with postgres.running() as url:
        desk.instead["postgresql+asyncpg://vendgate@127.0.0.1:5432/vendgate"] = url
        async with Walk(desk) as walk:
            await walk.through(before)
            for name in BEHIND_THE_TUTORIAL:
                await walk.through((HOWTO / f"{name}.md").read_text())
            await walk.through(chapter + behind)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_THEMSELVES)
async def test_a_page_that_begins_with_nothing(name: str, tmp_path: Path) -> None:
    """In an empty folder."""
    if name in NEEDED and shutil.which(NEEDED[name]) is None:
        pytest.skip(f"no {NEEDED[name]} is installed")
    async with Walk(Desk(tmp_path, SETTINGS, within_s=HANGS_AFTER_S)) as walk:
        await walk.through((HOWTO / f"{name}.md").read_text())
