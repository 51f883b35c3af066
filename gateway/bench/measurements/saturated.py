"""How many vends a second, and what each costs, when every machine sells again as soon as it has
sold.
"""

from collections.abc import Mapping, Sequence

from gateway.bench.load import Load, LoadFailed, Span


async def saturated(
    address: str,
    machine_ids: Sequence[str],
    *,
    pids: Mapping[str, Sequence[int]],
    warm_s: float,
    seconds: float,
) -> Span:
    """Connect the machines, let them sell for ``seconds``, hang up. Raises LoadFailed."""
    async with Load.of(address, machine_ids) as load:
        came = await load.connect(load.machines)
        if came.refused:
            raise LoadFailed(f"{came.refused} of {came.machines} machines were not welcomed")
        return await load.saturate(load.machines, warm_s=warm_s, seconds=seconds, pids=pids)
