"""The tables of the configuration file: names, kinds, defaults and bounds. Rules between them are
in ``gateway.process.configs``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from actors.machine.policy import Policy
from alipay_client.amounts import AMOUNT_MINOR_MAX
from alipay_client.config import AlipayConfig, SignType
from gateway.rpc.limits import EdgeLimits

_RUN_DIR = Path("run/ray").absolute()
_ALIPAY = AlipayConfig(partner="")
_EDGE = EdgeLimits()
_FLEET = Policy()


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
        if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
            raise ValueError(
                f"{text!r} is not an address; write host:port, for example 127.0.0.1:7443"
            )
        return cls(host=host, port=int(port))

    @property
    def loopback(self) -> bool:
        """Whether only this computer can reach it."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")


Listen = Annotated[str, AfterValidator(lambda text: str(Address.parse(text)))]
File = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Database(Section):
    """Where machines, money and the inbox are kept. ``url_file`` holds the URL when it has a
    password in it.
    """

    url: SecretStr = SecretStr("sqlite:///run/vendgate.db")
    url_file: File | None = None
    busy_timeout_ms: int = Field(default=10_000, gt=0, le=60_000)


class Listener(Section):
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


class Machines(Listener):
    """The server that machines call. ``spiffe_domain``: the trust domain of their certificates;
    empty takes any of the CA's.
    """

    listen: Listen = "127.0.0.1:7443"
    spiffe_domain: str = Field(default="", pattern=r"^[a-z0-9._-]{0,255}$")


class Admin(Listener):
    """The server that administrators call."""

    listen: Listen = "127.0.0.1:7444"


class Http(Section):
    """The server for Alipay's notifications, health and metrics. ``public_url`` is what Alipay can
    reach, without a path of ours.
    """

    listen: Listen = "127.0.0.1:8080"
    public_url: str = ""
    in_flight_max: int = Field(default=64, gt=0, le=10_000)
    read_timeout_ms: int = Field(default=10_000, gt=0, le=60_000)

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
    notify_amount_field: str = _ALIPAY.notify_amount_field
    notify_currency_field: str = _ALIPAY.notify_currency_field
    refund_reason_field: str = _ALIPAY.refund_reason_field
    confirm_payments_by_query: bool = False
    """Ask Alipay once about each payment before it is believed (its documents disagree about the
    notification's amount).
    """
    payment_minor_max: int = Field(default=AMOUNT_MINOR_MAX, gt=0, le=AMOUNT_MINOR_MAX)
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
    hosts: int = Field(default=1, ge=1, le=256)


Wait = Annotated[int, Field(gt=0, le=86_400_000)]
Waits = Annotated[tuple[Wait, ...], Field(min_length=1, max_length=32)]


class FleetPolicy(Section):
    """The fleet's limits; see ``actors.machine.policy``. A machine may have its own."""

    idle_refund_ms: Wait = _FLEET.idle_refund_ms
    payment_wait_ms: Wait = _FLEET.payment_wait_ms
    unavailable_grace_ms: Wait = _FLEET.unavailable_grace_ms
    approval_valid_ms: Wait = _FLEET.approval_valid_ms
    vend_result_ms: Wait = _FLEET.vend_result_ms
    doubt_window_ms: Wait = _FLEET.doubt_window_ms
    payment_age_max_ms: Wait = _FLEET.payment_age_max_ms
    late_watch_ms: Wait = _FLEET.late_watch_ms
    clock_tolerance_ms: Wait = _FLEET.clock_tolerance_ms
    refund_retry_ms: Waits = _FLEET.refund_retry_ms
    short_of_funds_retry_ms: Wait = _FLEET.short_of_funds_retry_ms
    short_of_funds_sync_tries: int = Field(default=_FLEET.short_of_funds_sync_tries, ge=1, le=1_000)
    code_retry_ms: Waits = _FLEET.code_retry_ms
    doubt_review_above_minor: int | None = Field(
        default=_FLEET.doubt_review_above_minor, ge=0, le=AMOUNT_MINOR_MAX
    )
    """Not set: no doubt waits for a person."""
    write_off_second_person_above_minor: int | None = Field(
        default=_FLEET.write_off_second_person_above_minor, ge=0, le=AMOUNT_MINOR_MAX
    )
    """Not set: one person writes off a refund of any size."""
    doubts_max: int = Field(default=_FLEET.doubts_max, ge=1, le=1_000)
    trades_max: int = Field(default=_FLEET.trades_max, ge=1, le=10_000)


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
    message_bytes_max: int = Field(default=_EDGE.message_bytes_max, ge=4_096, le=4_194_304)
    streams_max: int = Field(default=_EDGE.streams_max, gt=0, le=1_000_000)
    reconnect_initial_ms: int = Field(default=_EDGE.reconnect_initial_ms, gt=0, le=600_000)
    reconnect_max_ms: int = Field(default=_EDGE.reconnect_max_ms, gt=0, le=3_600_000)
    move_spread_ms: int = Field(default=_EDGE.move_spread_ms, gt=0, le=600_000)
    move_deadline_ms: int = Field(default=_EDGE.move_deadline_ms, gt=0, le=3_600_000)


class Logs(Section):
    """What is written down, and how: json for machines, console for people."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
