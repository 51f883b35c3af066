"""When a machine may be asked to open its stream elsewhere: once, and never in the middle of a
vend.

Flows in: what is heard of vends on the stream, and the wish that the machine moves. Flows out: the
request, at the moment at which it may leave.
"""

from collections.abc import Callable

from gateway.v1.machine_service_pb2 import ConnectResponse

Request = Callable[[], ConnectResponse]


class Moving:
    """Of one stream. ``put`` queues the request."""

    __slots__ = ("_asked", "_owed", "_put", "_vend_open")

    def __init__(self, put: Callable[[ConnectResponse], None]) -> None:
        self._put = put
        self._asked = False
        # Makes the request that is due once the vend is over.
        self._owed: Request | None = None
        # Whether a vend was asked for or approved and has no outcome.
        self._vend_open = False

    def ask(self, request: Request) -> None:
        """Ask at once, or when the vend is over."""
        if self._asked:
            return
        if self._vend_open:
            self._owed = request
            return
        self._asked = True
        self._put(request())

    def vend_is(self, *, open_now: bool) -> None:
        """A vend is open, or none is, as far as the stream knows."""
        self._vend_open = open_now

    def vend_over(self) -> None:
        """The vend has its outcome."""
        self._vend_open = False
        if self._owed is not None:
            request, self._owed = self._owed, None
            self.ask(request)
