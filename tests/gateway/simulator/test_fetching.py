"""A file is fetched with the machine's token, and never more of it than was asked for."""

import httpx
import pytest

from gateway.simulator.fetching import fetch


def answers(request: httpx.Request) -> httpx.Response:
    """As a gateway does."""
    if request.headers["authorization"] != "Bearer good":
        return httpx.Response(401)
    if request.url.path == "/cut":
        raise httpx.ReadError("cut")
    return httpx.Response(200, content=b"12345")


TO = httpx.MockTransport(answers)


async def test_a_file_is_fetched() -> None:
    """Whole."""
    assert b"12345" == await fetch("http://gw/a", "good", 5, transport=TO)


@pytest.mark.parametrize(
    ("url", "token", "most", "why"),
    [
        ("http://gw/a", "bad", 5, "answers 401"),
        ("http://gw/a", "good", 4, "longer than 4"),
        ("http://gw/cut", "good", 5, "ReadError"),
        ("http://gw:x/", "good", 5, "cannot be fetched"),
    ],
)
async def test_what_fails_is_an_oserror(url: str, token: str, most: int, why: str) -> None:
    """With a sentence."""
    with pytest.raises(OSError, match=why):
        await fetch(url, token, most, transport=TO)
