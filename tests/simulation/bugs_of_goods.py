"""Bugs about goods that people move; ``planted`` tells in a sentence what each of them means."""

import itertools
from typing import Any
from unittest.mock import patch

from actors.machine import stock
from actors.machine.goods import GoodsKind
from gateway.fleet.act import Act
from gateway.office.goods_calls import GoodsCalls
from storage.office import reversals
from storage.office.goods import Goods


def counted_against_now() -> Any:
    """The difference is that to the present stock."""
    believed = Goods.believed

    async def bug(self: Goods, machine_id: str, column: str, product: str, _: int) -> int:
        return await believed(self, machine_id, column, product, 0)

    return patch.object(Goods, "believed", bug)


def sales_are_found() -> Any:
    """What was sold comes out of nowhere, and stays in the stock."""
    take = stock._take

    def bug(
        draft: Any, name: str, product: str, kind: Any, end: str, cause: str = "", **about: Any
    ) -> None:
        column = "nowhere" if kind is GoodsKind.SOLD else name
        take(draft, column, product, kind, end, cause, **about)

    return patch.object(stock, "_take", bug)


def named_anew() -> Any:
    """Whoever asks again asks for something else."""
    numbers = itertools.count()
    return patch.object(Act, "cause", lambda *_: f"{next(numbers):032x}")


def refused_and_kept() -> Any:
    """What the actor refused stays on its way."""
    done = GoodsCalls._done

    async def bug(self: Any, machine_id: str, event: Any, act: Any, *_: Any) -> Any:
        return await done(self, machine_id, event, act, None)

    return patch.object(GoodsCalls, "_done", bug)


def reversed_twice() -> Any:
    """Each request takes the move back by an act of its own, whether or not it was taken back."""
    numbers = itertools.count()
    return patch.multiple(
        reversals,
        _reversal=lambda *_: None,
        _attempt=lambda _, found: f"reverse:{found.move.id}/{next(numbers)}",
    )
