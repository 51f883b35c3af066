"""How a process of our own is started: with the code that this one runs, whatever lies in the
folder where it runs, and with no more of its environment than it needs.

Flows in: a module of ours. Flows out: a process, and three pipes to it.
"""

import asyncio
import os
import site
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "LD_", "PYTHON", "GRPC_"),
    "COV",  # what tests measure
)
"""How variables begin that a process needs. Others may be settings, and hold passwords."""
_PATH = "PYTHONPATH"
_OURS = Path(__file__).parents[2]


def program(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs a module of ours. Without ``-P`` Python would take whatever file
    of a module's name lies in the folder where this one was started.
    """
    return sys.executable, "-P", "-m", module, *arguments


def importable() -> dict[str, str]:
    """Return the variable by which it finds our code, where that was not installed but found in
    such a folder.
    """
    given = os.environ.get(_PATH, "")
    installed = {*site.getsitepackages(), site.getusersitepackages()}
    if str(_OURS) in installed.union(given.split(os.pathsep)):
        return {}
    return {_PATH: os.pathsep.join(filter(None, (given, str(_OURS))))}


def environment() -> dict[str, str]:
    """Return what such a process is to know of this one's environment."""
    needed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    return needed | importable()


async def begun(command: Sequence[str], *, unless_set: Mapping[str, str] | None = None) -> Process:
    """Start it, in a session of its own: Ctrl-C is for this process. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env={**(unless_set or {}), **environment()},
        start_new_session=True,
    )
