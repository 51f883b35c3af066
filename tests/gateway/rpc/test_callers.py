"""Who makes the call that is answered."""

import asyncio

from gateway.rpc import callers
from gateway.rpc.callers import Caller


async def test_each_task_answers_its_own_caller() -> None:
    """Calls are answered side by side, and none is taken for another's."""

    async def answer(name: str) -> str:
        with callers.answering(Caller(proof="token", name=name)):
            await asyncio.sleep(0)
            present = callers.present()
            assert present is not None
            return present.name

    assert ["ann", "bob"] == [*await asyncio.gather(answer("ann"), answer("bob"))]
    assert callers.present() is None
