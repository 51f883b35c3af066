"""A change with a request id is done once; what stood in its way is told anew each time."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from actors.ports import StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused, host_away, not_possible
from gateway.fleet.idempotence import LEASE_MS, Requests, content_sha256
from gateway.fleet.v1 import fleet_service_pb2 as wire
from gateway.fleet.v1 import machine_pb2
from storage.fleet.answers import Answers, Asked, Claim
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site

ASKED = wire.SetStockRequest(machine_id="VM-1", column="A1", stock=7, request_id="r-1")
NEWER_FIELD = b"\xf8\x3f\x05"
"""Field 1023 is 5, which this release has no name for."""


class Work:
    """Something that is done, and how often."""

    def __init__(self) -> None:
        self.claims: list[Claim | None] = []
        self.checks: list[bool] = []
        self.fails: BaseException | None = None
        self.gate: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def do(self, act: Act) -> wire.SetStockResponse:
        """Answer with the number of the try."""
        self.claims.append(act.claim)
        self.checks.append(act.validate_only)
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return wire.SetStockResponse(machine=machine_pb2.Machine(machine_id=str(len(self.claims))))


@pytest.fixture
def requests(site: Site) -> Requests:
    """Give what a gateway has."""
    return Requests(answers=Answers(site.database), clock=site.clock)


async def _once(
    requests: Requests,
    work: Work,
    request: Any = ASKED,
    *,
    caller: str = "ann",
) -> str:
    act = Act(actor="somebody", person=caller, within_s=HANGS_AFTER_S)
    answer = await requests.once(request, wire.SetStockResponse, act, work.do)
    return answer.machine.machine_id


async def _reason(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(CallRefused) as refused:
        await call
    return refused.value.refusal.code, refused.value.refusal.reason


async def test_the_same_request_has_the_same_answer(requests: Requests) -> None:
    """Whoever heard nothing asks again, and nothing is done again; another caller's id is
    another's.
    """
    work = Work()
    assert ["1", "1", "2"] == [
        await _once(requests, work),
        await _once(requests, work),
        await _once(requests, work, caller="bob"),
    ]


async def test_without_an_id_nothing_is_kept(requests: Requests) -> None:
    """Each call is one of its own, and so is one that is only checked."""
    work = Work()
    bare = wire.SetStockRequest(machine_id="VM-1")
    checked = wire.SetStockRequest(machine_id="VM-1", request_id="r-1", validate_only=True)
    assert ["1", "2", "3", "4"] == [
        await _once(requests, work, request) for request in (bare, bare, checked, checked)
    ]
    assert [None] * 4 == work.claims
    assert [False, False, True, True] == work.checks
    assert "5" == await _once(requests, work)


@pytest.mark.parametrize(
    "request_",
    [
        wire.SetStockRequest(machine_id="VM-1", column="A1", stock=8, request_id="r-1"),
        wire.SetStockRequest(machine_id="VM-1", column="A1", request_id="r-1"),
        wire.EnableMachineRequest(machine_id="VM-1", request_id="r-1"),
    ],
)
async def test_an_id_stands_for_one_request(requests: Requests, request_: Any) -> None:
    """Another number, a number that is not there, or another call is another content."""
    work = Work()
    await _once(requests, work)
    assert (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED") == await _reason(
        _once(requests, work, request_)
    )
    assert 1 == len(work.claims)


async def test_an_id_keeps_its_rule(requests: Requests, subtests: pytest.Subtests) -> None:
    """It is refused by its name, and nothing is done."""
    work = Work()
    for request_id in ("x" * 65, "a b", "ü", "a/b", "\n"):
        with subtests.test(request_id=request_id):
            request = wire.SetStockRequest(machine_id="VM-1", request_id=request_id)
            with pytest.raises(CallRefused) as refused:
                await _once(requests, work, request)
            assert ["request_id"] == [one.field for one in refused.value.refusal.problems]
            assert [] == work.claims


async def test_two_at_once(requests: Requests, site: Site) -> None:
    """One does it; the other hears so at once, here and at another gateway; then both have one
    answer.
    """
    work, other = Work(), Requests(answers=Answers(site.database), clock=site.clock)
    work.gate = asyncio.Event()
    first = asyncio.create_task(_once(requests, work))
    await work.begun.wait()
    for gateway in (requests, other):
        assert (grpc.StatusCode.ABORTED, "REQUEST_IN_PROGRESS") == await _reason(
            _once(gateway, work)
        )
    work.gate.set()
    assert "1" == await first == await _once(other, work)


async def test_a_refusal_is_made_anew(requests: Requests) -> None:
    """What stood in the way may be gone; its id is free again, also for other content."""
    work = Work()
    work.fails = not_possible("UNKNOWN_COLUMN", "no such column")
    for _ in range(2):
        assert (grpc.StatusCode.FAILED_PRECONDITION, "UNKNOWN_COLUMN") == await _reason(
            _once(requests, work)
        )
    work.fails = None
    corrected = wire.SetStockRequest(machine_id="VM-1", column="A2", stock=7, request_id="r-1")
    assert "3" == await _once(requests, work, corrected)
    assert [False] * 3 == [claim is None or claim.resumed for claim in work.claims]


def _away() -> CallRefused:
    return host_away("VM-1", saved=False, sent=True)


@pytest.mark.parametrize(
    "fails", [_away, lambda: StoreError("gone"), lambda: RuntimeError("a defect")]
)
async def test_a_perhaps_keeps_the_id(
    requests: Requests, fails: Callable[[], BaseException]
) -> None:
    """The same request goes on with it at once and knows that it may be done; another is
    refused.
    """
    work = Work()
    work.fails = fails()
    with pytest.raises(type(work.fails)):
        await _once(requests, work)
    work.fails = None
    other = wire.SetStockRequest(machine_id="VM-1", request_id="r-1")
    assert "REQUEST_ID_REUSED" == (await _reason(_once(requests, work, other)))[1]
    assert ["2", "2"] == [await _once(requests, work), await _once(requests, work)]
    assert [False, True] == [claim is not None and claim.resumed for claim in work.claims]


async def test_a_caller_that_goes_away_leaves_a_perhaps(requests: Requests) -> None:
    """Its next call goes on, without waiting for anything to run out."""
    work = Work()
    work.gate = asyncio.Event()
    call = asyncio.create_task(_once(requests, work))
    await work.begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    work.gate.set()
    assert "2" == await _once(requests, work)
    assert work.claims[1] is not None
    assert work.claims[1].resumed


async def test_a_caller_that_goes_away_at_once_keeps_nobody_waiting(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its claim is saved, which it is all the same: whoever repeats the call goes on."""
    begin, saved, answered = Answers.begin, asyncio.Event(), asyncio.Event()

    async def slow(answers: Answers, *asked: Any, **more: Any) -> Any:
        claim = await begin(answers, *asked, **more)
        saved.set()
        await answered.wait()
        return claim

    with monkeypatch.context() as network:
        network.setattr(Answers, "begin", slow)
        gone = asyncio.create_task(_once(requests, Work()))
        await saved.wait()
        gone.cancel()
        answered.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert "1" == await _once(requests, Work())


