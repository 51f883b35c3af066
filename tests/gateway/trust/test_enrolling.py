"""A machine's life with certificates, from an empty flash to a thief: the reference machine before
a gateway with SQL, hosts and the pretend Alipay, over real TLS.
"""

import asyncio
import datetime as dt
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from actors.machine.policy import Policy
from gateway.fleet.errors import CallRefused
from gateway.fleet.v1 import session_service_pb2, work_item_pb2, work_item_service_pb2
from gateway.fleet.v1 import trade_service_pb2 as trades
from gateway.process.enrolment import EnrolmentConfig
from gateway.simulator.happenings import VendEnded
from gateway.simulator.identity import EnrolledAt
from gateway.simulator.line import ClientTls
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from gateway.trust import enrolling as enrolling_calls
from gateway.trust.authority import CannotIssue, KeyIssuer, Leaf
from gateway.trust.enrolling import issuer_of
from storage.machines.rows import DAY_MS
from storage.office.certificates import Certificates
from tests.alipay_client.wire import Pair
from tests.gateway.trust.enrolled import DOMAIN, ISSUER, SERVERS, Enroller, enrolling
from tests.support.csr import csr
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.site import Site, a_site, found

QUICK = Policy(idle_refund_ms=1_000, unavailable_grace_ms=1_000, refund_retry_ms=(20, 20, 10_000))


@dataclass
class Field:
    """A gateway that enrols, and the folder of everybody who has a machine's flash."""

    site: Site
    enroller: Enroller
    folder: Path

    @asynccontextmanager
    async def machine(self, owner: str, token: str = "") -> AsyncIterator[MachineClient]:
        """Switch VM-1 on, with the flash of this owner."""
        config = ClientConfig(
            gateway=f"localhost:{self.enroller.machines}",
            identity=Identity(machine_id="VM-1"),
            state_dir=self.folder / owner,
            tls=ClientTls(ca=SERVERS.certificate),
            enrolment=EnrolledAt(address=f"localhost:{self.enroller.enrolment}", token=token),
            motor_ms=1,
            reconnect_initial_ms=5,
            refusal_waits_ms=(),
        )
        client = MachineClient(config, rng=Random(1))
        life = asyncio.create_task(client.run())
        try:
            yield client
        finally:
            client.stop()
            async with asyncio.timeout(HANGS_AFTER_S):
                await life

    def steal(self, owner: str, thief: str) -> None:
        """Copy all that is on a flash."""
        shutil.copytree(self.folder / owner, self.folder / thief)

    async def reconnects(self, client: MachineClient) -> None:
        """Let a machine lose its network and come back."""
        before = client.welcomes
        client.unplug()
        await until(lambda: client.machine is not None and not client.machine.online)
        client.plug()
        await until(lambda: client.welcomes > before)


@pytest.fixture
async def field(tmp_path: Path, upgraded_file: Path, pair: Pair) -> AsyncIterator[Field]:
    async with a_site(tmp_path, upgraded_file, pair, policy=QUICK) as site:
        await site.register()
        office = site.gateway.office
        works = [
            asyncio.create_task(work) for work in (office.denying.run(), site.gateway.doubles.run())
        ]
        async with enrolling(site) as enroller:
            # The machine is told an address that only this test knows.
            object.__setattr__(enroller.calls, "gateway", "")
            yield Field(site=site, enroller=enroller, folder=tmp_path / "machines")
        for work in works:
            work.cancel()
        await asyncio.wait(works)


async def generations(field: Field) -> list[tuple[int, bool, bool]]:
    """The generations of VM-1's certificates, whether each was used, and whether it is denied."""
    views = await Certificates(field.site.database).of("VM-1")
    return [(view.generation, view.used_at_ms is not None, view.denied) for view in views]


async def used(field: Field, generation: int) -> None:
    """Wait until it is known that the machine uses this generation."""

    async def look() -> Any:
        return (generation, True, False) in await generations(field) or None

    await found(look)


async def pays(field: Field, client: MachineClient, amount: str) -> None:
    """A customer pays at the machine and is seen by it."""
    await until(lambda: bool(client.sticker))
    field.site.alipay.pay(client.sticker, amount)
    await field.site.alipay.settle()
    await until(lambda: client.machine is not None and client.machine.session is not None)


