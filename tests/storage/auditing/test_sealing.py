"""Whoever edits the books past the triggers is found by the chains of digests."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, bindparam, select, text, update

from actors.machine import values
from actors.ports import Conflict
from storage.auditing import Unsealed, prove, sealing
from storage.books import chain
from storage.database.engine import Database
from storage.fleet.registry import Registry
from storage.tables import journal
from tests.storage import verifier
from tests.storage.auditing.books import NOW_MS, found
from tests.storage.auditing.damages import Damage, names, seen
from tests.storage.owner import START_MS, Owner, paid
from tests.storage.unlocked import unlock

UP = "UPDATE {} SET version = -version - 1 WHERE machine_id = 'VM-1' AND version >= 5"
TURN = "UPDATE {} SET version = -version WHERE machine_id = 'VM-1' AND version < 0"
COPY = (
    "INSERT INTO journal (machine_id, version, partition, epoch, at_ms, kind, session_id, "
    "effects, notes, body, digest) "
    "SELECT machine_id, 5, partition, epoch, at_ms, kind, session_id, effects, notes, body, digest "
    "FROM journal WHERE machine_id = 'VM-1' AND version = 6"
)
PUT_IN = (
    "INSERT INTO transfers (machine_id, version, line, at_ms, kind, cause, debit_account, "
    "debit_reference, credit_account, credit_reference, trade_id, amount_minor, currency) SELECT "
    "machine_id, version, 7, at_ms, kind, 'x', debit_account, debit_reference, credit_account, "
    "credit_reference, trade_id, amount_minor, currency FROM transfers WHERE machine_id = 'VM-1' "
    "AND version = 5"
)
SWAP = "UPDATE {} SET version = -11 + version WHERE machine_id = 'VM-1' AND version IN (5, 6)"
CHANGED = "or one of its {} transfers was changed, removed or put in"

ATTACKS = {
    "an amount is edited": (
        [
            (
                "UPDATE transfers SET amount_minor = amount_minor * 2 WHERE machine_id = 'VM-1' "
                "AND version = 5"
            )
        ],
        f"line 5 of machine VM-1 (VendRequested) {CHANGED.format(1)}",
    ),
    "a transfer is deleted": (
        ["DELETE FROM transfers WHERE machine_id = 'VM-1' AND version = 5"],
        f"line 5 of machine VM-1 (VendRequested) {CHANGED.format(0)}",
    ),
    "a transfer is put in": (
        [PUT_IN],
        f"line 5 of machine VM-1 (VendRequested) {CHANGED.format(2)}",
    ),
    "transfers change places": (
        [
            "UPDATE transfers SET line = line - 2 WHERE machine_id = 'VM-2' AND version = 7",
            "UPDATE transfers SET line = -1 - line WHERE machine_id = 'VM-2' AND version = 7",
        ],
        f"line 7 of machine VM-2 (TopUpPaid) {CHANGED.format(2)}",
    ),
    "a line is edited": (
        ["UPDATE journal SET at_ms = at_ms + 1 WHERE machine_id = 'VM-1' AND version = 5"],
        f"line 5 of machine VM-1 (VendRequested) {CHANGED.format(1)}",
    ),
    "a line is deleted": (
        ["DELETE FROM journal WHERE machine_id = 'VM-1' AND version = 5"],
        "line 5 of machine VM-1 was removed: behind line 4 comes line 6",
    ),
    "a line is deleted and the others are moved": (
        [
            "DELETE FROM journal WHERE machine_id = 'VM-1' AND version = 5",
            "DELETE FROM transfers WHERE machine_id = 'VM-1' AND version = 5",
            "UPDATE journal SET version = 5 WHERE machine_id = 'VM-1' AND version = 6",
            "UPDATE transfers SET version = 5 WHERE machine_id = 'VM-1' AND version = 6",
        ],
        "line 5 of machine VM-1 (VendSucceeded) or one of",
    ),
    "the first lines are deleted": (
        ["DELETE FROM journal WHERE machine_id = 'VM-1' AND version < 5"],
        "line 1 of machine VM-1 was removed: behind line 0 comes line 5",
    ),
    "a line is put in": (
        [
            *(
                statement.format(table)
                for statement in (UP, TURN)
                for table in ("journal", "transfers")
            ),
            COPY,
        ],
        f"line 5 of machine VM-1 (VendRequested) {CHANGED.format(0)}",
    ),
    "a line is put in before the first": (
        [COPY.replace(" 5,", " 0,")],
        "line 0 of machine VM-1 was put in: lines count from 1",
    ),
    "a line is put in behind the last": (
        [COPY.replace(" 5,", " 21,")],
        f"line 21 of machine VM-1 (VendSucceeded) {CHANGED.format(0)}",
    ),
    "two lines change places": (
        [
            statement.format(table)
            for statement in (SWAP, TURN)
            for table in ("journal", "transfers")
        ],
        "line 5 of machine VM-1 (VendSucceeded) or one of",
    ),
    "the tail is cut off": (
        ["DELETE FROM journal WHERE machine_id = 'VM-1' AND version > 17"],
        "lines 18 to 20 of machine VM-1 were removed: its state holds the digest of the last",
    ),
    "the tail is cut off and the version goes back": (
        [
            "DELETE FROM journal WHERE machine_id = 'VM-1' AND version > 17",
            "DELETE FROM transfers WHERE machine_id = 'VM-1' AND version > 17",
            "UPDATE machine_states SET version = 17 WHERE machine_id = 'VM-1'",
        ],
        "line 17 of machine VM-1 has another digest than its state, of version 17, holds",
    ),
    "all lines are deleted": (
        ["DELETE FROM journal WHERE machine_id = 'VM-1'"],
        "lines 1 to 20 of machine VM-1 were removed: its state holds the digest of the last",
    ),
    "the state is deleted": (
        ["DELETE FROM machine_states WHERE machine_id = 'VM-1'"],
        "line 20 of machine VM-1 has another digest than its state, of version 0, holds",
    ),
    "a digest is taken away": (
        ["UPDATE journal SET digest = '' WHERE machine_id = 'VM-1' AND version = 5"],
        (
            "line 5 of machine VM-1 (VendRequested) has no digest, and the line before it has one: "
            "it was put in or changed"
        ),
    ),
}


DAMAGES = (
    Damage(
        check="journals_are_as_written",
        sql=(
            "UPDATE transfers SET debit_reference = 'elsewhere' WHERE kind = 'TOP_UP' AND cause = "
            "'VM-1-t1'"
        ),
        sentence=(
            "line 4 of machine VM-1 (TopUpPaid) or one of its 1 transfers was changed, removed or "
            "put in"
        ),
        companions=frozenset({"transfers_are_balanced"}),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE journal SET body = '{}' WHERE machine_id = 'VM-2' AND version = 2",
        sentence=(
            "line 2 of machine VM-2 (CodeCreated) or one of its 0 transfers was changed, removed "
            "or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql=(
            "UPDATE journal SET session_id = CAST('x' AS BLOB) WHERE machine_id = 'VM-2' AND "
            "version = 2"
        ),
        sentence=(
            "line 2 of machine VM-2 (CodeCreated) or one of its 0 transfers was changed, removed "
            "or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE journal SET effects = 'no JSON' WHERE machine_id = 'VM-2' AND version = 2",
        sentence=(
            "line 2 of machine VM-2 (CodeCreated) or one of its 0 transfers was changed, removed "
            "or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE journal SET digest = '' WHERE machine_id = 'VM-1' AND version = 7",
        sentence=(
            "line 7 of machine VM-1 (SessionCompleted) has no digest, and the line before it has "
            "one: it was put in or changed"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE machine_states SET digest = '' WHERE machine_id = 'VM-1'",
        sentence="line 20 of machine VM-1 has another digest than its state, of version 20, holds",
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="UPDATE audit SET actor = 'ann' WHERE id = 2",
        sentence=(
            "row 2 of audit ('RegisterMachine' by ann) does not follow on row 1: it was changed or "
            "put in, or a row before it was removed"
        ),
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="DELETE FROM audit WHERE id = 1",
        sentence="row 2 of audit ('RegisterMachine' by test) is not the first that was written",
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="DELETE FROM audit WHERE id > 3",
        sentence=(
            "rows of audit behind row 3 were removed: the installation holds the digest of the last"
        ),
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="INSERT INTO audit (at_ms, actor, action, machine_id, detail, digest) SELECT at_ms, "
        "actor, action, machine_id, detail, digest "
        "FROM audit WHERE id = 4",
        sentence="row 7 of audit ('claim' by vendgate-host-0) does not follow on row 6",
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="UPDATE audit SET digest = '' WHERE id = 2",
        sentence="row 2 of audit ('RegisterMachine' by test) does not follow on row 1",
    ),
)


async def attack(db: Database, *statements: str) -> None:
    """Change rows past the triggers."""

    def work(connection: Connection) -> None:
        unlock(connection, *statements)
        for statement in statements:
            connection.execute(text(statement))

    await db.write(work)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)


async def test_another_program_verifies_the_chains(sound: Database) -> None:
    """It knows only what is documented, and every digest is as it says."""
    pairs = await sound.read(
        lambda connection: [
            pair for name in ("VM-1", "VM-3") for pair in verifier.digests(connection, name)
        ]
    )
    acts = await sound.read(verifier.audit_digests)
    assert len(pairs) > 25
    assert 6 == len(acts)
    assert [] == [pair for pair in (*pairs, *acts) if pair[0] != pair[1]]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(("statements", "sentence"), ATTACKS.values(), ids=ATTACKS)
async def test_the_first_row_that_was_touched_is_named(
    sound: Database, statements: list[str], sentence: str
) -> None:
    """One finding for the machine, which names its first line that is not as it was written."""
    await attack(sound, *statements)
    (said,) = found(await prove(sound, now_ms=NOW_MS))
    assert sentence in said


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize(
    "change",
    [
        "kind = 3 WHERE kind = 4",
        "trade_length = trade_length - 1 WHERE kind = 1",
        "debit_account = 'SALES' WHERE kind = 1",
        "credit_reference = 'x' WHERE kind = 4",
        "trade_id = 'elsewhere' WHERE kind = 2",
    ],
)
async def test_what_is_kept_of_a_transfer_is_sealed_too(sound: Database, change: str) -> None:
    """The digests are made of what the view says, and that is made of what is kept."""
    await attack(sound, f"UPDATE kept_transfers SET {change} AND machine_id = 'VM-1'")
    (said,) = found(await prove(sound, now_ms=NOW_MS))
    assert "machine VM-1" in said
    assert CHANGED.format(1) in said


async def test_a_page_has_no_seam(sound: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few lines are read at once, sound books are sound and a change is named."""
    monkeypatch.setattr(sealing, "ROWS_AT_ONCE", 3)
    clean = await prove(sound, now_ms=NOW_MS)
    assert () == clean.sentences
    lines = await sound.read(lambda connection: len(connection.execute(select(journal.c.id)).all()))
    assert [lines] == [
        check.looked_at for check in clean.checks if check.name == "journals_are_as_written"
    ]
    statements, sentence = ATTACKS["an amount is edited"]
    await attack(sound, *statements)
    assert sentence in found(await prove(sound, now_ms=NOW_MS))[0]


