"""What administrators decide about the machine."""

from actors.machine import codes, commands, events, stock, vending
from actors.machine.draft import Draft
from actors.machine.state import Planogram
from actors.machine.values import replace


def change(draft: Draft, event: events.ConfigurationChanged) -> None:
    """The registry holds another configuration."""
    before, after = draft.state.configuration, event.configuration
    if after.revision <= before.revision:
        draft.note(f"configuration {after.revision} is not newer than {before.revision}")
        return
    if event.columns is not None and after.planogram_version != before.planogram_version:
        wanted = Planogram(version=after.planogram_version, columns=event.columns)
        draft.update(next_planogram=wanted)
    if draft.state.next_planogram is not None:
        after = replace(after, planogram_version=before.planogram_version)
    draft.update(configuration=after)
    put_in_force(draft)
    if (waiting := draft.state.next_planogram) is not None:
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
    they saw. Without ``tell`` the machine hears of it otherwise.
    """
    waiting = draft.state.next_planogram
    if waiting is None or draft.state.session is not None:
        return
    stock.plan(draft, waiting.columns)
    configuration = replace(draft.state.configuration, planogram_version=waiting.version)
    draft.update(configuration=configuration, next_planogram=None)
    if tell:
        draft.tell(commands.planogram(draft.state))
