"""What tests of the past share: the settings of a demo, and a past that is over in seconds."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.demo import stage
from gateway.demo.pretend import configured
from gateway.past.plan import PastPlan, planned
from gateway.process.configs import configs
from gateway.process.settings import load
from tests.simulation.no_logs import without_logs
from tests.support.past import Folder


@pytest.fixture(autouse=True)
def _no_logs() -> Iterator[None]:
    """A past writes nothing below a warning, and has nothing to warn of."""
    with without_logs():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The demo's, in plain text, without a Ray and without a database."""
    keys = tmp_path / "alipay"
    configured(keys, seed=1, quick=True)
    ports = stage.Ports(machines=1, admin=2, http=3, health=4, alipay=5)
    settings = stage.write_settings(tmp_path, ports, keys=keys, ray=False)
    return Folder(path=tmp_path, settings=settings, made=configs(load(settings)))


@pytest.fixture
def small() -> PastPlan:
    """Five weeks of eight machines that are alike, with louder truths than the demo's."""
    plan = planned(seed=1, weeks=5, machines=8)
    return replace(
        plan,
        places=[replace(place, factor=1.0) for place in plan.places],
        hot_day=7,
        tags_day=33,
        lift=0.5,
        hot_factor=3.0,
        visits_a_day=1.0,
    )


@pytest.fixture
def database(folder: Folder, upgraded_file: Path) -> None:
    """An empty database in the folder."""
    shutil.copy(upgraded_file, folder.path / "vendgate.db")
