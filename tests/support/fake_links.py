"""Links to no host."""

from actors.machine.events import FrameReceived
from gateway.links.terms import LinkedStream


class NoLinks:
    """Nobody hears anything."""

    def open_stream(self, stream: LinkedStream) -> None:
        """Nothing."""

    def close_stream(self, stream: LinkedStream, reason: str = "") -> None:
        """Nothing."""

    def submit(self, stream: LinkedStream, frame: FrameReceived) -> None:
        """Nothing."""

    async def room(self, stream: LinkedStream) -> None:
        """There is room."""
