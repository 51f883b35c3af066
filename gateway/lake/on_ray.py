"""Where cubes are made: in this process, or on the Ray of the settings."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from gateway.links.hosts import ray_settings
from gateway.process.settings import Settings
from storage.lake import cubes
from storage.lake.cubes import CubeMade, CubeTask, Runner
from storage.lake.duck import LakeError


@contextmanager
def on_ray_of(settings: Settings | None) -> Iterator[Runner]:
    """Give what makes cubes; of None, here. Raises LakeError if there is no Ray to be had."""
    if settings is None:
        yield cubes.here
        return
    if settings.ray.mode == "none":
        raise LakeError(
            'ray.mode is "none": set it to local or cluster, or do it without --ray, in this '
            "process."
        )
    # Late, because it imports Ray, which takes a second and a hundred megabytes.
    from actors.ray_jobs import TasksFailed, done_on_ray
    from actors.ray_node import start_ray, stop_ray

    async def run(tasks: Sequence[CubeTask]) -> AsyncIterator[CubeMade]:
        try:
            async for one in done_on_ray(cubes.make_cube, tasks):
                yield one
        except TasksFailed as error:
            raise LakeError(f"{error}") from error

    try:
        start_ray(ray_settings(settings, hosts=1))
    except (RuntimeError, ConnectionError) as error:
        raise LakeError(f"Ray cannot be used: {error}") from error
    try:
        yield run
    finally:
        stop_ray()
