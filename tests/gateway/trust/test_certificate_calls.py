"""The calls by which machines get certificates, over real TLS: each kind of caller."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.trust.authority import EARLIER
from gateway.trust.certificate_calls import ONE_PER_MINUTE, Attempts, address_of
from gateway.trust.strangers import ALL_PER_S, REFUSED_AFTER_S
from storage.machines.rows import DAY_MS
from storage.office import certificates
from storage.office.certificates import BACKDATED_MS, LIVE_MAX
from storage.office.enrolment_tokens import WRONG_TRIES_MAX
from storage.tables import machines
from tests.gateway.trust.enrolled import DAYS, Enroller, enrolling
from tests.support.certificates import Authority, Issued
from tests.support.csr import csr, subject
from tests.support.edge import FixedClock
from tests.support.fleet_calls import refusal
from tests.support.site import Site

KEY = ec.generate_private_key(ec.SECP256R1())
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
HEALTH_ASKED = 5 * ALL_PER_S + 2
WRONG = "0000-0000-0000-0000-0000-0000-0000"


@pytest.fixture
async def enroller(site: Site) -> AsyncIterator[Enroller]:
    await site.register()
    async with enrolling(site) as opened:
        yield opened


async def first(enroller: Enroller, machine_id: str = "VM-1") -> Issued:
    """Enrol a machine and return what it shows from then on."""
    request = csr(subject(machine_id), key=KEY)
    answer = await enroller.enrol(await enroller.token(machine_id), request)
    return Issued(answer.issued.certificate_chain.encode(), KEY_PEM)


async def next_of(enroller: Enroller, shown: Issued) -> Issued:
    """Renew a machine's certificate."""
    answer = await enroller.renew(shown, csr(key=KEY))
    return Issued(answer.issued.certificate_chain.encode(), KEY_PEM)


def serial(shown: Issued) -> str:
    return f"{x509.load_pem_x509_certificates(shown.certificate)[0].serial_number:x}"


async def test_a_token_buys_a_certificate_and_that_the_next(enroller: Enroller) -> None:
    """Each says when to come again; the same request gets the same answer."""
    token, request = await enroller.token(), csr(key=KEY)
    answer = await enroller.enrol(token.lower(), request)
    assert ("VM-1", "gw.example:7443") == (answer.machine_id, answer.gateway)
    again = await enroller.enrol(token, request)
    assert answer.issued.certificate_chain == again.issued.certificate_chain
    issued = answer.issued
    assert 20 * DAY_MS >= issued.renew_at_ms - issued.server_time_ms > 19 * DAY_MS
    assert DAYS * DAY_MS >= issued.expires_at_ms - issued.server_time_ms > (DAYS - 1) * DAY_MS
    shown = Issued(issued.certificate_chain.encode(), KEY_PEM)
    asked = csr(key=KEY)
    chains = [(await enroller.renew(shown, asked)).issued.certificate_chain for _ in range(2)]
    assert 1 == len(set(chains))
    assert chains[0] != issued.certificate_chain
    views = await enroller.calls.enrolling.certificates.of("VM-1")
    assert [2, 1] == [view.generation for view in views]


async def test_a_machine_whose_key_stays_is_given_the_next_one_each_time(
    enroller: Enroller,
) -> None:
    """RSA's signatures, and mbedTLS's, are the same each time, and so is the request."""
    request = csr(key=KEY)
    issued = (await enroller.enrol(await enroller.token(), request)).issued
    for generation in (1, 2, 3):
        views = await enroller.calls.enrolling.certificates.of("VM-1")
        assert generation == len(views)
        shown = Issued(issued.certificate_chain.encode(), KEY_PEM)
        assert views[0].serial == serial(shown)
        issued = (await enroller.renew(shown, request)).issued


async def _wrong(enroller: Enroller) -> Any:
    return enroller.enrol(WRONG, csr())


async def _used(enroller: Enroller) -> Any:
    token = await enroller.token()
    await enroller.enrol(token, csr())
    return enroller.enrol(token, csr())


async def _expired(enroller: Enroller) -> Any:
    return enroller.enrol(await enroller.token(valid_ms=0), csr())


async def _locked(enroller: Enroller) -> Any:
    token = await enroller.token()
    spoilt = token[:-1] + ("0" if token[-1] != "0" else "2")
    for _ in range(WRONG_TRIES_MAX):
        await refusal(enroller.enrol(spoilt, csr()))
    return enroller.enrol(token, csr())


async def _of_another(enroller: Enroller) -> Any:
    await enroller.site.register("VM-2")
    return enroller.enrol(await enroller.token("VM-2"), csr(subject("VM-1")))


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (_wrong, "ENROLMENT_TOKEN_WRONG"),
        (_used, "ENROLMENT_TOKEN_USED"),
        (_expired, "ENROLMENT_TOKEN_EXPIRED"),
        (_locked, "ENROLMENT_TOKEN_WRONG"),
        (_of_another, "CERTIFICATE_REQUEST_WRONG"),
    ],
)
async def test_no_other_token_enrols_anybody(enroller: Enroller, ask: Any, reason: str) -> None:
    """And each hears what to do."""
    assert reason == (await refusal(await ask(enroller)))[1]


