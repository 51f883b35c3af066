"""Whether the head of the Ray cluster is there: nothing else notices at first that it is away."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.links.head import ClusterHead, unreachable


async def test_something_that_listens_is_reached() -> None:
    """Whatever it is; and nothing is where it was, once it is gone."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert "" == await unreachable(address)
    assert "" == await unreachable(f"ray://{address}")
    server.close()
    await server.wait_closed()

    assert "Connect call failed" in await unreachable(address)
    assert "" == await unreachable("auto")
    assert "" != await unreachable("127.0.0.1:nowhere")


async def test_a_head_that_goes_away_and_comes_back_is_told_once_each() -> None:
    """In the log; to people who ask, for as long as it is away."""
    answers = iter(["", "refused", "refused", "", ""])

    async def why(address: str) -> str:
        return next(answers)

    head = ClusterHead("10.0.0.1:6379", why=why)
    seen = [(head.up, head.sentences())]
    with capture_logs() as lines:
        for _ in range(5):
            await head.look()
            seen.append((head.up, head.sentences()))

    assert [None, True, False, False, True, True] == [up for up, _ in seen]
    assert [0, 0, 1, 1, 0, 0] == [len(sentences) for _, sentences in seen]
    ((sentence,),) = {sentences for _, sentences in seen if sentences}
    assert "Ray's head at 10.0.0.1:6379 is away (refused): sales go on" in sentence
    assert ["Ray's head is away", "Ray's head is back"] == [line["event"] for line in lines]


async def test_one_that_ray_finds_by_itself_is_not_known() -> None:
    """No figure is better than one that is always right."""
    head = ClusterHead("auto")
    await head.look()
    assert head.up is None
    assert () == head.sentences()


async def test_it_is_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until whoever began it ends it."""
    looked = 0

    async def why(address: str) -> str:
        nonlocal looked
        looked += 1
        return ""

    monkeypatch.setattr("gateway.links.head._LOOK_EVERY_S", 0.0)
    watch = asyncio.create_task(ClusterHead("10.0.0.1:6379", why=why).run())
    async with asyncio.timeout(10):
        while looked < 3:
            await asyncio.sleep(0)
    watch.cancel()
    await asyncio.wait({watch})
    assert watch.cancelled()
