"""Proves what is told of sales: up to the follower's position it is what the ledger says, to the
cent, machine by machine; each has the offer of its vend; and the sums are what the facts add up to.
Reads only, in one snapshot.

Lines that the archive has taken are not in the ledger any more. What they moved follows from the
balances, which stay; a machine whose archived months were never followed has no facts of them, and
that is told and is no fault.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    String,
    Table,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    true,
)

from actors.machine.ledger import Account
from storage.auditing.reading import credited, is_here, total, touches
from storage.database.engine import Database
from storage.insight import lease
from storage.insight.facts import FactKind
from storage.insight.follower import NAME
from storage.insight.proving_time import wrong_times
from storage.insight.rollups import ScopeKind
from storage.tables import (
    balances,
    journal,
    offer_days,
    sale_facts,
    sales_days,
    sales_hours,
    scope_days,
    scope_hours,
    scope_offers,
    starts,
    transfers,
    vends,
)

FINDINGS_MAX = 100
"""So many of each kind are told."""
Money = dict[tuple[str, str], int]
"""By machine and currency, in minor units."""
_SALES = Account.SALES
fact = sale_facts.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found at ``position``. ``told`` is what facts and ledger agree on, by currency;
    ``untold`` what was archived before anybody followed. ``facts`` were looked at.
    """

    position: int
    complete_until_ms: int
    making_again: bool
    facts: int
    told: dict[str, int]
    untold: dict[str, int]
    findings: tuple[str, ...]


async def prove_facts(db: Database) -> Proof:
    """Prove what is told of sales. Raises StoreError."""
    return await db.read(prove_within)


def prove_within(connection: Connection) -> Proof:
    """Prove it, in the snapshot of this connection."""
    standing = lease.read_standing(connection, NAME)
    told = _by_machine(connection, _facts_of(is_here(fact.machine_id, fact.version)))
    by_ledger = of_ledger(connection, standing.position)
    untold: Money = {}
    findings = [
        *_differences("the ledger", by_ledger, told),
        *_archived(connection, untold),
        *_beyond(connection, standing.position),
        *_wrong_offers(connection),
        *_wrong_sums(connection),
        *wrong_times(connection, standing),
    ]
    return Proof(
        position=standing.position,
        complete_until_ms=standing.at_ms,
        making_again=standing.making_again,
        facts=connection.scalar(select(func.count()).select_from(sale_facts)) or 0,
        told=_by_currency(_by_machine(connection, _facts_of())),
        untold=_by_currency(untold),
        findings=tuple(findings),
    )


def of_ledger(connection: Connection, position: int) -> Money:
    """Return what SALES got up to a position, of the lines that the archive has not taken."""
    return _by_machine(connection, _ledger_up_to(position))


def _facts_of(*which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(fact.machine_id, fact.currency, total(fact.sales_minor).label("minor"))
        .where(*which)
        .group_by(fact.machine_id, fact.currency)
    )


def _ledger_up_to(position: int) -> Select[Any]:
    c = transfers.c
    its_line = and_(journal.c.machine_id == c.machine_id, journal.c.version == c.version)
    return (
        select(c.machine_id, c.currency, total(credited(_SALES)).label("minor"))
        .select_from(transfers.join(journal, its_line))
        .where(
            touches(_SALES),
            journal.c.id <= position,
            is_here(journal.c.machine_id, journal.c.version),
        )
        .group_by(c.machine_id, c.currency)
    )


def _by_machine(connection: Connection, wanted: Select[Any]) -> Money:
    return {(row.machine_id, row.currency): row.minor for row in connection.execute(wanted)}


def _by_currency(money: Money) -> dict[str, int]:
    sums: dict[str, int] = {}
    for (_, currency), minor in sorted(money.items(), key=lambda one: one[0][1]):
        sums[currency] = sums.get(currency, 0) + minor
    return {currency: minor for currency, minor in sums.items() if minor}


def _differences(whose: str, said: Money, told: Money) -> Iterator[str]:
    wrong = [
        key for key in sorted(said.keys() | told.keys()) if said.get(key, 0) != told.get(key, 0)
    ]
    for machine_id, currency in wrong[:FINDINGS_MAX]:
        key = (machine_id, currency)
        yield (
            f"machine {machine_id} has sold for {said.get(key, 0)} {currency} minor units by "
            f"{whose}, and for {told.get(key, 0)} by its facts"
        )


def _archived(connection: Connection, untold: Money) -> Iterator[str]:
    """Yield machines whose facts of archived lines are not what those lines moved; note in
    ``untold`` those that have none.
    """
    c = balances.c
    begun = select(starts.c.machine_id).where(starts.c.machine_id != "")
    ever = (
        select(c.machine_id, c.currency, total(c.credit_minor - c.debit_minor).label("minor"))
        .where(c.account == _SALES.value, c.machine_id.in_(begun))
        .group_by(c.machine_id, c.currency)
    )
    t = transfers.c
    here = (
        select(t.machine_id, t.currency, total(credited(_SALES)).label("minor"))
        .where(touches(_SALES), t.machine_id.in_(begun), is_here(t.machine_id, t.version))
        .group_by(t.machine_id, t.currency)
    )
    behind = _by_machine(connection, here)
    gone = {key: minor - behind.get(key, 0) for key, minor in _by_machine(connection, ever).items()}
    told = _by_machine(connection, _facts_of(~is_here(fact.machine_id, fact.version)))
    untold |= {key: minor for key, minor in gone.items() if minor and key not in told}
    said = {key: minor for key, minor in gone.items() if key not in untold}
    yield from _differences("its archived lines", said, told)


