"""What a poster needs to know of a machine crosses to the process that draws."""

import msgspec
import pytest

from storage.office.poster_lines import PosterLine, Printed


@pytest.mark.parametrize(
    "one",
    [
        PosterLine(
            machine_id="VM-1",
            payload="https://qr.example.com/1",
            status="ACTIVE",
            mode="AUTHORIZATION_FIRST",
            differs=("store_name",),
            error="none",
            enabled=False,
            retired=True,
            place="Lobby",
        ),
        Printed(machine_id="VM-1", code_id="1f2e", place="Lobby"),
    ],
)
def test_it_crosses_whole(one: PosterLine | Printed) -> None:
    """Each field arrives as it was, and of the same kind."""
    assert one == msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=type(one))
