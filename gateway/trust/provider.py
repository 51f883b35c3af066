"""The tokens' provider over HTTPS: where its keys are fetched.

Flows in: a URL. Flows out: what stands there, if it comes within its bounds of size and time.
"""

import httpx

from gateway.trust.key_sets import BYTES_MAX, Fetch

TIMEOUT_S = 5.0


def of_url(url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> Fetch:
    """Return what reads the set from the provider. It raises OSError if that cannot be done.

    No redirect is followed: where the keys are the settings say, and nobody else.
    """

    async def fetch() -> bytes:
        try:
            async with (
                httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S) as client,
                client.stream("GET", url) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise OSError(f"{url} answers {answer.status_code}")
                content = b""
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > BYTES_MAX:
                        raise OSError(f"{url} has more than {BYTES_MAX} bytes")
                return content
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(f"{url} does not answer: {type(error).__name__}") from None

    return fetch
