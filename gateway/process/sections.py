"""The tables of the configuration file: names, kinds, defaults and bounds. Rules between them are
in ``gateway.process.configs``.
"""

import ipaddress
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    create_model,
    field_validator,
)

from actors.machine.policy import AMOUNT_MINOR_MAX, BOUNDS, Bounds, Policy
from alipay_client.config import AlipayConfig, SignType
from gateway.process import urls
from gateway.rpc.limits import EdgeLimits, NotifyLimits
from gateway.rpc.roles import Role

_RUN_DIR = Path("run/ray").absolute()
_ALIPAY = AlipayConfig(partner="")
_EDGE = EdgeLimits()
_NOTIFY = NotifyLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``host:port`` or ``[v6]:port``; ValueError says what is expected."""
        host, colon, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        known = colon and _is_host(host) and port.isascii() and port.isdigit()
        if not known or int(port) > 65_535:
            raise ValueError(
                f"{text!r} is not an address; write host:port, for example 127.0.0.1:7443"
            )
        return cls(host=host, port=int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this computer can reach it."""
        return is_loopback_host(self.host)


def _is_host(host: str) -> bool:
    """Return whether it is an IP address, or can be a name: what looks like neither can be bound
    nowhere.
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        looks_numeric = host.replace(".", "").isdigit()
        return not looks_numeric and re.fullmatch(r"[A-Za-z0-9._-]+", host) is not None
    return True


def is_loopback_host(host: str) -> bool:
    """Return whether the host, a name or an address, is this computer alone. No name but localhost
    is believed: whoever owns it says where it leads.
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


Listen = Annotated[str, AfterValidator(lambda text: str(Address.parse(text)))]
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
"""A parameter of Alipay's: a notification that has another one is refused."""
File = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$")]


def _time_zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError(f"{text!r} is no time zone; write one such as Asia/Hong_Kong")
    return text


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_switch(cls, value: object, info: ValidationInfo) -> object:
        """Refuse true and false where a number is wanted: Python counts them as 1 and 0."""
        of = None if info.field_name is None else cls.model_fields[info.field_name].annotation
        said = value if isinstance(value, list) else [value]
        if of is not bool and any(isinstance(one, bool) for one in said):
            raise ValueError("is no switch: true and false are none of its values")
        return value


class Database(Section):
    """Where machines, money and the inbox are kept. ``url_file`` holds the URL when it has a
    password in it.
    """

    url: SecretStr = SecretStr("sqlite:///run/vendgate.db")
    url_file: File | None = None
    busy_timeout_ms: int = Field(default=10_000, gt=0, le=60_000)
    durability: Literal["full", "weaker"] = "full"
    """``weaker``: serve although the PostgreSQL does not flush, or copies without waiting."""


class ListenerSettings(Section):
    """A gRPC server. It is plain on a loopback address only; ``client_ca_file`` makes it ask for
    client certificates.
    """

    listen: Listen
    certificate_file: File | None = None
    private_key_file: File | None = None
    client_ca_file: File | None = None

    @property
    def address(self) -> Address:
        """``listen``, taken apart."""
        return Address.parse(self.listen)

    @property
    def has_tls(self) -> bool:
        """Whether it speaks TLS."""
        return self.certificate_file is not None and self.private_key_file is not None


class Machines(ListenerSettings):
    """The server that machines call. ``spiffe_domain``: the trust domain of their certificates;
    empty takes any of the CA's.
    """

    listen: Listen = "127.0.0.1:7443"
    spiffe_domain: str = Field(default="", pattern=r"^[a-z0-9._-]{0,255}$")


def _as_roles(said: object) -> object:
    """Let one role stand without brackets."""
    return [said] if isinstance(said, str) else said


RoleName = Literal["none", "viewer", "technician", "operator", "finance", "owner"]
RolesByName = dict[
    Annotated[str, Field(min_length=1, max_length=200)],
    Annotated[frozenset[Role], BeforeValidator(_as_roles), Field(min_length=1)],
]
Claim = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$")]


class AdminTokens(Section):
    """Bearer tokens of an OpenID Connect provider: who issues them, for which audience, and which
    role each value of ``roles_claim`` gives. ``keys_*``: the provider's JWKS.
    """

    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    audience: Annotated[str, Field(min_length=1, max_length=500)]
    keys_file: File | None = None
    keys_url: str = ""
    roles_claim: Claim = "roles"
    """A dot leads into a claim: realm_access.roles."""
    name_claim: Claim = "sub"
    """What tells people apart; it must stay the same for one person, for ever."""
    roles: RolesByName = {}
    leeway_s: int = Field(default=60, ge=0, le=600)
    life_max_s: int = Field(default=43_200, ge=60, le=604_800)


