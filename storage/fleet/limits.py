"""The limits that guard money: one person lowers them, and it takes two to raise them.

Flows in: what a machine has of its own, what is wanted, and the fleet's limits. Flows out: what
would be raised. The first person's wish is kept in a row, for these limits of this revision of the
machine; whatever else is changed meanwhile makes it void. Another person who wants the same has it
done.
"""

import json
from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from actors.machine.ids import MachineId
from actors.machine.policy import Policy, PolicyOverrides
from storage.tables import limit_proposals

GUARDS = ("doubt_review_above_minor", "write_off_second_person_above_minor")
"""Up to each of them money moves without a person, or without a second one."""


def raised(before: PolicyOverrides, after: PolicyOverrides, fleet: Policy) -> dict[str, int | None]:
    """Return the guards that would allow more than now, as they would be; None: without a bound."""
    found = {}
    for name in GUARDS:
        old = getattr(before.applied_to(fleet), name)
        new = getattr(after.applied_to(fleet), name)
        if old is not None and (new is None or new > old):
            found[name] = new
    return found


def words(limits: Mapping[str, int | None]) -> str:
    """Return limits for people to read."""
    return ", ".join(
        f"policy.{name} to {'no limit' if value is None else value}"
        for name, value in limits.items()
    )


def confirmed_by_another(
    connection: Connection,
    machine_id: MachineId,
    revision: int,
    wanted: Mapping[str, int | None],
    *,
    actor: str,
    person: str,
    now_ms: int,
) -> str | None:
    """Return who proposed the same, if that is another person; otherwise write this wish down and
    return None. A proposal is used up by being confirmed.
    """
    text = json.dumps(wanted, sort_keys=True)
    row = connection.execute(
        select(limit_proposals).where(limit_proposals.c.machine_id == machine_id)
    ).one_or_none()
    same = row is not None and (row.revision, row.limits) == (revision, text)
    if row is not None and same and row.person == person:
        return None
    connection.execute(delete(limit_proposals).where(limit_proposals.c.machine_id == machine_id))
    if row is not None and same:
        return str(row.actor)
    connection.execute(
        insert(limit_proposals).values(
            machine_id=machine_id,
            revision=revision,
            limits=text,
            actor=actor,
            person=person,
            at_ms=now_ms,
        )
    )
    return None
