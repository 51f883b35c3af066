"""Pars: how many of a product shall be in each column of a machine after a refill.

Flows in: pars, column by column. Flows out: all that a machine has, under one etag. A par is of the
product that the planogram had when it was set: if the column gets another one, it says nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Executable, insert, select, update

from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, EtagOutdated, NotPossible, NotThere
from storage.tables import column_pars, machines, planogram_columns

Check = Callable[[Connection], None]
"""Refuses a change, within its transaction, by raising."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParView:
    """How many of the product shall be in a column."""

    column: str
    product: str
    par: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsView:
    """The pars of a machine in the order of its columns' names, and the etag of all of them."""

    machine_id: str
    pars: Sequence[ParView]
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Par:
    column: str
    product: str
    par: int
    revision: int


class Pars:
    """The pars of an installation. Raises StoreError when the database does not answer, and
    RequestInProgress with a deed.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, machine_id: str) -> ParsView:
        """Return a machine's pars. Raises NotThere."""

        def work(connection: Connection) -> ParsView:
            _machine(connection, machine_id, lock=False)
            return _shown(machine_id, _pars(connection, machine_id))

        return await self._db.read(work)

    async def of_some(self, machine_ids: Sequence[str]) -> Mapping[str, Sequence[ParView]]:
        """Return the pars of those of these machines that have some."""

        def work(connection: Connection) -> Mapping[str, Sequence[ParView]]:
            c = column_pars.c
            wanted = select(*c["machine_id", "column", "product", "par"])
            found: dict[str, list[ParView]] = {}
            for row in connection.execute(
                wanted.where(c.machine_id.in_(machine_ids), c.par > 0).order_by(c.column)
            ):
                one = ParView(column=row.column, product=row.product, par=row.par)
                found.setdefault(row.machine_id, []).append(one)
            return found

        return await self._db.read(work)

    async def set(
        self,
        machine_id: str,
        wanted: Mapping[str, int],
        deed: Deed,
        *,
        etag: str = "",
        check: Check | None = None,
    ) -> ParsView:
        """Set the pars of some columns; 0 takes one away. ``check`` may refuse it in its
        transaction. Raises NotThere, EtagOutdated or NotPossible (PAR_DOES_NOT_FIT,
        MACHINE_RETIRED).
        """

        def plan(connection: Connection) -> DeedPlan[ParsView]:
            # Two who set pars of one machine wait for each other here.
            _machine(connection, machine_id, lock=deed.locks)
            deeds.check_in_fleet(connection, machine_id)
            if check is not None:
                check(connection)
            before = _pars(connection, machine_id)
            there = _shown(machine_id, before)
            if etag and etag != there.etag:
                raise EtagOutdated("pars", machine_id, there.etag)
            products = _products(connection, machine_id, wanted, before)
            changed = [
                _Par(
                    column=name,
                    product=products[name],
                    par=par,
                    revision=before[name].revision + 1 if name in before else 1,
                )
                for name, par in sorted(wanted.items())
                if name not in before
                or (before[name].product, before[name].par) != (products[name], par)
            ]
            said = ", ".join(f"{one.column} {one.par} {one.product}" for one in changed)
            return DeedPlan(
                result=_shown(machine_id, before | {one.column: one for one in changed}),
                writes=tuple(
                    (_written(machine_id, one, new=one.column not in before), ()) for one in changed
                ),
                details=(Detail(said=f"pars: {said}", machine_id=machine_id),) if changed else (),
            )

        def again(connection: Connection) -> ParsView:
            return _shown(machine_id, _pars(connection, machine_id))

        return await deeds.do(self._db, deed, plan, again)


def _machine(connection: Connection, machine_id: str, *, lock: bool) -> None:
    known = select(machines.c.machine_id).where(machines.c.machine_id == machine_id)
    # The weaker lock: no commit of the machine's journal waits for it.
    if connection.scalar(known.with_for_update(key_share=True) if lock else known) is None:
        raise NotThere("machine", machine_id)


def _pars(connection: Connection, machine_id: str) -> dict[str, _Par]:
    c = column_pars.c
    wanted = select(c.column, c.product, c.par, c.revision).where(c.machine_id == machine_id)
    return {row.column: _Par(**row._asdict()) for row in connection.execute(wanted)}


def _products(
    connection: Connection, machine_id: str, wanted: Mapping[str, int], before: Mapping[str, _Par]
) -> dict[str, str]:
    """Return what the planogram's columns hold, and what that held which is gone and whose par is
    to be taken away. Raises NotThere for another column, or NotPossible.
    """
    c = planogram_columns.c
    rows = connection.execute(
        select(c.column, c.product, c.capacity).where(c.machine_id == machine_id)
    )
    planned = {row.column: row for row in rows}
    products = {name: row.product for name, row in planned.items()}
    for name, par in wanted.items():
        if name not in planned:
            if par or name not in before:
                raise NotThere("column", f"{machine_id}/{name}")
            products[name] = before[name].product
        elif par > planned[name].capacity:
            raise NotPossible(
                "PAR_DOES_NOT_FIT",
                f"column {name} of machine {machine_id} has room for {planned[name].capacity}, and "
                f"a par of {par} is more: set a smaller one, or SetPlanogram if it has more room",
                machine=machine_id,
                column=name,
            )
    return products


def _written(machine_id: str, par: _Par, *, new: bool) -> Executable:
    c = column_pars.c
    values = {"product": par.product, "par": par.par, "revision": par.revision}
    if new:
        return insert(column_pars).values(machine_id=machine_id, column=par.column, **values)
    mine = (c.machine_id == machine_id, c.column == par.column)
    return update(column_pars).where(*mine).values(**values)


def _shown(machine_id: str, pars: Mapping[str, _Par]) -> ParsView:
    return ParsView(
        machine_id=machine_id,
        pars=[
            ParView(column=name, product=one.product, par=one.par)
            for name, one in sorted(pars.items())
            if one.par
        ],
        # Rows are never deleted, so that each change makes the sum greater.
        etag=etag_of(sum(one.revision for one in pars.values())),
    )
