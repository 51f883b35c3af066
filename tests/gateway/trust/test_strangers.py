"""By whom a call is that another process took in, and who is believed about it."""

import pytest

from gateway.trust.strangers import CALLER, caller_of


class _Call:
    """As much of gRPC's context as is asked."""

    def __init__(self, peer: str, *metadata: tuple[str, str | bytes]) -> None:
        self._peer, self._metadata = peer, metadata

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return self._metadata


@pytest.mark.parametrize(
    ("call", "caller"),
    [
        (_Call("unix:", (CALLER, "ipv4:192.0.2.1:4711")), "ipv4:192.0.2.1:4711"),
        (_Call("unix:", (CALLER, b"ipv4:192.0.2.1:4711")), "ipv4:192.0.2.1:4711"),
        (_Call("unix:"), "unix:"),
        (_Call("ipv4:192.0.2.9:1", (CALLER, "ipv4:192.0.2.1:4711")), "ipv4:192.0.2.9:1"),
    ],
)
def test_a_caller_is_named_at_the_socket_and_nowhere_else(call: object, caller: str) -> None:
    """Whoever could name another address over the network would use up that one's tries."""
    assert caller == caller_of(call)  # type: ignore[arg-type]
