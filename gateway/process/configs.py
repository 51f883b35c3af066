"""From ``Settings`` to the small configurations of the rooms, with every rule that needs more than
one setting.

Flows in: a loaded ``Settings`` and the files that it names (keys, certificates, salt). Flows out:
one :class:`Configs`, or a refusal with all problems at once. Knows nothing of gRPC or Ray, because
a Ray worker reads its settings here too.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import combinations

from actors.machine.policy import Contradiction, Policy
from actors.performer import Merchant
from actors.ports import StoreError
from alipay_client import config as alipay_config
from alipay_client.config import AlipayConfig
from alipay_client.currencies import SETTLED
from alipay_client.keys import Keys
from gateway.process import certificates, tracing
from gateway.process.addresses import share_port
from gateway.process.alipay import alipay
from gateway.process.enrolment import EnrolmentConfig, enrolment
from gateway.process.files import Problems
from gateway.process.people import asks_for_proof, people
from gateway.process.places import why_no_folder, why_no_log, why_no_socket
from gateway.process.refusals import SettingsRefused
from gateway.process.rotation import Rotating
from gateway.process.sections import (
    Admin,
    ConsolePages,
    Insight,
    ListenerSettings,
    Offers,
    Posters,
    Screens,
    Trace,
)
from gateway.process.settings import UNUSED_DAYS, Settings
from gateway.process.texts import without_passwords
from gateway.process.urls import is_url
from gateway.rpc.limits import EdgeLimits, NotifyLimits
from gateway.rpc.roles import RolesOf
from gateway.rpc.tls import Tls
from storage.database import urls
from storage.database.engine import StorageConfig

NOTIFY_PATH = "/alipay/notify"
PAYER_SALT_LENGTH_MIN = 16
SCREENS_KEY_LENGTH_MIN = 32
_NOTIFY_URL_LENGTH_MAX = 190  # docs/alipay.md 2: "keep it under 190"
_SALTS_MAX = 2
_TOKEN_LENGTH = 32  # secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configs:
    """The settings as the rooms want them. A ``*_tls`` is None for plaintext."""

    storage: StorageConfig
    alipay: AlipayConfig
    keys: Keys
    merchant: Merchant
    policy: Policy
    public_url: str
    payer_salt: bytes = field(repr=False)
    other_payer_salts: tuple[bytes, ...] = field(default=(), repr=False)
    payer_unused_days: int = UNUSED_DAYS
    machines_tls: Tls | None = None
    admin_tls: Tls | None = None
    roles: RolesOf = RolesOf()
    console: ConsolePages = ConsolePages()
    console_tls: Tls | None = None
    enrolment: EnrolmentConfig | None = None
    spiffe_domain: str = ""
    edge_limits: EdgeLimits = EdgeLimits()
    notify_limits: NotifyLimits = NotifyLimits()
    alipay_in_flight_max: int = 32
    confirm_payments_by_query: bool = False
    posters: Posters = Posters()
    insight: Insight = Insight()
    offers: Offers = Offers()
    trace: Trace = Trace()
    screens: Screens = Screens()
    screens_key: bytes = field(default=b"", repr=False)
    """With which machines' tokens are signed; empty: a new one at each start."""
    rotating: "Rotating[Configs] | None" = field(default=None, repr=False, compare=False)
    """The files whose content may change while they are in use; None: nobody looks at them."""