class Admin(ListenerSettings):
    """The server that administrators call, and what they may. ``roles``: by the name in a
    certificate; ``unit_roles``: by an organisational unit in it. ``socket_file``: a Unix socket
    beside ``listen``, for whoever may open it.
    """

    listen: Listen = "127.0.0.1:7444"
    roles: RolesByName = {}
    unit_roles: RolesByName = {}
    tokens: AdminTokens | None = None
    unproven_role: RoleName | None = None
    """Of those who prove nothing, over the loopback address; not set: owner, if nobody is asked for
    a proof, else none.
    """
    socket_file: File | None = None
    socket_mode: Annotated[str, Field(pattern=r"^0[0-7]{3}$")] = "0600"
    socket_role: RoleName = "owner"


class ConsolePages(ListenerSettings):
    """The pages for people; off unless ``enabled``. ``names``: under which it is reached beside
    ``listen``, with the port unless that is 443. A client certificate may be shown and need not.
    """

    enabled: bool = False
    listen: Listen = "127.0.0.1:7445"
    names: Annotated[tuple[HostName, ...], Field(max_length=16)] = ()
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    """In which pages tell times, such as Asia/Hong_Kong."""

    def hosts(self, port: int) -> frozenset[str]:
        """Return what a request may name as its host, in lower case."""
        own = {str(Address(host=self.address.host, port=port))}
        if self.address.loopback:
            own |= {f"{name}:{port}" for name in ("localhost", "127.0.0.1", "[::1]")}
        return frozenset(name.lower() for name in (*own, *self.names))


class Enrolment(ListenerSettings):
    """Machines' certificates, made here; off unless ``enabled``. ``listen`` is for machines that
    have none yet; ``ca_*`` is the CA that issues them, whose key is in a file or signs as a
    command; ``gateway`` is told to machines as the
    address of [machines], and ``public_address`` is where ``listen`` is reached.
    """

    enabled: bool = False
    listen: Listen = "127.0.0.1:7446"
    ca_certificate_file: File | None = None
    ca_private_key_file: File | None = None
    ca_sign_command: list[str] = Field(default=[], max_length=64)
    """A program and its arguments, which signs in the place of ``ca_private_key_file``."""
    certificate_days: int = Field(default=30, ge=1, le=90)
    gateway: Annotated[
        str, Field(max_length=200, pattern=r"^([A-Za-z0-9.\[\]:_-]+:[0-9]{1,5})?$")
    ] = ""
    public_address: Annotated[
        str, Field(max_length=200, pattern=r"^([A-Za-z0-9.\[\]:_-]+:[0-9]{1,5})?$")
    ] = ""


class Health(Section):
    """The server for health and metrics, which only operators need to reach."""

    listen: Listen = "127.0.0.1:8081"

    @property
    def address(self) -> Address:
        """``listen``, taken apart."""
        return Address.parse(self.listen)


class Http(Section):
    """The server for Alipay's notifications, and for nothing else. ``public_url`` is what Alipay
    can reach, without a path of ours.
    """

    listen: Listen = "127.0.0.1:8080"
    public_url: str = ""
    in_flight_max: int = Field(default=_NOTIFY.in_flight_max, gt=0, le=10_000)
    read_timeout_ms: int = Field(default=_NOTIFY.read_timeout_ms, gt=0, le=60_000)

    @property
    def address(self) -> Address:
        """``listen``, taken apart."""
        return Address.parse(self.listen)


class Merchant(Section):
    """The secondary merchant that Alipay shows and settles with (docs/alipay.md 4.1)."""

    secondary_merchant_id: str = ""
    secondary_merchant_name: str = ""
    secondary_merchant_industry: str = ""
    settlement_currency: str = Field(default="", pattern=r"^([A-Z]{3})?$")


