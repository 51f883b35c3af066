"""What a gateway has of screens is there where machines are given files."""

from pathlib import Path

import pytest

from gateway.rpc.denylist import Denylist
from gateway.serving.screens import ScreenParts, screens_of
from tests.alipay_client.wire import Pair
from tests.support.edge import FixedClock
from tests.support.keeping import KeptBy
from tests.support.site import Site, configs


@pytest.mark.parametrize(("url", "gives"), [("", False), ("http://gw/assets/", True)])
async def test_a_gateway_without_a_listener_tells_nobody_what_to_show(
    site: Site, upgraded_file: Path, pair: Pair, url: str, gives: bool
) -> None:
    """It knows the folder all the same, because administrators bring files."""
    made, clock = configs(upgraded_file, pair), FixedClock()
    parts: ScreenParts = screens_of(
        made, site.database, clock, KeptBy(clock), lambda: 0.0, url, Denylist()
    )
    has = [one is not None for one in (parts.unnamed, parts.desk, parts.files)]
    assert [gives] * 3 == has
    assert parts.folder.find("a" * 64) is None
