"""Whatever the core decides leaves clean books: every transcript, and journeys in which anything
happens in any order.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, run_state_machine_as_test

from actors.machine import events
from actors.machine.state import EARLIER_BOOTS_KEPT, Mode
from storage.database.engine import Database, StorageConfig
from tests.storage.auditing.kept import Keeper, KeptStory
from tests.support import transcript
from tests.support.journey import MachineJourney
from tests.support.proven import prove_file, proved
from tests.support.story import a_machine

TRANSCRIPTS = {
    path.stem: path.read_text()
    for path in sorted(
        (Path(__file__).parents[2] / "actors" / "machine" / "transcripts").glob("*.txt")
    )
}


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("name", TRANSCRIPTS)
async def test_every_transcript_leaves_clean_books(
    db: Database, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its middle, with money under way, and at its end."""
    stories: list[KeptStory] = []

    class Listening(KeptStory):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]  # as the transcript gives them
            stories.append(self)

    monkeypatch.setattr(transcript, "Story", Listening)
    transcript.play(TRANSCRIPTS[name])
    story = stories[-1]
    keeper = await Keeper.of(db, story)
    for upto in (len(story.told) // 2, len(story.told)):
        await keeper.save(upto)
        assert () == (await proved(db, now_ms=story.now_ms)).sentences


def test_every_journey_leaves_clean_books(upgraded_file: Path) -> None:
    """Customers, reboots, lost streams, answers of all kinds and time: the books are clean on the
    way and at the end.
    """

    class KeptJourney(MachineJourney):
        @initialize(
            mode=st.sampled_from(list(Mode)),
            stock=st.integers(min_value=0, max_value=4),
            review_above=st.sampled_from([None, 400]),
            two_above=st.sampled_from([None, 0, 400]),
        )
        def begin(
            self, mode: Mode, stock: int, review_above: int | None, two_above: int | None
        ) -> None:
            super().begin(mode, stock, review_above, two_above)
            self.story = self.kept = KeptStory(a_machine(mode, stock=stock), self.story.policy)
            self.story.connect()

        def teardown(self) -> None:
            middle = len(self.kept.told) if hasattr(self, "kept") else 0
            super().teardown()
            if middle:
                asyncio.run(_save_and_audit(upgraded_file, self.kept, middle))

    run_state_machine_as_test(
        KeptJourney,
        settings=settings(
            max_examples=12,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


async def _save_and_audit(upgraded_file: Path, story: KeptStory, middle: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vendgate.db"
        shutil.copy(upgraded_file, path)
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}", readers=1))
        try:
            keeper = await Keeper.of(database, story)
            for upto in (middle // 2, middle, len(story.told)):
                await keeper.save(upto)
                assert () == prove_file(path, now_ms=story.now_ms).sentences
        finally:
            await database.close()


@pytest.mark.slow_on_postgres
async def test_a_boot_that_the_actor_has_forgotten_is_a_new_one(db: Database) -> None:
    """An actor remembers the last boots alone: one that comes back behind more of them begins with
    frame 1 again, and the books are clean; so they are if the last one of them comes back.
    """
    story = KeptStory(a_machine())
    for number in range(EARLIER_BOOTS_KEPT + 2):
        story.connect(f"b{number}")
        for _ in range(3):
            story.frame(events.ReaderEnabled())
        story.disconnect()
    story.connect("b0")
    story.frame(events.ReaderEnabled())
    keeper = await Keeper.of(db, story)
    await keeper.save(len(story.told))
    assert ("b0", 1) == (story.state.link.boot_id, story.state.link.last_seq)
    assert () == (await proved(db, now_ms=story.now_ms)).sentences

    story.connect("b17")

    await keeper.save(len(story.told))
    assert "b0" == story.state.link.boot_id
    assert () == (await proved(db, now_ms=story.now_ms)).sentences
