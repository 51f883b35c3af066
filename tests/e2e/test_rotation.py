"""Everything that proves somebody takes the place of what proved them before, while machines sell
all along: Alipay's keys and ours, the payers' salt, the CA that issues, the keys of people's
tokens. Nobody is started again.
"""

import asyncio
import datetime as dt
import re
import time
from collections import Counter
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Select, func, select

from gateway.demo import stage
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from gateway.trust import authority_files
from gateway.trust.authority import Profile
from storage.tables import payers, vends
from tests.alipay_client.wire import private_pem, public_pem
from tests.e2e.three_books import agree
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S
from tests.support.signed_tokens import AUDIENCE, ISSUER, Provider
from tests.support.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]

SOLD = 4
"""So many sales between two exchanges, which all were under what is new."""
NEW_SALT = "another one, for the rest of the time"
NEWCOMER = "VM-0099"


def write(path: Path, text: str) -> None:
    """Put another file in the place of one, as a careful operator does."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.replace(path)


class Operator:
    """Exchanges files of a system, and sees that they are used and that machines sell on."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.tls = system.folder / "tls"
        self.keys = system.folder / "alipay"
        self._read = 0

    async def exchange(self, path: Path, text: str) -> None:
        """Write a file, wait until gateway and host use it, and for further sales."""
        write(path, text)
        await self._until_read()
        await self.regular_pays()
        await self.sales_go_on()

    async def regular_pays(self) -> None:
        """Let somebody pay who has paid before."""
        async with httpx.AsyncClient(base_url=self.system.control_url, trust_env=False) as http:
            code = (await http.get("/control/codes")).json()["codes"][0]["qrcode"]
            paid = {"qrcode": code, "amount": "1.00", "buyer": "regular"}
            (await http.post("/control/pay", json=paid)).raise_for_status()

    async def sales_go_on(self) -> None:
        await self.system.until_sales(await self.system.sales() + SOLD)

    async def _until_read(self) -> None:
        self._read += 2  # the gateway and its host
        log = self.system.folder / "gateway.log"
        async with asyncio.timeout(HANGS_AFTER_S):
            while log.read_text().count("secrets were read again") < self._read:
                assert "cannot be used" not in log.read_text()
                await asyncio.sleep(LOOK_EVERY_S)

    async def tell_alipay(self, **keys: str) -> None:
        """Exchange a key at the pretend Alipay."""
        async with httpx.AsyncClient(base_url=self.system.control_url, trust_env=False) as http:
            (await http.post("/control/keys", json=keys)).raise_for_status()


async def exchange_alipays_keys(operator: Operator) -> None:
    """Alipay's: both are believed before Alipay signs with the new one. Ours: Alipay has it
    first.
    """
    theirs, ours = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    public = operator.keys / "alipay_public_key.pem"
    await operator.exchange(public, public.read_text() + public_pem(theirs))
    await operator.tell_alipay(alipay_private_key=private_pem(theirs))
    await operator.sales_go_on()
    await operator.exchange(public, public_pem(theirs))
    await operator.tell_alipay(merchant_public_key=public_pem(ours))
    await operator.exchange(operator.keys / "merchant_private_key.pem", private_pem(ours))


async def exchange_the_salt(operator: Operator) -> None:
    """Known first, then used, then alone."""
    salt, new = operator.system.folder / stage.SALT_FILE, NEW_SALT
    old = salt.read_text().strip()
    for lines in (f"{old}\n{new}\n", f"{new}\n{old}\n", f"{new}\n"):
        await operator.exchange(salt, lines)


async def exchange_the_ca(operator: Operator) -> None:
    """The next one is trusted first, then it issues; who is enrolled by it sells beside those of
    the one before.
    """
    system, name = operator.system, authority_files.stem(Profile.MACHINE)
    fresh = system.folder / "next"
    authority_files.make(fresh, "demo.vendgate.local", now=dt.datetime.now(dt.UTC))
    old, new = operator.tls / f"{name}.pem", fresh / f"{name}.pem"
    await operator.exchange(operator.tls / "trusted.pem", old.read_text() + new.read_text())
    # Two files that belong together: between the two the old ones stay, and nothing is logged as
    # read.
    (operator.tls / "issuing.pem").unlink()
    write(operator.tls / "issuing_key.pem", (fresh / f"{name}_key.pem").read_text())
    await operator.exchange(operator.tls / "issuing.pem", new.read_text())
    assert system.identities is not None
    async with system.administrator() as channel:
        await stage.register(channel, [NEWCOMER])
        await system.identities.make_tokens(channel, [NEWCOMER])
    await system.start_newcomer(NEWCOMER)
    async with asyncio.timeout(HANGS_AFTER_S):
        while not (await sold_by_machine(system))[NEWCOMER]:
            await asyncio.sleep(LOOK_EVERY_S)


