"""What a link needs of a stream: the real one has it, and so has the one of these tests."""

import inspect

import pytest

from gateway.links.linked import LinkedStream
from gateway.machines.stream import Stream
from tests.support.fake_stream import FakeStream


@pytest.mark.parametrize("stream", [Stream, FakeStream])
def test_streams_have_what_a_link_asks_for(stream: type) -> None:
    """With the same arguments."""
    asked = [
        (name, method)
        for name, method in vars(LinkedStream).items()
        if inspect.isfunction(method) and not name.startswith("_")
    ]
    assert 5 == len(asked)
    for name, method in asked:
        assert list(inspect.signature(method).parameters) == list(
            inspect.signature(getattr(stream, name)).parameters
        )
