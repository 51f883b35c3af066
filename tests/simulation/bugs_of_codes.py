"""Bugs about codes: each function returns a context in which one part of the product is wrong."""

from typing import Any
from unittest.mock import patch

from actors.machine import codes, events
from actors.machine.code import Code, Saying
from actors.machine.values import replace
from storage.fleet import registry


def stop_lost_behind_a_modification() -> Any:
    """The answer to one call counts for the other, which was wanted meanwhile."""
    modified = codes.modified

    def bug(draft: Any, event: events.CodeModified) -> None:
        modified(draft, event)
        code = draft.state.code
        if code.qr_payload:
            draft.update(code=replace(code, status=code.wanted))

    return patch.object(codes, "modified", bug)


def unknown_modification_is_done() -> Any:
    """A modification that was not answered counts as confirmed."""
    not_modified = codes._not_modified

    def bug(draft: Any, asked: Any, event: events.CodeFailed) -> None:
        if event.final:
            not_modified(draft, asked, event)
        else:
            codes.modified(draft, events.CodeModified(says=asked))

    return patch.object(codes, "_not_modified", bug)


def old_token_is_dropped() -> Any:
    """As soon as another token is wanted nobody is found by the earlier one."""
    return patch.object(registry, "_keep_token", lambda *_: None)


def old_code_is_left() -> Any:
    """A machine that is to have another code forgets the one that it has."""
    wished = codes.wished

    def bug(draft: Any, event: events.CodeWished) -> None:
        wished(draft, event)
        code = draft.state.code
        if code.qr_payload and event.says.store != code.saying.store:
            draft.update(code=Code(saying=Saying(wanted=event.says)))

    return patch.object(codes, "wished", bug)