async def _nothing(*_: object) -> None:
    """What a process does that was killed."""


async def test_a_gateway_that_died_is_gone_on_for(
    requests: Requests, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the act and its answer: until its time is over others wait, then one goes
    on.
    """
    work = Work()
    with monkeypatch.context() as killed:
        killed.setattr(Answers, "finish", _nothing)
        assert "1" == await _once(requests, work)
    assert "REQUEST_IN_PROGRESS" == (await _reason(_once(requests, work)))[1]
    site.clock.ahead_ms += LEASE_MS
    assert ["2", "2"] == [await _once(requests, work), await _once(requests, work)]


async def test_an_answer_that_cannot_be_stored_is_given(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done, and saying "perhaps" would be less than what is known."""

    async def away(*_: object, **__: object) -> None:
        raise StoreError("gone")

    work = Work()
    monkeypatch.setattr(Answers, "finish", away)
    monkeypatch.setattr(Answers, "give_up", away)
    assert "1" == await _once(requests, work)
    work.fails = not_possible("UNKNOWN_COLUMN", "no such column")
    other = wire.SetStockRequest(machine_id="VM-1", request_id="r-2")
    assert "UNKNOWN_COLUMN" == (await _reason(_once(requests, work, other)))[1]


def test_the_content_is_all_but_the_id() -> None:
    """Every other field makes it another content."""
    asked = wire.EnableMachineRequest(machine_id="VM-1", etag="1", request_id="a")
    same = wire.EnableMachineRequest(machine_id="VM-1", etag="1", request_id="b")
    other = wire.EnableMachineRequest(machine_id="VM-1", etag="2", request_id="a")
    assert content_sha256(asked) == content_sha256(same) != content_sha256(other)
    assert "a" == asked.request_id


@pytest.mark.parametrize("machine_id", ["a\0b", "x" * 100_000])
async def test_what_is_no_machines_id_is_in_no_claim(
    requests: Requests, monkeypatch: pytest.MonkeyPatch, machine_id: str
) -> None:
    """PostgreSQL takes no NUL: the caller would be told to repeat the call, for ever."""
    asked: list[str] = []
    begin = Answers.begin

    async def begins(self: Answers, *args: Any, machine_id: str, **more: Any) -> Claim | bytes:
        asked.append(machine_id)
        return await begin(self, *args, machine_id=machine_id, **more)

    monkeypatch.setattr(Answers, "begin", begins)
    request = wire.SetStockRequest(machine_id=machine_id, column="A1", request_id="r-1")
    assert "1" == await _once(requests, Work(), request)
    assert [""] == asked


async def test_what_a_newer_release_answered_is_given_whole(site: Site, requests: Requests) -> None:
    """A gateway of the release before knows the request for the same one, and leaves nothing out of
    the answer that it has no name for: while gateways are replaced one by one, either may be asked.
    """
    answered = wire.SetStockResponse(machine=machine_pb2.Machine(machine_id="7"))
    kept = answered.SerializeToString() + NEWER_FIELD
    asked = wire.SetStockRequest.FromString(ASKED.SerializeToString() + NEWER_FIELD)
    digest = hashlib.sha256(
        wire.SetStockRequest(machine_id="VM-1", column="A1", stock=7).SerializeToString()
        + NEWER_FIELD
    )
    begun = Asked(caller="ann", request_id="r-1", rpc="SetStock", content_sha256=digest.hexdigest())
    claim = await Answers(site.database).begin(begun, now_ms=0, lease_ms=LEASE_MS)
    assert isinstance(claim, Claim)
    await Answers(site.database).finish(claim, kept)
    work = Work()
    act = Act(actor="somebody", person="ann", within_s=HANGS_AFTER_S)
    answer = await requests.once(asked, wire.SetStockResponse, act, work.do)
    assert (kept, []) == (answer.SerializeToString(), work.claims)
