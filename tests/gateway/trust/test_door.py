"""The administrators' door: each call, each role, each kind of caller."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from cryptography import x509
from google.protobuf.descriptor import MethodDescriptor

from gateway.fleet.errors import CallRefused
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc, role_pb2
from gateway.office.services import FILES
from gateway.rpc import callers
from gateway.rpc.callers import Caller
from gateway.rpc.counters import AdminCalls
from gateway.rpc.denylist import Denylist
from gateway.rpc.offenders import Offenders
from gateway.rpc.roles import Role, RolesOf
from gateway.rpc.tls import Tls
from gateway.serving.listeners import build_admin_server
from gateway.serving.unix_socket import Socket
from gateway.trust import shares
from gateway.trust.door import REFUSALS_MAX, AdminDoor, looks_of, roles_of
from gateway.trust.key_sets import KeySet
from gateway.trust.people import People
from gateway.trust.tokens import Tokens
from tests.support.certificates import Authority, Issued
from tests.support.signed_tokens import RULES, Provider

NOW_MS = time.time_ns() // 1_000_000
"""Certificates here are good for a day around it, whatever the year."""
MACHINE_URI = b"spiffe://vendgate.test/machine/VM-1"
PEOPLE_CA = Authority("people's")
METHODS: list[MethodDescriptor] = [
    method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods
]
ABOVE = {
    role_pb2.ROLE_VIEWER: {"viewer", "technician", "operator", "finance", "owner"},
    role_pb2.ROLE_TECHNICIAN: {"technician", "operator", "finance", "owner"},
    role_pb2.ROLE_OPERATOR: {"operator", "owner"},
    role_pb2.ROLE_FINANCE: {"finance", "owner"},
    role_pb2.ROLE_OWNER: {"owner"},
}
"""Who may make a call that states this role, by role.proto."""
PROVIDER = Provider()


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


@dataclass
class Clock:
    """A clock that a test sets."""

    at_ms: int = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


@dataclass
class Books:
    """An audit log that keeps what it is told."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    async def audit(self, **row: Any) -> None:
        self.rows.append(row)


@dataclass
class FakeContext:
    """A call as gRPC shows it; ``ended`` is how it was refused."""

    metadata: tuple[tuple[str, str], ...] = ()
    auth: dict[str, list[bytes]] = field(default_factory=dict)
    address: str = "ipv4:10.0.0.1:4711"
    ended: grpc.StatusCode | None = None
    written: list[Any] = field(default_factory=list)

    def auth_context(self) -> dict[str, list[bytes]]:
        return self.auth

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.metadata

    def peer(self) -> str:
        return self.address

    async def write(self, message: Any) -> None:
        self.written.append(message)

    async def abort_with_status(self, status: Any) -> None:
        self.ended = status.code
        raise grpc.aio.AbortError


async def _keys() -> bytes:
    return PROVIDER.key_set()


@dataclass
class Entry:
    """A door, the audit log behind it and the clock above it."""

    rules: RolesOf = field(default_factory=RolesOf)
    books: Books = field(default_factory=Books)
    clock: Clock = field(default_factory=Clock)
    calls: AdminCalls = field(default_factory=AdminCalls)
    denied: Denylist = field(default_factory=Denylist)
    offenders: Offenders = field(init=False)

    def __post_init__(self) -> None:
        self.offenders = Offenders(clock=self.clock)
        tokens = Tokens(rules=RULES, keys=KeySet(_keys, monotonic=lambda: 0.0))
        self.door = AdminDoor(
            people=People(rules=self.rules, clock=self.clock, tokens=tokens),
            needed=roles_of(FILES),
            looks=looks_of(FILES),
            registry=cast("Any", self.books),
            calls=self.calls,
            clock=self.clock,
            denied=self.denied,
            offenders=self.offenders,
        )

    async def call(
        self, path: str, context: FakeContext, answer: Any = None, *, kind: str = "unary_unary"
    ) -> Any:
        """Make a call of which ``answer`` is the handler; return its answer."""

        async def answered(_request: Any, _context: Any) -> str:
            return "answered"

        make = getattr(grpc, f"{kind}_rpc_method_handler")

        async def go_on(_: Any) -> Any:
            return make(answer or answered)

        details = cast("Any", Details(method=path))
        handler: Any = await self.door.intercept_service(go_on, details)
        try:
            return await getattr(handler, kind)(fleet_service_pb2.GetMachineRequest(), context)
        except grpc.aio.AbortError:
            return None


