"""A read-out is kept once, and compared with the one before it and with the books."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked
from storage.machines.rows import DAY_MS
from storage.office.audit_figures import Meter
from storage.office.deeds import NotPossible, NotThere
from storage.office.profiles import Profiles
from storage.office.readout_check import AlipaySays
from storage.office.readouts import READOUTS_A_DAY_MAX, Readouts
from storage.reconciliation.runs import Reconciliation
from storage.tables import audit, machine_profiles, machines, readout_differences, readouts
from tests.storage.fleet.waiting import items
from tests.storage.office.read_out import READ_AT_MS, brought, by, counted
from tests.storage.owner import START_MS, Owner
from tests.storage.reconciliation.differences import NEWER, RUN, difference


@pytest.fixture
async def owner(db: Database) -> Owner:
    """Have two machines, the first of which sold one."""
    made = await Owner.of(db, "VM-1", "VM-2")
    await made.buy("VM-1")
    return made


async def count(db: Database) -> tuple[int, int]:
    """Return how many read-outs and differences are kept."""
    wanted = [select(func.count()).select_from(one) for one in (readouts, readout_differences)]
    first, second = await db.read(lambda it: [it.scalar(one) or 0 for one in wanted])
    return first, second


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_what_agrees_is_no_work(db: Database) -> None:
    """It is kept, with its bytes, and found again."""
    (kept,) = await Readouts(db).keep([brought(b"abc", serial="SN-7")], by())
    assert ("VM-1", "SN-7", "ann", 3, 0, "") == (
        kept.machine_id,
        kept.serial,
        kept.actor,
        kept.size,
        kept.difference_count,
        kept.previous_id,
    )
    assert (None, True, 2) == (kept.span.from_ms, kept.span.compared, kept.span.columns_compared)
    found = await Readouts(db).get(kept.readout_id)
    assert (b"abc", kept.counters) == (found.content, found.counters)
    assert [] == await items(db)
    said = await db.read(lambda it: list(it.scalars(select(audit.c.detail))))
    assert f"read-out {kept.readout_id[:16]} of 3 bytes; 0 counters differ" == said[-1]


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_what_differs_is_work_until_a_person_closes_it(db: Database) -> None:
    """Each counter for itself, with what lies between both sides."""
    (kept,) = await Readouts(db).keep([brought(counters=counted(3))], by())
    assert ["DA2", "PA2*A1"] == [one.difference.counter for one in kept.differences]
    waiting = await items(db)
    assert [one.item_id for one in kept.differences] == [one.item_id for one in waiting]
    assert [("VM-1", 1_000, "HKD")] * 2 == [
        (one.machine_id, one.amount_minor, one.currency) for one in waiting
    ]
    assert waiting[0].reason.startswith("DA2: since installation the machine counted 3")


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_the_same_file_twice_is_one_readout(db: Database) -> None:
    """Also at the same moment, and whoever brings it."""
    both = await asyncio.gather(
        *(Readouts(db).keep([brought(counters=counted(3))], by(READ_AT_MS + at)) for at in (0, 1))
    )
    assert [False, True] == sorted(kept[0].again for kept in both)
    assert (1, 2) == await count(db)
    (again,) = await Readouts(db).keep([brought(read_at_ms=START_MS)], by())
    assert (True, READ_AT_MS) == (again.again, again.read_at_ms)


@pytest.mark.slow_on_postgres
async def test_a_readout_is_compared_with_the_one_before(db: Database, owner: Owner) -> None:
    """With what was sold between the two alone, in whatever order they are brought."""
    store = Readouts(db)
    (first,) = await store.keep([brought(b"1")], by())
    owner.now_ms = READ_AT_MS + 1
    await owner.buy("VM-1", 2)
    (third,) = await store.keep(
        [brought(b"3", counters=counted(2), read_at_ms=READ_AT_MS + DAY_MS)], by()
    )
    assert (first.readout_id, READ_AT_MS, 0) == (
        third.previous_id,
        third.span.from_ms,
        third.difference_count,
    )
    (second,) = await store.keep(
        [brought(b"2", counters=counted(4), read_at_ms=READ_AT_MS + DAY_MS // 2)], by()
    )
    assert (first.readout_id, 2) == (second.previous_id, second.difference_count)
    assert Meter(number=3, minor=1_500) == second.differences[0].difference.machine
    assert Meter(number=1, minor=500) == second.differences[0].difference.ours


@pytest.mark.usefixtures("owner")
async def test_a_baseline_is_what_the_next_one_is_compared_with(db: Database) -> None:
    """A machine that counted for years before it was registered here."""
    store = Readouts(db)
    (kept,) = await store.keep([brought(b"1", counters=counted(9_999), baseline=True)], by())
    assert (0, False) == (kept.difference_count, kept.span.compared)
    later = brought(b"2", counters=counted(9_999), read_at_ms=READ_AT_MS + DAY_MS)
    (after,) = await store.keep([later], by())
    assert (0, kept.readout_id) == (after.difference_count, after.previous_id)


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_wrong_bytes_are_compared_with_nothing(db: Database) -> None:
    """Neither what they say, nor what comes after with them."""
    store = Readouts(db)
    (kept,) = await store.keep([brought(b"1", counters=counted(77), damaged=True)], by())
    assert (0, False, True) == (kept.difference_count, kept.span.compared, kept.damaged)
    later = brought(b"2", read_at_ms=READ_AT_MS + DAY_MS)
    (after,) = await store.keep([later], by())
    assert ("", 0) == (after.previous_id, after.difference_count)


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_what_is_only_tried_is_shown_and_not_kept(db: Database) -> None:
    """With what would differ."""
    tried = by(only_check=True)
    (shown,) = await Readouts(db).keep([brought(counters=counted(3))], tried)
    assert [("", "DA2"), ("", "PA2*A1")] == [
        (one.item_id, one.difference.counter) for one in shown.differences
    ]
    assert (0, 0) == await count(db)


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"machine_id": ""}, "READOUT_OF_NO_MACHINE"),
        ({"machine_id": "", "serial": "SN-0"}, "READOUT_OF_NO_MACHINE"),
        ({"machine_id": "", "serial": "SN-2"}, "READOUT_OF_NO_MACHINE"),
        ({"machine_id": "VM-1", "asset": "VM-2"}, "READOUT_OF_ANOTHER_MACHINE"),
        ({"machine_id": "VM-1", "serial": "SN-3"}, "READOUT_OF_ANOTHER_MACHINE"),
    ],
)
async def test_whose_it_is_must_be_clear(
    db: Database, changes: dict[str, Any], reason: str
) -> None:
    """Two machines have the serial SN-2 by mistake, since before that was refused; one has SN-3."""
    await Owner.of(db, "VM-3", holder="h2", host="vendgate-host-1")
    for machine_id, serial in (("VM-1", "SN-1"), ("VM-2", "SN-2"), ("VM-3", "SN-3")):
        await Profiles(db).change(machine_id, {"serial": serial}, by())
    c = machine_profiles.c
    same = update(machine_profiles).where(c.machine_id == "VM-1").values(serial="SN-2")
    await db.write(lambda connection: connection.execute(same))
    with pytest.raises(NotPossible) as caught:
        await Readouts(db).keep([brought(**changes)], by())
    assert reason == caught.value.reason
    assert (0, 0) == await count(db)


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_a_serial_that_a_retired_machine_left_is_its_heirs(db: Database) -> None:
    """The same board under another id: the file is of the one that sells."""
    await Profiles(db).change("VM-1", {"serial": "SN-1"}, by())
    gone = update(machines).where(machines.c.machine_id == "VM-1").values(retired_at_ms=1)
    await db.write(lambda connection: connection.execute(gone))
    await Profiles(db).change("VM-2", {"serial": "SN-1"}, by())
    one = brought(machine_id="", asset="", serial="SN-1")
    assert ["VM-2"] == [kept.machine_id for kept in await Readouts(db).keep([one], by())]


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_a_file_says_whose_it_is(db: Database) -> None:
    """By an id of ours, wherever it stands, or by the serial of a profile."""
    await Profiles(db).change("VM-1", {"serial": "SN-1"}, by())
    named = (("VM-1", ""), ("", "VM-1"), ("", "SN-1"), ("x", "SN-1"))
    for number, (asset, serial) in enumerate(named):
        one = brought(bytes([number]), machine_id="", asset=asset, serial=serial)
        assert ["VM-1"] == [kept.machine_id for kept in await Readouts(db).keep([one], by())]
    with pytest.raises(NotThere):
        await Readouts(db).keep([brought(machine_id="VM-9")], by())


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_one_content_is_one_machines(db: Database) -> None:
    """It cannot be another's too; and one file has one read-out of each."""
    store = Readouts(db)
    await store.keep([brought()], by())
    with pytest.raises(NotPossible, match="brought already, as machine VM-1's"):
        await store.keep([brought(machine_id="VM-2")], by())
    with pytest.raises(NotPossible, match="cut it where its DXS lines are"):
        await store.keep([brought(b"2"), brought(b"3")], by())
    both = await store.keep([brought(b"2"), brought(b"3", machine_id="VM-2")], by())
    assert ["VM-1", "VM-2"] == [one.machine_id for one in both]


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_amounts_are_the_machines_own(db: Database) -> None:
    """Whatever the file says of its decimals; another currency is a finding."""
    by_hundreds = replace(
        counted(1),
        cashless=Meter(number=1, minor=50_000),
        columns={"A1": Meter(number=1, minor=50_000)},
    )
    one = brought(counters=by_hundreds, decimals=4, currency="EUR")
    (kept,) = await Readouts(db).keep([one], by())
    assert Meter(number=1, minor=500) == kept.counters.cashless
    assert ["CURRENCY"] == [each.defect for each in kept.findings]
    assert "ID403 says EUR, and the machine sells in HKD: that counts" == kept.findings[0].sentence


