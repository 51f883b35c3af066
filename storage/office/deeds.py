"""One change of the back office: looked at, then made, with its audit rows and its claim in one
transaction.

Flows in: who does it, and a plan, which only reads and says what is to be written. Flows out: what
the plan promised. A change that is only checked is the same plan without the writing, so that the
two cannot differ. A claim whose change is made already makes nothing again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Executable, select

from storage.books.audit_rows import Actor, AuditRow, Outcome, write_audit_rows
from storage.database.engine import Database
from storage.fleet.answers import Claim, RequestInProgress, is_anothers, mark_done
from storage.tables import machines

Result = TypeVar("Result")
Write = tuple[Executable, Sequence[dict[str, Any]]]
"""A statement with its rows; none: it takes none."""


class OfficeRefused(Exception):
    """The change was not made. ``what`` is a noun in one word, ``name`` the one that was named."""


class NotThere(OfficeRefused):
    """There is nothing of this name."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"{what} {name}")
        self.what, self.name = what, name


class LinesRefused(OfficeRefused):
    """Lines of a file cannot be done, and none was: their places in what was wanted, from 0, each
    with what is wrong.
    """

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__(f"{len(problems)} lines")
        self.problems = problems


class AlreadyThere(OfficeRefused):
    """Something of this name is there, with other content: ``detail`` says what differs."""

    def __init__(self, what: str, name: str, detail: str) -> None:
        super().__init__(f"{what} {name}: {detail}")
        self.what, self.name, self.detail = what, name, detail


class EtagOutdated(OfficeRefused):
    """Somebody else has changed it. ``etag`` is the present one."""

    def __init__(self, what: str, name: str, etag: str) -> None:
        super().__init__(f"{what} {name}: {etag}")
        self.what, self.name, self.etag = what, name, etag


class NotPossible(OfficeRefused):
    """What is there does not allow it. ``reason`` is a constant for programs, ``sentence`` says
    what to do, ``about`` names what it is about.
    """

    def __init__(self, reason: str, sentence: str, **about: str) -> None:
        super().__init__(sentence)
        self.reason, self.sentence, self.about = reason, sentence, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who does what, and when. ``action`` is the call's name; ``claim``: its request has an id;
    ``only_check``: nothing is written. ``person`` tells two people apart; empty: the actor's name
    does. ``told_by``: what tells the person, a certificate or a token.
    """

    actor: str | Actor
    action: str
    now_ms: int
    claim: Claim | None = None
    only_check: bool = False
    person: str = ""
    told_by: str = ""

    @property
    def locks(self) -> bool:
        """Whether its plan locks what it reads, because it will be changed."""
        return not self.only_check


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What one audit row says of a deed; ``machine_id`` is empty if it is about no machine."""

    said: str
    machine_id: str = ""
    outcome: Outcome = Outcome.DONE


class NotYet(NotPossible):
    """Nothing is done before another person wants it too: ``writes`` and ``details`` say so, and
    are saved although the deed is refused. A plan whose deed is only checked never raises it.
    """

    def __init__(
        self,
        reason: str,
        sentence: str,
        *,
        writes: tuple[Write, ...] = (),
        details: tuple[Detail, ...] = (),
        **about: str,
    ) -> None:
        super().__init__(reason, sentence, **about)
        self.writes, self.details = writes, details


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedPlan(Generic[Result]):
    """What a deed comes to: ``result`` is what there is afterwards; ``writes`` make it so, in their
    order, each with its rows (none: it takes none). Without ``details`` nothing differs, and the
    audit log gets no row. ``kept`` is what the result says and what is there afterwards does not:
    ``Deed.claim`` has it if the deed is asked for again under its request's id.
    """

    result: Result
    writes: tuple[Write, ...] = ()
    details: tuple[Detail, ...] = ()
    kept: str = ""


def used_before(request_id: str) -> NotPossible:
    """Return the refusal of a request whose id named what another one made so long ago that its
    answer is not kept any more.
    """
    return NotPossible(
        "REQUEST_ID_USED",
        f"request id {request_id} was used before, and its answer is not kept any more: give this "
        "one another",
        request=request_id,
    )


def check_unused(connection: Connection, deed: Deed, key: ColumnElement[str], name: str) -> None:
    """Look whether what the deed is to make under a name that its request's id gives is not there.
    Raises NotPossible (REQUEST_ID_USED).
    """
    if deed.claim is None:
        return
    if connection.scalar(select(key).where(key == name)) is not None:
        raise used_before(deed.claim.asked.request_id)


def check_in_fleet(connection: Connection, machine_id: str) -> None:
    """Raise NotPossible (MACHINE_RETIRED) for a change of a machine that was retired."""
    c = machines.c
    retired = select(c.machine_id).where(c.machine_id == machine_id, c.retired_at_ms.is_not(None))
    if connection.scalar(retired) is not None:
        raise NotPossible(
            "MACHINE_RETIRED",
            f"machine {machine_id} was retired, which is for ever: what is left in it can be "
            "fetched, and nothing of it is changed any more",
            machine=machine_id,
        )


async def do(
    db: Database,
    deed: Deed,
    plan: Callable[[Connection], DeedPlan[Result]],
    again: Callable[[Connection], Result],
) -> Result:
    """Carry the plan out and return its result; ``again`` returns what is there if the deed's claim
    has done it already. Raises OfficeRefused as they do, RequestInProgress, StoreError.
    """
    if deed.only_check:
        return await db.read(lambda connection: plan(connection).result)

    def work(connection: Connection) -> Result | NotYet:
        if deed.claim is not None and deed.claim.done:
            return again(connection)
        try:
            planned = plan(connection)
        except NotYet as refused:
            _write(connection, deed, refused.writes, refused.details)
            return refused
        except OfficeRefused:
            # What is in its way may be what whoever has the claim by now has done.
            if deed.claim is not None and is_anothers(connection, deed.claim):
                raise RequestInProgress from None
            raise
        _write(
            connection,
            deed,
            planned.writes,
            planned.details,
            claim=deed.claim,
            kept=planned.kept,
        )
        return planned.result

    made = await db.write(work)
    if isinstance(made, NotYet):  # now that it is saved
        raise made
    return made


def _write(
    connection: Connection,
    deed: Deed,
    writes: Sequence[Write],
    details: Sequence[Detail],
    *,
    claim: Claim | None = None,
    kept: str = "",
) -> None:
    for statement, rows in writes:
        connection.execute(statement, rows or None)
    if claim is not None:
        mark_done(connection, claim, kept=kept)
    write_audit_rows(connection, [_row(deed, detail) for detail in details])


def _row(deed: Deed, detail: Detail) -> AuditRow:
    return AuditRow(
        at_ms=deed.now_ms,
        actor=deed.actor,
        action=deed.action,
        machine_id=detail.machine_id,
        detail=detail.said,
        outcome=detail.outcome,
    )
