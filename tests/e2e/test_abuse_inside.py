"""Insiders at the doors of a real gateway with mTLS, each with a good proof of who they are: a
machine in each of its ways, and a person of each role who calls what they may, as fast as they can,
and what they may not.

The short one is in ``make soak``, and says nothing about time. The long ones (``make abuse``)
measure as those with strangers do: nobody honest waits half a second longer, the disk holds what
the bounds say, and ``ListOffenders`` names the insider.
"""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
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
    ROUND_BYTES,
    SECONDS,
    SHARE,
    Beside,
    hardly_notices,
    honest,
    let_loose,
    served_beside,
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


def insider(system: System, kind: str) -> Beside:
    """One of this kind. A person does their worst to another machine: with their role they may stop
    any.
    """
    assert system.identities is not None
    is_machine = kind in insiders.MACHINES
    arguments = (
        *(kind if is_machine else "person", "--name", name_of(kind)),
        *("--port", system.ports.machines if is_machine else system.ports.admin),
        *("--other", HONEST if is_machine else HOSTILE),
        *("--folder", system.identities.folder),
    )

    def beside(seconds: float) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
        return let_loose("tests.support.insiders", *arguments, "--seconds", seconds)

    return beside


async def offenders(system: System) -> set[str]:
    """Whom the gateway names."""
    async with system.administrator() as channel:
        calls: Any = DenialServiceStub(channel)
        told = await calls.ListOffenders(ListOffendersRequest(), timeout=HANGS_AFTER_S)
    return {one.name for one in told.offenders}


@pytest.mark.slow
async def test_everybody_is_served_beside_insiders(tmp_path: Path) -> None:
    """With a few insiders at once, of either kind, a machine's frames are saved, payments reach its
    screen, the money goes back, and an operator gets an answer; then the books are clean.
    """
    async with a_system(tmp_path) as system, honest(system) as one:
        await served_beside(one, [insider(system, kind) for kind in IN_SHORT])


@pytest.mark.abuse
@pytest.mark.parametrize("kind", KINDS)
async def test_honest_ones_hardly_notice_an_insider(tmp_path: Path, kind: str) -> None:
    """Nine of ten frames, payments and looks of an operator take at most half a second longer than
    before, the disk grows by what the bounds allow, and whoever it was is named.
    """
    fleet = () if kind in insiders.MACHINES else FLEET
    async with a_system(tmp_path, fleet) as system, honest(system) as one:
        calls = 0 if kind in insiders.MACHINES else LOOKS_BURST + LOOKS_PER_S * SECONDS
        most = 4 * SHARE + calls / CHANGE_COSTS * CHANGE_BYTES
        beside = insider(system, kind)
        await hardly_notices(one, tmp_path, kind, beside, lambda n: most + n * ROUND_BYTES)
        named = await offenders(system)
        print(f"  named: {sorted(named)}")
        assert kind in UNNAMED or name_of(kind) in named
        await system.at_rest()