def configs(settings: Settings) -> Configs:
    """Convert all of it. Raises SettingsRefused with a sentence for each problem."""
    rotating, problems = _rotating(settings), Problems()
    storage = _storage(settings, problems, writes=True)
    to_alipay, keys = alipay(settings.alipay, problems)
    merchant = _merchant(settings, problems)
    public_url = _public_url(settings, problems)
    payer_salt, *other_salts = _payer_salts(settings, problems)
    screens_key = _screens_key(settings.screens, problems)
    machines_tls = _tls("machines", settings.machines, problems)
    admin_tls = _tls("admin", settings.admin, problems)
    console_tls = _tls("console", settings.console, problems) if settings.console.enabled else None
    enrolling = enrolment(settings.enrolment, machines_tls, problems)
    policy = _policy(settings, problems)
    roles = people(
        settings.admin,
        problems,
        console_asks=settings.console.enabled and settings.console.client_ca_file is not None,
    )
    for sentence in _two_people(settings):
        problems.add(sentence)
    if settings.trace.endpoint and not tracing.installed():
        problems.add(f"trace.endpoint is set, and {tracing.MISSING}.")
    _cluster(settings, problems)
    for sentence in _clashes(settings):
        problems.add(sentence)
    if problems.sentences or keys is None:
        raise SettingsRefused(tuple(problems.sentences))
    return Configs(
        storage=storage,
        alipay=to_alipay,
        keys=keys,
        merchant=merchant,
        policy=policy,
        public_url=public_url,
        payer_salt=payer_salt,
        other_payer_salts=tuple(other_salts),
        payer_unused_days=settings.payer_unused_days,
        machines_tls=machines_tls,
        admin_tls=admin_tls,
        roles=roles,
        console=settings.console,
        console_tls=console_tls,
        enrolment=enrolling,
        spiffe_domain=settings.machines.spiffe_domain,
        edge_limits=EdgeLimits(**settings.limits.model_dump()),
        notify_limits=NotifyLimits(
            read_timeout_ms=settings.http.read_timeout_ms,
            in_flight_max=settings.http.in_flight_max,
            payment_minor_max=settings.alipay.payment_minor_max,
        ),
        alipay_in_flight_max=settings.alipay.in_flight_max,
        confirm_payments_by_query=settings.alipay.confirm_payments_by_query,
        posters=settings.posters,
        insight=settings.insight,
        offers=settings.offers,
        trace=settings.trace,
        screens=settings.screens,
        screens_key=screens_key,
        rotating=rotating,
    )


