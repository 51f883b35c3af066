"""Hosts as Ray actors: placed, named, watched and restarted by Ray. The only file that imports Ray.

Flows in: settings and the dotted name of the function that builds a host's services inside its
worker. Flows out: one link per host. The actor is a thin cover of ``Host``; nothing is retried by
Ray, because the link's own protocol makes everything safe to repeat, and what owns a machine is
proved at each COMMIT, never by Ray's word.

``start_ray`` comes first in a program, in its main thread and before a gRPC server serves: Ray
forks, and the kernel ties the life of its processes to the thread that started them.

A Ray of our own is ours alone: it listens on loopback only, behind a token, in a folder that only
we may enter; its workers have the gateway's own priority, and no other program's hunger for memory
kills them. When it is lost, so is the gateway (``RayHosts.until_lost``).
"""

import asyncio
import os
import secrets
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import ray
import structlog
from ray._private import ray_constants
from ray._private import worker as ray_worker
from ray._raylet import Config  # type: ignore[attr-defined]  # compiled
from ray.exceptions import RayError

from actors import blocks
from actors.direct import DirectClient, Value
from actors.host.services import HostLimits
from actors.host_actor import HostActor, another_version
from actors.link import Delivery, Figure, HostLink, LinkBroken, ToHost
from actors.session_folder import SessionFolder, open_session

log = structlog.get_logger()

NAMESPACE = "vendgate"
EMBEDDED = "local"

_KNOBS = {
    # A host that was killed is noticed in 40 ms and back in 0.2 to 0.8 s; with Ray's defaults it
    # takes 1.4 to 1.9 s.
    "RAY_core_worker_internal_heartbeat_ms": "50",
    "RAY_timeout_ms_task_wait_for_death_info": "20",
    "RAY_task_retry_delay_ms": "0",
    # We do not read task events; they are a fifth of a call's cost.
    "RAY_task_events_report_interval_ms": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A busy gRPC server and fork handlers keep Ray from starting.
    "GRPC_ENABLE_FORK_SUPPORT": "0",
    # Hosts are the gateway's other half: at Ray's nice 15 a sale took 41 s beside other work.
    "RAY_worker_niceness": "0",
    # It would kill a host because some other program uses the memory.
    "RAY_memory_monitor_refresh_ms": "0",
    # Nobody but this computer: without it Ray turns 127.0.0.1 into the outside address, and all
    # of its servers listen on every interface.
    ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0",
}
_LOOPBACK = "127.0.0.1"
_OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""Ray's least: nothing of ours is ever put there."""
_CALLS_MAX = 256
"""Parked listens and exchanges of all gateways of one host."""
_EXCHANGE_TIMEOUT_S = 8.0
_LISTEN_TIMEOUT_S = 15.0
_FIGURES_TIMEOUT_S = 2.0
_START_TIMEOUT_S = 60.0
_LOOK_AT_RAY_EVERY_S = 1.0
_STOP_TIMEOUT_S = 10.0
"""Ray's own shutdown waits for ever for a part of it that is frozen."""
_ESSENTIAL = ("gcs_server", "raylet")
"""Ray's processes without which no host is started or found any more."""
_DISPENSABLE = ("monitor", "dashboard", "log_monitor")
"""Those that hold nothing, and need not be asked to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """``address`` is ``local`` for a Ray that this program starts and ends, else an existing
    cluster's (``auto`` or host:port).

    ``run_dir`` is the embedded Ray's place: its token, sockets and logs are in a folder for each
    start, there or among the system's temporary files, which only the owner may enter.
    ``token_path`` is an existing cluster's token file; None leaves that cluster's authentication to
    the environment (RAY_AUTH_MODE, RAY_AUTH_TOKEN_PATH).
    """

    run_dir: Path
    address: str = EMBEDDED
    token_path: Path | None = None
    cpus: int = 2
    host_cpus: float = 0.1
    hosts: int = 1


def start_ray(settings: RaySettings) -> None:
    """Start the embedded Ray, or connect to a cluster. RuntimeError: not in the main thread, or Ray
    does not come up.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "start Ray in the main thread: its processes end with the thread that started them"
        )
    if ray.is_initialized():
        raise RuntimeError("this process has a Ray already")
    embedded = settings.address == EMBEDDED
    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    if embedded:
        options |= _own(settings)
    elif settings.token_path is not None:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(settings.token_path)}
    # Ray has read the environment when it was imported; this is how it reads it again.
    Config.initialize("")
    handler = signal.getsignal(signal.SIGTERM)
    # Never without an address: a bare init joins whatever cluster it finds on this computer.
    with _deaf_to_group_signals():
        ray.init(address=settings.address, **options)
    # Ray, and the libraries it brings, put handlers of their own in place; ours, or an orderly
    # exit, comes back.
    signal.signal(signal.SIGTERM, handler if callable(handler) else _leave)
    log.info("ray started", address=settings.address, embedded=embedded)


