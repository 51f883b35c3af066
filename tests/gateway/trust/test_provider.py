"""Where the provider's keys are fetched."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.trust.key_sets import BYTES_MAX
from gateway.trust.provider import of_url
from tests.support.patience import HANGS_AFTER_S

URL = "https://id.test/keys"


async def fetched(answer: httpx.Response | Exception) -> bytes:
    """Return what is fetched of a provider that answers so."""

    async def answered(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return await of_url(URL, transport=httpx.MockTransport(answered))()


async def test_what_stands_there_is_fetched() -> None:
    """As it is."""
    assert b"{}" == await fetched(httpx.Response(200, stream=httpx.ByteStream(b"{}")))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "https://evil.test"}),
        httpx.Response(500),
        httpx.Response(200, stream=httpx.ByteStream(b"x" * (BYTES_MAX + 1))),
        httpx.ConnectError("nobody there"),
        httpx.ReadTimeout("silent"),
    ],
)
async def test_what_cannot_be_had_is_an_oserror(answer: httpx.Response | Exception) -> None:
    """A redirect leads where the settings do not say; what is too large is cut off."""
    with pytest.raises(OSError, match=r"id\.test"):
        await fetched(answer)


class Dripping(httpx.AsyncByteStream):
    """Goes on for ever, and is never silent for long."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.001)
            yield b""


async def test_who_goes_on_slowly_for_ever_is_waited_for_no_longer_than_who_is_silent() -> None:
    """People wait meanwhile, who have tokens."""

    async def answered(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Dripping())

    fetch = of_url(URL, transport=httpx.MockTransport(answered), within_s=0.05)
    async with asyncio.timeout(HANGS_AFTER_S):
        with pytest.raises(OSError, match=r"id\.test/keys has not answered wholly within 0\.05 s"):
            await fetch()


async def test_nothing_is_unpacked() -> None:
    """Some kilobytes would be gigabytes, all at once."""
    packed = gzip.compress(b" " * (BYTES_MAX + 1))
    body = httpx.ByteStream(packed)
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=body)
    assert packed == await fetched(answer)