def _two_people(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each limit that wants two people where nobody proves to be two."""
    limits = {
        "policy.write_off_second_person_above_minor": (
            settings.policy.write_off_second_person_above_minor
        ),
        "offers.budget_second_person_above_minor": (
            settings.offers.budget_second_person_above_minor
        ),
    }
    for name, limit in limits.items():
        if limit is not None and not asks_for_proof(settings.admin):
            yield (
                f"{name} wants two people, and nobody proves who they are: give "
                "admin.client_ca_file, the CA of the administrators' certificates, with "
                "admin.certificate_file and admin.private_key_file, or [admin.tokens]."
            )


def _rotating(settings: Settings) -> Rotating[Configs]:
    keys, enrols = settings.alipay, settings.enrolment
    files = (
        settings.payer_salt_file,
        *(keys.md5_key_file, keys.private_key_file, keys.public_key_file),
        *(enrols.ca_certificate_file, enrols.ca_private_key_file),
        settings.machines.client_ca_file,
    )
    return Rotating.of(files, lambda: configs(settings))


def certificate_problems(made: Configs, *, now_ms: int) -> list[str]:
    """Return a sentence for each certificate of the listeners that is outdated or weak."""
    return [
        sentence
        for name, tls in (
            ("machines", made.machines_tls),
            ("admin", made.admin_tls),
            ("console", made.console_tls),
            ("enrolment", None if made.enrolment is None else made.enrolment.tls),
        )
        if tls is not None
        for sentence in certificates.judged(name, tls, now_ms=now_ms)
    ]


def place_problems(settings: Settings) -> list[str]:
    """Return a sentence for each place that is to be made and cannot be: something else is there,
    the kernel keeps nothing there, or this user may not write it.

    ``vendgate config check`` refuses them. A host that starts writes its log elsewhere and goes on.
    """
    found = []
    if settings.ray.mode == "local" and (why := why_no_folder(settings.ray.run_dir)):
        found.append(f"ray.run_dir: {why}.")
    if (file := settings.logs.hosts_file) is not None and (why := why_no_log(file)):
        found.append(f"logs.hosts_file: {why}.")
    if (socket := settings.admin.socket_file) is not None and (why := why_no_socket(socket)):
        found.append(f"admin.socket_file: {why}.")
    if settings.screens.listen and (why := why_no_folder(settings.screens.folder)):
        found.append(f"screens.folder: {why}.")
    return found


def storage_config(settings: Settings, *, writes: bool = False) -> StorageConfig:
    """Convert only the database's settings, for commands that need no more; ``writes``: its file
    can be made, or written. Raises SettingsRefused.
    """
    problems = Problems()
    made = _storage(settings, problems, writes=writes)
    if problems.sentences:
        raise SettingsRefused(tuple(problems.sentences))
    return made


def _storage(settings: Settings, problems: Problems, *, writes: bool) -> StorageConfig:
    section = settings.database
    url = (
        problems.secret("database.url_file", section.url_file)
        if section.url_file
        else section.url.get_secret_value()
    )
    if url or not section.url_file:
        try:
            parsed = urls.parse(url)
            for problem in urls.unwritable(parsed) if writes else ():
                problems.add(f"database.url: {problem}")
        except StoreError as error:
            problems.add(f"database.url: {error}")
    if url.startswith("sqlite") and settings.ray.mode == "cluster":
        problems.add(
            "database.url: SQLite is a file of one computer and ray.mode is cluster; use "
            "PostgreSQL, or ray.mode = local."
        )
    return StorageConfig(url=url, busy_timeout_ms=section.busy_timeout_ms)


def _merchant(settings: Settings, problems: Problems) -> Merchant:
    section = settings.alipay.merchant
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", section.secondary_merchant_id):
        problems.add(
            "alipay.merchant.secondary_merchant_id must be your id of the merchant: 1 to 64 "
            "letters, digits, '_' or '-'."
        )
    if (
        not 1 <= len(section.secondary_merchant_name) <= 64
        or '"' in section.secondary_merchant_name
        or not section.secondary_merchant_name.isprintable()
    ):
        problems.add(
            "alipay.merchant.secondary_merchant_name must be the registered name: 1 to 64 "
            "characters in one line, no double quote."
        )
    if not re.fullmatch(r"\d{4}", section.secondary_merchant_industry):
        problems.add(
            "alipay.merchant.secondary_merchant_industry must be the four digits of Alipay's "
            "industry code (MCC), for example 5812."
        )
    if section.settlement_currency and section.settlement_currency not in SETTLED:
        problems.add(
            "alipay.merchant.settlement_currency must be one that Alipay settles "
            f"({', '.join(sorted(SETTLED))}), or empty for each machine's own."
        )
    return Merchant(
        secondary_merchant_id=section.secondary_merchant_id,
        secondary_merchant_name=section.secondary_merchant_name,
        secondary_merchant_industry=section.secondary_merchant_industry,
        settlement_currency=section.settlement_currency,
    )


def _public_url(settings: Settings, problems: Problems) -> str:
    url, given = settings.public_url, settings.http.public_url
    if not given and settings.http.address.port == 0:
        if settings.ray.mode == "cluster":
            problems.add(
                "http.public_url must be given when http.listen leaves the port to the system "
                "(port 0) and hosts are elsewhere."
            )
    elif not is_url(url):
        problems.add(
            f"http.public_url: {without_passwords(repr(given))} is not an http or https URL "
            "without a query; write what Alipay can reach, in ASCII, without a name or a password."
        )
    elif len(url) + len(NOTIFY_PATH) + 1 + _TOKEN_LENGTH > _NOTIFY_URL_LENGTH_MAX:
        problems.add(
            f"http.public_url is too long: a notify URL may have {_NOTIFY_URL_LENGTH_MAX} "
            "characters in all; use a shorter one."
        )
    elif _real_money(settings) and not url.startswith("https://"):
        problems.add(
            "http.public_url must begin with https:// for alipay.environment = production; put "
            "TLS in front and say its URL."
        )
    return url


def _real_money(settings: Settings) -> bool:
    """Return whether it is Alipay's production, by its name or by its address."""
    environment = settings.alipay.environment
    with suppress(ValueError):
        return environment == "production" or alipay_config.is_production(environment)
    return False


def _payer_salts(settings: Settings, problems: Problems) -> list[bytes]:
    """Return the salt, and those beside it that stand in further lines of the file."""
    before = len(problems.sentences)
    text = (
        problems.secret("payer_salt_file", settings.payer_salt_file)
        if settings.payer_salt_file
        else settings.payer_salt.get_secret_value()
    )
    salts = text.splitlines() or [""]
    if len(problems.sentences) == before and min(map(len, salts)) < PAYER_SALT_LENGTH_MIN:
        problems.add(
            f"payer_salt must have at least {PAYER_SALT_LENGTH_MIN} characters: it keys the "
            "hash by which a customer who pays again is found. "
            "Put 32 random ones into a file, and name it in payer_salt_file; with another one "
            "every customer is a new payer."
        )
    if len(salts) > _SALTS_MAX:
        problems.add(
            f"payer_salt_file has {len(salts)} lines: leave the salt in use, and beside it the one "
            "before or the next."
        )
    # Who was hashed when all lines were one salt is found as well.
    whole = [text] if len(salts) > 1 else []
    return [salt.encode() for salt in (*salts, *whole)]


def _screens_key(section: Screens, problems: Problems) -> bytes:
    key = problems.secret("screens.key_file", section.key_file)
    if 0 < len(key) < SCREENS_KEY_LENGTH_MIN:
        problems.add(
            f"screens.key_file must have at least {SCREENS_KEY_LENGTH_MIN} characters: it signs "
            "the tokens with which machines fetch what they show. openssl rand -hex 32 makes some."
        )
    return key.encode()


def _tls(name: str, listener: ListenerSettings, problems: Problems) -> Tls | None:
    if (listener.certificate_file is None) != (listener.private_key_file is None):
        problems.add(
            f"{name}: certificate_file and private_key_file belong together; give both or none."
        )
    elif listener.client_ca_file and not listener.has_tls:
        problems.add(
            f"{name}.client_ca_file asks for client certificates, which needs TLS: give "
            "certificate_file and private_key_file too."
        )
    if not listener.address.loopback and not listener.has_tls:
        problems.add(
            f"{name}.listen is {listener.listen}, which others can reach, and there is no TLS: "
            f"give {name}.certificate_file, "
            f"{name}.private_key_file and {name}.client_ca_file, or listen on 127.0.0.1."
        )
    elif (
        listener.has_tls
        and listener.client_ca_file is None
        and name != "console"  # links ask for it there
        and (name == "machines" or not listener.address.loopback)
        and not (isinstance(listener, Admin) and listener.tokens)
    ):
        tokens = ", or [admin.tokens]" if name == "admin" else ""
        problems.add(
            f"{name} asks nobody who they are: give {name}.client_ca_file, the CA of the "
            f"certificates of those who call{tokens}."
        )
    return certificates.load(name, listener, problems)


def _cluster(settings: Settings, problems: Problems) -> None:
    """Whoever reaches a cluster that asks for no token runs what he likes in the hosts, beside the
    keys (Ray's CVE-2023-48022).
    """
    if settings.ray.mode != "cluster":
        return
    problems.secret("ray.token_file", settings.ray.token_file)
    if settings.ray.token_file is None:
        problems.add(
            "ray.token_file is needed for ray.mode = cluster: start the cluster with "
            "RAY_AUTH_MODE=token (Ray 2.52 or newer), and give the file of its token."
        )


def _policy(settings: Settings, problems: Problems) -> Policy:
    """Return the fleet's limits; a problem for each pair that excludes each other."""
    try:
        made = Policy(**settings.policy.model_dump())
    except Contradiction as error:
        for one in error.found:
            problems.add(f"policy.{one.sentence}")
        return Policy()
    if made.report_wait_ms < settings.limits.reconnect_max_ms:
        problems.add(
            f"policy.report_wait_ms ({made.report_wait_ms}) must be at least "
            f"limits.reconnect_max_ms ({settings.limits.reconnect_max_ms}): a machine may wait "
            "that long before it connects again."
        )
    return made


def _clashes(settings: Settings) -> Iterator[str]:
    named = {
        "machines": settings.machines.address,
        "admin": settings.admin.address,
        "http": settings.http.address,
        "health": settings.health.address,
        **({} if settings.screens.address is None else {"screens": settings.screens.address}),
    }
    if settings.console.enabled:
        named["console"] = settings.console.address
    if settings.enrolment.enabled:
        named["enrolment"] = settings.enrolment.address
    for (name, address), (other, place) in combinations(named.items(), 2):
        if address.port == place.port != 0 and share_port(address.host, place.host):
            yield (
                f"{name}.listen and {other}.listen have the same port {address.port}; give each "
                "its own."
            )
    if settings.limits.reconnect_initial_ms > settings.limits.reconnect_max_ms:
        yield (
            f"limits.reconnect_initial_ms ({settings.limits.reconnect_initial_ms}) must be at most "
            f"limits.reconnect_max_ms ({settings.limits.reconnect_max_ms}): a machine would wait "
            "longer than policy.report_wait_ms allows for."
        )
    if settings.limits.silent_after_ms < 2 * settings.limits.heartbeat_interval_ms:
        yield (
            "limits.silent_after_ms must be at least twice limits.heartbeat_interval_ms, so that "
            "one lost heartbeat costs no stream."
        )
