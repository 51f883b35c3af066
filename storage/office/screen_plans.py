"""Screen plans: which machines show which playlist, on which days of the week, at which times of
their own day, and until when at all.

Flows in: plans. Flows out: plans. A plan is not changed: it is ended, and another one made.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from storage.books.audit_rows import actor_of
from storage.database.engine import Database
from storage.office import deeds, playlists
from storage.office.deeds import AlreadyThere, Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.office.selectors import Selector, check_known
from storage.tables import screen_plans

PLANS_MAX = 200
"""So many are in force at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanContent:
    """What people say of a plan. ``days``: a bit for each day of the week, Monday's is 1.
    ``from_minute`` to ``to_minute``, of the machine's own day. Where several hold, those with the
    highest ``priority`` are shown.
    """

    selector: Selector
    playlist: str
    days: int
    from_minute: int
    to_minute: int
    priority: int
    not_after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan as it is kept. ``ended_at_ms`` is None while nobody ended it."""

    plan: str
    content: PlanContent
    created_by: str
    created_at_ms: int
    ended_at_ms: int | None = None


class ScreenPlans:
    """The plans of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, plan_code: str, content: PlanContent, deed: Deed) -> PlanView:
        """Make a plan. Again with the same content: what is there. Raises AlreadyThere, NotThere of
        what it names, NotPossible (TOO_MANY_PLANS, NAME_RESERVED).
        """

        def plan(connection: Connection) -> DeedPlan[PlanView]:
            found = _found(connection, plan_code)
            if found is not None:
                if found.content != content or found.ended_at_ms is not None:
                    raise AlreadyThere("screen_plan", plan_code, _said(found))
                return DeedPlan(result=found)
            if plan_code.startswith(playlists.OF_EXPERIMENT):
                raise NotPossible(
                    "NAME_RESERVED",
                    f"names that begin with {playlists.OF_EXPERIMENT} are those of experiments' "
                    "arms: choose another",
                    screen_plan=plan_code,
                )
            in_force = _in_force(deed.now_ms).with_only_columns(func.count())
            if (connection.scalar(in_force.order_by(None)) or 0) >= PLANS_MAX:
                raise NotPossible(
                    "TOO_MANY_PLANS",
                    f"{PLANS_MAX} plans are in force, which is the most: EndScreenPlan ends one",
                )
            playlists.there(connection, content.playlist)
            check_known(connection, content.selector)
            made = PlanView(
                plan=plan_code,
                content=content,
                created_by=actor_of(deed.actor).name,
                created_at_ms=deed.now_ms,
            )
            return DeedPlan(
                result=made,
                writes=((insert(screen_plans), [row_of(made)]),),
                details=(Detail(said=f"screen plan {plan_code}: {_said(made)}"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, plan_code))

    async def end(self, plan_code: str, deed: Deed) -> PlanView:
        """Let it hold no more. Raises NotThere, NotPossible (EXPERIMENT_RUNS)."""

        def plan(connection: Connection) -> DeedPlan[PlanView]:
            before = there(connection, plan_code)
            if before.ended_at_ms is not None:
                return DeedPlan(result=before)
            if plan_code.startswith(playlists.OF_EXPERIMENT):
                raise NotPossible(
                    "EXPERIMENT_RUNS",
                    f"screen plan {plan_code} is an arm of an experiment: StopExperiment ends both",
                    screen_plan=plan_code,
                )
            after = replace(before, ended_at_ms=deed.now_ms)
            mine = update(screen_plans).where(screen_plans.c.plan == plan_code)
            return DeedPlan(
                result=after,
                writes=((mine.values(ended_at_ms=deed.now_ms), ()),),
                details=(Detail(said=f"screen plan {plan_code}: ended"),),
            )

        return await deeds.do(self._db, deed, plan, lambda connection: there(connection, plan_code))

    async def get(self, plan_code: str) -> PlanView:
        """Return a plan. Raises NotThere."""
        return await self._db.read(lambda connection: there(connection, plan_code))

    async def page(self, *, ended: bool, after: str = "", limit: int) -> list[PlanView]:
        """Return the first plans behind the code ``after``; ``ended``: those that somebody ended
        too.
        """
        rows = select(screen_plans).where(screen_plans.c.plan > after)
        if not ended:
            rows = rows.where(screen_plans.c.ended_at_ms.is_(None))
        page = rows.order_by(screen_plans.c.plan).limit(limit)
        return await self._db.read(
            lambda connection: [_view(row) for row in connection.execute(page)]
        )


def in_force(connection: Connection, now_ms: int) -> Sequence[PlanView]:
    """Return the plans that nobody ended and whose last moment is to come, in the order in which
    they count.
    """
    return [_view(row) for row in connection.execute(_in_force(now_ms))]


def there(connection: Connection, plan_code: str) -> PlanView:
    """Return a plan. Raises NotThere."""
    found = _found(connection, plan_code)
    if found is None:
        raise NotThere("screen_plan", plan_code)
    return found


def _in_force(now_ms: int) -> Any:
    c = screen_plans.c
    rows = select(screen_plans).where(c.ended_at_ms.is_(None), c.not_after_ms > now_ms)
    return rows.order_by(c.priority.desc(), c.plan)


def _found(connection: Connection, plan_code: str) -> PlanView | None:
    row = connection.execute(
        select(screen_plans).where(screen_plans.c.plan == plan_code)
    ).one_or_none()
    return None if row is None else _view(row)


def _said(view: PlanView) -> str:
    content = view.content
    return (
        f"playlist {content.playlist} for {said_selector(content.selector)}, "
        f"days {content.days:07b}, minutes {content.from_minute} to {content.to_minute}, "
        f"priority {content.priority}, not after {content.not_after_ms}"
    )


def said_selector(selector: Selector) -> str:
    """Return which machines are meant, as it is kept."""
    given = {name: value for name, value in asdict(selector).items() if value}
    return json.dumps(given, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def row_of(view: PlanView) -> dict[str, Any]:
    """Return a plan as a row."""
    content = view.content
    return {
        "plan": view.plan,
        "playlist": content.playlist,
        "days": content.days,
        "from_minute": content.from_minute,
        "to_minute": content.to_minute,
        "priority": content.priority,
        "not_after_ms": content.not_after_ms,
        "created_by": view.created_by,
        "created_at_ms": view.created_at_ms,
        "ended_at_ms": view.ended_at_ms,
        "selector": said_selector(content.selector),
    }


def _view(row: Row[Any]) -> PlanView:
    said = json.loads(row.selector)
    said["machine_ids"] = tuple(said.get("machine_ids", ()))
    return PlanView(
        plan=row.plan,
        content=PlanContent(
            selector=Selector(**said),
            playlist=row.playlist,
            days=row.days,
            from_minute=row.from_minute,
            to_minute=row.to_minute,
            priority=row.priority,
            not_after_ms=row.not_after_ms,
        ),
        created_by=row.created_by,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
    )
