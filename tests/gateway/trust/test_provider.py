"""Where the provider's keys are fetched."""

import httpx
import pytest

from gateway.trust.key_sets import BYTES_MAX
from gateway.trust.provider import of_url

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
    assert b"{}" == await fetched(httpx.Response(200, content=b"{}"))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"location": "https://evil.test"}),
        httpx.Response(500),
        httpx.Response(200, content=b"x" * (BYTES_MAX + 1)),
        httpx.ConnectError("nobody there"),
        httpx.ReadTimeout("silent"),
    ],
)
async def test_what_cannot_be_had_is_an_oserror(answer: httpx.Response | Exception) -> None:
    """A redirect leads where the settings do not say; what is too large is cut off."""
    with pytest.raises(OSError, match=r"id\.test"):
        await fetched(answer)
