"""The Ray that this process is in: our own, which it starts and ends, or a cluster that is there.

Flows in: settings. Flows out: nothing but a process that is connected, or a RuntimeError.
``start_ray`` comes first in a program, in its main thread and before a gRPC server serves: Ray
forks, and the kernel ties the life of its processes to the thread that started them.

A Ray of our own is ours alone: it listens on loopback only, behind a token, in a folder that only
we may enter; its workers have the gateway's own priority, and no other program's hunger for memory
kills them.
"""

import atexit
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import structlog
from ray._private import ray_constants
from ray._private import worker as ray_worker
from ray._raylet import Config  # type: ignore[attr-defined]  # compiled

from actors import ray_knobs
from actors.folder_users import end_writers_of
from actors.session_folder import SessionFolder, open_session

log = structlog.get_logger()

NAMESPACE = "vendgate"
EMBEDDED = "local"

_KNOBS = ray_knobs.OWN | {
    # Nobody but this computer: without it Ray turns 127.0.0.1 into the outside address, and all
    # of its servers listen on every interface.
    ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0",
}
_LOOPBACK = "127.0.0.1"
_OBJECT_STORE_BYTES = 80 * 1024 * 1024
"""Ray's least: nothing of ours is ever put there."""
_STOP_TIMEOUT_S = 10.0
"""Ray's own shutdown waits for ever for a part of it that is frozen."""
_LEFT_TIMEOUT_S = 5.0
"""Who was killed is gone at once, unless the kernel itself is waiting for something."""
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
    node_ip: str = ""
    """Of a cluster of which several nodes are on this computer: the address of the one to speak
    through. Empty: Ray finds one.
    """
    cpus: int = 2
    host_cpus: float = 0.1
    hosts: int = 1
    spares: bool = False
    """Of a cluster: whether each place has a second host, which waits for the end of the first."""


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
    else:
        # What somebody has set stays: the nodes were started with it, perhaps.
        os.environ |= ray_knobs.CLUSTER | dict(os.environ)
        if settings.token_path is not None:
            os.environ |= {
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(settings.token_path),
            }
        if settings.node_ip:
            options["_node_ip_address"] = settings.node_ip
    # Ray has read the environment when it was imported; this is how it reads it again.
    Config.initialize("")
    handler = signal.getsignal(signal.SIGTERM)
    # Never without an address: a bare init joins whatever cluster it finds on this computer.
    try:
        with _deaf_to_group_signals():
            ray.init(address=settings.address, **options)
    except Exception as error:  # Ray raises no class of its own when it does not come up in time
        raise RuntimeError(str(error)) from error
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
_left: list[str] = []
"""What a lost Ray has left in this process."""


def socket_of(settings: RaySettings, host: str) -> Path | None:
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
    if failed:
        # Ray's own shutdown would ask what is gone for leave, wait a minute for the answer and
        # then end this process.
        atexit.unregister(ray_worker.shutdown)
        _kill()
        _left.append("ray")
    elif ray.is_initialized():
        _kill(*_DISPENSABLE)
        impatience = threading.Timer(_STOP_TIMEOUT_S, _kill)
        impatience.start()
        try:
            ray.shutdown(wait_for_processes=True)
        finally:
            failed = impatience.finished.is_set()
            impatience.cancel()
            if failed:
                log.warning("ray did not end in order")
    while _sessions:
        session = _sessions.pop()
        # Its agents look for their parent once a minute; by then they belong to nobody.
        if left := end_writers_of(session.path, within_s=_LEFT_TIMEOUT_S):
            log.warning("processes of ray are left", pids=left)
        session.release() if failed else session.remove()


def is_left() -> bool:
    """Return whether a lost Ray was left as it was: threads of its own are still in this process,
    which must end without the interpreter's clearing up (``os._exit``), or it crashes.
    """
    return bool(_left)


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