async def test_a_wrong_request_leaves_the_token_good(enroller: Enroller) -> None:
    """A technician who typed another machine's token may use it there."""
    token = await enroller.token()
    code, reason, _ = await refusal(enroller.enrol(token, csr(subject("VM-2"))))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "CERTIFICATE_REQUEST_WRONG") == (code, reason)
    assert "VM-1" == (await enroller.enrol(token, csr())).machine_id


async def test_a_larger_key_connects_with_what_it_is_given(enroller: Enroller) -> None:
    """TLS takes of machines what enrolment takes of them, in its newest version."""
    key = ec.generate_private_key(ec.SECP384R1())
    answer = await enroller.enrol(await enroller.token(), csr(key=key))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    shown = Issued(answer.issued.certificate_chain.encode(), pem)
    assert (await enroller.renew(shown, csr())).issued.certificate_chain


@pytest.mark.parametrize("name", ["spiffe://vending.example/machine/VM-1", "ann"])
async def test_what_another_ca_signed_renews_nothing(enroller: Enroller, name: str) -> None:
    """Neither a machine's nor an administrator's; nor does whoever shows none. TLS ends them."""
    other = Authority("administrators")
    shown = other.client(name) if "/" in name else other.person(name)
    for one in (shown, None):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await enroller.renew(one, csr())
        assert grpc.StatusCode.UNAVAILABLE is error.value.code()


async def test_whoever_is_denied_renews_nothing(enroller: Enroller) -> None:
    """By the machine or by the certificate."""
    shown = await first(enroller)
    denied = enroller.calls.denied
    for name in (("MACHINE", "VM-1", ""), ("CERTIFICATE", serial(shown), "VM-1")):
        denied.set([name])
        assert "DENIED" == (await refusal(enroller.renew(shown, csr())))[1]


async def test_a_certificate_that_ended_renews_nothing(enroller: Enroller) -> None:
    """By the gateway's clock, though the connection began before."""
    shown = await first(enroller)
    enroller.site.clock.ahead_ms = (DAYS + 1) * DAY_MS
    assert "NO_CERTIFICATE" == (await refusal(enroller.renew(shown, csr())))[1]


async def test_each_listener_answers_its_own_calls_alone(enroller: Enroller) -> None:
    """Whoever proves nothing reaches no machine's stream, whatever they call."""
    shown = await first(enroller)
    doors = ((enroller.enrolment, None, "Connect"), (enroller.enrolment, None, "Renew"))
    for port, proof, name in (*doors, (enroller.machines, shown, "Enrol")):
        service = {"Connect": "Machine", "Renew": "Renewal", "Enrol": "Enrolment"}[name]
        async with enroller.channel(port, proof) as channel:
            call: Any = channel.unary_unary(f"/gateway.v1.{service}Service/{name}")
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call(b"")
        assert grpc.StatusCode.UNIMPLEMENTED is error.value.code(), name


async def test_an_old_generation_renews_nothing_and_denies_both(enroller: Enroller) -> None:
    """A thief who waited for too long: the machine has gone on."""
    old = await first(enroller)
    new = await next_of(enroller, old)
    newest = await next_of(enroller, new)
    assert "DENIED" == (await refusal(enroller.renew(old, csr())))[1]
    denying = enroller.site.gateway.office.denying
    await denying.look()
    of_all = {("VM-1", serial(one)) for one in (old, new, newest)}
    assert of_all == denying.denied.of_machines
    assert "DENIED" == (await refusal(enroller.renew(newest, csr())))[1]


async def test_a_certificate_from_before_the_enrolment_is_not_renewed(enroller: Enroller) -> None:
    """Nor is it good for anything else: it is denied as soon as it comes."""
    issuer, denying = enroller.calls.enrolling, enroller.site.gateway.office.denying
    asked, long_ago_ms = (
        issuer._requested(csr(key=KEY), "VM-1"),
        enroller.site.clock.now_ms() - DAY_MS,
    )
    old = await issuer._issue(asked, "VM-1", long_ago_ms)
    await first(enroller)
    shown = Issued(old.chain.encode(), KEY_PEM)
    assert "DENIED" == (await refusal(enroller.renew(shown, csr())))[1]
    await denying.look()
    assert {("VM-1", old.serial)} == denying.denied.of_machines
    assert BACKDATED_MS == EARLIER.total_seconds() * 1_000


async def test_what_a_gateway_issues_whose_clock_is_far_behind_is_good(enroller: Enroller) -> None:
    """Dated by its clock it would have ended before it came, and its machine could not renew."""
    site = enroller.site
    enroller.calls.enrolling.clock = FixedClock(site.clock.now_ms() - 500 * DAY_MS)
    renewed = await next_of(enroller, await first(enroller))
    (made,) = x509.load_pem_x509_certificates(renewed.certificate)[:1]
    ends_in_ms = made.not_valid_after_utc.timestamp() * 1_000 - site.clock.now_ms()
    assert DAYS - 1 <= ends_in_ms / DAY_MS <= DAYS + 1