class Alipay(Section):
    """Which Alipay and with which keys. ``environment``: sandbox, production, or the URL of another
    gateway.
    """

    environment: str = "sandbox"
    backup_url: str = ""
    partner: str = ""
    sign_type: SignType = SignType.RSA2
    notify_sign_types: tuple[SignType, ...] = ()
    private_key_file: File | None = None
    public_key_file: File | None = None
    md5_key_file: File | None = None
    connect_timeout_ms: int = Field(default=3_000, gt=0, le=60_000)
    read_timeout_ms: int = Field(default=15_000, gt=0, le=120_000)
    in_flight_max: int = Field(default=32, gt=0, le=1_000)
    notify_amount_field: FieldName = _ALIPAY.notify_amount_field
    notify_currency_field: FieldName = _ALIPAY.notify_currency_field
    refund_reason_field: FieldName = _ALIPAY.refund_reason_field
    confirm_payments_by_query: bool = False
    """Ask Alipay once about each payment before it is believed (its documents disagree about the
    notification's amount).
    """
    payment_minor_max: int = Field(default=_NOTIFY.payment_minor_max, gt=0, le=AMOUNT_MINOR_MAX)
    """No single payment is larger."""
    merchant: Merchant = Merchant()


class Ray(Section):
    """Where the hosts run. local: a Ray of our own, in ``run_dir``. cluster: an existing one at
    ``address``. none: in this process.
    """

    mode: Literal["local", "cluster", "none"] = "local"
    address: str = "auto"
    run_dir: File = _RUN_DIR
    """Of a Ray of our own: its token, sockets and logs. Beside the configuration file unless
    something else is said.
    """
    token_file: File | None = None
    """Of a cluster with token authentication."""
    node_ip: str = ""
    """Of a cluster of which several nodes are on this computer: the address of the one to speak
    through.
    """
    hosts: int = Field(default=1, ge=1, le=256)
    spares: bool = True
    """Of a cluster: each host has a second one, which is built, takes 100 MB, and has its machines
    as soon as it has ended.
    """


def _policy_settings() -> Any:
    """Return the kind and the default of each setting: a limit of the core's policy each."""
    return {
        limit.name: (_kind(BOUNDS[limit.name], needed=limit.default is not None), limit.default)
        for limit in fields(Policy)
    }


def _kind(bounds: Bounds, *, needed: bool) -> Any:
    kind: Any = Annotated[int, Field(ge=bounds.least, le=bounds.most)]
    if bounds.count_max > 1:
        kind = Annotated[tuple[kind, ...], Field(min_length=1, max_length=bounds.count_max)]
    return kind if needed else kind | None


class FleetPolicy(create_model("_Policy", __base__=Section, **_policy_settings())):  # type: ignore[misc]  # made of Policy's fields
    """The fleet's limits; see ``actors.machine.policy``. A machine may have its own.

    Not set, where the default is None: nothing waits for a person.
    """


class Limits(Section):
    """Bounds of the machine streams; see ``gateway.rpc.limits``. ``move_*``: how machines are asked
    to move when the gateway stops.
    """

    hello_timeout_s: float = Field(default=_EDGE.hello_timeout_s, gt=0, le=120)
    heartbeat_interval_ms: int = Field(default=_EDGE.heartbeat_interval_ms, gt=0, le=600_000)
    silent_after_ms: int = Field(default=_EDGE.silent_after_ms, gt=0, le=3_600_000)
    outbox_max: int = Field(default=_EDGE.outbox_max, gt=0, le=10_000)
    unacked_max: int = Field(default=_EDGE.unacked_max, gt=0, le=1_000)
    frames_per_s: int = Field(default=_EDGE.frames_per_s, gt=0, le=100_000)
    frames_burst: int = Field(default=_EDGE.frames_burst, gt=0, le=100_000)
    hellos_per_minute: int = Field(default=_EDGE.hellos_per_minute, gt=0, le=10_000)
    repeats_per_minute: int = Field(default=_EDGE.repeats_per_minute, gt=0, le=10_000)
    faults_per_minute: int = Field(default=_EDGE.faults_per_minute, gt=0, le=10_000)
    journal_bytes_per_day: int = Field(
        default=_EDGE.journal_bytes_per_day, ge=4_194_304, le=1_099_511_627_776
    )
    message_bytes_max: int = Field(default=_EDGE.message_bytes_max, ge=4_096, le=4_194_304)
    streams_max: int = Field(default=_EDGE.streams_max, gt=0, le=1_000_000)
    reconnect_initial_ms: int = Field(default=_EDGE.reconnect_initial_ms, gt=0, le=600_000)
    reconnect_max_ms: int = Field(default=_EDGE.reconnect_max_ms, gt=0, le=3_600_000)
    reconnects_per_s: int = Field(default=_EDGE.reconnects_per_s, gt=0, le=1_000_000)
    move_notice_ms: int = Field(default=_EDGE.move_notice_ms, ge=0, le=60_000)
    move_spread_ms: int = Field(default=_EDGE.move_spread_ms, gt=0, le=600_000)
    move_window_ms: int = Field(default=_EDGE.move_window_ms, gt=0, le=600_000)
    move_deadline_ms: int = Field(default=_EDGE.move_deadline_ms, gt=0, le=3_600_000)


Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]


