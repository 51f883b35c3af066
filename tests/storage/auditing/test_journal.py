"""The journal: whoever changes a line, an epoch or a frame is seen."""

from collections.abc import Callable

import pytest

from actors.machine.incident import FaultReported
from storage.auditing import prove
from storage.database.engine import Database
from tests.storage.auditing.damages import Damage, names, seen
from tests.storage.auditing.kept import Keeper, KeptStory

DAMAGES = (
    Damage(
        check="the_journal_is_whole",
        sql="DELETE FROM journal WHERE machine_id = 'VM-1' AND version = 2",
        sentence=(
            "machine VM-1 has 19 lines from 1 to 20, with a gap before 3, and its state has "
            "version 20"
        ),
    ),
    Damage(
        check="the_journal_is_whole",
        sql="DELETE FROM journal WHERE machine_id = 'VM-1' AND version = 20",
        sentence=(
            "machine VM-1 has 19 lines from 1 to 19, without a gap, and its state has version 20"
        ),
    ),
    Damage(
        check="epochs_never_fall",
        sql="UPDATE journal SET epoch = 9 WHERE machine_id = 'VM-1' AND version = 2",
        sentence=(
            "journal: 1 rows of partition 4 have epoch 9, which is above the partition's own, 2"
        ),
    ),
    Damage(
        check="epochs_never_fall",
        sql="UPDATE journal SET epoch = 1 WHERE machine_id = 'VM-1' AND version = 20",
        sentence=(
            "journal: partition 4 wrote row 23 under epoch 2, and row 31 after it under epoch 1"
        ),
    ),
    Damage(
        check="epochs_never_fall",
        sql="UPDATE machine_states SET epoch = 7 WHERE machine_id = 'VM-1'",
        sentence="the state of machine VM-1 has epoch 7, above its partition's 2",
    ),
    Damage(
        check="machines_stay_in_their_partitions",
        sql="UPDATE machines SET partition = 1 WHERE machine_id = 'VM-1'",
        sentence="machines: machine VM-1 stands in partition 1, and belongs into 4",
    ),
    Damage(
        check="frames_are_applied_once",
        sql=(
            "UPDATE journal SET body = replace(body, '\",2,[', '\",7,[') WHERE "
            "machine_id = 'VM-1' AND kind = 'VendRequested' "
            "AND version = 17"
        ),
        sentence=(
            "machine VM-1 is acknowledged up to frame 4 of boot 'b2'; its journal leads to frame 1 "
            "of boot 'b2'"
        ),
    ),
    Damage(
        check="frames_are_applied_once",
        sql=(
            "UPDATE journal SET body = '{}' WHERE machine_id = 'VM-1' AND kind = 'Connected' AND "
            "version = 3"
        ),
        sentence="line 3 of machine VM-1 cannot be read",
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"enabled": False, "retired": True}], ids=["disabled", "retired"]
)
async def test_a_stream_that_we_ended_leads_no_further(
    db: Database, change: dict[str, bool]
) -> None:
    """What its machine still says there is not applied, and a retired machine's next boot begins
    nothing; the audit sees both as the core does.
    """
    story = KeptStory()
    story.connect()
    story.frame(FaultReported(code="EB"))
    story.configure(**change)
    story.frame(FaultReported(code="EC"))
    story.connect("b2")
    story.frame(FaultReported(code="ED"))
    link, came_to = story.state.link, "b1" if "retired" in change else "b2"
    assert (came_to, 1) == (link.boot_id, link.last_seq)
    keeper = await Keeper.of(db, story)
    for upto in range(1, len(story.told) + 1):
        await keeper.save(upto)
        assert () == (await prove(db, now_ms=story.now_ms)).sentences
