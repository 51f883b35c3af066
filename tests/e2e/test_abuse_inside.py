"""Insiders at the doors of a real gateway with mTLS, each with a good proof of who they are: a
machine in each of its ways, and a person of each role who calls what they may, as fast as they can,
and what they may not.

The short one is in the suite, and says nothing about time. The long ones (``make abuse``) measure
as those with strangers do: nobody honest waits half a second longer, the disk holds what the bounds
say, and ``ListOffenders`` names the insider.
"""

import asyncio
import datetime as dt
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.demo import stage
from gateway.demo.identities import OWNER
from gateway.office.v1.denial_service_pb2 import ListOffendersRequest
from gateway.office.v1.denial_service_pb2_grpc import DenialServiceStub
from gateway.trust import authority_files
from gateway.trust.authority import Profile
from gateway.trust.shares import CHANGE_COSTS, LOOKS_BURST, LOOKS_PER_S
from tests.e2e.honest import (
    HONEST,
    HOSTILE,
    SECONDS,
    SHARE,
    SLOWER_MAX_S,
    business,
    honest,
    on_disk,
    tenth,
    words,
)
from tests.support import insiders
from tests.support.patience import HANGS_AFTER_S
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3_600)]

FLEET = stage.machine_names(102)[2:]
"""So many more machines, for pages that are full."""
UNNAMED = frozenset({"headers"})
"""Whom gRPC turns away before it says who they are, at the price of a connection."""
CHANGE_BYTES = 6_000
"""What one change of a person may take on the disk, its row of the audit log with it."""
KINDS = (*insiders.MACHINES, *insiders.PEOPLE)
IN_SHORT = ("hellos", "openings", "headers", "viewer", "owner")


@asynccontextmanager
async def a_system(folder: Path, fleet: Sequence[str] = ()) -> AsyncIterator[System]:
    """One with mTLS, a person of each role, both machines' certificates, and more in the fleet."""
    roles = {f"{role}-insider": role for role in insiders.PEOPLE}
    tables: dict[str, dict[str, object]] = {
        "limits": {**stage.LIMITS, "journal_bytes_per_day": SHARE},
        "admin.roles": {**roles, OWNER: "owner"},
    }
    system = System(folder, ray=False, machines=0, seed=1, tls=True, tables=tables)
    identities = system.identities
    assert identities is not None
    now = dt.datetime.now(dt.UTC)
    for profile, names in (
        (Profile.MACHINE, (HONEST, HOSTILE)),
        (Profile.ADMINISTRATOR, tuple(roles)),
    ):
        issuer = authority_files.issuer_of(identities.folder, profile)
        for name in names:
            authority_files.issue(
                issuer, identities.folder, profile=profile, name=name, days=2, now=now
            )
    async with system:
        async with system.administrator() as channel:
            for first in range(0, len(fleet), 20):
                await stage.register(channel, fleet[first : first + 20])
        yield system


def name_of(kind: str) -> str:
    """Who it is, as its certificate has it."""
    return HOSTILE if kind in insiders.MACHINES else f"{kind}-insider"


@asynccontextmanager
async def an_insider(
    system: System, kind: str, *, seconds: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Let one loose while the block lasts."""
    assert system.identities is not None
    is_machine = kind in insiders.MACHINES
    port = system.ports.machines if is_machine else system.ports.admin
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.insiders", kind if is_machine else "person"),
        # A person does their worst to another machine: with their role they may stop any.
        *(
            "--port",
            str(port),
            "--name",
            name_of(kind),
            "--other",
            HONEST if is_machine else HOSTILE,
        ),
        *("--folder", str(system.identities.folder), "--seconds", str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def offenders(system: System) -> set[str]:
    """Whom the gateway names."""
    async with system.administrator() as channel:
        calls: Any = DenialServiceStub(channel)
        told = await calls.ListOffenders(ListOffendersRequest(), timeout=HANGS_AFTER_S)
    return {one.name for one in told.offenders}


async def test_everybody_is_served_beside_insiders(tmp_path: Path) -> None:
    """With a few insiders at once, of either kind, a machine's frames are saved, payments reach its
    screen, the money goes back, and an operator gets an answer; then the books are clean.
    """
    async with a_system(tmp_path) as system, honest(system) as one:
        async with asyncio.TaskGroup() as tasks:
            over = asyncio.Event()

            async def beside(kind: str) -> None:
                async with an_insider(system, kind, seconds=HANGS_AFTER_S):
                    await over.wait()

            for kind in IN_SHORT:
                tasks.create_task(beside(kind))
            await business(one, rounds=5)
            over.set()
        await system.at_rest()


@pytest.mark.abuse
@pytest.mark.parametrize("kind", KINDS)
async def test_honest_ones_hardly_notice_an_insider(tmp_path: Path, kind: str) -> None:
    """Nine of ten frames, payments and looks of an operator take at most half a second longer than
    before, the disk grows by what the bounds allow, and whoever it was is named.
    """
    fleet = () if kind in insiders.MACHINES else FLEET
    async with a_system(tmp_path, fleet) as system, honest(system) as one:
        quiet = await business(one, rounds=20)
        before = on_disk(tmp_path)
        async with an_insider(system, kind, seconds=SECONDS) as process:
            under = await business(one, while_=lambda: process.returncode is None)
            assert process.stdout is not None
            tried = json.loads(await process.stdout.read())
        grown = on_disk(tmp_path) - before
        print(f"\n{kind} for {SECONDS:g} s: {tried}, {grown / 1e6:.1f} MB more on the disk")
        for name, seconds in under.items():
            print(f"  {name}: {words(quiet[name])} -> {words(seconds)}, {len(seconds)} times")
        named = await offenders(system)
        print(f"  named: {sorted(named)}")
        slower = {name: tenth(under[name]) - tenth(quiet[name]) for name in under}
        assert {} == {name: by for name, by in slower.items() if by > SLOWER_MAX_S}
        assert kind in UNNAMED or name_of(kind) in named
        rounds = len(under["frame"])
        calls = 0 if kind in insiders.MACHINES else LOOKS_BURST + LOOKS_PER_S * SECONDS
        assert grown < 4 * SHARE + rounds * 40_000 + calls / CHANGE_COSTS * CHANGE_BYTES
        await system.at_rest()
