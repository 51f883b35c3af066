"""Watches: how many of whom, how often they ask, and what one follows."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import grpc.aio
import pytest

from gateway.fleet import watch
from gateway.fleet.errors import CallRefused
from gateway.fleet.v1 import event_service_pb2
from gateway.fleet.watch import WATCHES_MAX, WATCHES_PER_CALLER_MAX, Watches
from storage.fleet.queries import Queries
from tests.alipay_client.wire import Pair
from tests.support.fleet_calls import registered
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import a_site


def test_one_caller_takes_his_own_and_no_more() -> None:
    """Who has as many as one may have is refused, and another one is not; what ends makes room."""
    watches = Watches()
    with ExitStack() as held:
        for _ in range(WATCHES_PER_CALLER_MAX):
            held.enter_context(watches.one_more("ann"))
        with pytest.raises(CallRefused), watches.one_more("ann"):
            pass
        with watches.one_more("bob"):
            pass
    with watches.one_more("ann"):
        pass


def test_all_callers_together_take_so_many() -> None:
    """However many names somebody has, there is an end; and together they ask no more often."""
    watches = Watches()
    assert watch.POLL_S == watches.poll_s
    with ExitStack() as held:
        for number in range(WATCHES_MAX):
            held.enter_context(watches.one_more(f"caller {number}"))
        with pytest.raises(CallRefused), watches.one_more("one more"):
            pass
        assert WATCHES_MAX / watches.poll_s <= watch.READS_PER_S
    assert watch.POLL_S == watches.poll_s


async def test_a_caller_with_too_many_watches_is_told(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """The watch too many ends with RESOURCE_EXHAUSTED, another person's goes on, and one that was
    given up makes room.
    """
    async with a_site(tmp_path, upgraded_file, pair) as site:
        await registered(site)

        def watched(name: str) -> grpc.aio.UnaryStreamCall[object, object]:
            call: grpc.aio.UnaryStreamCall[object, object] = site.events.WatchEvents(
                event_service_pb2.WatchEventsRequest(machine_id="VM-1", after_token="0"),
                metadata=(("x-actor", name),),
            )
            return call

        calls = [watched("ann") for _ in range(WATCHES_PER_CALLER_MAX)]
        for call in calls:
            assert grpc.aio.EOF is not await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await watched("Ann").read()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is refused.value.code()
        other = watched("bob")
        assert grpc.aio.EOF is not await other.read()
        calls.pop().cancel()
        async with asyncio.timeout(HANGS_AFTER_S):
            while True:
                try:
                    assert grpc.aio.EOF is not await watched("ann").read()
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)


class HangingWriter:
    """A journal whose newest line stands behind one that somebody has not committed."""

    async def last_position(self) -> int:
        """The newest line."""
        return 9

    async def settled_position(self) -> int:
        """Nothing can be told."""
        return 0


@pytest.mark.parametrize("token", ["0", "8", "9"])
async def test_a_watch_goes_on_behind_its_token(token: str) -> None:
    """One that an event has."""
    queries = cast("Queries", HangingWriter())
    assert int(token) == await watch.start_position(queries, token, asyncio.Event())


async def test_a_token_that_no_event_has_is_refused() -> None:
    """The books were restored: its reader would miss what comes up to there, and hear nothing."""
    queries = cast("Queries", HangingWriter())
    with pytest.raises(CallRefused, match="end at 9") as refused:
        await watch.start_position(queries, "10", asyncio.Event())
    assert "TOKEN_AHEAD" == refused.value.refusal.reason


async def test_a_watch_that_waits_for_a_hanging_writer_ends_with_the_gateway() -> None:
    """Before it has a position too: a drain does not wait for somebody's open transaction."""
    stopping = asyncio.Event()
    queries = cast("Queries", HangingWriter())
    beginning = asyncio.create_task(watch.start_position(queries, "", stopping))
    await asyncio.sleep(0)
    assert not beginning.done()
    stopping.set()
    async with asyncio.timeout(HANGS_AFTER_S):
        await beginning
