"""The tokens' provider over HTTPS: where its keys are fetched.

Flows in: a URL. Flows out: what stands there, if it comes within its bounds of size and time.
"""

import asyncio

import httpx

from gateway.trust.key_sets import BYTES_MAX, Fetch

TIMEOUT_S = 5.0
_AS_IT_IS = {"accept-encoding": "identity"}
"""A few kilobytes that are unpacked can be gigabytes."""


def of_url(
    url: str, *, transport: httpx.AsyncBaseTransport | None = None, within_s: float = TIMEOUT_S
) -> Fetch:
    """Return what reads the set from the provider. It raises OSError if that cannot be done.

    No redirect is followed: where the keys are the settings say, and nobody else.
    """

    async def fetch() -> bytes:
        try:
            async with (
                asyncio.timeout(within_s),
                httpx.AsyncClient(transport=transport, timeout=within_s) as client,
                client.stream("GET", url, headers=_AS_IT_IS) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise OSError(f"{url} answers {answer.status_code}")
                content = b""
                async for piece in answer.aiter_raw():
                    content += piece
                    if len(content) > BYTES_MAX:
                        raise OSError(f"{url} has more than {BYTES_MAX} bytes")
                return content
        except TimeoutError:
            raise OSError(f"{url} has not answered wholly within {within_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(f"{url} does not answer: {type(error).__name__}") from None

    return fetch
