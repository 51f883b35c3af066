"""Fetches a file by HTTP, as a machine does: with its token, and never more than it asked for.

Flows in: a URL. Flows out: the content, or OSError with a sentence.
"""

import httpx

TIMEOUT_S = 30.0


async def fetch(
    url: str, token: str, most: int, *, transport: httpx.AsyncBaseTransport | None = None
) -> bytes:
    """Return what is at the URL, at most ``most`` bytes. Raises OSError."""
    content = bytearray()
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, transport=transport) as http,
            http.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise OSError(f"{url[-64:]} answers {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > most:
                    raise OSError(f"{url[-64:]} is longer than {most} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"{url[-64:]} cannot be fetched: {type(error).__name__}") from None
    return bytes(content)
