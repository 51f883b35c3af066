"""What administrators decide about the machine."""

from collections.abc import Sequence

from actors.machine import alarms, codes, commands, events, stock, vending
from actors.machine.draft import Draft
from actors.machine.state import AlarmKind, Column, Planogram
from actors.machine.values import replace

_NAMED_MAX = 3
"""An alarm names the goods of at most so many columns."""


def change(draft: Draft, event: events.ConfigurationChanged) -> None:
    """The registry holds another configuration."""
    before, after = draft.state.configuration, event.configuration
    if after.revision <= before.revision:
        draft.note(f"configuration {after.revision} is not newer than {before.revision}")
        return
    if event.columns is not None and after.planogram_version != before.planogram_version:
        known = draft.state.next_planogram
        if known is None or known.version != after.planogram_version:
            wanted = Planogram(
                version=after.planogram_version,
                columns=event.columns,
                goods_may_be_removed=event.goods_may_be_removed,
            )
            if known is not None:
                stock.leave_out(draft, known.columns, wanted.columns)
                _no_longer(draft, known, f"planogram {wanted.version} was set in its place")
            draft.update(next_planogram=wanted)
    if draft.state.next_planogram is not None:
        after = replace(after, planogram_version=before.planogram_version)
    draft.update(configuration=after)
    put_in_force(draft)
    if (waiting := draft.state.next_planogram) is not None and draft.state.session is not None:
        draft.note(f"planogram {waiting.version} waits for the end of the session")
    codes.configured(draft)
    if (before.enabled, before.mode) != (after.enabled, after.mode):
        draft.tell(commands.service(draft.state))
    if (before.locked or ()) != (after.locked or ()):
        if draft.state.configuration.planogram_version == before.planogram_version:
            draft.tell(commands.planogram(draft.state))
        vending.stop_locked(draft)
    if not after.enabled:
        vending.out_of_service(draft)


def put_in_force(draft: Draft, *, tell: bool = True) -> None:
    """Let the planogram that waits be the machine's, unless somebody is in a session: they pay what
    they saw. Or goods are in its way of which nobody said that they may be removed: then the
    machine goes on selling them as it did, until they are sold or taken out, or somebody agrees.
    Without ``tell`` the machine hears of it otherwise.
    """
    waiting = draft.state.next_planogram
    if waiting is None or draft.state.session is not None:
        return
    gone = stock.without_place(draft.state.columns, waiting.columns)
    if gone and not waiting.goods_may_be_removed:
        _keep_back(draft, waiting, gone)
        return
    stock.plan(draft, waiting.columns)
    configuration = replace(draft.state.configuration, planogram_version=waiting.version)
    draft.update(configuration=configuration, next_planogram=None)
    _no_longer(draft, waiting, "it is in force")
    if tell:
        draft.tell(commands.planogram(draft.state))


def _keep_back(draft: Draft, waiting: Planogram, gone: Sequence[Column]) -> None:
    """Let the planogram wait for the goods that have no place in it, and tell a person once."""
    if waiting.kept_back:
        return
    draft.update(next_planogram=replace(waiting, kept_back=True))
    named = [f"{one.stock} {one.product} of {one.column}" for one in gone[:_NAMED_MAX]]
    more = f" and of {len(gone) - _NAMED_MAX} more columns" if len(gone) > _NAMED_MAX else ""
    alarms.ring(
        draft,
        AlarmKind.GOODS_WITHOUT_PLACE,
        f"planogram {waiting.version} waits: {', '.join(named)}{more} have no place in it, and "
        f"nobody said that they may be removed; the machine sells on with planogram "
        f"{draft.state.configuration.planogram_version}",
    )


def _no_longer(draft: Draft, waited: Planogram, why: str) -> None:
    """Say in the alarm of a planogram that goods kept back that it does not wait any more."""
    if waited.kept_back:
        detail = f"planogram {waited.version} does not wait for goods any more: {why}"
        alarms.tell_more(draft, AlarmKind.GOODS_WITHOUT_PLACE, "", detail)