@dataclass
class Details:
    method: str


def with_token(*roles: str, **claims: Any) -> FakeContext:
    token = PROVIDER.token(*roles, now_ms=NOW_MS, **claims)
    return FakeContext(metadata=(("authorization", f"Bearer {token}"), ("x-actor", "Ann")))


def with_certificate(name: str, issued: Issued) -> FakeContext:
    """A call over TLS, which has verified the certificate when the connection began."""
    return FakeContext(
        auth={"x509_common_name": [name.encode()], "x509_pem_cert": [issued.certificate]}
    )


OF_ANN = PEOPLE_CA.person("ann")
ENDED, OF_EVE = PEOPLE_CA.person("ann", ended=True), PEOPLE_CA.person("eve")
SERIAL = f"{x509.load_pem_x509_certificate(OF_ANN.certificate).serial_number:x}"
BY_CERTIFICATE = RolesOf(
    names={
        **{name: frozenset({Role.OWNER}) for name in ("ann", "eve")},
        **{role.value: frozenset({role}) for role in Role},
    }
)
WAYS: dict[str, Callable[[Role], FakeContext]] = {
    "a token": with_token,
    "a certificate": lambda role: with_certificate(role.value, OF_ANN),
    "both": lambda role: replace(with_token(role), auth=with_certificate("bob", OF_ANN).auth),
    "the socket": lambda _role: FakeContext(address="unix:"),
    "the console": lambda role: FakeContext(address=f"console:{role.value}"),
}
"""How somebody who has a role makes a call."""