async def test_a_certificate_that_a_person_issued_can_be_renewed(enroller: Enroller) -> None:
    """So a fleet that was set up by hand goes on by itself."""
    issuer = enroller.calls.enrolling
    asked = issuer._requested(csr(key=KEY), "VM-1")
    by_hand = (await issuer._issue(asked, "VM-1", enroller.site.clock.now_ms())).chain
    renewed = await next_of(enroller, Issued(by_hand.encode(), KEY_PEM))
    views = await issuer.certificates.of("VM-1")
    assert [(2, serial(renewed)), (1, views[1].serial)] == [
        (view.generation, view.serial) for view in views
    ]


async def test_a_machine_that_was_retired_gets_nothing(enroller: Enroller) -> None:
    """Neither its first certificate nor its next."""
    shown, token = await first(enroller), await enroller.token()
    site = enroller.site
    gone = machines.update().values(retired_at_ms=1)
    await site.database.write(lambda connection: connection.execute(gone))
    for ask in (enroller.renew(shown, csr()), enroller.enrol(token, csr())):
        assert "NOT_IN_FLEET" == (await refusal(ask))[1]


async def test_a_machine_that_is_enrolled_again_and_again_is_told_so(
    enroller: Enroller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has stays good."""
    monkeypatch.setattr(certificates, "ENROLLED_MAX", 1)
    shown = await first(enroller)
    asked = enroller.enrol(await enroller.token(), csr())
    assert "ENROLLED_TOO_OFTEN" == (await refusal(asked))[1]
    await next_of(enroller, shown)


async def test_while_sql_is_away_nothing_is_given(enroller: Enroller) -> None:
    """And the same request is safe to repeat."""
    token, request = await enroller.token(), csr()
    with enroller.site.sql_away():
        code, reason, _ = await refusal(enroller.enrol(token, request))
    assert (grpc.StatusCode.UNAVAILABLE, "CERTIFICATES_AWAY") == (code, reason)
    assert "VM-1" == (await enroller.enrol(token, request)).machine_id


async def test_strangers_are_answered_a_few_times_and_then_nothing_is_looked_up(
    enroller: Enroller,
) -> None:
    """By the clock of the gateway, one more each second."""
    for _ in range(ONE_PER_MINUTE):
        enroller.calls._strangers.take("127.0.0.1")
    assert "TOO_MANY_ATTEMPTS" == (await refusal(enroller.enrol(WRONG, csr())))[1]
    assert [REFUSED_AFTER_S] == enroller.pauses
    (offender,) = enroller.calls.offenders.listed()
    assert ("ADDRESS", "127.0.0.1", "TOO_MANY_ATTEMPTS") == (
        offender.principal,
        offender.name,
        offender.reason,
    )
    enroller.seconds[0] += 1.0
    assert "ENROLMENT_TOKEN_WRONG" == (await refusal(enroller.enrol(WRONG, csr())))[1]


async def test_who_uses_up_a_machines_certificates_is_told_to_people(enroller: Enroller) -> None:
    """A copy that renews again and again, and uses none of it, keeps the machine from its own."""
    shown = await first(enroller)
    for _ in range(LIVE_MAX - 1):
        await enroller.renew(shown, csr())
    assert "TOO_MANY_CERTIFICATES" == (await refusal(enroller.renew(shown, csr())))[1]
    (offender,) = enroller.calls.offenders.listed()
    assert ("MACHINE", "VM-1", "TOO_MANY_CERTIFICATES") == (
        offender.principal,
        offender.name,
        offender.reason,
    )


async def test_what_else_is_called_there_waits_when_there_is_much_of_it(
    enroller: Enroller,
) -> None:
    """Health here: it is answered, and costs machines that sell little. Enrolling goes on."""
    async with enroller.channel(enroller.enrolment, None) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        asked = [await stub.Check(health_pb2.HealthCheckRequest()) for _ in range(HEALTH_ASKED)]
    assert health_pb2.HealthCheckResponse.SERVING == asked[-1].status
    assert [REFUSED_AFTER_S] * 2 == enroller.pauses
    assert "VM-1" == (await enroller.enrol(await enroller.token(), csr())).machine_id
    assert [REFUSED_AFTER_S] * 2 == enroller.pauses


def test_all_together_have_a_bound_and_one_takes_nothing_from_the_others() -> None:
    """Whoever has used up their own is refused before the common one is touched."""
    attempts = Attempts(monotonic=lambda: 0.0)
    assert ONE_PER_MINUTE == sum(attempts.take("a") for _ in range(1_000))
    others = sum(attempts.take(f"b{number}") for number in range(1_000))
    assert 5 * ALL_PER_S - ONE_PER_MINUTE == others
    assert 4_096 >= len(attempts._of)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.1:4711", "10.0.0.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:4711", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:10.0.0.1%5D:4711", "10.0.0.1"),
        ("ipv6:[::1]:4711", "::/64"),
        ("unix:", "unix"),
    ],
)
def test_a_port_makes_nobody_another(peer: str, address: str) -> None:
    """Nor does the half of an IPv6 address that its holder chooses."""
    assert address == address_of(peer)
