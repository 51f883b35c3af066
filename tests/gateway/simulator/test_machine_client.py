"""The reference machine against a real gRPC server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.simulator.board import CutPoint
from gateway.simulator.happenings import (
    Denied,
    Greeted,
    Happening,
    PowerLost,
    SessionBegan,
    VendEnded,
)
from gateway.simulator.machine_client import MachineClient
from gateway.simulator.memory import CommandLine
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.scripted import ScriptedGateway, ScriptedStream, refusing
from tests.support.patience import HANGS_AFTER_S, until

Make = Callable[..., MachineClient]


@contextlib.asynccontextmanager
async def running(client: MachineClient) -> AsyncIterator[MachineClient]:
    """Let a machine live for as long as the test looks at it."""
    life = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        client.stop()
        async with asyncio.timeout(HANGS_AFTER_S):
            await life


async def approve(stream: ScriptedStream, vend_id: str = "v1") -> None:
    """Answer the machine's next request."""
    request = (await stream.read_kind("vend_request")).vend_request
    await stream.write(
        vend_approved=pb.VendApproved(
            vend_id=vend_id,
            request_id=request.request_id,
            column=request.column,
            amount_minor=request.price_minor,
            valid_for_ms=30_000,
        )
    )


async def ready(gateway: ScriptedGateway, client: MachineClient, **welcome: Any) -> ScriptedStream:
    """Welcome the machine and wait until it can sell."""
    stream = await gateway.stream()
    await stream.welcome(**welcome)
    await until(lambda: client.machine is not None and bool(client.machine.columns))
    return stream


async def test_a_vend_over_the_wire(gateway: ScriptedGateway, make_client: Make) -> None:
    """Hello, Welcome, request, approval, result: with one turn and one drop on the shelf."""
    async with running(make_client()) as client:
        stream = await ready(gateway, client)
        with client.watch() as watch:
            client.select("A1")
            await approve(stream)
            result = await stream.read_kind("vend_success")
            await stream.write(ack=result.seq)

            assert isinstance(await watch.until(VendEnded, within_s=HANGS_AFTER_S), VendEnded)
        assert (
            pb.Evidence(motor=pb.MOTOR_EVIDENCE_RAN, drop=pb.DROP_EVIDENCE_SEEN)
            == result.vend_success.evidence
        )
        assert (
            1,
            1,
            49,
        ) == (client.shelf.turns["v1"], client.shelf.drops["v1"], client.shelf.stock["A1"])
        assert "https://qr.example/VM-0001" == client.sticker


async def test_unacknowledged_frames_are_sent_again(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """After a lost stream: the same boot, and all frames above last_seq, in order."""
    async with running(make_client()) as client:
        stream = await ready(gateway, client)
        first = await stream.read()
        client.cash("A1")
        client.cash("A2")
        await stream.read()
        stream.end(grpc.StatusCode.UNAVAILABLE, "gateway gone")
        again = await gateway.stream()
        hello = await again.welcome(last_seq=first.seq)

        assert [(2, "A1"), (3, "A2")] == [
            (frame.seq, frame.cash_sale.column)
            for frame in [await again.read(), await again.read()]
        ]
        assert hello.boot_id == client.machine.boot_id if client.machine is not None else False


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.OK,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
    ],
)
async def test_a_machine_comes_back(
    gateway: ScriptedGateway, make_client: Make, code: grpc.StatusCode
) -> None:
    """Whatever may pass ends in a new stream."""
    async with running(make_client()) as client:
        stream = await gateway.stream()
        await stream.welcome()
        stream.end(code, "why")
        await (await gateway.stream()).welcome()
        await until(lambda: client.welcomes == 2)