async def test_every_machine_has_its_finding(sound: Database) -> None:
    """Each chain stands for itself."""
    await attack(sound, "UPDATE journal SET at_ms = at_ms + 1 WHERE version > 2")
    said = found(await prove(sound, now_ms=NOW_MS))
    assert [f"line 3 of machine VM-{number}" for number in (1, 2, 3, 4)] == [
        sentence.partition(" (")[0] for sentence in said
    ]


async def test_a_database_may_write_json_in_its_own_way(sound: Database) -> None:
    """What a line says is sealed, not how many spaces are in it."""

    def work(connection: Connection) -> None:
        unlock(connection)
        rewritten = update(journal).where(journal.c.id == bindparam("which"))
        for row in connection.execute(select(journal)).all():
            values = {name: f" {getattr(row, name)} " for name in chain.JSON_COLUMNS}
            connection.execute(rewritten, {"which": row.id, **values})

    await sound.write(work)
    assert [] == found(await prove(sound, now_ms=NOW_MS))


@pytest.mark.slow_on_postgres
async def test_a_row_of_audit_below_the_first_is_found(sound: Database) -> None:
    """Ids count from 1, and the walk begins there."""
    await attack(
        sound,
        (
            "INSERT INTO audit (id, at_ms, actor, action, machine_id, detail) VALUES (-1, 1, "
            "'eve', 'enable', 'VM-1', '')"
        ),
    )
    assert ["row -1 of audit was put in: rows count from 1"] == found(
        await prove(sound, now_ms=NOW_MS), "audit_rows_are_as_written"
    )


