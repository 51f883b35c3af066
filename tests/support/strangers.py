"""Those who do harm at the doors, in a process of their own: ``python -m tests.support.strangers
KIND --port N --count N --seconds N --machine ID``.

* ``silent``: TCP connections that say nothing, opened again when they are closed.
* ``heads``: HTTP requests whose heads never end.
* ``http2``: HTTP/2 connections without a call.
* ``hellos``: streams of machines that nobody registered.
* ``hostile``: one registered machine that says faults, repeats, cash sales and nonsense as quickly
  as it may, and connects anew whenever it is hung up on.

What was tried is printed as a line of JSON at the end.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import time
from collections import Counter
from typing import Any

import grpc.aio

from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest
from gateway.v1.machine_service_pb2_grpc import MachineServiceStub

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
HEAD = b"POST /alipay/notify/x HTTP/1.1\r\nHost: x\r\nX-Slow: "
AGAIN_S = 2.0
FROM = "127.0.0.2"
"""Another address than that of the honest, as in life."""
tried: Counter[str] = Counter()


async def hold(port: int, says: bytes, drips: bytes, until: float) -> None:
    """Hold one connection, and open it anew when it is closed."""
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(FROM, 0))
        except OSError:
            tried["not_opened"] += 1
            await asyncio.sleep(AGAIN_S)
            continue
        tried["opened"] += 1
        writer.write(says)
        with contextlib.suppress(OSError):
            await asyncio.gather(_drain(reader, until), _drip(reader, writer, drips, until))
        writer.close()
        await asyncio.sleep(AGAIN_S)


async def _drain(reader: asyncio.StreamReader, until: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, until - time.monotonic())):
            await reader.read()


async def _drip(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drips: bytes, until: float
) -> None:
    while drips and time.monotonic() < until and not (reader.at_eof() or writer.is_closing()):
        writer.write(drips)
        await asyncio.sleep(1)


async def hello(stub: Any, machine_id: str) -> None:
    """Say one Hello and read how it ends."""
    call = stub.Connect()
    try:
        await call.write(ConnectRequest(hello=wire.Hello(machine_id=machine_id, boot_id="b1")))
        await call.read()
        tried[(await call.code()).name] += 1
    except grpc.aio.AioRpcError as error:
        tried[error.code().name] += 1
    except asyncio.InvalidStateError:
        tried["FAILED"] += 1


async def hellos(port: int, count: int, until: float) -> None:
    """Say Hello as many machines, some hundred at a time."""
    names = iter([f"stranger-{number}" for number in range(count)])

    async def one_line() -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            stub = MachineServiceStub(channel)
            for name in names:
                if time.monotonic() > until:
                    return
                await hello(stub, name)

    await asyncio.gather(*(one_line() for _ in range(100)))


async def hostile(port: int, machine_id: str, until: float) -> None:
    """Be one machine that says as much as it can, in every way that writes."""
    dice = random.Random(machine_id)
    while time.monotonic() < until:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            call = MachineServiceStub(channel).Connect()
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await _rave(call, machine_id, dice, until)
            call.cancel()
        tried["streams"] += 1
        await asyncio.sleep(0.05)


async def _rave(call: Any, machine_id: str, dice: random.Random, until: float) -> None:
    boot = f"b{dice.getrandbits(48):x}"
    hello = wire.Hello(machine_id=machine_id, boot_id=boot, journal_tail=_journal(dice))
    await call.write(ConnectRequest(hello=hello))
    reading = asyncio.create_task(_read(call))
    seq, kinds = 0, ("fault", "flap", "repeat", "cash", "reader", "ahead", "want")
    ends = min(until, time.monotonic() + dice.choice((0.2, 5, 20)))
    kind = dice.choice(kinds)
    try:
        while time.monotonic() < ends and not reading.done():
            if dice.random() < 0.02:
                kind = dice.choice(kinds)
            if kind not in {"repeat", "ahead"} or seq == 0:
                seq += 1
            await call.write(_frame(kind, seq, boot))
            tried[kind] += 1
            await asyncio.sleep(0.021)  # just below the rate at which it would be hung up on
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _read(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        tried["answers"] += 1


def _journal(dice: random.Random) -> list[wire.JournalEntry]:
    """As many lines as a Hello may have, of vends that nobody knows, in words that nobody has."""
    return [
        wire.JournalEntry(
            vend_id=f"{dice.getrandbits(128):x}" * dice.choice((1, 2, 3)),
            stage=dice.randrange(12),  # type: ignore[arg-type]  # some of a newer firmware
            cause=dice.randrange(99),  # type: ignore[arg-type]
        )
        for _ in range(dice.choice((0, 32)))
    ]


def _frame(kind: str, seq: int, boot: str) -> ConnectRequest:
    match kind:
        case "flap":
            # A fault of one of ever new columns, and that it is over.
            fault = wire.Fault(code=f"F{seq // 2}", column=f"C{seq // 2}", cleared=seq % 2 == 0)
            return ConnectRequest(seq=seq, ack=2**40, fault=fault)
        case "cash":
            return ConnectRequest(seq=seq, cash_sale=wire.CashSale(column="A1", price_minor=850))
        case "reader":
            return ConnectRequest(seq=seq, reader_enable=wire.ReaderEnable())
        case "want":
            wish = wire.VendRequest(
                request_id=f"{boot}-{seq}", column="ZZ", price_minor=1, planogram_version=1
            )
            return ConnectRequest(seq=seq, vend_request=wish)
        case "ahead":
            return ConnectRequest(seq=seq + 1_000, reader_enable=wire.ReaderEnable())
        case _:
            return ConnectRequest(seq=seq, fault=wire.Fault(code="EJB", detail="x" * 200))


async def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["silent", "heads", "http2", "hellos", "hostile"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--machine", default="")
    asked = parser.parse_args()
    os.nice(19)  # in life they are other computers, whose work is not ours
    until = time.monotonic() + asked.seconds
    says, drips = {"http2": (PREFACE, b""), "heads": (HEAD, b"x")}.get(asked.kind, (b"", b""))
    if asked.kind == "hellos":
        await hellos(asked.port, asked.count, until)
    elif asked.kind == "hostile":
        await hostile(asked.port, asked.machine, until)
    else:
        await asyncio.gather(*(hold(asked.port, says, drips, until) for _ in range(asked.count)))
    print(json.dumps(tried))


if __name__ == "__main__":
    asyncio.run(main())
