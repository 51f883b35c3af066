"""The one drain of a gateway: who may ask for it, what it says first, and how far it is."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest
from grpc_health.v1 import health_pb2
from starlette.applications import Starlette

from gateway.rpc.limits import EdgeLimits
from gateway.serving.draining import PATH, Drain, drain_route, proof
from gateway.serving.http_app import Readiness
from tests.support.edge import Edge, running_edge

SECRET = b"a salt that only tests may use"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A machine side with its drain, and a client of the page."""

    edge: Edge
    readiness: Readiness
    drain: Drain
    http: httpx.AsyncClient

    async def post(self, shown: str) -> httpx.Response:
        """Ask for the drain."""
        return await self.http.post(PATH, headers={"Authorization": f"Bearer {shown}"})


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    """A machine side whose drains give no notice."""
    async with running_edge(limits=EdgeLimits(move_notice_ms=0)) as edge:
        readiness = Readiness(checks={})
        drain = Drain(edge.service, readiness, gateway_id="g1")
        drain.listeners = (edge.listener,)
        app = Starlette(routes=[drain_route(drain, lambda: (b"another secret", SECRET))])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://health"
        ) as http:
            yield Place(edge=edge, readiness=readiness, drain=drain, http=http)
        await drain.stop()


@pytest.mark.parametrize(
    "shown", ["", "x", "\u00e4", proof(SECRET, "g2"), proof(b"another salt, of nobody here", "g1")]
)
async def test_who_has_not_the_settings_drains_nothing(place: Place, shown: str) -> None:
    """Nor who could drain another gateway, or this one before it was started again."""
    refused = await place.http.post(PATH, headers={b"authorization": f"Bearer {shown}".encode()})
    assert 403 == refused.status_code
    assert "run vendgate drain with the file" in refused.json()["error"]
    assert not (await place.http.get(PATH)).json()["draining"]
    assert not place.readiness.draining


async def test_a_drain_is_not_ready_first_and_tells_how_far_it_is(place: Place) -> None:
    """Balancers are told before machines are; who is left is told until nobody is, and what was
    drained stays so.
    """
    machine = await place.edge.welcomed()
    told = (await place.post(proof(SECRET, "g1"))).json()
    assert place.readiness.draining
    assert ("g1", True, False, 1, 0) == tuple(
        told[name] for name in ("gateway_id", "draining", "done", "streams", "selling")
    )
    assert (await machine.hear()).HasField("move_request")
    status, context = place.edge.listener.health, cast("Any", None)
    for name in ("", *place.edge.listener.services):
        answer = await status.Check(health_pb2.HealthCheckRequest(service=name), context)
        assert health_pb2.HealthCheckResponse.NOT_SERVING == answer.status
    await machine.call.done_writing()
    await place.drain.begin()
    told = (await place.post(proof(SECRET, "g1"))).json()
    assert (True, True, 0) == (told["draining"], told["done"], told["streams"])


async def test_a_drain_that_has_begun_can_be_hurried(place: Place) -> None:
    """A gateway that loses its hosts while it drains can finish no vend and waits for none."""
    machine = await place.edge.welcomed()
    first = place.drain.begin()
    assert place.drain.begin() is first
    assert (await machine.hear()).HasField("move_request")
    await place.drain.begin(within_ms=10)
    assert first.cancelled()
    assert place.drain.done
    assert 0 == place.edge.service.stats().streams