@pytest.mark.slow_on_postgres
async def test_several_changes_of_one_machine_are_chained_within_a_batch(db: Database) -> None:
    """And a batch that was refused, wholly or for one machine, leaves no trace in the chain."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.commit(
        [
            owner.decide(name, event)
            for name in ("VM-1", "VM-2")
            for event in owner.purchase(name, 1)
        ]
    )
    before = dict(owner.states)
    with pytest.raises(Conflict):
        await owner.commit(
            [
                owner.decide("VM-2", paid("t7")),
                owner.decide("VM-1", paid("t8")),
                owner.decide("VM-2", paid("t8")),
            ]
        )
    owner.states = before
    await owner.commit([owner.decide("VM-1", paid("t8")), owner.decide("VM-1", paid("t9"))])
    assert [] == found(await prove(db, now_ms=NOW_MS))
    pairs = await db.read(lambda connection: verifier.digests(connection, "VM-1"))
    assert [] == [pair for pair in pairs if pair[0] != pair[1]]


@pytest.mark.slow_on_postgres
async def test_a_change_that_changed_nothing_leaves_the_chain(db: Database) -> None:
    """No line, no digest."""
    owner = await Owner.of(db, "VM-1")
    change = await owner.do("VM-1", paid("t1"))
    await owner.commit(
        [
            values.replace(
                change,
                decision=values.replace(
                    change.decision, changed=False, records=(), transfers=(), effects=()
                ),
            )
        ]
    )
    await owner.do("VM-1", paid("t2"))
    assert [] == found(await prove(db, now_ms=NOW_MS))


async def test_rows_from_before_are_counted_and_may_only_come_first(db: Database) -> None:
    """The chain begins behind them; a row without a digest further on is a finding."""
    owner = await Owner.of(db, "VM-1")
    await attack(
        db, *(f"UPDATE {table} SET digest = ''" for table in ("journal", "machine_states", "audit"))
    )
    await attack(db, "UPDATE installation SET audit_digest = ''")
    await owner.buy("VM-1")
    await Registry(db).audit(
        actor="ann", action="enable", machine_id="VM-1", detail="", now_ms=START_MS
    )
    result = await prove(db, now_ms=NOW_MS)
    assert Unsealed(journal_lines=3, audit_rows=2) == result.unsealed
    assert result.chains_hold
    first = await db.read(lambda connection: verifier.digests(connection, "VM-1")[3])
    assert first[0] == first[1]
    await attack(db, "DELETE FROM journal WHERE version = 2")
    assert ["line 2 of machine VM-1 was removed: behind line 1 comes line 3"] == found(
        await prove(db, now_ms=NOW_MS)
    )