@pytest.mark.usefixtures("owner")
async def test_alipays_files_of_the_days_are_looked_at(db: Database) -> None:
    """Not read, all read and nothing open, or something open about this machine."""
    day = 1_768_435_200_000  # 2026-01-15 in GMT+8
    registered = update(machines).values(registered_at_ms=day)
    await db.write(lambda connection: connection.execute(registered))

    async def says(name: bytes) -> tuple[AlipaySays, int, int, int]:
        one = brought(name, counters=counted(3), read_at_ms=day + 1_000)
        (kept,) = await Readouts(db).keep([one], by(only_check=True))
        span = kept.span
        return span.alipay, span.days, span.days_read, span.alipay_differences

    assert (AlipaySays.NOT_READ, 1, 0, 0) == await says(b"1")
    await Reconciliation(db).record(RUN, [], now_ms=1)
    assert (AlipaySays.AGREES, 1, 1, 0) == await says(b"2")
    await Reconciliation(db).record(NEWER, [difference("t7")], now_ms=2)
    assert (AlipaySays.DIFFERS, 1, 1, 1) == await says(b"3")
    other = replace(NEWER, file_sha256="c" * 64)
    await Reconciliation(db).record(other, [replace(difference("t8"), machine_id="VM-2")], now_ms=3)
    assert (AlipaySays.AGREES, 1, 1, 0) == await says(b"4")


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_readouts_of_a_day_are_bounded(db: Database) -> None:
    """By machine: another one, the same content and the next day are not concerned."""
    store = Readouts(db)
    for number in range(READOUTS_A_DAY_MAX):
        await store.keep([brought(bytes([number]), baseline=True)], by())
    more = brought(b"more")
    with pytest.raises(NotPossible, match="bring this one later"):
        await store.keep([more], by(READ_AT_MS + DAY_MS - 1))
    (again,) = await store.keep([brought(bytes([0]), baseline=True)], by())
    assert again.again
    await store.keep([replace(more, machine_id="VM-2")], by())
    await store.keep([brought(b"later")], by(READ_AT_MS + DAY_MS))


