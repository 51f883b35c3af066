"""When chaos is over: the books agree, and everybody came back."""

from collections.abc import Sequence

from gateway.demo.cluster.blows import BlowKind
from gateway.demo.cluster.chaos import Aftermath
from gateway.demo.cluster.table import Measured


def aftermath(seconds: float | None, wrong: Sequence[str] = ()) -> Aftermath:
    """One blow, and what is wrong afterwards."""
    one = Measured(kind=BlowKind.HOST_KILLED, seconds=seconds, pause_s=1.0, load=1.0)
    return Aftermath(
        measured=[one], calm_pause_s=0.5, sales=100, machines=10, seconds=60, wrong=wrong
    )


def test_slow_is_no_failure() -> None:
    """How soon somebody is back depends on the computer; that somebody is does not."""
    assert aftermath(100.0).good
    assert not aftermath(None).good
    assert not aftermath(1.0, ["trade 7: Alipay does not know it"]).good