async def test_from_an_empty_flash_to_the_first_sale(field: Field) -> None:
    """With a token alone; and from the next power-up on without one."""
    async with field.machine("box", await field.enroller.token()) as client:
        await until(lambda: client.welcomes == 1)
        await pays(field, client, "5.00")
        with client.watch() as watch:
            client.select("A1")
            assert isinstance(await watch.until(VendEnded, within_s=HANGS_AFTER_S), VendEnded)
    identity = field.folder / "box" / "VM-1" / "identity.json"
    assert 0o600 == identity.stat().st_mode & 0o777
    async with field.machine("box") as client:
        await until(lambda: client.welcomes == 1)
    await used(field, 1)


async def test_a_machine_renews_and_shows_the_newer_one_from_then_on(field: Field) -> None:
    """Its stream goes on meanwhile; nobody takes it for two."""
    async with field.machine("box", await field.enroller.token()) as client:
        await until(lambda: client.welcomes == 1)
        assert client.certified is not None
        assert await client.certified.renew() is None
        await field.reconnects(client)
        await used(field, 2)
        await field.reconnects(client)
    assert [(2, True, False), (1, True, False)] == await generations(field)


async def test_a_machine_renews_by_itself_at_two_thirds_of_its_life(field: Field) -> None:
    """By the time that Welcome tells, whatever its own clock says; not a day sooner."""
    async with field.machine("box", await field.enroller.token()) as client:
        await until(lambda: client.welcomes == 1)
        assert client.certified is not None
        first = client.certified.present
        field.site.clock.ahead_ms = 19 * DAY_MS
        await field.reconnects(client)
        assert first is client.certified.present
        field.site.clock.ahead_ms = 20 * DAY_MS
        await field.reconnects(client)
        await until(lambda: client.certified is not None and client.certified.present != first)
    # TLS goes by the computer's clock, by which that one is not good yet: it is not shown here.
    assert [(2, False, False), (1, True, False)] == await generations(field)


async def test_a_stolen_certificate_turns_both_away_and_the_money_goes_back(field: Field) -> None:
    """The thief comes with what the machine had before it renewed: found at that Hello, in the
    middle of a customer's stay. A token lets the machine sell again, and not the thief.
    """
    async with field.machine("box", await field.enroller.token()) as client:
        await until(lambda: client.welcomes == 1)
        field.steal("box", "thief")
        assert client.certified is not None
        assert await client.certified.renew() is None
        await field.reconnects(client)
        await used(field, 2)
        await pays(field, client, "9.00")
        async with field.machine("thief") as thief:
            await until(lambda: thief.refusal is not None)
            client.unplug()  # It would come back by itself, in its time.
            client.plug()
            await until(lambda: client.refusal is not None)
            assert client.refusal is not None
            assert (grpc.StatusCode.PERMISSION_DENIED, "DENIED") == (
                client.refusal.code,
                client.refusal.reason,
            )
    assert [(2, True, True), (1, True, True)] == await generations(field)
    kinds = [work_item_pb2.WORK_ITEM_KIND_MACHINE_DOUBLED]
    items = work_item_service_pb2.ListWorkItemsRequest(kinds=kinds)
    (item,) = (await field.site.work_items.ListWorkItems(items)).work_items
    assert "VM-1" == item.machine_id
    assert "of generation 1 was used from ipv4:127.0.0.1" in item.reason

    async def all_is_back() -> Any:
        listed = await field.site.trades.ListTrades(trades.ListTradesRequest(machine_id="VM-1"))
        (trade,) = listed.trades
        return trade.refunded.minor == trade.paid.minor == 900 or None

    await found(all_is_back)
    shutil.rmtree(field.folder / "box")
    async with (
        field.machine("box", await field.enroller.token()) as client,
        field.machine("thief") as thief,
    ):
        await until(lambda: client.welcomes == 1 and thief.refusal is not None)
    sessions = session_service_pb2.ListSessionsRequest(machine_id="VM-1")
    assert 1 == len((await field.site.sessions.ListSessions(sessions)).sessions)