async def exchange_the_tokens_keys(system: System, provider: Provider, jwks: Path) -> None:
    """A person whose token is signed with the new key is let in, and who has an old one too while
    the provider shows both.
    """
    old = provider.token("viewer", now_ms=time.time_ns() // 1_000_000)
    await let_in(system, old)
    provider.rotate(keep=True)
    write(jwks, provider.key_set().decode())
    await let_in(system, provider.token("viewer", now_ms=time.time_ns() // 1_000_000))
    await let_in(system, old)


async def let_in(system: System, token: str) -> None:
    """Call with a token until it is believed: keys are asked for once in ten seconds at most."""
    assert system.identities is not None
    async with (
        asyncio.timeout(HANGS_AFTER_S),
        system.administrator() as channel,
    ):
        fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
        while True:
            try:
                await fleet.ListMachines(
                    fleet_service_pb2.ListMachinesRequest(),
                    metadata=(("authorization", f"Bearer {token}"),),
                )
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                    raise
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                return


async def sold_by_machine(system: System) -> Counter[str]:
    """How many vends of each machine succeeded."""
    asked = select(vends.c.machine_id, func.count()).where(vends.c.status == "SUCCEEDED")
    rows = await system.database.read(
        lambda connection: connection.execute(asked.group_by(vends.c.machine_id)).all()
    )
    return Counter({row[0]: row[1] for row in rows})


async def count(system: System, asked: Select[int]) -> int:
    """What a query that counts says."""
    return await system.database.read(lambda connection: connection.scalar(asked)) or 0


def figures(text: str, name: str) -> dict[str, float]:
    """The samples of one metric, by their labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith(name + "{"))
    return {labels: float(value) for labels, _, value in lines}


@pytest.mark.slow
async def test_nothing_is_lost_while_every_key_is_exchanged(tmp_path: Path) -> None:
    """No notification is refused, no payer becomes two, no vend is denied for want of a part of
    ours; both books and the shelves agree.
    """
    provider, jwks = Provider(), tmp_path / "jwks.json"
    write(jwks, provider.key_set().decode())
    tls, name = tmp_path / "tls", authority_files.stem(Profile.MACHINE)
    tables = {
        "machines": {"client_ca_file": str(tls / "trusted.pem")},
        "enrolment": {
            "ca_certificate_file": str(tls / "issuing.pem"),
            "ca_private_key_file": str(tls / "issuing_key.pem"),
        },
        "admin.tokens": {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "keys_file": str(jwks),
        },
        "admin.tokens.roles": {"vending-viewer": "viewer"},
    }
    system = System(tmp_path, ray=False, machines=6, seed=3, tables=tables, tls=True)
    for copy, of in (("trusted", name), ("issuing", name), ("issuing_key", f"{name}_key")):
        write(tls / f"{copy}.pem", (tls / f"{of}.pem").read_text())
    async with system:
        operator = Operator(system)
        await operator.regular_pays()
        await operator.sales_go_on()
        await exchange_alipays_keys(operator)
        await exchange_the_salt(operator)
        await exchange_the_ca(operator)
        await exchange_the_tokens_keys(system, provider, jwks)
        async with httpx.AsyncClient(trust_env=False) as http:
            told = (await http.get(f"http://127.0.0.1:{system.ports.health}/metrics")).text
        system.no_new_customers()
        await agree(system)
        book = await system.book()
        paid = {trade["buyer"] for trade in book["trades"]}
        known = await count(system, select(func.count()).select_from(payers))
        ours = vends.c.reason.in_(("BACKEND_UNAVAILABLE", "PROVIDER_DOWN"))
        turned_away = await count(system, select(func.count()).where(ours))

    wrong = {
        labels: count
        for labels, count in figures(told, "vendgate_notifications_total").items()
        if count and re.search('verdict="(refused|failed|conflict)"', labels)
    }
    assert ({}, len(paid), 0) == (wrong, known, turned_away)