def _own(settings: RaySettings) -> dict[str, Any]:
    """Prepare the environment of a Ray of our own; return its options for ``init``."""
    session = open_session(settings.run_dir)
    _sessions.append(session)
    os.environ |= _KNOBS | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(_token(session.path / "ray_token")),
    }
    ray_constants.ENABLE_RAY_CLUSTER = False  # it has read its variable long ago
    return {
        "_node_ip_address": _LOOPBACK,
        "_temp_dir": str(session.path / "ray"),
        "include_dashboard": False,
        "num_cpus": settings.cpus,
        "object_store_memory": _OBJECT_STORE_BYTES,
    }


_sessions: list[SessionFolder] = []
"""The folder of the Ray of this process, while there is one."""


def _socket(settings: RaySettings, host: str) -> Path | None:
    """Return where a host answers directly: in our own folder, if it lives on this computer; a
    cluster's host may live on any.
    """
    return _sessions[-1].path / f"{host}.sock" if settings.address == EMBEDDED else None


def cluster_home() -> str:
    """Return the name of this cluster, as the home of its hosts: it starts an actor of one name
    again, and knows no other cluster's. One whose head was lost for good is another one.
    """
    node: Any = ray_worker._global_node  # noqa: SLF001 - Ray tells it nowhere else
    return f"ray-{node.cluster_id.hex()[:16]}"


def stop_ray() -> None:
    """End the embedded Ray with all its processes, or leave the cluster. Within a bound, even if
    Ray hangs.
    """
    failed = bool(lost())
    if ray.is_initialized():
        _kill(*_DISPENSABLE)
        impatience = threading.Timer(_STOP_TIMEOUT_S, _kill)
        impatience.start()
        try:
            ray.shutdown(wait_for_processes=True)
        finally:
            failed = failed or impatience.finished.is_set()
            impatience.cancel()
            if failed:
                log.warning("ray did not end in order")
    while _sessions:
        session = _sessions.pop()
        session.release() if failed else session.remove()


def lost() -> str:
    """Return which process of the embedded Ray is gone that it cannot be without; empty if all
    live.
    """
    gone = [name for name, process in _processes() if process.poll() is not None]
    return ", ".join(sorted(set(gone) & set(_ESSENTIAL)))


def _processes() -> list[tuple[str, Any]]:
    """The processes of the Ray that this process started; none, in a cluster."""
    node: Any = ray_worker._global_node  # noqa: SLF001 - Ray shows its processes nowhere else
    found = {} if node is None else node.all_processes
    return [(name, info.process) for name, infos in list(found.items()) for info in infos]


def _kill(*wanted: str) -> None:
    for name, process in _processes():
        if name in wanted or not wanted:
            process.kill()


@contextmanager
def _deaf_to_group_signals() -> Iterator[None]:
    """Let Ray's processes ignore the signals that a terminal or a supervisor sends to all that
    belongs to the program; Ray does so by itself for Ctrl-C only.

    They are for the gateway, which stops its hosts in order, and last. What comes for us meanwhile
    waits.
    """
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM}
    )
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave(signum: int, _: object) -> None:
    sys.exit(128 + signum)


