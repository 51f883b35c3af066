"""Which machines an experiment is tried on, and which not, with why.

With a tag they are those at which its members buy: at least as many of them, within four weeks, as
the gate of all figures of payers lets through (``storage.insight.suppression``); a machine of fewer
is not told from one of none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, select

from storage.experiments.content import Channel, Content, LeftOut, Measure, State
from storage.insight import days
from storage.insight.suppression import Gate
from storage.insight.tagging import had_by_now
from storage.office import playlists
from storage.office.deeds import NotPossible, NotThere
from storage.office.selectors import check_known, machines_of
from storage.office.stays import is_at
from storage.tables import (
    experiment_units,
    experiments,
    machine_screens,
    machine_sites,
    machines,
    payer_tags,
    planogram_columns,
    sale_facts,
    sites,
    tag_rules,
    tag_runs,
)
from storage.tables.tags import UNFINISHED

MACHINES_MAX = 1_000
MEMBERS_DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The machines by their ids, each with the type of its site ('' : none), the sites of those
    that stand at one, and those that are left out.
    """

    machines: Mapping[str, str]
    sites: Mapping[str, str]
    left_out: Mapping[str, LeftOut]


def audience(connection: Connection, content: Content, gate: Gate, now_ms: int) -> Audience:
    """Return who is meant, before anybody looks at what they sold. Raises NotThere of what it
    names, NotPossible (TOO_MANY_MACHINES, NOT_EVALUATED).
    """
    check_known(connection, content.selector)
    for playlist in (content.playlist, content.control_playlist):
        if playlist:
            playlists.there(connection, playlist)
    meant: set[str] = {*connection.scalars(machines_of(content.selector, now_ms))}
    if content.tag:
        meant &= _of_tag(connection, content.tag, gate)
    if len(meant) > MACHINES_MAX:
        raise NotPossible(
            "TOO_MANY_MACHINES",
            f"these are {len(meant)} machines, and an experiment has {MACHINES_MAX} at most: "
            "choose a district, a type of site or a label",
        )
    left_out: dict[str, LeftOut] = {}
    for why, fit in _fitting(connection, content, meant):
        left_out |= {one: why for one in sorted(meant - fit) if one not in left_out}
    stand = _stand(connection, now_ms)
    nowhere = ("", "")
    return Audience(
        machines={one: stand.get(one, nowhere)[1] for one in sorted(meant - left_out.keys())},
        sites={one: site for one, (site, _) in stand.items()},
        left_out=left_out,
    )


def _fitting(
    connection: Connection, content: Content, meant: Collection[str]
) -> list[tuple[LeftOut, set[str]]]:
    """Return which machines fit, for each reason why one does not."""
    m, c = machines.c, planogram_columns.c
    found = [(LeftOut.IN_ANOTHER, set(meant) - in_another(connection))]
    if content.channel is Channel.PLAYLIST:
        screens = set(connection.scalars(select(machine_screens.c.machine_id)))
        found.append((LeftOut.NO_SCREEN, screens))
    else:
        have = select(c.machine_id).where(c.product.in_(sorted(content.tried()))).distinct()
        found.append((LeftOut.NO_SUCH_PRODUCT, set(connection.scalars(have))))
    if content.channel is Channel.PRICE or content.measure is Measure.SALES:
        same = select(m.machine_id).where(m.currency == content.currency)
        found.append((LeftOut.OTHER_CURRENCY, set(connection.scalars(same))))
    return found


def in_another(connection: Connection) -> set[str]:
    """Return the machines of the experiments that run."""
    e, u = experiments.c, experiment_units.c
    running = (
        select(u.machine_id)
        .select_from(experiment_units.join(experiments, e.experiment == u.experiment))
        .where(e.state == State.RUNNING.value, u.left_out == "")
    )
    return set(connection.scalars(running))


def _of_tag(connection: Connection, tag: str, gate: Gate) -> set[str]:
    if connection.scalar(select(tag_rules.c.tag).where(tag_rules.c.tag == tag).limit(1)) is None:
        raise NotThere("tag", tag)
    finished = select(func.max(tag_runs.c.d)).where(tag_runs.c.tag == tag, ~UNFINISHED)
    d = connection.scalar(finished)
    if d is None:
        raise NotPossible("NOT_EVALUATED", f"tag {tag} is evaluated for the first time soon: wait")
    return {
        row.machine_id
        for row in connection.execute(_buying(tag, d))
        if gate.count(row.payers) is not None
    }


def _buying(tag: str, d: int) -> Select[Any]:
    f, t = sale_facts.c, payer_tags.c
    return (
        select(f.machine_id, func.count(f.payer_id.distinct()).label("payers"))
        .select_from(payer_tags.join(sale_facts, f.payer_id == t.payer_id))
        .where(
            had_by_now(tag),
            f.payer_id != "",
            f.units > 0,
            f.d.between(days.moved(d, 1 - MEMBERS_DAYS), d),
        )
        .group_by(f.machine_id)
    )


def _stand(connection: Connection, now_ms: int) -> dict[str, tuple[str, str]]:
    """Return where machines stand: the site and its type."""
    stays = machine_sites.join(sites, sites.c.site == machine_sites.c.site)
    rows = select(machine_sites.c.machine_id, sites.c.site, sites.c.site_type).select_from(stays)
    return {
        row.machine_id: (row.site, row.site_type)
        for row in connection.execute(rows.where(is_at(now_ms)))
    }