KINDS: dict[str, tuple[Any, grpc.StatusCode]] = {
    "without a proof": (FakeContext, grpc.StatusCode.UNAUTHENTICATED),
    "a token of another audience": (
        lambda: with_token("owner", aud="another"),
        grpc.StatusCode.UNAUTHENTICATED,
    ),
    "a token of another provider": (
        lambda: with_token("owner", iss="https://evil.test"),
        grpc.StatusCode.UNAUTHENTICATED,
    ),
    "a token that has ended": (
        lambda: with_token("owner", exp=NOW_MS // 1_000 - 60),
        grpc.StatusCode.UNAUTHENTICATED,
    ),
    "a token without a role": (with_token, grpc.StatusCode.PERMISSION_DENIED),
    "a machine": (
        lambda: FakeContext(auth={"peer_uri": [b"spiffe://vendgate.test/machine/VM-1"]}),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
    "a certificate that has ended since": (
        lambda: with_certificate("ann", ENDED),
        grpc.StatusCode.UNAUTHENTICATED,
    ),
    "a certificate that is denied": (
        lambda: with_certificate("ann", OF_ANN),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
    "a certificate that is denied, with somebody's token": (
        lambda: replace(with_token("owner"), auth=with_certificate("bob", OF_ANN).auth),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
    "a person who is denied, with a token": (
        lambda: with_token("owner", sub="eve"),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
    "a person who is denied, with a certificate": (
        lambda: with_certificate("eve", OF_EVE),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
    "a machine with an owner's token": (
        lambda: replace(with_token("owner"), auth={"peer_uri": [MACHINE_URI]}),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
    "through the socket where that gives no role": (
        lambda: FakeContext(address="unix:"),
        grpc.StatusCode.UNAUTHENTICATED,
    ),
    "a certificate without a role": (
        lambda: FakeContext(auth={"peer_uri": [b"spiffe://vendgate.test/admin/bob"]}),
        grpc.StatusCode.PERMISSION_DENIED,
    ),
}
"""Who may make no call at all, and how each of them hears it."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", Role)
async def test_each_call_is_answered_to_whom_its_proto_says(role: Role, way: str) -> None:
    """Every call of every service, for each role, however its holder comes."""
    entry = Entry(rules=replace(BY_CERTIFICATE, socket=frozenset({role})))
    for method in METHODS:
        context = WAYS[way](role)
        needed = method.GetOptions().Extensions[role_pb2.required_role]
        answered = await entry.call(path_of(method), context) == "answered"
        assert (role.value in ABOVE[needed]) == answered, f"{role} calls {method.full_name}"
        assert answered or grpc.StatusCode.PERMISSION_DENIED == cast("Any", context.ended)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_call_is_answered_to_whom_nobody_trusts(kind: str) -> None:
    """Every call of every service, for each kind of caller that must not come in."""
    make, code = KINDS[kind]
    entry = Entry(rules=BY_CERTIFICATE)
    entry.denied.set([("CERTIFICATE", SERIAL, ""), ("PERSON", "eve", "")])
    for method in METHODS:
        context = make()
        assert await entry.call(path_of(method), context) is None, (
            f"{kind} calls {method.full_name}"
        )
        assert code == context.ended


async def test_what_states_no_role_is_answered_to_nobody() -> None:
    """Whoever forgets the role of a call finds out at once; only health is everybody's."""
    entry = Entry()
    owner = with_token("owner")
    assert await entry.call("/gateway.fleet.v1.FleetService/Forgotten", owner) is None
    assert grpc.StatusCode.PERMISSION_DENIED == owner.ended
    assert "answered" == await entry.call("/grpc.health.v1.Health/Check", FakeContext())
    reflected = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    assert await entry.call(reflected, FakeContext()) is None
    assert "answered" == await entry.call(reflected, with_token("viewer"))


async def test_a_refused_attempt_is_in_the_audit_log() -> None:
    """With what was proven and what was claimed, and counted under its status."""
    entry = Entry()
    await entry.call("/gateway.fleet.v1.TradeService/WriteOffRefund", with_token("operator"))
    (row,) = entry.books.rows
    assert ("WriteOffRefund", "Ann (token ann)", "ann", "Ann", "REFUSED") == (
        row["action"],
        row["actor"].name,
        row["actor"].proven,
        row["actor"].claimed,
        row["outcome"].name,
    )
    assert row["detail"].startswith("ROLE_NEEDED: this needs the role finance, and token ann is op")
    (family,) = entry.calls.collect()
    assert 1 == sum(sample.value for sample in family.samples)


async def test_a_flood_of_refusals_does_not_fill_the_books() -> None:
    """One address has few rows a minute under however many names, and all together have few."""
    entry = Entry()
    path = "/gateway.fleet.v1.FleetService/GetMachine"
    for number in range(100):
        context = FakeContext(
            metadata=(("x-actor", f"n{number}"),), address=f"ipv4:1.1.1.1:{number}"
        )
        await entry.call(path, context)
    assert 5 == len(entry.books.rows)
    (offender,) = entry.offenders.listed()
    assert ("ADDRESS", "ipv4:1.1.1.1", 95) == (
        offender.principal,
        offender.name,
        offender.times,
    )
    for number in range(100):
        await entry.call(path, FakeContext(address=f"ipv4:1.1.2.{number}:1"))
    assert REFUSALS_MAX == len(entry.books.rows)
    entry.clock.at_ms += 60_000
    await entry.call(path, FakeContext(metadata=(("x-actor", "(root)"),)))
    assert entry.books.rows[-1]["detail"].startswith("85 refusals before it were not written; ")
    assert "unknown" == entry.books.rows[-1]["actor"].name


async def test_whoever_answers_knows_the_caller() -> None:
    """In whichever of gRPC's ways it answers."""
    entry, seen = Entry(), []

    async def writes(_request: Any, context: Any) -> None:
        seen.append(callers.present())
        await context.write("one")

    async def yields(_request: Any, _context: Any) -> AsyncIterator[str]:
        seen.append(callers.present())
        yield "one"

    for answer in (writes, yields):
        context = with_token("viewer")
        path = "/gateway.fleet.v1.EventService/WatchEvents"
        await entry.call(path, context, answer, kind="unary_stream")
        assert ["one"] == context.written
    assert ["ann", "ann"] == [cast("Caller", one).name for one in seen]


async def test_a_watch_ends_with_the_proof_of_its_caller() -> None:
    """Nobody looks on for longer than their token is good."""
    entry = Entry()
    context = with_token("viewer")
    entry.clock.at_ms = NOW_MS + 3_660_000 - 1

    async def watch(_request: Any, _context: Any) -> None:
        await asyncio.Event().wait()

    path = "/gateway.fleet.v1.EventService/WatchEvents"
    assert await entry.call(path, context, watch, kind="unary_stream") is None
    assert grpc.StatusCode.UNAUTHENTICATED == context.ended


async def test_a_person_who_is_denied_calls_nothing() -> None:
    """Whatever their token says; somebody else's calls go on."""
    entry = Entry()
    entry.denied.set([("PERSON", "ann", "")])
    ann, bob = with_token("owner"), with_token("owner", sub="bob")
    path = "/gateway.fleet.v1.FleetService/GetMachine"
    assert (None, "answered") == (await entry.call(path, ann), await entry.call(path, bob))
    assert grpc.StatusCode.PERMISSION_DENIED == ann.ended
    assert entry.books.rows[0]["detail"].startswith("ACCESS_DENIED: token ann was denied")


async def test_who_is_denied_is_denied_at_the_console_too() -> None:
    """A link let them in, for twelve hours; their denial counts for its session."""
    entry = Entry()
    entry.denied.set([("PERSON", "ann", "")])
    path = "/gateway.fleet.v1.FleetService/GetMachine"
    ann, bob = (
        FakeContext(metadata=(("x-actor", name),), address="console:owner")
        for name in ("ann", "bob")
    )
    assert (None, "answered") == (await entry.call(path, ann), await entry.call(path, bob))
    assert entry.books.rows[0]["detail"].startswith("ACCESS_DENIED: ann was denied")


async def test_what_somebody_may_is_told_without_a_try() -> None:
    """By their role and nothing else, and no row says that they tried."""
    entry = Entry()
    look, act, none = (
        f"/gateway.fleet.v1.FleetService/{name}"
        for name in ("GetMachine", "DisableMachine", "Forgotten")
    )
    entry.denied.set([("PERSON", "eve", "")])
    for name, role, expected in (
        ("ann", "viewer", {look}),
        ("bob", "technician", {look, act}),
        ("eve", "owner", set()),
    ):
        context = FakeContext(metadata=(("x-actor", name),), address=f"console:{role}")
        assert expected == await entry.door.allowed(cast("Any", context), [look, act, none])
    assert frozenset() == await entry.door.allowed(cast("Any", FakeContext()), [look])
    assert [] == entry.books.rows


async def test_an_open_watch_of_somebody_who_is_denied_ends() -> None:
    """At once, and no other."""
    entry, path = Entry(), "/gateway.fleet.v1.EventService/WatchEvents"

    async def watch(_request: Any, _context: Any) -> None:
        await asyncio.Event().wait()

    ann, bob = with_token("viewer"), with_token("viewer", sub="bob")
    watches = [
        asyncio.create_task(entry.call(path, context, watch, kind="unary_stream"))
        for context in (ann, bob)
    ]
    while len(entry.door._open) < 2:
        await asyncio.sleep(0)
    entry.denied.set([("PERSON", "ann", "")])
    entry.door.close_denied()
    await watches[0]
    assert (grpc.StatusCode.PERMISSION_DENIED, None) == (ann.ended, bob.ended)
    assert not watches[1].done()
    watches[1].cancel()


async def test_one_persons_calls_take_nobody_elses_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has as many open as they may is refused the next, with a row and a name; a watch of
    theirs and others' calls are answered.
    """
    monkeypatch.setattr(shares, "CALLS_AT_ONCE", 1)
    monkeypatch.setattr(shares, "CALLS_WAITING_MAX", 0)
    entry, over, path = Entry(), asyncio.Event(), "/gateway.fleet.v1.FleetService/GetMachine"

    async def slow(_request: Any, _context: Any) -> str:
        await over.wait()
        return "late"

    async def watch(_request: Any, _context: Any) -> str:
        return "watched"

    watching = "/gateway.fleet.v1.EventService/WatchEvents"
    ann = with_token("viewer")
    assert "watched" == await entry.call(watching, ann, watch, kind="unary_stream")
    first = asyncio.create_task(entry.call(path, ann, slow))
    while not entry.door._open:
        await asyncio.sleep(0)
    more, bob = with_token("viewer"), with_token("viewer", sub="bob")
    assert (None, "answered") == (await entry.call(path, more), await entry.call(path, bob))
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, None) == (more.ended, bob.ended)
    assert ["ann"] == [one.name for one in entry.offenders.listed()]
    assert entry.books.rows[0]["detail"].startswith("TOO_MANY_CALLS: more calls of ann wait")
    over.set()
    assert "late" == await first
    assert "answered" == await entry.call(path, with_token("viewer"))


async def test_a_time_limit_of_the_answer_is_its_own() -> None:
    """It is not taken for the end of a proof."""

    async def late(_request: Any, _context: Any) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Entry().call("/gateway.fleet.v1.FleetService/GetMachine", with_token("viewer"), late)


async def test_a_door_that_fails_stays_shut() -> None:
    """Whatever breaks in it, nobody comes in."""
    entry = Entry()

    async def broken(*_: Any, **__: Any) -> Caller:
        raise ValueError

    entry.door._people = cast("Any", type("Broken", (), {"caller": broken})())
    context = with_token("owner")
    assert await entry.call("/gateway.fleet.v1.FleetService/GetMachine", context) is None
    assert grpc.StatusCode.INTERNAL == context.ended


# --- over real TLS ---

AUTHORITY, OTHERS = Authority("administrators"), Authority("others")
GET = fleet_service_pb2.GetMachineRequest()


async def _get_machine(_request: Any, _context: Any) -> fleet_service_pb2.GetMachineResponse:
    caller = callers.present()
    assert caller is not None
    said = fleet_service_pb2.GetMachineResponse()
    said.machine.machine_id = caller.name or "somebody"
    return said


def _add_fleet(server: grpc.aio.Server) -> None:
    method: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
        _get_machine,
        request_deserializer=fleet_service_pb2.GetMachineRequest.FromString,
        response_serializer=fleet_service_pb2.GetMachineResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "gateway.fleet.v1.FleetService", {"GetMachine": method}
            ),
        )
    )


@asynccontextmanager
async def listening(
    entry: Entry, tls: Tls | None, socket: Socket | None = None
) -> AsyncIterator[int]:
    listener = build_admin_server(
        _add_fleet,
        door=entry.door,
        address="127.0.0.1:0",
        tls=tls,
        socket=socket,
    )
    await listener.start()
    try:
        yield listener.port
    finally:
        await listener.stop(grace_s=0)


async def told(channel: grpc.aio.Channel) -> str:
    """Return whom the gateway takes the caller for, or the status."""
    async with channel:
        try:
            answer = await fleet_service_pb2_grpc.FleetServiceStub(channel).GetMachine(GET)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return str(answer.machine.machine_id)


def secure(port: int, client: Issued | None) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(
        AUTHORITY.certificate,
        client.private_key if client else None,
        client.certificate if client else None,
    )
    return grpc.aio.secure_channel(f"localhost:{port}", credentials)


@pytest.mark.parametrize(
    ("client", "answer"),
    [
        (AUTHORITY.person("ann"), "ann"),
        (AUTHORITY.person("bob"), "PERMISSION_DENIED"),
        (AUTHORITY.machine("VM-1"), "PERMISSION_DENIED"),
        (AUTHORITY.person("ann", ended=True), "UNAVAILABLE"),
        (OTHERS.person("ann"), "UNAVAILABLE"),
        (None, "UNAVAILABLE"),
    ],
    ids=["ann", "no role", "machine", "ended", "wrong CA", "none"],
)
async def test_over_tls(client: Issued | None, answer: str) -> None:
    """Who has no good certificate gets no further than TLS; who has one needs a role."""
    server = AUTHORITY.server()
    tls = Tls(
        certificate=server.certificate,
        private_key=server.private_key,
        client_ca=AUTHORITY.certificate,
    )
    entry = Entry(rules=RolesOf(names={"ann": frozenset({Role.VIEWER})}), clock=Clock(0))
    async with listening(entry, tls) as port:
        assert answer == await told(secure(port, client))


async def test_through_the_socket(tmp_path: Any) -> None:
    """Whoever may open the file has its role, and the loopback address has none."""
    socket = Socket(path=tmp_path / "admin.sock", mode=0o600)
    entry = Entry(rules=RolesOf(socket=frozenset({Role.VIEWER})))
    async with listening(entry, None, socket) as port:
        assert 0o600 == socket.path.stat().st_mode & 0o777
        assert "somebody" == await told(grpc.aio.insecure_channel(f"unix:{socket.path}"))
        assert "UNAUTHENTICATED" == await told(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))


def test_roles_are_read_of_every_file() -> None:
    """And are as many as there are calls, with the two of reflection."""
    assert len(METHODS) + 2 == len(roles_of(FILES))


def test_calls_that_change_nothing_are_named_as_such() -> None:
    """What its proto says of a call decides what it costs a person; its name says the same."""
    named = {
        path_of(one) for one in METHODS if one.name.startswith(("Get", "List", "Watch", "Export"))
    }
    assert named == {path for path in looks_of(FILES) if "Reflection" not in path}


def test_a_refusal_is_an_exception_with_a_sentence() -> None:
    """Whoever is refused hears which role is needed."""
    entry = Entry()
    viewer = Caller(proof="token", name="ann", roles=frozenset({Role.VIEWER}))
    with pytest.raises(CallRefused, match="this needs the role finance, and token ann is viewer"):
        entry.door._require("/gateway.fleet.v1.TradeService/WriteOffRefund", viewer)