def _beyond(connection: Connection, position: int) -> Iterator[str]:
    ahead = select(func.count()).select_from(sale_facts).where(fact.position > position)
    if count := connection.scalar(ahead):
        yield f"{count} facts are of lines behind the follower's position {position}"


def _wrong_offers(connection: Connection) -> Iterator[str]:
    """Yield facts that have another offer than their vend. Of a program that did not know offers
    nothing is said.
    """
    expected = case((fact.kind == FactKind.WRITE_OFF.value, ""), else_=vends.c.offer)
    wrong = (
        select(fact.machine_id, fact.version, fact.line, fact.offer, expected.label("expected"))
        .join_from(sale_facts, vends, vends.c.vend_id == fact.vend_id)
        .where(fact.offer != expected)
        .order_by(fact.machine_id, fact.version, fact.line)
        .limit(FINDINGS_MAX)
    )
    for row in connection.execute(wrong):
        yield (
            f"fact {row.machine_id} {row.version} {row.line} has the offer {row.offer!r}, and its "
            f"vend has {row.expected!r}"
        )


_OF_DAY = {
    "units": total(fact.units),
    "sales_minor": total(fact.sales_minor),
    "discount_minor": total(fact.discount_minor),
    "given_back_minor": total(
        case((fact.kind == FactKind.GOODWILL.value, -fact.sales_minor), else_=0)
    ),
    "written_off_minor": total(
        case((fact.kind == FactKind.WRITE_OFF.value, fact.sales_minor), else_=0)
    ),
}
_OF_HOUR = {name: _OF_DAY[name] for name in ("units", "sales_minor")}
_OF_OFFER = {name: _OF_DAY[name] for name in ("units", "sales_minor", "discount_minor")}
_WITH_OFFER = fact.offer != ""
"""Which is not true of null."""
_SCOPE_NAMES = {
    ScopeKind.FLEET: literal("", String),
    ScopeKind.DISTRICT: fact.district,
    ScopeKind.SITE_TYPE: fact.site_type,
}


def _wrong_sums(connection: Connection) -> Iterator[str]:
    """Yield rows of sums that are not what their facts add up to."""
    for table, values, of in (
        (sales_days, _OF_DAY, true()),
        (sales_hours, _OF_HOUR, true()),
        (offer_days, _OF_OFFER, _WITH_OFFER),
    ):
        yield from _wrong_rows(
            connection, table, select(table), {"machine_id": fact.machine_id}, values, of
        )
    for table, values, of in (
        (scope_days, _OF_DAY, true()),
        (scope_hours, _OF_HOUR, true()),
        (scope_offers, _OF_OFFER, _WITH_OFFER),
    ):
        for kind, name in _SCOPE_NAMES.items():
            rows = select(table).where(table.c.scope == kind.value)
            of_scope: dict[str, ColumnElement[Any]] = {
                "scope": literal(kind.value, String),
                "name": name,
            }
            yield from _wrong_rows(connection, table, rows, of_scope, values, of)


def _wrong_rows(
    connection: Connection,
    table: Table,
    rows: Select[Any],
    whose: dict[str, ColumnElement[Any]],
    values: dict[str, ColumnElement[int]],
    of: ColumnElement[bool],
) -> Iterator[str]:
    """Yield the rows of a table that are not what the facts that it is ``of`` add up to."""
    keys = [column.name for column in table.primary_key]
    made_of = {name: whose[name] if name in whose else fact[name] for name in keys}
    added = (
        select(
            *(column.label(name) for name, column in made_of.items()),
            *(value.label(name) for name, value in values.items()),
        )
        .where(of)
        .group_by(*(made_of[name] for name in keys if isinstance(made_of[name], Column)))
        .subquery("added")
    )
    kept = rows.subquery("kept")
    for one, other in ((kept, added), (added, kept)):
        for row in connection.execute(_differing(one, other, keys, list(values))):
            named = " ".join(str(getattr(row, name)) for name in keys)
            told = ", ".join(
                f"{name} {getattr(row, f'of_{one.name}_{name}')} ({one.name}) for "
                f"{getattr(row, f'of_{other.name}_{name}')} ({other.name})"
                for name in values
            )
            yield f"{table.name} {named}: {told}"


def _differing(
    one: FromClause, other: FromClause, keys: Sequence[str], values: Sequence[str]
) -> Select[Any]:
    pairs = {name: [func.coalesce(side.c[name], 0) for side in (one, other)] for name in values}
    sides = [getattr(side, "name", "") for side in (one, other)]
    return (
        select(
            *(one.c[name] for name in keys),
            *(
                cast(value, BigInteger).label(f"of_{side}_{name}")
                for name, pair in pairs.items()
                for side, value in zip(sides, pair, strict=True)
            ),
        )
        .select_from(one.outerjoin(other, and_(*(one.c[name] == other.c[name] for name in keys))))
        .where(or_(*(pair[0] != pair[1] for pair in pairs.values())))
        .limit(FINDINGS_MAX)
    )