async def test_a_refused_machine_stops_after_long_waits(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """NOT_FOUND after NOT_FOUND: in the end the machine stops and says why."""
    client = make_client()
    async with (
        refusing(gateway, grpc.StatusCode.NOT_FOUND, "unknown machine"),
        asyncio.timeout(HANGS_AFTER_S),
    ):
        await client.run()

    assert client.refusal is not None
    assert (
        grpc.StatusCode.NOT_FOUND,
        "unknown machine",
    ) == (client.refusal.code, client.refusal.detail)
    client.power_on()
    assert client.machine is None


async def test_no_gateway_at_all(tmp_path: Path, make_client: Make) -> None:
    """Without a server the machine keeps trying, and can be stopped."""
    async with running(make_client(gateway="127.0.0.1:1")) as client:
        await until(lambda: client.screen.show == "NO_CONNECTION")


async def test_a_gateway_that_does_not_answer_hello(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """Without Welcome in time the machine hangs up and tries again."""
    async with running(make_client(welcome_within_ms=30)):
        await (await gateway.stream()).read()
        await (await gateway.stream()).read()


async def test_a_dead_stream_is_given_up(gateway: ScriptedGateway, make_client: Make) -> None:
    """Heartbeats without any answer end in a new stream. Whether a beat is read before that is the
    computer's affair; how many there are is told in virtual time (``test_connection``).
    """
    async with running(make_client()):
        await (await gateway.stream()).welcome(heartbeat_interval_ms=10)
        await (await gateway.stream()).welcome()


@pytest.mark.parametrize("point", list(CutPoint))
async def test_power_fails_at_every_point_of_a_vend(
    gateway: ScriptedGateway, make_client: Make, point: CutPoint
) -> None:
    """After the cut a new boot says honestly what the journal knows, and the motor never turns a
    second time.
    """
    async with running(make_client()) as client:
        stream = await ready(gateway, client)
        with client.watch() as watch:
            client.cut_power_at(point)
            client.select("A1")
            if point is not CutPoint.ASKED:
                await approve(stream)
            assert isinstance(await watch.until(PowerLost, within_s=HANGS_AFTER_S), PowerLost)
        assert "DARK" == client.screen.show
        turns, drops = client.shelf.turns["v1"], client.shelf.drops["v1"]
        boots = client.boots
        client.power_on()
        again = await gateway.stream()
        hello = await again.welcome()
        stages = [
            pb.JournalStage.Name(entry.stage).removeprefix("JOURNAL_STAGE_")
            for entry in hello.journal_tail
        ]
        approved = pb.VendApproved(
            vend_id="v1", request_id="b1-r1", column="A1", amount_minor=500, valid_for_ms=30_000
        )
        await again.write(vend_approved=approved)
        await again.write(
            begin_session=pb.BeginSession(session_id="s1", funds_minor=1, expires_in_ms=1_000)
        )
        await until(lambda: client.machine is not None and client.machine.session is not None)

        assert boots + 1 == client.boots
        expected = {
            "ASKED": [],
            "APPROVED": [],
            "RESULT": ["SUCCEEDED"],
            "SAID": ["SUCCEEDED"],
            "DROPPED": ["MOTOR_ON"],
        }
        assert stages == expected.get(point, [point.value])
        assert (turns, drops) == (
            (1, 1) if point in {CutPoint.DROPPED, CutPoint.RESULT, CutPoint.SAID} else (0, 0)
        )
        assert (client.shelf.turns["v1"], client.shelf.drops["v1"]) == (turns, drops)


async def test_a_machine_moves_to_the_new_stream_before_it_leaves_the_old(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """On MoveRequest a second stream is opened; the first ends once the second is welcome, and
    nothing is lost in between.
    """
    async with running(make_client()) as client:
        old = await ready(gateway, client)
        await old.write(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=1))
        new = await gateway.stream()
        hello = (await new.read()).hello
        await old.write(
            begin_session=pb.BeginSession(session_id="s1", funds_minor=700, expires_in_ms=60_000)
        )
        await until(lambda: client.machine is not None and client.machine.session is not None)
        session = pb.ResumedSession(session_id="s1", funds_minor=700)
        await new.write(
            welcome=pb.Welcome(
                last_seq=hello.last_acked_seq, in_service=True, mode=pb.MODE_BOTH, session=session
            )
        )
        await until(lambda: client.welcomes == 2)
        client.select("A1")
        request = await new.read_kind("vend_request")

        assert "A1" == request.vend_request.column
        assert client.machine is not None
        assert client.machine.session is not None
        assert [] == await old.rest()


async def test_a_move_that_fails_is_tried_again_while_the_old_stream_stands(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """A gateway that refuses the new stream costs nothing: the old one goes on."""
    async with running(make_client()) as client:
        old = await ready(gateway, client)
        await old.write(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=1))
        refused = await gateway.stream()
        await refused.read()
        refused.end(grpc.StatusCode.UNAVAILABLE, "draining")
        second = await gateway.stream()
        client.cash("A1")
        assert "A1" == (await old.read_kind("cash_sale")).cash_sale.column
        await second.welcome(last_seq=2)
        await until(lambda: client.welcomes == 2)
        old.end()
        client.cash("A2")
        assert 3 == (await second.read_kind("cash_sale")).seq


async def test_an_old_stream_that_ends_during_the_move(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """The machine goes on with the new one."""
    async with running(make_client()) as client:
        old = await ready(gateway, client)
        await old.write(move_request=pb.MoveRequest(not_before_ms=0, not_after_ms=1))
        new = await gateway.stream()
        old.end(grpc.StatusCode.ABORTED, "SUPERSEDED")
        await until(lambda: client.machine is not None and not client.machine.online)
        await new.welcome()
        await until(lambda: client.free)


async def test_a_pulled_cable(gateway: ScriptedGateway, make_client: Make) -> None:
    """Without a network nothing can be chosen; cash goes on and is told later."""
    async with running(make_client()) as client:
        stream = await ready(gateway, client)
        await stream.read()
        client.unplug()
        await until(lambda: client.machine is not None and not client.machine.online)
        assert client.cash("A1")
        client.plug()
        again = await gateway.stream()
        await again.welcome(last_seq=1)

        assert 500 == (await again.read()).cash_sale.price_minor


async def test_a_boot_id_that_the_backend_has_met_before(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """The firmware restarts under a new one."""
    async with running(make_client()) as client:
        stream = await gateway.stream()
        first = (await stream.read()).hello
        await stream.write(welcome=pb.Welcome(last_seq=99))
        second = await (await gateway.stream()).welcome()
        await until(lambda: client.free)

        assert first.boot_id != second.boot_id


async def test_a_superseded_boot_restarts_when_no_motor_is_tried(make_client: Make) -> None:
    """A test vend is no customer's, and its motor turns all the same."""
    client = make_client()
    client.power_on()
    assert client.machine is not None
    before = client.machine
    before.orders.testing = CommandLine(command_id="c1", kind="test_vend", boot_id=before.boot_id)
    client._begin_again()
    assert client.machine is before
    before.orders.testing = None
    client._begin_again()

    assert client.machine is not before
    client._end()


async def test_the_machine_gives_up_on_a_silent_backend(
    gateway: ScriptedGateway, make_client: Make
) -> None:
    """A request without an answer is cancelled after the response time, on the machine's own
    clock.
    """
    clock = [1_000.0]
    client = make_client()
    client._clock = lambda: clock[0]
    seen: list[Happening] = []
    async with running(client):
        stream = await ready(gateway, client, heartbeat_interval_ms=0)
        with client.watch() as watch:
            client.select("A1")
            request = (await stream.read_kind("vend_request")).vend_request
            clock[0] += 41
            client._tick()
            assert (
                await stream.read_kind("vend_cancel")
            ).vend_cancel.request_id == request.request_id
            await stream.write(
                vend_denied=pb.VendDenied(
                    request_id=request.request_id, reason=pb.VEND_DENIED_REASON_CANCELLED
                )
            )
            denied = await watch.until(Denied, within_s=HANGS_AFTER_S)
            seen += [denied] if denied is not None else []
    assert seen


async def test_a_broken_disk_stops_the_machine(
    gateway: ScriptedGateway, make_client: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that cannot write does not turn a motor: it stops, loudly."""
    client = make_client()
    life = asyncio.create_task(client.run())
    stream = await ready(gateway, client)
    assert client._journal is not None

    def full(line: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(client._journal, "append", full)
    client.select("A1")
    await approve(stream)
    with pytest.raises(OSError, match="No space"):
        async with asyncio.timeout(HANGS_AFTER_S):
            await life
    assert 0 == client.shelf.turns["v1"]


async def test_a_session_is_seen_by_who_looks(gateway: ScriptedGateway, make_client: Make) -> None:
    """Happenings reach every watch, in order."""
    async with running(make_client()) as client:
        with client.watch() as watch:
            stream = await ready(gateway, client)
            await stream.write(
                begin_session=pb.BeginSession(
                    session_id="s1", funds_minor=700, expires_in_ms=60_000
                )
            )
            assert isinstance(await watch.until(Greeted, within_s=HANGS_AFTER_S), Greeted)
            assert isinstance(await watch.until(SessionBegan, within_s=HANGS_AFTER_S), SessionBegan)
