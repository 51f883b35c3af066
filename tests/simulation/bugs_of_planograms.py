"""Bugs about applied planograms; ``planted`` tells in a sentence what each of them means."""

import itertools
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import msgspec

from actors.machine import configuring, goods, stock
from actors.machine.goods import GoodsKind
from gateway.office import application_lines
from gateway.office.application_lines import ApplicationLines
from storage.fleet import heard
from storage.office.imports import LineState
from storage.office.templates import read
from tests.simulation import bugs


def lines_are_named_anew() -> Any:
    """A line that is carried out again is another act."""
    numbers = itertools.count()

    def anew(_: Any, of: Any) -> str:
        return f"{of.import_id}.{next(numbers)}"

    return patch.object(application_lines, "request_id", anew)


def lines_are_done_unread() -> Any:
    """A line counts as done before anybody has looked at it."""

    async def bug(_: ApplicationLines, line: Any, __: Any) -> Any:
        return replace(line, state=LineState.DONE, said="")

    return patch.object(ApplicationLines, "carry_out", bug)


def columns_are_emptied() -> Any:
    """What is in a column that stays as it is leaves the books with each new planogram."""
    plan = stock.plan

    def bug(draft: Any, planned: Any) -> None:
        plan(draft, planned)
        removed = goods.removed_place(draft.state.machine_id)
        for column in draft.state.columns:
            if column.stock:
                stock._put(draft, msgspec.structs.replace(column, stock=0))
                stock._carry(draft, GoodsKind.UNLOADED, column, -column.stock, removed)

    return patch.object(stock, "plan", bug)


def template_is_read_again() -> Any:
    """A line gets the template as it is by the time that it is carried out."""
    carry_out = ApplicationLines.carry_out

    async def bug(self: ApplicationLines, line: Any, of: Any) -> Any:
        now = await self.templates.get(read(of.about).template)
        return await carry_out(self, line, replace(of, about=now.kept()))

    return patch.object(ApplicationLines, "carry_out", bug)


def nobody_need_agree() -> Any:
    """A planogram removes the goods that have no place in it, whatever was said of it: neither the
    registry nor the actor asks.
    """
    put_in_force = configuring.put_in_force

    def bug(draft: Any, **how: Any) -> None:
        if (waiting := draft.state.next_planogram) is not None:
            agreed = msgspec.structs.replace(waiting, goods_may_be_removed=True)
            draft.update(next_planogram=agreed)
        put_in_force(draft, **how)

    return bugs.both(
        patch.object(configuring, "put_in_force", bug),
        patch.object(heard, "_gone", lambda *_: ()),
    )
