"""How many descriptors this process may have, and how many of them each door may take.

Flows in: the system's limit. Flows out: a share for each door, so that one that is crowded refuses
its own callers and takes nothing from the others, nor from SQL, Alipay and the logs.
"""

import resource
from dataclasses import dataclass

_WANTED_MAX = 1_048_576
"""No process needs more; a limit may be "infinity"."""
_OWN = 256
"""SQL, Ray, calls to Alipay, logs, what is being accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How many connections each door may hold; together with what the process itself needs they
    are no more than ``limit``.
    """

    limit: int
    http: int
    health: int
    admin: int
    console: int
    machines: int
    screens: int = 0
    enrolment: int = 0


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return what counts now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_MAX if hard == resource.RLIM_INFINITY else min(hard, _WANTED_MAX)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _WANTED_MAX if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        # The system itself allows less than it promises; what there is must do.
        return soft
    return wanted


def shared_out(
    limit: int,
    *,
    machines_wanted: int,
    pages: bool = False,
    screens: bool = False,
    enrolment: bool = False,
) -> Shares:
    """Share ``limit`` descriptors out. The money's door comes first, then those who look after it;
    machines get the rest, as many as are wanted. ``pages``: the console is on; ``screens``: files
    for them are served too; ``enrolment``: some come for their first certificate.
    """
    own = min(_OWN, limit // 4)
    http = max(1, min(1_024, limit // 4))
    health = max(1, min(64, limit // 16))
    admin = max(1, min(256, limit // 16))
    console = max(1, min(64, limit // 16)) if pages else 0
    files = max(1, min(256, limit // 16)) if screens else 0
    strangers = max(1, min(64, limit // 16)) if enrolment else 0
    rest = max(1, limit - own - http - health - admin - console - files - strangers)
    return Shares(
        limit=limit,
        http=http,
        health=health,
        admin=admin,
        console=console,
        machines=min(machines_wanted, rest),
        screens=files,
        enrolment=strangers,
    )