@pytest.mark.usefixtures("owner")
async def test_pages_go_from_the_newest(db: Database) -> None:
    """Of one machine, or of all."""
    store = Readouts(db)
    for number in range(5):
        machine_id = f"VM-{1 + number % 2}"
        read_at_ms = READ_AT_MS + number // 2
        one = brought(bytes([number]), machine_id=machine_id, read_at_ms=read_at_ms, baseline=True)
        await store.keep([one], by())
    seen: list[str] = []
    after = None
    while page := await store.page("", after=after, limit=2):
        seen += [one.readout_id for one in page]
        after = (page[-1].read_at_ms, page[-1].readout_id)
        assert all(one.content == b"" for one in page)
    assert 5 == len(set(seen)) == len(seen)
    assert ["VM-2"] * 2 == [one.machine_id for one in await store.page("VM-2", after=None, limit=9)]


@pytest.mark.slow_on_postgres
@pytest.mark.usefixtures("owner")
async def test_a_claim_that_kept_it_already_keeps_nothing_again(db: Database) -> None:
    """Of a gateway that died before it answered."""
    asked = Asked(caller="ann", request_id="1", rpc="ImportReadout", content_sha256="x")
    claim = await Answers(db).begin(asked, machine_id="", now_ms=1, lease_ms=5)
    assert not isinstance(claim, bytes)
    (first,) = await Readouts(db).keep([brought()], by(claim=claim))
    later = await Answers(db).begin(asked, machine_id="", now_ms=10, lease_ms=5)
    assert not isinstance(later, bytes)
    assert later.done
    (again,) = await Readouts(db).keep([brought()], by(claim=later))
    assert first.readout_id == again.readout_id
    assert (1, 0) == await count(db)
