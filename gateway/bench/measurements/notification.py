"""From a customer who pays at Alipay to the machine that hears of it: through the signed
notification.
"""

import asyncio
from collections.abc import Sequence

from gateway.bench.load import Load, LoadFailed
from gateway.bench.machine import LoadMachine, now_s
from gateway.bench.site import BenchSite
from gateway.v1.machine_service_pb2 import ConnectResponse

_TIMEOUT_S = 30.0


async def notification(site: BenchSite, load: Load, machines: Sequence[LoadMachine]) -> list[float]:
    """Pay at each machine, one after the other; return the seconds from the button at the pretend
    Alipay to BeginSession. The machines must be connected, and free. Raises LoadFailed,
    ChildFailed.
    """
    times = []
    for machine in machines:
        began: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def heard(
            who: LoadMachine,
            _frame: ConnectResponse,
            at: float,
            machine: LoadMachine = machine,
            began: "asyncio.Future[float]" = began,
        ) -> None:
            if who is machine and not began.done():
                began.set_result(at)

        load.ears.hooks["begin_session"] = heard
        pressed_at = now_s()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await site.pay(machine.machine_id)
                times.append(await began - pressed_at)
        except TimeoutError:
            raise LoadFailed(
                f"{machine.machine_id} did not hear of its payment within {_TIMEOUT_S:g} s"
            ) from None
        finally:
            del load.ears.hooks["begin_session"]
    return times