async def test_a_thief_who_renews_first_is_found_by_the_machine(field: Field) -> None:
    """As soon as it comes back."""
    async with field.machine("box", await field.enroller.token()) as client:
        await until(lambda: client.welcomes == 1)
        await used(field, 1)
    field.steal("box", "thief")
    async with field.machine("thief") as thief:
        await until(lambda: thief.welcomes == 1)
        assert thief.certified is not None
        assert await thief.certified.renew() is None
        await field.reconnects(thief)
        await used(field, 2)
        async with field.machine("box") as client:
            await until(lambda: client.refusal is not None)
            thief.unplug()
            thief.plug()
            await until(lambda: thief.refusal is not None)
    assert [(2, True, True), (1, True, True)] == await generations(field)


def _config(issuer: KeyIssuer, key: bytes | None = None) -> EnrolmentConfig:
    own = issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return EnrolmentConfig(
        ca_certificate=issuer.certificate.public_bytes(Encoding.PEM),
        ca_private_key=key or own,
        days=30,
        listen="",
        public_address="",
    )


def test_a_ca_that_cannot_serve_is_told_at_the_start() -> None:
    """And not by machines in the field, one after the other."""
    assert (
        DOMAIN == issuer_of(_config(ISSUER), DOMAIN).domain == issuer_of(_config(ISSUER), "").domain
    )
    by_command = replace(_config(ISSUER, b""), ca_sign_command=("sign",))
    assert DOMAIN == issuer_of(by_command, DOMAIN).domain
    with pytest.raises(CannotIssue, match=r"machines\.spiffe_domain is other\.example"):
        issuer_of(_config(ISSUER), "other.example")
    with pytest.raises(CannotIssue, match=r"\.ca_certificate_file, with .* does not belong"):
        issuer_of(_config(ISSUER, SERVERS.server().private_key), "")


async def test_a_ca_that_ends_soon_issues_for_a_shorter_time(field: Field) -> None:
    """Machines renew more and more often, and it alarms meanwhile."""
    calls = field.enroller.calls.enrolling
    later_ms = int((ISSUER.until - dt.timedelta(days=5, hours=1)).timestamp() * 1_000)
    made = await calls._issue(calls._requested(csr(), "VM-1"), "VM-1", later_ms)
    assert 5 * 86_400_000 == made.not_after_ms - made.issued_at_ms
    with pytest.raises(CallRefused) as refused:
        await calls._issue(calls._requested(csr(), "VM-1"), "VM-1", later_ms + 5 * 86_400_000)
    assert "CANNOT_ISSUE" == refused.value.refusal.reason


async def test_a_ca_that_hangs_keeps_nobody_else(
    field: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither whoever needs a thread, as Alipay's name does to be looked up, nor for ever more than
    may wait. Who gives up frees no thread that still signs.
    """
    hung, signing, lock = threading.Event(), 0, threading.Lock()

    class Hangs(KeyIssuer):
        def issue(self, wanted: Leaf, *, now: dt.datetime) -> tuple[x509.Certificate, ...]:
            nonlocal signing
            with lock:
                signing += 1
            hung.wait(HANGS_AFTER_S)
            raise CannotIssue("it hangs")

    calls = field.enroller.calls.enrolling
    calls.issuer = Hangs(certificate=ISSUER.certificate, key=ISSUER.key)
    monkeypatch.setattr(enrolling_calls, "SIGN_MAX", 40)
    asked, now_ms = calls._requested(csr(), "VM-1"), calls.clock.now_ms()
    waiting = [asyncio.create_task(calls._issue(asked, "VM-1", now_ms)) for _ in range(40)]
    try:
        await until(lambda: signing == enrolling_calls.SIGN_AT_ONCE)
        async with asyncio.timeout(HANGS_AFTER_S / 2):
            await asyncio.to_thread(int)
        with pytest.raises(CallRefused):
            await calls._issue(asked, "VM-1", now_ms)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert enrolling_calls.SIGN_AT_ONCE == signing
        assert 0 == calls._signing
    finally:
        hung.set()


@pytest.mark.parametrize("token", ["", "0000-0000-0000-0000-0000-0000-0000"])
async def test_without_a_good_token_a_person_is_called(field: Field, token: str) -> None:
    """The machine stops and says why."""
    async with field.machine("box", token) as client:
        await until(lambda: client.refusal is not None)
        assert client.refusal is not None
        assert "token" in client.refusal.detail
    assert [] == await generations(field)
