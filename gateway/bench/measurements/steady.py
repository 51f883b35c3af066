"""How long answers take while customers come at a given rate, whatever became of those before."""

from collections.abc import Mapping, Sequence

from gateway.bench.load import Load, Span
from gateway.bench.machine import LoadMachine


async def steady(
    load: Load,
    machines: Sequence[LoadMachine],
    *,
    rate: float,
    pids: Mapping[str, Sequence[int]],
    warm_s: float,
    seconds: float,
) -> Span:
    """Let ``rate`` customers a second come to these machines of a connected load. Raises
    LoadFailed.
    """
    return await load.steady(machines, rate=rate, warm_s=warm_s, seconds=seconds, pids=pids)