def _token(path: Path) -> Path:
    """Return the file of a new token; Ray's own would be world-readable in the home directory."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return path


class RayHostLink(HostLink):
    """The link to one host: through Ray, or through its socket where there is one. Whatever goes
    wrong on the way is LinkBroken: what arrived is unknown.
    """

    def __init__(self, name: str, actor: Any, direct: DirectClient | None = None) -> None:
        self.name = name
        self._actor = actor
        self._direct = direct

    async def attach(self, gateway_id: str) -> str:
        """Open the link."""
        name = await self._say(_EXCHANGE_TIMEOUT_S, "attach", gateway_id, blocks.VERSION)
        return cast("str", name)

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """Give a batch; one call, whatever it holds."""
        batch = blocks.pack_batch(messages)
        answer = await self._say(_EXCHANGE_TIMEOUT_S, "exchange", attachment, batch)
        return blocks.unpack_delivery(cast("bytes", answer))

    async def listen(self, attachment: str) -> Delivery:
        """Wait for what is ready for this gateway."""
        answer = await self._say(_LISTEN_TIMEOUT_S, "listen", attachment)
        return blocks.unpack_delivery(cast("bytes", answer))

    async def figures(self) -> list[Figure]:
        """Return what the host counted and timed."""
        # Not as the others go: an answer that does not come says nothing of the link.
        answer = (
            await self._call(_FIGURES_TIMEOUT_S, self._actor.figures.remote)
            if self._direct is None
            else await self._call(_FIGURES_TIMEOUT_S, self._direct.call, "figures")
        )
        return blocks.unpack_figures(cast("bytes", answer))

    async def _say(self, timeout_s: float, method: str, *arguments: Value) -> object:
        """Call one of the three by which a gateway and a host speak."""
        if self._direct is None:
            return await self._call(timeout_s, getattr(self._actor, method).remote, *arguments)
        call = partial(self._direct.call, anew=method == "attach")
        try:
            return await self._call(timeout_s, call, method, *arguments)
        except LinkBroken:
            self._direct.close()  # another process may be behind the socket by now
            raise

    async def _call(
        self, timeout_s: float, call: Callable[..., Awaitable[object]], *arguments: Value
    ) -> object:
        try:
            async with asyncio.timeout(timeout_s):
                return await call(*arguments)
        except TimeoutError as error:
            raise LinkBroken(f"{self.name} did not answer within {timeout_s:g} s") from error
        except LinkBroken as error:  # Ray's own kind of it has a stack trace for a text
            raise LinkBroken(
                f"{self.name}: {str(error).rsplit('LinkBroken: ', maxsplit=1)[-1].strip()}"
            ) from None
        except RayError as error:
            raise LinkBroken(f"{self.name}: {type(error).__name__}") from error


class RayHosts:
    """The named actors ``vendgate-host-<i>``, found or made. In a cluster they outlive this
    program; embedded, they end with it.
    """

    def __init__(
        self, settings: RaySettings, links: Sequence[RayHostLink], actors: Sequence[Any]
    ) -> None:
        self._settings = settings
        self._actors = actors
        self.links = tuple(links)

    @classmethod
    async def open(
        cls,
        settings: RaySettings,
        *,
        factory: str,
        factory_argument: str,
        home: str = "",
        limits: HostLimits | None = None,
    ) -> "RayHosts":
        """Make or find the hosts. ``factory`` ("package.module:function") is called with
        ``factory_argument`` and the host's name in each worker. ``home``: which place may replace
        its own dead; empty: this cluster.

        Make none before the database has agreed to their number. RuntimeError: a worker could not
        build its services, or the cluster's hosts were made by another version of the program or
        for another number of hosts.
        """
        made = ray.remote(HostActor)
        names = [f"{NAMESPACE}-host-{index}" for index in range(settings.hosts)]
        sockets = [_socket(settings, name) for name in names]
        actors = [
            made.options(
                name=name,
                namespace=NAMESPACE,
                get_if_exists=True,
                lifetime=None if settings.address == EMBEDDED else "detached",
                max_restarts=-1,
                max_task_retries=0,
                max_concurrency=_CALLS_MAX,
                num_cpus=settings.host_cpus,
            ).remote(
                name=name,
                index=index,
                host_count=settings.hosts,
                factory=factory,
                factory_argument=factory_argument,
                limits=limits,
                home=home or cluster_home(),
                socket=sockets[index],
            )
            for index, name in enumerate(names)
        ]
        hosts = cls(
            settings,
            [
                RayHostLink(name, actor, None if socket is None else DirectClient(socket))
                for name, actor, socket in zip(names, actors, sockets, strict=True)
            ],
            actors,
        )
        for name, answer in zip(names, await hosts._hello(), strict=True):
            # The first hosts told no version: 0 is older than any.
            _, host_count, version = (*answer, 0, 0)[:3]
            if version != blocks.VERSION:
                raise RuntimeError(another_version(name, host=version, gateway=blocks.VERSION))
            if host_count != settings.hosts:
                raise RuntimeError(
                    f"{name} is one of {host_count} hosts and this program wants "
                    f"{settings.hosts}: end the old hosts first"
                )
        return hosts

    async def pids(self) -> dict[str, int]:
        """Return each host's process id. RuntimeError if one does not answer."""
        return {
            link.name: answer[0]
            for link, answer in zip(self.links, await self._hello(), strict=True)
        }

    async def until_lost(self) -> str:
        """Return what was lost once a Ray of our own is: no host is started again, and none that is
        gone comes back. Of a cluster this never returns.
        """
        while not (gone := lost()):  # noqa: ASYNC110 - nobody tells when a process ends
            await asyncio.sleep(_LOOK_AT_RAY_EVERY_S)
        return gone

    async def close(self) -> None:
        """Embedded: stop the hosts in order and end them. In a cluster: leave them to the other
        gateways.
        """
        if self._settings.address == EMBEDDED:
            await self.end()

    async def end(self) -> None:
        """Stop the hosts in order and end their processes for good."""
        try:
            async with asyncio.timeout(_EXCHANGE_TIMEOUT_S):
                await asyncio.gather(
                    *(actor.stop.remote() for actor in self._actors), return_exceptions=True
                )
        except TimeoutError:
            log.warning("a host does not stop; what it has not done is owed")
        if lost():
            return  # nobody is there to be asked, and what is left ends with Ray
        for actor in self._actors:
            ray.kill(actor, no_restart=True)

    async def _hello(self) -> list[tuple[int, ...]]:
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                return list(await asyncio.gather(*(actor.hello.remote() for actor in self._actors)))
        except (TimeoutError, RayError) as error:
            raise RuntimeError(f"a host does not start: {error}") from error