class Insight(Section):
    """What is told of those who pay, and for how long."""

    gate_payers: int = Field(default=10, ge=5, le=10_000)
    """Figures of fewer payers are not told, and others in whole steps of it."""
    machine_hours_days: int = Field(default=800, ge=400, le=36_500)
    """For so long the time of single machines is kept."""
    tag_days: int = Field(default=400, ge=30, le=36_500)
    """For so long the history of tags is kept, and which payment took a voucher."""


class Offers(Section):
    """What of offers takes more than one person."""

    budget_second_person_above_minor: int | None = Field(
        default=None, ge=0, le=AMOUNT_MINOR_MAX * 1_000
    )
    """An offer whose budget is above this, in minor units of its own currency, is made by two
    different people, one after the other, and so is a change that lets such a one give more. Not
    set: one person suffices. It needs client certificates of administrators, or tokens.
    """


class Posters(Section):
    """What posters say and how they look; what cannot be used is told by
    ``gateway.posters.looks``. Colours are #rrggbb in lower case.
    """

    languages: Annotated[
        tuple[Literal["zh-Hant", "zh-Hans", "en"], ...], Field(min_length=1, max_length=3)
    ] = ("zh-Hant", "zh-Hans", "en")
    support_phone: str = Field(default="", pattern=r"^(\+?[0-9][0-9 ()/.-]{2,38})?$")
    """What a customer calls who has a question; empty: that sentence is left out."""
    font_file: File | None = None
    """A TrueType font for names that ours has no characters of, such as Chinese ones."""
    logo_file: File | None = None
    """The operator's own, at the upper left: PNG, JPEG or PDF."""
    mark_file: File | None = None
    """At the upper right, such as the mark of Alipay that Alipay gave the operator."""
    ink: Colour = "#1a1a1a"
    accent: Colour = "#1f4e5f"


class Screens(Section):
    """What machines show between customers. Without ``listen`` they are told nothing.
    ``public_url`` is what machines can reach, without a path of ours.
    """

    listen: Listen | None = None
    public_url: Annotated[str, Field(max_length=200), AfterValidator(urls.reachable)] = ""
    folder: File = Path("run/assets").absolute()
    """The files, each under its hash. Gateways of one installation share it. Beside the
    configuration file, as ``assets``, unless something else is said.
    """
    key_file: File | None = None
    """With which machines' tokens are signed, 32 bytes at least; None: a new one at each start,
    which only one gateway can do with.
    """
    plays_days: int = Field(default=400, ge=90, le=36_500)
    """What machines showed is kept for so long: a year, and time to account for it. Pictures that
    nothing names any more are kept for so long, too.
    """

    @property
    def address(self) -> Address | None:
        """``listen``, taken apart."""
        return None if self.listen is None else Address.parse(self.listen)


class Lake(Section):
    """Where facts of sales are kept as files, and what one DuckDB that reads or writes them may
    use.
    """

    folder: File = Path("run/lake").absolute()
    """A folder of its own, which tasks of Ray's must see under the same name. Beside the
    configuration file, as ``lake``, unless something else is said.
    """
    threads: int = Field(default=2, ge=1, le=256)
    memory_mb: int = Field(default=1_024, ge=128, le=1_000_000)


class Logs(Section):
    """What is written down, and how: json for machines, console for people. ``hosts_file``: where
    hosts that Ray runs write, all of a computer into one file; None: where Ray puts what they say.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    hosts_file: File | None = None


class Trace(Section):
    """Where each purchase can be seen as one trace: a collector of OpenTelemetry's."""

    endpoint: Annotated[
        str, Field(pattern=r"^(https?://[^\s@]+)?$", max_length=500), AfterValidator(urls.with_host)
    ] = ""
    """Where OTLP over HTTP is taken, such as http://127.0.0.1:4318/v1/traces; empty: nowhere. What
    a collector wants to know of who sends (a key) stands in OTEL_EXPORTER_OTLP_HEADERS.
    """
    share: float = Field(default=1.0, gt=0, le=1)
    """The part of all purchases that is told."""
