"""Alipay's six calls over HTTP. Knows when to give up, and never what to do then.

Flows in: messages. Flows out: answers that Alipay signed, or one of the errors of ``errors``. The
client owns its signing threads and, when made by ``open``, its connections. It repeats nothing,
except that the identical signed request goes once to the backup host when the first cannot be
reached: ids make doing it twice doing it once (docs/alipay.md 1). This module and ``lanes``, which
holds its connections, are the only ones of the client that know httpx.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import structlog

from alipay_client import answers, envelope, fields, messages
from alipay_client.config import AlipayConfig, SignType, require_gateway_url
from alipay_client.errors import Misused, OutcomeUnknown, Unreachable, Untrusted
from alipay_client.keys import Keys, load_keys
from alipay_client.lanes import Lanes

log = structlog.get_logger()

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
    "Accept": "text/xml,text/plain,text/html",
    "Accept-Encoding": "identity",  # so that the bound on what is read is a bound on what is held
    "User-Agent": "vendgate",
}
_CONNECTIONS_MAX = 64
_SIGNERS = 2
"""One RSA signature takes half a millisecond of a thread and no interpreter lock; more than two
would only queue elsewhere.
"""


_YEARS = range(2020, 2100)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AlipayClient:
    """``http`` stays the caller's; ``now`` gives aware times; ``answered`` is told the Date of each
    answer (milliseconds since 1970 UTC) and how many milliseconds it took. Misused: the
    configuration cannot work, and the sentence says why.
    """

    def __init__(
        self,
        config: AlipayConfig,
        http: httpx.AsyncClient,
        *,
        now: Callable[[], datetime] = _utc_now,
        answered: Callable[[int, int], None] = lambda _date_ms, _took_ms: None,
    ) -> None:
        self._answered = answered
        self._config = config
        self._http = http
        self._now = now
        self._owns_http = False
        self._keys = load_keys(config)
        self._urls = [_endpoint(url) for url in (config.gateway_url, config.backup_url) if url]
        if not config.gateway_url:
            raise Misused(
                "bad_url",
                (
                    "gateway_url is empty; name Alipay's gateway, "
                    "https://globalmapi.alipay.com/gateway.do"
                ),
            )
        if config.connect_timeout_ms <= 0 or config.read_timeout_ms <= 0:
            raise Misused(
                "bad_timeout", "connect_timeout_ms and read_timeout_ms must be above zero"
            )
        connect_s, read_s = config.connect_timeout_ms / 1_000, config.read_timeout_ms / 1_000
        self._timeout = httpx.Timeout(read_s, connect=connect_s, pool=connect_s)
        self._attempt_s = connect_s + read_s
        self._signers = ThreadPoolExecutor(_SIGNERS, thread_name_prefix="alipay-sign")

    @classmethod
    def open(
        cls,
        config: AlipayConfig,
        *,
        now: Callable[[], datetime] = _utc_now,
        answered: Callable[[int, int], None] = lambda _date_ms, _took_ms: None,
    ) -> "AlipayClient":
        """Make a client with connections of its own: TLS verified, no redirects, no proxy from the
        environment, a bounded pool.
        """
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        tls = httpx.create_ssl_context(trust_env=False)  # read once, for all lanes
        lanes = Lanes(
            _CONNECTIONS_MAX,
            lambda: httpx.AsyncHTTPTransport(verify=tls, trust_env=False, limits=one),
        )
        client = cls(
            config,
            httpx.AsyncClient(transport=lanes, trust_env=False, follow_redirects=False),
            now=now,
            answered=answered,
        )
        client._owns_http = True
        return client

    @property
    def keys(self) -> Keys:
        """The loaded keys, for ``parse_notification``."""
        return self._keys

    def use(self, keys: Keys) -> None:
        """Sign and prove with other keys of the same sign type from now on. Misused: of another."""
        if keys.sign_type is not self._config.sign_type:
            raise Misused("other_sign_type", "another sign type needs another client")
        self._keys = keys

    async def close(self) -> None:
        """Let go of the threads and of the connections, if they are ours. Calls under way fail."""
        self._signers.shutdown(wait=False)
        if self._owns_http:
            await self._http.aclose()

    async def create_code(self, m: messages.CreateCode) -> messages.CodeAnswer:
        """Create the shop's code, or get the one that it has (docs/alipay.md 4.1). Refused,
        OutcomeUnknown, Misused.
        """
        return answers.code(await self._call(fields.create_code(m, self._config, self._now())))

    async def modify_code(self, m: messages.ModifyCode) -> messages.CodeAnswer:
        """Replace all that a code says of its shop (docs/alipay.md 4.2). Refused, OutcomeUnknown,
        Misused.
        """
        return answers.code(
            await self._call(fields.modify_code(m, self._config, self._now())), m.qrcode
        )

    async def modify_code_status(self, m: messages.ModifyCodeStatus) -> messages.CodeAnswer:
        """Stop, restart or delete a code (docs/alipay.md 4.3). Refused, OutcomeUnknown, Misused."""
        return answers.code(
            await self._call(fields.modify_code_status(m, self._config, self._now())), m.qrcode
        )

    async def refund(self, m: messages.Refund) -> messages.RefundAnswer:
        """Refund: SUCCEEDED, or ACCEPTED if asynchronous (docs/alipay.md 5). Refused,
        OutcomeUnknown (same id again, or query), Misused.
        """
        return answers.refund(await self._call(fields.refund(m, self._config)), m)

    async def query_refund(self, m: messages.QueryRefund) -> messages.RefundAnswer:
        """Ask what became of a refund (docs/alipay.md 5.8). OutcomeUnknown, Misused."""
        return answers.query_refund(await self._call(fields.query_refund(m, self._config)), m)

    async def query_trade(self, m: messages.QueryTrade) -> messages.TradeAnswer:
        """Ask for the state of a trade (docs/alipay.md 6.1). Refused, OutcomeUnknown, Misused."""
        return answers.query_trade(await self._call(fields.query_trade(m, self._config)), m)

    async def ask_time(self, *, within_s: float) -> bool:
        """Have Alipay's gateway answer a request that asks for nothing and is not signed, so that
        ``answered`` hears the Date of it; return whether an answer came in time.

        The Date is nobody's signature: with https it is as true as the other side's certificate.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            async with (
                asyncio.timeout(within_s),
                self._http.stream(
                    "GET", self._config.gateway_url, headers=_HEADERS, timeout=self._timeout
                ) as response,
            ):
                self._hear(response, began_s)
        except (TimeoutError, httpx.RequestError):
            return False
        return True

    def _hear(self, response: httpx.Response, began_s: float) -> None:
        took_ms = int((asyncio.get_running_loop().time() - began_s) * 1_000)
        if (date_ms := _date_ms(response)) is not None:
            self._answered(date_ms, took_ms)

    async def _call(self, parameters: Mapping[str, str]) -> envelope.Answer:
        body = await self._signed(parameters)
        answer = envelope.read(await self._answer(parameters["service"], body), self._keys)
        answers.check_request(answer, parameters)
        return answer

    async def _answer(self, service: str, body: bytes) -> bytes:
        """Ask each host in turn until one can be reached."""
        for url in self._urls[:-1]:
            try:
                return await self._exchange(url, body)
            except Unreachable as error:
                log.warning(
                    "Alipay's gateway could not be reached; the backup host is asked",
                    service=service,
                    host=urlsplit(url).hostname,
                    cause=error.code,
                )
        return await self._exchange(self._urls[-1], body)

    async def _signed(self, parameters: Mapping[str, str]) -> bytes:
        if self._config.sign_type is SignType.MD5:
            return envelope.build(parameters, self._keys)
        return await asyncio.get_running_loop().run_in_executor(
            self._signers, envelope.build, parameters, self._keys
        )

    async def _exchange(self, url: str, body: bytes) -> bytes:
        """Send once and read the whole answer within connect plus read time-out, however slowly it
        drips.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            async with (
                asyncio.timeout(self._attempt_s),
                self._http.stream(
                    "POST",
                    url,
                    content=body,
                    headers=_HEADERS,
                    timeout=self._timeout,
                    follow_redirects=False,
                ) as response,
            ):
                self._hear(response, began_s)
                return await _bounded(response)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Unreachable(
                "timeout",
                f"no whole answer in time from {urlsplit(url).hostname}: {type(error).__name__}",
            ) from error
        except httpx.RequestError as error:
            raise Unreachable(
                "transport", f"no answer from {urlsplit(url).hostname}: {type(error).__name__}"
            ) from error


def _date_ms(response: httpx.Response) -> int | None:
    """Return when the answer was made, by the other side's clock, if it says so. A year in which
    nobody sells anything says nothing of the time.
    """
    try:
        date = parsedate_to_datetime(response.headers["Date"])
        return int(date.timestamp()) * 1_000 if date.year in _YEARS else None
    except (KeyError, ValueError, OverflowError):
        return None


async def _bounded(response: httpx.Response) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise OutcomeUnknown(
            f"http_{response.status_code}", "Alipay's gateway did not answer with 200"
        )
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise Untrusted("bad_encoding", "the answer is compressed although that was declined")
    chunks = bytearray()
    async for chunk in response.aiter_bytes():
        chunks += chunk
        if len(chunks) > envelope.ANSWER_BYTES_MAX:
            raise Untrusted(
                "oversized", f"the answer is longer than {envelope.ANSWER_BYTES_MAX} bytes"
            )
    return bytes(chunks)


def _endpoint(url: str) -> str:
    require_gateway_url(url)
    return f"{url}?{envelope.QUERY}"
